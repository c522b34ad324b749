/** Seeded pseudo-random numbers for tests. */

/** Mulberry32. */
export class Random {
  #state: number;
  constructor(seed: number) {
    this.#state = seed >>> 0;
  }
  /** Unsigned 32 bit. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  }
  /** 0..n-1. */
  below(n: number): number {
    return this.next() % n;
  }
  /** One of a list. */
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
  /** 64-bit values, the edges more often than not. */
  value(): bigint {
    const random = (BigInt(this.next()) << 32n) | BigInt(this.next());
    const edges = [0n, 1n, 2n, 0x7fn, 0x80n, 0xffn, 0x7fffn, 0x8000n, 0xffffn, 0x7fffffffn, 0x80000000n];
    switch (this.below(5)) {
      case 0:
        return this.pick(edges);
      case 1:
        return BigInt.asUintN(64, -this.pick(edges));
      case 2:
        return this.pick([0x7fff_ffff_ffff_ffffn, 0x8000_0000_0000_0000n, 0xffff_ffffn, 0x1_0000_0000n]);
      default:
        return random;
    }
  }
}
