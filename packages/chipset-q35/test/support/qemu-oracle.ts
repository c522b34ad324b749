/**
 * Carries out bus accesses on qemu-system-x86_64 and returns what was read: an oracle for device models. Test code
 * only.
 */
import { join } from 'node:path';
import { missingTools, nasmFile, qemuOutput } from '../../../../tests/support/qemu.ts';

export type Size = 1 | 2 | 4;

/** One access. Those that read give one number in the result. */
export type Access =
  | { kind: 'in'; port: number; size: Size }
  | { kind: 'out'; port: number; size: Size; value: number }
  | { kind: 'read' | 'smm-read'; gpa: number; size: Size }
  | { kind: 'write' | 'smm-write'; gpa: number; size: Size; value: number }
  | { kind: 'smi'; command: number }
  | { kind: 'reset' }
  | { kind: 'wait'; loops: number }
  /** Until these bits of a dword are clear, or any of them is set. */
  | { kind: 'until-clear' | 'until-set'; gpa: number; value: number };

const KINDS = {
  in: 1,
  out: 2,
  read: 3,
  write: 4,
  'smm-read': 5,
  'smm-write': 6,
  smi: 7,
  reset: 8,
  wait: 9,
  'until-clear': 10,
  'until-set': 11,
};
const LIST_OFFSET = 0x1000;
const LIST_ROOM = 0xfff0 - LIST_OFFSET;

/** Why the oracle cannot run here, or undefined when it can. */
export function oracleMissing(): string | undefined {
  return missingTools('qemu-system-x86_64', 'nasm');
}

/** True for accesses that give a number. */
function reads(access: Access): boolean {
  return ['in', 'read', 'smm-read', 'smi'].includes(access.kind);
}

/** The firmware image: the probe at the end, before it `i & FFh` in byte i. */
export interface Image {
  sizeBytes: number;
  pflash: boolean;
}

/** What {@link Image} holds in front of the probe. */
export function imageFiller(sizeBytes: number): Uint8Array {
  return Uint8Array.from({ length: sizeBytes }, (_, i) => i & 0xff);
}

/** Runs the accesses from power-on; extra QEMU arguments follow. */
export function runOnQemu(
  accesses: readonly Access[],
  args: readonly string[] = ['-m', '256'],
  image: Image = { sizeBytes: 0x1_0000, pflash: false },
): number[] {
  if ((accesses.length + 1) * 16 > LIST_ROOM) throw new Error(`${accesses.length} accesses do not fit`);
  const probe = nasmFile(join(import.meta.dirname, 'probe.asm'));
  const list = new DataView(probe.buffer, probe.byteOffset + LIST_OFFSET, LIST_ROOM);
  accesses.forEach((access, i) => {
    list.setUint8(i * 16, KINDS[access.kind]);
    list.setUint8(i * 16 + 1, 'size' in access ? access.size : 1);
    const address = 'port' in access ? access.port : 'gpa' in access ? access.gpa : 0;
    const value =
      'value' in access
        ? access.value
        : 'command' in access
          ? access.command
          : 'loops' in access
            ? access.loops
            : 0;
    list.setUint32(i * 16 + 4, address, true);
    list.setUint32(i * 16 + 8, value, true);
  });
  const rom = Buffer.concat([imageFiller(image.sizeBytes - probe.length), probe]);
  const bytes = qemuOutput({ rom, pflash: image.pflash, args });
  const expected = accesses.filter(reads).length;
  if (bytes.length !== expected * 4)
    throw new Error(`QEMU gave ${bytes.length / 4} results for ${expected} reads`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: expected }, (_, i) => view.getUint32(i * 4, true));
}
