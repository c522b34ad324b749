/** Runs cases under several tiers and explains the first difference with the smallest case that shows it. */
import type { TranslationStatistics } from '../../src/engine/translator/translator.ts';
import type { Interpreter } from '../../src/engine/wasm/interpreter.ts';
import { type CaseShape, makeCase } from './tier-generator.ts';
import { build, type Image, type TierCase } from './tier-program.ts';
import { shrink } from './tier-shrink.ts';
import { TierWorld, type Variant } from './tier-world.ts';

/** The variants that issue 4 names, and thresholds between. */
export const VARIANTS: readonly Variant[] = [
  { name: 'translator', tier: 'translator' },
  { name: 'translator, threshold 1', tier: 'translator', translator: { threshold: 1 } },
  { name: 'translator, threshold 8', tier: 'translator', translator: { threshold: 8 } },
];
export const INTERPRETER: Variant = { name: 'interpreter', tier: 'interpreter' };
export const EVALUATOR: Variant = { name: 'evaluator', tier: 'evaluator' };

/** What comes of a number of cases. */
export interface Tally {
  cases: number;
  /** Slices compared. */
  slices: number;
  /** Instructions per variant. */
  instructions: number;
  /** Cases that ended early: shutdown, or something unmodelled. */
  ended: number;
}

/**
 * Machines of one number of processors, the reference first; they are used for all cases, so that each finds what the
 * last one left.
 */
export class Comparison {
  readonly #interpreter: Interpreter;
  readonly #reference: Variant;
  readonly #variants: readonly Variant[];
  readonly #worlds = new Map<string, TierWorld>();
  readonly tally: Tally = { cases: 0, slices: 0, instructions: 0, ended: 0 };

  constructor(reference: Variant, variants: readonly Variant[], interpreter: Interpreter) {
    this.#interpreter = interpreter;
    this.#reference = reference;
    this.#variants = variants;
  }

  #world(variant: Variant, processors: number): TierWorld {
    const key = `${variant.name} ${processors}`;
    let found = this.#worlds.get(key);
    if (!found) {
      found = new TierWorld(variant, processors, this.#interpreter);
      this.#worlds.set(key, found);
    }
    return found;
  }

  /** What the translators of the variants made so far, by variant. */
  get translations(): Record<string, TranslationStatistics> {
    const all: Record<string, TranslationStatistics> = {};
    for (const [key, { machine }] of this.#worlds) {
      const { translations } = machine.engine;
      if (translations) all[key] = { ...translations };
    }
    return all;
  }

  /** How often hooks of all machines were told something. */
  get told(): number {
    return [...this.#worlds.values()].reduce((sum, { told }) => sum + told, 0);
  }

  /** Throws an error that shows the smallest program found if a variant does anything else than the reference. */
  check(seed: number, shape: CaseShape): void {
    const { test, image } = makeCase(seed, shape);
    const reference = this.#world(this.#reference, shape.processors);
    const records: string[] = [];
    reference.prepare(test, image);
    const done = reference.run(test, (record) => {
      records.push(record);
      return false;
    });
    const { tally } = this;
    tally.cases++;
    tally.slices += done;
    tally.instructions += shape.instructions;
    if (done < test.steps.length) tally.ended++;
    for (const variant of this.#variants) {
      const at = firstDifference(this.#world(variant, shape.processors), test, image, records);
      if (at >= 0) throw new Error(this.#explain(test, variant, at));
    }
  }

  #explain(test: TierCase, variant: Variant, at: number): string {
    const processors = test.programs.length;
    const head = `${variant.name} differs from ${this.#reference.name}: seed ${test.seed}, ${test.bits}-bit${test.user ? ' at CPL 3' : ''}, ${processors} processors, slice ${at}`;
    const cut = { ...test, steps: test.steps.slice(0, at + 1) };
    const names = [this.#reference.name, variant.name];
    const pair = (): TierWorld[] =>
      [this.#reference, variant].map((v) => new TierWorld(v, processors, this.#interpreter));
    const fails = (smaller: TierCase, worlds: TierWorld[]): boolean =>
      difference(smaller, worlds, names) !== undefined;
    const tries = pair();
    if (!fails(cut, tries))
      return `${head}. It does not with new machines: it takes what ran before it.\n${build(test).source}`;
    let small = shrink(cut, (smaller) => fails(smaller, tries));
    // What is shown must not hang on the tries before it.
    if (!fails(small, pair())) small = shrink(cut, (smaller) => fails(smaller, pair()));
    const { source, report } = difference(small, pair(), names)!;
    const steps = small.steps.map((step) => JSON.stringify(step)).join('\n');
    return `${head}\n--- program, ${small.bits}-bit${small.user ? ' at CPL 3' : ''}${small.narrow ? ', segments of 64 KiB' : ''}\n${source}\n--- slices\n${steps}\n--- difference\n${report}`;
  }
}

/** Index of the first step whose record is another, or -1. */
function firstDifference(world: TierWorld, test: TierCase, image: Image, records: readonly string[]): number {
  let different = -1;
  world.prepare(test, image);
  const done = world.run(test, (record, step) => {
    if (record === records[step]) return false;
    different = step;
    return true;
  });
  return different < 0 && done < records.length && !records[done]!.startsWith('threw') ? done : different;
}

/** Runs a case on two machines, the reference first; undefined if they agree or it cannot be built. */
function difference(
  test: TierCase,
  [a, b]: readonly TierWorld[],
  [theirName, ourName]: readonly string[],
): { source: string; report: string } | undefined {
  let image: Image;
  try {
    image = build(test);
  } catch {
    return undefined;
  }
  const records: string[] = [];
  a!.prepare(test, image);
  a!.run(test, (record) => {
    records.push(record);
    return false;
  });
  const at = firstDifference(b!, test, image, records);
  if (at < 0) return undefined;
  // The reference once more, up to the same slice, to show both.
  let theirs = '';
  a!.prepare(test, image);
  a!.run(test, (record, step) => {
    theirs = record;
    return step === at;
  });
  let ours = '';
  b!.prepare(test, image);
  b!.run(test, (record, step) => {
    ours = record;
    return step === at;
  });
  const lines = [`slice ${at}`, `${theirName}: ${theirs}`, `${ourName}: ${ours}`];
  const cpu = test.steps[at]!.cpu;
  const [left, right] = [a!.describe(cpu), b!.describe(cpu)];
  for (const [name, value] of Object.entries(left)) {
    if (value !== right[name]) lines.push(`${name}: ${value} ${right[name]}`);
  }
  const { ram } = a!.machine;
  for (let i = 0, shown = 0; i < ram.length && shown < 16; i++) {
    const other = b!.machine.ram[i];
    if (ram[i] === other) continue;
    shown++;
    lines.push(`[${i.toString(16)}]: ${ram[i]!.toString(16)} ${other!.toString(16)}`);
  }
  return { source: image.source, report: lines.join('\n') };
}
