/** Carries out the oracle's accesses on our chipset. Test code only. */
import { IoPortSpace, PhysicalAddressSpace, TX_SMM, VirtualClock } from '@smm/bus';
import type { SmramRange, SmramRegisters } from '@smm/x86-defs';
import { Q35Chipset, type Q35Options, type SmiTarget } from '../../src/index.ts';
import type { Access } from './qemu-oracle.ts';

export type Decoder = (registers: SmramRegisters, options: { topOfLowRam: number }) => readonly SmramRange[];

/** A chipset with what it raised. RAM of `ramBytes` bytes is backed in full: keep it small. */
export function buildModel(
  ramBytes: number,
  decodeSmram: Decoder = () => [],
  options: Partial<Q35Options> = {},
  romBytes = 0x1_0000,
) {
  const window = new Uint8Array(ramBytes + romBytes);
  const memory = new PhysicalAddressSpace({ ram: window });
  const io = new IoPortSpace();
  const clock = new VirtualClock();
  const smis: SmiTarget[] = [];
  const resets: string[] = [];
  const debug: number[] = [];
  const sleeps: number[] = [];
  const chipset: Q35Chipset = new Q35Chipset(
    {
      memory,
      io,
      clock,
      decodeSmram,
      smi: (target) => smis.push(target),
      reset: (kind) => resets.push(kind),
      debugOut: (byte) => debug.push(byte),
      sleep: (type) => sleeps.push(type),
      wake: () => chipset.resume(),
    },
    {
      ram: { hostOffset: 0, sizeBytes: ramBytes },
      rom: { hostOffset: ramBytes, sizeBytes: romBytes },
      cpuCount: 1,
      ...options,
    },
  );
  return { window, memory, io, clock, chipset, smis, resets, debug, sleeps };
}

/** The numbers that the accesses read, as the oracle gives them. */
export function runOnModel(accesses: readonly Access[], model: ReturnType<typeof buildModel>): number[] {
  const results: number[] = [];
  for (const a of accesses) {
    switch (a.kind) {
      case 'in':
        results.push(model.io.in(a.port, a.size, 0));
        break;
      case 'out':
        model.io.out(a.port, a.size, a.value, 0);
        break;
      case 'read':
        results.push(model.memory.read(a.gpa, a.size, 0));
        break;
      case 'smm-read':
        results.push(model.memory.read(a.gpa, a.size, TX_SMM));
        break;
      case 'write':
        model.memory.write(a.gpa, a.size, a.value, 0);
        break;
      case 'smm-write':
        model.memory.write(a.gpa, a.size, a.value, TX_SMM);
        break;
      case 'smi': {
        const before = model.smis.length;
        model.io.out(0xb2, 1, a.command, 0);
        results.push(model.smis.length - before);
        break;
      }
      case 'reset':
        model.io.out(0xcf9, 1, 2, 0);
        model.io.out(0xcf9, 1, 6, 0);
        model.chipset.reset();
        break;
      case 'wait':
      case 'until-clear':
      case 'until-set':
        break;
    }
  }
  return results;
}

/** Configuration read and write through CF8h and CFCh. `bdf` is device << 3 | function. */
export function configRead(bdf: number, offset: number, size: 1 | 2 | 4): Access[] {
  return [configAddress(bdf, offset), { kind: 'in', port: 0xcfc + (offset & 3), size }];
}

export function configWrite(bdf: number, offset: number, size: 1 | 2 | 4, value: number): Access[] {
  return [configAddress(bdf, offset), { kind: 'out', port: 0xcfc + (offset & 3), size, value }];
}

function configAddress(bdf: number, offset: number): Access {
  return { kind: 'out', port: 0xcf8, size: 4, value: (0x8000_0000 | (bdf << 8) | (offset & 0xfc)) >>> 0 };
}
