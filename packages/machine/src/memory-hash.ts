/** A number for all that a machine's memory holds: to compare runs and tiers. */
import type { Machine } from './machine.ts';

/**
 * Hash, 32 bit, of the pages that hold anything: a run may touch a page that it leaves as it was. Not cryptographic.
 */
export function memoryHash(machine: Machine): number {
  let hash = 1;
  for (const { at, bytes } of machine.save().memory) {
    const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
    if (words.every((word) => word === 0)) continue;
    hash = Math.imul(hash ^ at, 0x85eb_ca6b);
    for (let i = 0; i < words.length; i++) {
      hash = Math.imul(hash ^ words[i]!, 0x85eb_ca6b);
      hash ^= hash >>> 13;
    }
  }
  return hash;
}
