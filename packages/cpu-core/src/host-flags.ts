/** Flags of V8 that suit this engine, by V8's version: an unknown flag makes V8 print an error at every start. */

/** A flag, and the newest V8 (`major.minor`) of which `node --v8-options` was seen to list it. */
interface V8Flag {
  readonly flag: string;
  readonly until: readonly [major: number, minor: number];
}

/** The newest V8 that was looked at. */
const NEWEST = [14, 6] as const;

const FLAGS: readonly V8Flag[] = Object.freeze([
  // What a region rarely does is marked as such in its module; newer hosts heed that by themselves.
  { flag: '--experimental-wasm-branch-hinting', until: NEWEST },
  // Optimising a region costs as much as millions of its instructions in first-tier code: only for those that are very
  // hot.
  { flag: '--wasm-tiering-budget=200000000', until: NEWEST },
  // The interpreter's loops are larger than what V8 allocates registers for with care: without, each handler reloads
  // all that the loop keeps in registers.
  { flag: '--no-turbo-use-mid-tier-regalloc-for-huge-functions', until: [11, 3] },
  // The same for TypeScript, which is mostly run now and then: quick code at once, optimised code late.
  { flag: '--always-sparkplug', until: NEWEST },
  { flag: '--interrupt-budget=1000000', until: [11, 3] },
  // A region is made because it is about to run. V8 posts timers of up to two minutes for each module that is compiled
  // when called, which keep parts of it.
  { flag: '--no-wasm-lazy-compilation', until: NEWEST },
]);

/**
 * Flags with which V8 runs this engine in less CPU time, for programs that can set them (Node: `v8.setFlagsFromString`,
 * before the first engine is made). They change speed alone; hosts without them, browsers among them, run the same
 * code. Measured on boots of OVMF and on the bench's kernels, with V8 11.3.
 * @param version - V8's, `process.versions.v8` in Node; one that is newer than all that are known here gets no flags
 */
export function v8Flags(version: string): readonly string[] {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return FLAGS.filter(({ until }) => major < until[0] || (major === until[0] && minor <= until[1])).map(
    ({ flag }) => flag,
  );
}
