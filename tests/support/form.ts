/**
 * How long the tests are. The *short form* is what `npm test` and CI run: all that a change can break, each comparison
 * at a size that finds mutations (`npm run mutate`). The *full form*, `npm run test:full`, runs each comparison at
 * length, and other random cases every day.
 */

/** Whether this is the full form. */
export const FULL = process.env['SMM_FULL'] === '1';

/** Of the two sizes or lists, the one for this form. */
export function sized<T>(short: T, full: T): T {
  return FULL ? full : short;
}

/**
 * What random comparisons begin with, 32 bits: 0, the same cases always, unless SMM_SEED says otherwise. The full form
 * takes the date.
 */
const SEED = Number(process.env['SMM_SEED'] ?? 0) >>> 0;

/** The seed of one comparison, 32 bits: `own` itself where SEED is 0, another for each other SEED. */
export function seedOf(own: number): number {
  return (own + Math.imul(SEED, 0x9e37_79b1)) >>> 0;
}
