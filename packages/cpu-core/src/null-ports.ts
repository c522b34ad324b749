/** Surroundings of a processor that has none: flat memory, no devices. Replace what a program needs. */
import { CR0_PG, UnmodelledError, wholeNumber } from '@smm/x86-defs';
import {
  type MemoryPort,
  type PageWalker,
  type RamWindow,
  TRANSLATED_DEVICE,
  TRANSLATED_RAM,
} from './ports.ts';
import type { ProcessorPorts } from './processor-options.ts';

/**
 * Ports for programs without a machine: linear = guest-physical = host offset for `ramSize` bytes from the start of
 * the window (a multiple of 4096); beyond, and at I/O ports, nothing: reads give all-ones, writes are dropped. The
 * time-stamp counter stands still, no interrupt comes. `own` are the ports that are not to be null. What would need a
 * machine, paging (CR0.PG) and SMM, throws an `UnmodelledError`.
 */
export function nullPorts(
  window: RamWindow,
  ramSize: number,
  own: Partial<ProcessorPorts> = {},
): ProcessorPorts {
  wholeNumber('ramSize of nullPorts', ramSize, 4096, window.buffer.byteLength);
  wholeNumber('ramSize of nullPorts in pages', ramSize / 4096, 1);
  return {
    pageWalker: flatWalker(ramSize),
    memory: flatMemory(new Uint8Array(window.buffer, 0, ramSize)),
    io: { in: (_port, size) => allOnes(size), out: () => {} },
    apic: {
      pendingVector: () => -1,
      acknowledge: () => 0,
      getCr8: () => 0,
      setCr8: () => {},
      readMsr: () => undefined,
      writeMsr: () => false,
    },
    saveState: { revision: 0x2_0064, save: noSmm, restore: noSmm },
    time: { tsc: () => 0n },
    ...own,
  };
}

function flatWalker(ramSize: number): PageWalker {
  return {
    translate: ({ linear, cr0 }, result) => {
      if (cr0 & CR0_PG) missing('paging', 'Give nullPorts a pageWalker: @smm/mmu-ept has one.');
      const page = linear - (linear & 0xfff);
      const ram = page >= 0 && page < ramSize;
      result.outcome = ram ? TRANSLATED_RAM : TRANSLATED_DEVICE;
      result.gpaPage = page;
      if (!ram) return;
      result.hostPage = page;
      result.readable = true;
      result.writable = true;
      result.executable = true;
    },
  };
}

function flatMemory(ram: Uint8Array): MemoryPort {
  return {
    read: (_gpa, size) => allOnes(size),
    write: () => {},
    readBlock: (gpa, into) => {
      into.fill(0xff);
      into.set(ram.subarray(gpa, gpa + into.length));
    },
    writeBlock: noSmm,
  };
}

function allOnes(size: 1 | 2 | 4): number {
  return 2 ** (8 * size) - 1;
}

function noSmm(): never {
  return missing(
    'SMM',
    'Give nullPorts a saveState codec and memory: @smm/smram and @smm/machine have them.',
  );
}

function missing(what: string, fix: string): never {
  throw new UnmodelledError('NULL_PORTS', `these ports (nullPorts) have no ${what}`, fix, { what });
}
