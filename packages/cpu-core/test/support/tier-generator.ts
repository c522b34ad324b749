/** Makes a case of the tier comparison from a seed: a pure function. */
import type { Bits } from './flat-machine.ts';
import { Random } from './random.ts';
import { Leaves } from './tier-leaves.ts';
import type { CodeRights } from './tier-map.ts';
import * as M from './tier-map.ts';
import { type Family, nameOf, type Scope } from './tier-operands.ts';
import {
  type Action,
  build,
  type Image,
  type Item,
  type Step,
  type Subroutine,
  type TierCase,
} from './tier-program.ts';

/** What a case is to be like. */
export interface CaseShape {
  readonly bits: Bits;
  readonly processors: 1 | 2;
  /** Instructions of all slices together, about. */
  readonly instructions: number;
  /** Few sequences in loops that run for long, in long slices, so that code gets hot by any threshold. */
  readonly hot?: boolean;
}

const POOL: readonly Family[] = ['a', 'c', 'd', 'di', 'bp'];
const POOL64: readonly Family[] = [...POOL, 'r8', 'r9', 'r10', 'r12', 'r13'];

type Make = (leaves: Leaves) => Item;

/** Kinds of sequences with their weights. */
const KINDS: readonly (readonly [number, Make])[] = [
  [16, (l) => l.binary()],
  [4, (l) => l.unary()],
  [5, (l) => l.shift()],
  [3, (l) => l.extend()],
  [3, (l) => l.multiply()],
  [2, (l) => l.divide()],
  [5, (l) => l.conditional()],
  [3, (l) => l.bits()],
  [3, (l) => l.exchange()],
  [4, (l) => l.flags()],
  [4, (l) => l.stack()],
  [2, (l) => l.lea()],
  [3, (l) => l.indirect()],
  [2, (l) => l.patchable()],
  [2, (l) => l.patch()],
  [4, (l) => l.string()],
  [2, (l) => l.fault()],
  [3, (l) => l.device()],
  [1, (l) => l.mapping()],
  [4, (l) => l.changing()],
  [6, (l) => l.vector()],
  [1, (l) => l.system()],
  [2, (l) => l.stream()],
];
/** Without what leaves generated code for long or drops it: for loops that are to stay hot. */
const CALM: readonly (readonly [number, Make])[] = KINDS.filter(
  ([weight, make]) => weight > 2 && !/string|device|changing/.test(String(make)),
);

class Generator {
  readonly #random: Random;
  readonly #shape: CaseShape;
  readonly #user: boolean;
  readonly #narrow: boolean;
  readonly #patches: Scope['patches'] = [];
  readonly #serial = { next: 0 };
  readonly #labels: string[] = [];

  constructor(seed: number, shape: CaseShape) {
    this.#random = new Random(seed);
    this.#shape = shape;
    this.#user = shape.bits !== 16 && this.#random.below(4) === 0;
    this.#narrow = shape.bits === 32 && this.#random.below(4) === 0;
  }

  case(seed: number): TierCase {
    const random = this.#random;
    const { bits, processors } = this.#shape;
    const subroutines: Subroutine[] = [];
    const many = random.below(4);
    for (let i = 0; i < many; i++) {
      // Each may call those made before it, so that nothing recurs.
      const body = this.#list(2 + random.below(8), ['a', 'd'], 1, false);
      const label = `f${i}`;
      subroutines.push({ label, body });
      this.#labels.push(label);
    }
    const size = random.pick(this.#shape.hot ? [2, 3, 6] : [3, 6, 12, 24, 40]);
    const programs = Array.from({ length: processors }, () =>
      this.#list(2 + random.below(size), bits === 64 ? POOL64 : POOL, 0, false),
    );
    return {
      seed,
      bits,
      user: this.#user,
      narrow: this.#narrow,
      programs,
      subroutines,
      steps: this.#steps(),
    };
  }

  #list(length: number, free: readonly Family[], depth: number, calm: boolean): Item[] {
    const leaves = new Leaves({
      random: this.#random,
      bits: this.#shape.bits,
      user: this.#user,
      free,
      patches: this.#patches,
      serial: this.#serial,
    });
    return Array.from({ length }, () => this.#item(leaves, free, depth, calm));
  }

  #item(leaves: Leaves, free: readonly Family[], depth: number, calm: boolean): Item {
    const random = this.#random;
    const kind = random.below(20);
    const { hot } = this.#shape;
    if (kind < (hot && depth === 0 ? 16 : 3) && depth < 3) return this.#loop(free, depth, calm);
    if (kind < 5 && depth < 4) {
      const body = this.#list(1 + random.below(3), free, depth + 1, calm);
      const open = random.below(2)
        ? [`j${leaves.cc()} %`]
        : [`cmp ${leaves.reg(4)}, ${leaves.reg(4)}`, `j${leaves.cc()} %`];
      return { open, body, close: ['%:'] };
    }
    if (kind === 5 && this.#labels.length > 0 && free.includes('a') && free.includes('d')) {
      const label = random.pick(this.#labels);
      return { open: [`call @${label}`], needs: [label] };
    }
    if (kind === 6 && random.below(4) === 0 && depth < 2) {
      return leaves.singleStep(this.#list(1 + random.below(4), free, 3, true));
    }
    const kinds = calm ? CALM : KINDS;
    let at = random.below(kinds.reduce((sum, [weight]) => sum + weight, 0));
    for (const [weight, make] of kinds) {
      at -= weight;
      if (at < 0) return make(leaves);
    }
    return leaves.binary();
  }

  /** A loop counted in a register that its body leaves alone. */
  #loop(free: readonly Family[], depth: number, calm: boolean): Item {
    const random = this.#random;
    const counters = free.filter((x) => x !== 'a' && x !== 'd');
    const { bits } = this.#shape;
    const n = bits / 8;
    const still = calm || random.below(this.#shape.hot ? 4 : 2) !== 1;
    const least = this.#shape.hot && depth === 0 ? 1000 : 1;
    const count = least + random.below(random.pick(depth === 0 ? [4, 30, 300, 3000] : [3, 10, 40]));
    const inner = (without?: Family): readonly Item[] =>
      this.#list(
        1 + random.below(4),
        free.filter((x) => x !== without),
        depth + 1,
        still,
      );
    if (counters.length === 0) {
      // In memory: one dword per depth.
      const at = `dword [${M.BORDER + 0x100 + depth * 4}]`;
      return { open: [`mov ${at}, #`, '%:'], count, body: inner(), close: [`dec ${at}`, 'jnz %'] };
    }
    const counter = random.pick(counters);
    const reg = nameOf(counter, bits === 16 ? random.pick([2, 4]) : n);
    const body = inner(counter);
    // `%:` and the branch back may be more than a short jump apart: LOOP and JCXZ only where the body is short.
    switch (random.below(5)) {
      case 0:
        return {
          open: [`xor ${reg}, ${reg}`, '%:'],
          count,
          body,
          close: [`inc ${reg}`, `cmp ${reg}, #`, 'jb %'],
        };
      case 1:
        return { open: [`mov ${reg}, #`, '%:'], count, body, close: [`sub ${reg}, 1`, 'jne %'] };
      case 2:
        return {
          open: [`mov ${reg}, #`, '%:', `test ${reg}, ${reg}`, 'jz near %x'],
          count,
          body,
          close: [`dec ${reg}`, 'jmp %', '%x:'],
        };
      case 3:
        if (counter === 'c')
          return {
            open: [`mov ${nameOf('c', n)}, #`, '%:'],
            count,
            body,
            close: ['loop %l', 'jmp %x', '%l: jmp near %', '%x:'],
          };
        return { open: [`mov ${reg}, -#`, '%:'], count, body, close: [`add ${reg}, 1`, 'jnz %'] };
      default:
        return { open: [`mov ${reg}, #`, '%:'], count, body, close: [`dec ${reg}`, 'jnz %'] };
    }
  }

  #action(): Action | undefined {
    const random = this.#random;
    const kinds: (Action | undefined)[] = [
      { kind: 'irq' },
      { kind: 'irq' },
      { kind: 'smi' },
      { kind: 'nmi' },
      { kind: 'flush' },
      { kind: 'swap' },
      { kind: 'demand' },
      { kind: 'rights', rights: random.pick<CodeRights>(['nx', 'read-only', 'missing']) },
      { kind: 'sse', state: random.pick(['on', 'on', 'switched', 'off'] as const) },
      { kind: 'poke', index: random.below(100), value: random.pick(M.HARMLESS) },
    ];
    return random.pick(kinds);
  }

  #steps(): Step[] {
    const random = this.#random;
    const { instructions, processors } = this.#shape;
    const steps: Step[] = [];
    let left = instructions;
    while (left > 0) {
      const length = random.pick(
        this.#shape.hot ? [1, 7, 113, 5003, 5003, 20_011, 20_011] : [1, 7, 7, 113, 113, 5003, 0, 0],
      );
      const many = 1 + random.below(length >= 5003 ? 2 : length === 113 ? 12 : 25);
      for (let i = 0; i < many && left > 0; i++) {
        const action = random.below(length >= 5003 ? 2 : 12) === 0 ? this.#action() : undefined;
        const budget = length || 1 + random.below(200);
        steps.push({ cpu: random.below(processors), budget, ...(action && { action }) });
        left -= budget;
      }
    }
    return steps;
  }
}

/** The case of a seed, with its image: smaller ones are tried until one fits its pages. */
export function makeCase(seed: number, shape: CaseShape): { test: TierCase; image: Image } {
  for (let attempt = 0; ; attempt++) {
    const test = new Generator(seed + attempt * 0x1_0000, shape).case(seed);
    try {
      return { test, image: build(test) };
    } catch (error) {
      if (!(error instanceof RangeError) || attempt === 20) throw error;
    }
  }
}
