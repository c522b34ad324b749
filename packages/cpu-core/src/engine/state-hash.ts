/** A number for a machine's state: to compare runs, tiers and restored snapshots. */
import type { Processor } from '../processor.ts';
import { savedFields } from '../system/snapshot.ts';

/** Part of the window: host offset and length, bytes; both multiples of 4. */
export type HostRange = readonly [offset: number, length: number];

/**
 * Hash of a processor's architectural state (registers, status flags evaluated, latches, instructions retired) and of
 * parts of the window, as 16 hexadecimal digits. Equal states give equal hashes in every tier. Not cryptographic.
 */
export function stateHash(cpu: Processor, ranges: readonly HostRange[] = []): string {
  const fields = savedFields(cpu.state);
  let hash = mix([0x811c9dc5, 0x01000193], new Int32Array(fields.buffer));
  for (const [offset, length] of ranges) {
    hash = mix(hash, cpu.state.views.i32.subarray(offset >>> 2, (offset + length) >>> 2));
  }
  return hash.map((x) => (x >>> 0).toString(16).padStart(8, '0')).join('');
}

function mix([a, b]: number[], words: Int32Array): number[] {
  let x = a!;
  let y = b!;
  for (let i = 0; i < words.length; i++) {
    const w = words[i]!;
    x = Math.imul(x ^ w, 0x85eb_ca6b);
    x ^= x >>> 13;
    y = Math.imul(y + w, 0xc2b2_ae35) ^ x;
  }
  return [x, y];
}
