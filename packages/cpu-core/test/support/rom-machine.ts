/** Runs 64 KiB ROM images, below 1 MB and at the top of 4 GB, on a flat machine, and in QEMU for comparison. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { missingTools, qemuOutput } from '../../../../tests/support/qemu.ts';
import type { TierName } from '../../src/engine/engine.ts';
import { cpuModel } from '../../src/system/models.ts';
import { assembleWithNasm } from './assemble.ts';
import { FlatMachine } from './flat-machine.ts';

/** Where debug bytes go. */
const DEBUG_PORT = 0x402;
const DATA = new URL('../data/', import.meta.url).pathname;

/** Machine code of `test/data/NAME.asm`. */
export function assembleRom(name: string): Uint8Array {
  return assembleWithNasm(readFileSync(join(DATA, `${name}.asm`), 'utf8'));
}

/** Why nothing can be compared with QEMU here; undefined where it can. */
export const QEMU_MISSING = missingTools('nasm', 'qemu-system-x86_64');

/** Bytes that the ROM writes to port 402h in QEMU until it writes to port F4h. */
export function runInQemu(rom: Uint8Array, model: string): Uint8Array {
  return qemuOutput({ rom, machine: 'q35', args: ['-cpu', model, '-m', '32'] });
}

/** The same here. */
export function runHere(
  rom: Uint8Array,
  model: string,
  tier: TierName = 'evaluator',
  budget = 200_000,
): Uint8Array {
  const bytes: number[] = [];
  let ended = false;
  let cr8 = 0;
  const machine: FlatMachine = new FlatMachine({
    ram: 1 << 20,
    tier,
    model: cpuModel(model),
    ports: {
      apic: {
        pendingVector: () => -1,
        acknowledge: () => 0,
        getCr8: () => cr8,
        setCr8: (value) => {
          cr8 = value;
        },
        readMsr: () => undefined,
        writeMsr: () => false,
      },
      io: {
        in: (_port, size) => (size === 1 ? 0xff : size === 2 ? 0xffff : 0xffff_ffff),
        out: (port, size, value) => {
          if (port === DEBUG_PORT && size === 1) bytes.push(value);
          if (port === 0xf4) {
            ended = true;
            machine.cpu.requestExit();
          }
        },
      },
    },
  });
  machine.map = (page) => (page >= 0xffff_0000 ? page - 0xfff0_0000 : page);
  machine.load(0xf0000, rom);
  const exit = machine.cpu.run(budget);
  if (!ended)
    throw new Error(
      `the ROM stopped: ${exit.reason} after ${bytes.length} bytes, RIP ${machine.cpu.state.rip.toString(16)}`,
    );
  return Uint8Array.from(bytes);
}

/** Little-endian dwords as hexadecimal words, eight a line: differences read well. */
export function dump(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const words = Array.from({ length: bytes.length >> 2 }, (_, i) => view.getUint32(i * 4, true).toString(16));
  return words.map((word, i) => `${i}: ${word}`).join('\n');
}
