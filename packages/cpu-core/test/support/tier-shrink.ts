/** Makes a failing case of the tier comparison small: takes parts away as long as it still fails. */
import type { Item, Step, TierCase } from './tier-program.ts';

/** True if the case fails (as a whole: any divergence counts). A case that cannot be built does not fail. */
export type Fails = (test: TierCase) => boolean;

/** Most cases that one shrinking tries. */
const LIMIT = 4000;

class Shrinker {
  #left = LIMIT;
  readonly #fails: Fails;
  best: TierCase;

  constructor(test: TierCase, fails: Fails) {
    this.best = test;
    this.#fails = fails;
  }

  /** Takes a smaller case if it fails too. */
  try(test: TierCase): boolean {
    if (this.#left-- <= 0 || !this.#fails(test)) return false;
    this.best = test;
    return true;
  }

  get exhausted(): boolean {
    return this.#left <= 0;
  }

  /**
   * Smaller versions of a list, as long as `accept` takes one: without runs of entries, halves first; then with entries
   * replaced by one of their own smaller forms. `read` gives the list as it stands.
   */
  list<T>(
    read: () => readonly T[],
    accept: (list: readonly T[]) => boolean,
    forms: (entry: T) => Iterable<readonly T[]>,
  ): boolean {
    let progress = false;
    for (let size = Math.max(1, read().length >>> 1); size >= 1 && !this.exhausted; size >>>= 1) {
      for (let at = 0; at < read().length && !this.exhausted; ) {
        const list = read();
        if (accept([...list.slice(0, at), ...list.slice(at + size)])) progress = true;
        else at += size;
      }
    }
    for (let at = 0; at < read().length && !this.exhausted; at++) {
      for (let again = true; again && !this.exhausted; ) {
        again = false;
        const list = read();
        const entry = list[at];
        if (entry === undefined) break;
        for (const form of forms(entry)) {
          if (!accept([...list.slice(0, at), ...form, ...list.slice(at + 1)])) continue;
          progress = again = true;
          break;
        }
      }
    }
    return progress;
  }
}

/** Lists with one part of `list` less, or with one entry in a smaller form. */
function* smallerLists(list: readonly Item[]): Iterable<readonly Item[]> {
  for (let at = 0; at < list.length; at++) yield [...list.slice(0, at), ...list.slice(at + 1)];
  for (let at = 0; at < list.length; at++) {
    for (const form of smallerItems(list[at]!)) yield [...list.slice(0, at), ...form, ...list.slice(at + 1)];
  }
}

/** What may stand in an item's place. */
function* smallerItems(item: Item): Iterable<readonly Item[]> {
  const { body, count = 0 } = item;
  if (body && body.length > 0) {
    yield body;
    for (const smaller of smallerLists(body)) yield [{ ...item, body: smaller }];
  }
  for (const less of new Set([1, 2, count >>> 1, count - 1]))
    if (less > 0 && less < count) yield [{ ...item, count: less }];
  // A mapping changed without the flush that belongs to it would be another matter than the one at hand.
  if (!body && item.open.length > 1 && !item.open.some((line) => line.startsWith('invlpg'))) {
    for (let at = 0; at < item.open.length; at++)
      yield [{ ...item, open: [...item.open.slice(0, at), ...item.open.slice(at + 1)] }];
  }
}

function* smallerSteps(step: Step): Iterable<readonly Step[]> {
  const { action, ...bare } = step;
  if (action) yield [bare];
  for (const less of new Set([1, step.budget >>> 1, step.budget - 1])) {
    if (less > 0 && less < step.budget) yield [{ ...step, budget: less }];
  }
}

/** Neighbouring slices of one processor as one. */
function mergeSteps(shrinker: Shrinker): void {
  for (let at = 0; at + 1 < shrinker.best.steps.length && !shrinker.exhausted; ) {
    const { steps } = shrinker.best;
    const [a, b] = [steps[at]!, steps[at + 1]!];
    const merged = { ...a, budget: a.budget + b.budget };
    const possible = a.cpu === b.cpu && b.action === undefined;
    if (
      !possible ||
      !shrinker.try({ ...shrinker.best, steps: [...steps.slice(0, at), merged, ...steps.slice(at + 2)] })
    )
      at++;
  }
}

/** The smallest failing case that was found. `test` fails. */
export function shrink(test: TierCase, fails: Fails): TierCase {
  const shrinker = new Shrinker(test, fails);
  if (test.user) shrinker.try({ ...test, user: false });
  if (test.narrow) shrinker.try({ ...shrinker.best, narrow: false });
  for (let progress = true; progress && !shrinker.exhausted; ) {
    progress = shrinker.list(
      () => shrinker.best.steps,
      (steps) => steps.length > 0 && shrinker.try({ ...shrinker.best, steps }),
      () => [],
    );
    shrinker.best.programs.forEach((_, cpu) => {
      const accept = (items: readonly Item[]): boolean =>
        shrinker.try({
          ...shrinker.best,
          programs: shrinker.best.programs.map((old, i) => (i === cpu ? items : old)),
        });
      if (shrinker.list(() => shrinker.best.programs[cpu]!, accept, smallerItems)) progress = true;
    });
    for (let n = 0; n < shrinker.best.subroutines.length; n++) {
      const without = shrinker.best.subroutines.filter((_, i) => i !== n);
      if (shrinker.try({ ...shrinker.best, subroutines: without })) {
        progress = true;
        n--;
        continue;
      }
      const accept = (body: readonly Item[]): boolean =>
        shrinker.try({
          ...shrinker.best,
          subroutines: shrinker.best.subroutines.map((old, i) => (i === n ? { ...old, body } : old)),
        });
      if (shrinker.list(() => shrinker.best.subroutines[n]!.body, accept, smallerItems)) progress = true;
    }
  }
  mergeSteps(shrinker);
  shrinker.list(
    () => shrinker.best.steps,
    (steps) => steps.length > 0 && shrinker.try({ ...shrinker.best, steps }),
    smallerSteps,
  );
  return shrinker.best;
}
