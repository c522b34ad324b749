/** Resource descriptors. Source: ACPI specification 6.4, "Resource Data Types for ACPI". */
import { type Aml, buffer, little } from './aml.ts';

/** Descriptors as the buffer that _CRS and _PRS give. */
export function resources(...descriptors: readonly Aml[]): Aml {
  return buffer([...descriptors.flat(), 0x79, 0]);
}

/** IO: 16-bit ports at a fixed place. */
export function ports(first: number, count: number): Aml {
  return [0x47, 1, ...little(first, 2), ...little(first, 2), 1, count];
}

/** IRQNoFlags: an ISA line, edge-triggered. */
export function irq(line: number): Aml {
  return [0x22, ...little(1 << line, 2)];
}

/** Memory32Fixed. */
export function memory(start: number, bytes: number, writable: boolean): Aml {
  return [0x86, 9, 0, writable ? 1 : 0, ...little(start, 4), ...little(bytes, 4)];
}

/** Interrupt: level, active high, shared. The first number is at byte 5. */
export function interrupts(...numbers: readonly number[]): Aml {
  const body = [0x09, numbers.length, ...numbers.flatMap((n) => little(n, 4))];
  return [0x89, ...little(body.length, 2), ...body];
}

/** Buses that a bridge has. */
export function buses(first: number, last: number): Aml {
  return addressSpace(0x88, 2, 2, 0, first, last);
}

/** Ports that a bridge passes on. */
export function portWindow(first: number, last: number): Aml {
  return addressSpace(0x88, 2, 1, 3, first, last);
}

const WRITABLE = 1;
const CACHED = 2;

/** Memory that a bridge passes on: 32 bit, writable. */
export function memoryWindow(first: number, last: number, cached = false): Aml {
  return addressSpace(0x87, 4, 0, cached ? WRITABLE | CACHED : WRITABLE, first, last);
}

/** Memory that a bridge passes on: 64 bit, writable, cached. */
export function highMemoryWindow(first: number, last: number): Aml {
  return addressSpace(0x8a, 8, 0, WRITABLE | CACHED, first, last);
}

/** Word, DWord or QWord address space descriptor: a producer with both ends fixed. */
function addressSpace(
  tag: number,
  width: 2 | 4 | 8,
  type: number,
  flags: number,
  first: number,
  last: number,
): Aml {
  const numbers = [0, first, last, 0, last - first + 1].flatMap((n) => little(n, width));
  return [tag, ...little(3 + numbers.length, 2), type, 0x0c, flags, ...numbers];
}
