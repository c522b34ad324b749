/**
 * The fixed ACPI tables of a Q35 board. Values are those of QEMU 7.2 (measured; a test compares them).
 * Source: ACPI specification 6.4, "System Description Table Format".
 */
import { ascii, little } from './aml.ts';
import type { AcpiBoard } from './board.ts';
import { dsdt } from './dsdt.ts';
import type { AcpiTable } from './loader.ts';
import { FIRST_X2APIC_ID, localApicEntry, nmiEntry } from './madt-entries.ts';

const APM_CNT = 0xb2;
const SCI = 9;
/** WBINVD, C1, sleep button by control method, RTC wakes from S4, reset register, platform clock. */
const FADT_FLAGS = 0x84a5;
const FADT_BYTES = 244;
const HEADER_BYTES = 36;
const CMOS_CENTURY = 0x32;
/** The PM timer is good: no need to read it more than once. */
const WAET_PM_TIMER_GOOD = 2;

/** All tables but the RSDT, in the order of the file. */
export function q35Tables(board: AcpiBoard): AcpiTable[] {
  return [
    { signature: 'FACS', revision: 0, whole: 'bare', body: facs() },
    dsdt(board),
    fadt(board),
    madt(board),
    ...board.parts.flatMap((part) => part.tables ?? []),
    ...mcfg(board),
    { signature: 'WAET', revision: 1, body: little(WAET_PM_TIMER_GOOD, 4) },
    ...board.tables,
  ];
}

/** A generic address in ports. */
function portAddress(port: number, bits: number, accessSize = 0): number[] {
  return [1, bits, 0, accessSize, ...little(port, 8)];
}

function facs(): number[] {
  return [...ascii('FACS'), ...little(64, 4), ...new Array<number>(56).fill(0)];
}

function fadt({ pmBase, parts }: AcpiBoard): AcpiTable {
  const bytes = new Array<number>(FADT_BYTES).fill(0);
  const put = (offset: number, values: readonly number[]): void => {
    bytes.splice(offset, values.length, ...values);
  };
  const boot = parts.reduce((bits, part) => bits | (part.bootArchitecture ?? 0), 0);
  const blocks = [
    { at: 56, extended: 148, port: pmBase, lengthAt: 88, bytes: 4 },
    { at: 64, extended: 172, port: pmBase + 4, lengthAt: 89, bytes: 2 },
    { at: 76, extended: 208, port: pmBase + 8, lengthAt: 91, bytes: 4 },
    { at: 80, extended: 220, port: pmBase + 0x20, lengthAt: 92, bytes: 16 },
  ];
  for (const block of blocks) {
    put(block.at, little(block.port, 4));
    put(block.lengthAt, [block.bytes]);
    put(block.extended, portAddress(block.port, block.bytes * 8));
  }
  put(44, [1]); // dual 8259, a field of ACPI 1.0
  put(46, little(SCI, 2));
  put(48, [...little(APM_CNT, 4), 2, 3]); // ACPI_ENABLE, ACPI_DISABLE
  put(96, [...little(0xfff, 2), ...little(0xfff, 2)]); // no C2, no C3
  put(108, [CMOS_CENTURY, ...little(boot, 2)]);
  put(112, little(FADT_FLAGS, 4));
  put(116, [...portAddress(0xcf9, 8), 0x0f]);
  return {
    signature: 'FACP',
    revision: 3,
    body: bytes.slice(HEADER_BYTES),
    pointers: [
      { offset: 36, width: 4, target: 'FACS' },
      { offset: 40, width: 4, target: 'DSDT' },
      { offset: 140, width: 8, target: 'DSDT' },
    ],
  };
}

function madt({ processors, parts }: AcpiBoard): AcpiTable {
  const wide = processors.some(({ apicId }) => apicId >= FIRST_X2APIC_ID);
  const locals = processors.flatMap(({ apicId, present }, index) => localApicEntry(index, apicId, present));
  return {
    signature: 'APIC',
    revision: 1,
    body: [
      ...[...little(0xfee0_0000, 4), ...little(1, 4)],
      ...[...locals, ...parts.flatMap((part) => part.madt ?? []), ...nmiEntry(wide)],
    ],
  };
}

function mcfg({ ecam }: AcpiBoard): AcpiTable[] {
  if (ecam === undefined) return [];
  const lastBus = ecam.sizeBytes / 0x10_0000 - 1;
  const body = [...little(0, 8), ...little(ecam.start, 8), 0, 0, 0, lastBus, ...little(0, 4)];
  return [{ signature: 'MCFG', revision: 1, body }];
}
