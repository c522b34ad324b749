/** Sets of addresses or ports that somebody hooked: single ones and ranges, each as often as it was added. */
import { wholeNumber } from '@smm/x86-defs';

/** First and last address of a range, linear addresses as the engine has them: from 0, or canonical and signed. */
export interface HookedRange {
  readonly first: number;
  readonly last: number;
}

const MOST_NEGATIVE = -(2 ** 47);
const MOST = 2 ** 47 - 1;

/**
 * A range of linear addresses as callers name it: `at` is a number from 0, or canonical as a signed number or a bigint
 * of either sign; left out, everything is meant. Throws `SmmError` `OPTION_VALUE` for what is no address.
 */
export function linearRange(at: number | bigint | undefined, size: number | undefined): HookedRange {
  if (at === undefined) return { first: MOST_NEGATIVE, last: MOST };
  const value = typeof at === 'bigint' ? Number(BigInt.asIntN(64, at)) : at;
  const first = wholeNumber('the linear address of a hook', value, MOST_NEGATIVE, MOST);
  return {
    first,
    last: first + wholeNumber('the size of a hook, bytes,', size ?? 1, 1, MOST - first + 1) - 1,
  };
}

/** A bag of ranges. */
export class HookedAddresses {
  readonly #ranges = new Set<HookedRange>();
  /** Ranges of one address, counted; and their offsets in pages. */
  readonly #single = new Map<number, number>();
  readonly #offsets = new Map<number, number>();
  readonly #long = new Set<HookedRange>();

  /** Nothing is in it. */
  get empty(): boolean {
    return this.#ranges.size === 0;
  }

  add(range: HookedRange): void {
    this.#ranges.add(range);
    if (range.first !== range.last) {
      this.#long.add(range);
      return;
    }
    count(this.#single, range.first, 1);
    count(this.#offsets, range.first & 0xfff, 1);
  }

  delete(range: HookedRange): void {
    if (!this.#ranges.delete(range)) return;
    if (this.#long.delete(range)) return;
    count(this.#single, range.first, -1);
    count(this.#offsets, range.first & 0xfff, -1);
  }

  has(address: number): boolean {
    if (this.#single.has(address)) return true;
    for (const { first, last } of this.#long) if (first <= address && address <= last) return true;
    return false;
  }

  /** Some address in a stretch is in it. */
  overlaps(first: number, last: number): boolean {
    for (const range of this.#ranges) if (range.first <= last && range.last >= first) return true;
    return false;
  }

  /**
   * Decoded code must not run over this address. Where code is not `flat`, code that was decoded for one linear
   * address may run at another of the same offset in its page: any of these counts.
   */
  cuts(linear: number, flat: boolean): boolean {
    if (flat) return this.has(linear);
    if (this.#offsets.has(linear & 0xfff)) return true;
    for (const { first, last } of this.#long) if (((linear - first) & 0xfff) <= last - first) return true;
    return false;
  }
}

function count(map: Map<number, number>, key: number, change: 1 | -1): void {
  const now = (map.get(key) ?? 0) + change;
  if (now === 0) map.delete(key);
  else map.set(key, now);
}
