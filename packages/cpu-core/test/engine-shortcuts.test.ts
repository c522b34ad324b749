/**
 * Time read, PAUSE passed, IF changed by generated code alone, against the evaluator, which asks its surroundings each
 * time.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seedOf, sized } from '../../../tests/support/form.ts';
import type { TierName } from '../src/engine/engine.ts';
import { stateHash } from '../src/engine/state-hash.ts';
import { Interpreter } from '../src/engine/wasm/interpreter.ts';
import * as L from '../src/layout.ts';
import { assemble } from './support/assemble.ts';
import { type Bits, FlatMachine } from './support/flat-machine.ts';

/** Compiled once for all machines. */
const INTERPRETER = new Interpreter();

const PROGRAM = 0x1000;
const TSS = 0x3000;
const DATA = 0x8000;
/** Instructions by the number that a random program is made of. Ports: DX is 608h at first. */
const INSTRUCTIONS = [
  'in eax, dx',
  'in ax, dx',
  'in al, dx',
  'in eax, 40h',
  'in al, 40h',
  'rdtsc',
  'pause',
  'cli',
  'sti',
  'add ebx, eax',
  'xor ebx, edx',
  'mov dx, 608h',
  'mov dx, 609h',
  'mov [ecx], eax',
  'inc edi',
];

interface Setting {
  readonly bits: Bits;
  readonly program: readonly number[];
  /** Virtual nanoseconds at the start, per instruction. */
  readonly ns: number;
  readonly rate: number;
  readonly counter: { port: number; size: 1 | 2 | 4; frequencyHz: number; mask: number };
  readonly cpl: number;
  readonly iopl: number;
  readonly tsd: boolean;
  /** The TSS has a permission map that allows everything. */
  readonly map: boolean;
  readonly tscOffset: bigint;
  readonly watchPause: boolean;
  readonly slice: number;
}

const setting: fc.Arbitrary<Setting> = fc.record({
  bits: fc.constantFrom<Bits[]>(16, 32, 64),
  program: fc.array(fc.nat(INSTRUCTIONS.length - 1), { minLength: 1, maxLength: 40 }),
  ns: fc.oneof(fc.nat(1e9), fc.integer({ min: 0, max: 9e15 }), fc.double({ min: 0, max: 1e12, noNaN: true })),
  rate: fc.oneof(fc.constantFrom(8, 64, 1, 1000), fc.double({ min: 0, max: 1e6, noNaN: true })),
  counter: fc.record({
    port: fc.constantFrom(0x608, 0x40),
    size: fc.constantFrom<(1 | 2 | 4)[]>(1, 2, 4, 4, 4),
    frequencyHz: fc.oneof(fc.constant(3_579_545), fc.integer({ min: 1, max: 1e9 })),
    mask: fc.constantFrom(0xff, 0xffff, 0xff_ffff, 0xffff_ffff),
  }),
  cpl: fc.constantFrom(0, 0, 3),
  iopl: fc.constantFrom(0, 3),
  tsd: fc.boolean(),
  map: fc.boolean(),
  tscOffset: fc.oneof(fc.constant(0n), fc.bigInt({ min: 0n, max: (1n << 64n) - 1n })),
  watchPause: fc.boolean(),
  slice: fc.constantFrom(1, 7, 113, 1000),
});

/** `ticksAt` of `@smm/bus`, which this package does not know. */
function ticks(ns: number, frequencyHz: number): number {
  const seconds = Math.floor(ns / 1e9);
  return seconds * frequencyHz + Math.floor(((ns - seconds * 1e9) * frequencyHz) / 1e9);
}

class Run {
  readonly machine: FlatMachine;
  /** Questions about time that came out of the processor, and PAUSEs. */
  asked = 0;
  pauses = 0;

  constructor(tier: TierName, s: Setting, code: Uint8Array) {
    const now = (): number => s.ns + this.machine.cpu.retiredNow() * s.rate;
    const { counter } = s;
    this.machine = new FlatMachine({
      tier,
      interpreter: INTERPRETER,
      ram: 1 << 16,
      cache: 1 << 20,
      ports: {
        io: {
          in: (port, size) => {
            if (port !== counter.port || size !== counter.size) return (port * 0x0101_0101 + size) >>> 0;
            this.asked++;
            return Number(BigInt(ticks(now(), counter.frequencyHz)) & BigInt(counter.mask));
          },
          out: () => {},
        },
        time: {
          tsc: () => {
            this.asked++;
            return BigInt(Math.floor(now()));
          },
        },
        observer: {
          instruction: (_cpu, name) => {
            if (name === 'PAUSE') this.pauses++;
          },
        },
      },
    });
    const { cpu } = this.machine;
    const { state } = cpu;
    this.machine.load(PROGRAM, code);
    this.machine.start(s.bits, PROGRAM);
    state.setGpr64(2, 0x608n);
    state.setGpr64(1, BigInt(DATA));
    state.rflags = 2 | (s.iopl << 12);
    state.cr4 = s.tsd ? 4 : 0;
    state.set64(L.ST_TSC_OFFSET, s.tscOffset);
    if (s.bits !== 16) {
      for (let segment = 0; segment < 6; segment++)
        state.setSegAttr(segment, state.segAttr(segment) | (s.cpl << 5));
    }
    if (s.map) {
      this.machine.view.setUint16(TSS + 0x66, 0x68, true);
      state.setSegBase(7, TSS);
      state.setSegLimit(7, 0x1000);
      state.setSegAttr(7, 0x8b);
    }
    cpu.modeChanged();
    cpu.shortcuts.setTime(s.ns, 0, s.rate);
    cpu.shortcuts.counter = counter;
    cpu.shortcuts.tsc = true;
    cpu.shortcuts.pauseWatched = s.watchPause;
  }

  slice(length: number) {
    const { cpu } = this.machine;
    const exit = cpu.run(length);
    return {
      ...exit,
      rip: cpu.state.rip,
      state: stateHash(cpu, [[DATA, 16]]),
      timeReads: this.asked + cpu.shortcuts.timeReads,
    };
  }
}

describe('reads of time without asking', () => {
  it.each<TierName>(['interpreter', 'translator'])('%s: give what asking gives, as often', (tier) => {
    let alone = 0;
    let asked = 0;
    fc.assert(
      fc.property(setting, (s) => {
        const source = `start: ${s.program.map((n) => INSTRUCTIONS[n]).join('\n')}\njmp start`;
        const code = assemble(source, { bits: s.bits, org: PROGRAM });
        const fast = new Run(tier, s, code);
        const plain = new Run('evaluator', s, code);
        for (let n = 0; n < 6; n++) expect(fast.slice(s.slice)).toEqual(plain.slice(s.slice));
        expect(plain.machine.cpu.shortcuts.timeReads).toBe(0);
        expect(fast.pauses).toBe(s.watchPause ? plain.pauses : 0);
        alone += fast.machine.cpu.shortcuts.timeReads;
        asked += fast.asked;
      }),
      { numRuns: sized(150, 2000), seed: seedOf(8) },
    );
    expect(alone).toBeGreaterThan(1000);
    expect(asked).toBeGreaterThan(100);
  });

  it('stops when the counter is taken away', () => {
    const s: Setting = {
      bits: 32,
      program: [],
      ns: 0,
      rate: 8,
      counter: { port: 0x608, size: 4, frequencyHz: 3_579_545, mask: 0xff_ffff },
      cpl: 0,
      iopl: 0,
      tsd: false,
      map: false,
      tscOffset: 0n,
      watchPause: true,
      slice: 1,
    };
    const source = 'a: mov dx, 608h\nin eax, dx\nrdtsc\njmp a';
    const run = new Run('interpreter', s, assemble(source, { bits: 32, org: PROGRAM }));
    const { shortcuts } = run.machine.cpu;
    run.slice(400);
    expect([shortcuts.timeReads, run.asked]).toEqual([200, 0]);
    shortcuts.counter = undefined;
    shortcuts.tsc = false;
    run.slice(400);
    expect([shortcuts.timeReads, run.asked]).toEqual([200, 200]);
  });
});
