/** Guest-physical addresses as numbers that stay exact, whatever 64 bits a guest puts together. */

/**
 * First address that the model does not have: 52 address bits, the architecture's limit. Nothing answers there or
 * beyond.
 */
export const PHYSICAL_ADDRESS_LIMIT = 2 ** 52;

/**
 * The guest-physical address in two 32-bit registers. Every address that does not exist is {@link
 * PHYSICAL_ADDRESS_LIMIT}: sums with lengths of up to 52 bits are then exact integers, and none of them wraps round
 * to an address that exists.
 */
export function physicalAddress(high: number, low: number): number {
  return Math.min((high >>> 0) * 2 ** 32 + (low >>> 0), PHYSICAL_ADDRESS_LIMIT);
}
