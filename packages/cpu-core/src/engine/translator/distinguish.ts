/** How a region tells the targets of an indirect jump apart. */

/**
 * A field of the low 32 bits of RIP that differs in all of them, as small as can be found, and which one each value of
 * it stands for (their number: none).
 */
export function distinguish(rips: readonly bigint[]): { shift: number; bits: number; slots: number[] } {
  const low = rips.map((rip) => Number(BigInt.asUintN(32, rip)));
  for (let bits = 0; bits < 8; bits++) {
    for (let shift = 0; shift < 16; shift++) {
      const slots = new Array<number>(1 << bits).fill(rips.length);
      const fits = low.every((rip, k) => {
        const slot = (rip >>> shift) & ((1 << bits) - 1);
        const free = slots[slot] === rips.length;
        slots[slot] = k;
        return free;
      });
      if (fits) return { shift, bits, slots };
    }
  }
  // Some share a value: these leave the region.
  const slots = new Array<number>(256).fill(rips.length);
  low.forEach((rip, k) => {
    slots[rip & 0xff] = k;
  });
  return { shift: 0, bits: 8, slots };
}
