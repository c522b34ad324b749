/**
 * Flags with which V8 runs this engine in less CPU time, for programs that can set them (Node: `v8.setFlagsFromString`, before the first engine is made).
 * They change speed alone; hosts without them, browsers among them, run the same code. Measured on boots of OVMF and on the bench's kernels.
 */
export const V8_FLAGS: readonly string[] = Object.freeze([
  // What a region rarely does is marked as such in its module; newer hosts heed that by themselves.
  '--experimental-wasm-branch-hinting',
  // Optimising a region costs as much as millions of its instructions in first-tier code: only for those that are very hot.
  '--wasm-tiering-budget=200000000',
  // The interpreter's loops are larger than what V8 allocates registers for with care: without, each handler reloads all that the loop keeps in registers.
  '--no-turbo-use-mid-tier-regalloc-for-huge-functions',
  // The same for TypeScript, which is mostly run now and then: quick code at once, optimised code late.
  '--always-sparkplug',
  '--interrupt-budget=1000000',
  // A region is made because it is about to run. V8 posts timers of up to two minutes for each module that is compiled when called, which keep parts of it.
  '--no-wasm-lazy-compilation',
]);
