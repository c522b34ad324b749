/** A hash to tell byte sequences apart by; no protection against intent. */

/** FNV-1a, 32 bit, unsigned. */
export function fnv1a(bytes: Uint8Array): number {
  let hash = 0x811c_9dc5;
  for (let i = 0; i < bytes.length; i++) hash = Math.imul(hash ^ bytes[i]!, 0x0100_0193);
  return hash >>> 0;
}
