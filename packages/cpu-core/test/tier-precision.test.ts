/**
 * What surroundings see of a hot loop: faults, slice ends, device accesses, interrupts and changes of code fall on the
 * exact instruction.
 */
import { afterEach, describe, expect, test } from 'vitest';
import { FULL } from '../../../tests/support/form.ts';
import { stateHash } from '../src/engine/state-hash.ts';
import { Interpreter } from '../src/engine/wasm/interpreter.ts';
import * as L from '../src/layout.ts';
import { assemble } from './support/assemble.ts';
import { ALL_RIGHTS, type Bits, DEVICE, FlatMachine } from './support/flat-machine.ts';
import { EVALUATOR, INTERPRETER, VARIANTS } from './support/tier-compare.ts';
import type { Variant } from './support/tier-world.ts';

const AT = 0x1000;
/** Iterations after which every tier has done with a loop what it ever does. */
const WARM = 20_000;
/** Instructions that set flags, each in its own way. */
const PRODUCERS = [
  'add al, 0x77',
  'dec al',
  'shl al, cl',
  'imul ax, ax, 77',
  'sub al, 0x77',
  'adc al, 0x50',
  'sbb al, 0x50',
  'inc al',
  'neg al',
  'and al, 0xf3',
  'xor al, 0x91',
  'shl al, 1',
  'shr al, 3',
  'sar al, 9',
  'rol al, 1',
  'rcr al, 1',
  'mul al',
  'bt ax, 3',
  'cmp al, 0x40',
  'bsf ax, dx',
  'xadd al, dl',
  'cmpxchg dl, al',
  'stc',
  'cmc',
  'sahf',
];
const interpreter = new Interpreter();

/** The machines of a test that have a translator. */
const translated: FlatMachine[] = [];
/** A comparison in which nothing was translated proves nothing. */
afterEach(({ task }) => {
  const compiled = translated.map(({ engine }) => engine.translations!.compiled);
  translated.length = 0;
  if (compiled.length > 0) expect(Math.max(...compiled), task.name).toBeGreaterThan(0);
});

function machine(variant: Variant, bits: Bits, source: string, processors = 1): FlatMachine {
  const { tier, translator } = variant;
  const m = new FlatMachine({
    tier,
    ...(translator && { translator }),
    processors,
    interpreter,
    ram: 1 << 20,
    cache: 2 << 20,
  });
  m.load(AT, assemble(source, { bits, org: AT }));
  for (const cpu of m.cpus) m.start(bits, AT, 0x8000 - cpu.index * 0x400, cpu);
  if (tier === 'translator') translated.push(m);
  return m;
}

/** Runs the tier alone: faults stay undelivered. */
function runTier(m: FlatMachine, budget: number): { exit: number; used: number } {
  const { state, tier } = m.cpu;
  state.set32(L.ST_BUDGET, budget);
  state.set32(L.ST_EXIT_REQUEST, 0);
  tier.run();
  const used = budget - (state.get32(L.ST_BUDGET) | 0);
  state.views.f64[(state.base + L.ST_RETIRED) >>> 3]! += used;
  return { exit: state.get32(L.ST_EXIT), used };
}

/** Addresses of the instructions of a straight piece of code. */
function boundaries(m: FlatMachine, count: number): number[] {
  const list: number[] = [];
  const { state } = m.cpu;
  const start = state.rip;
  for (let i = 0; i < count; i++) {
    list.push(Number(state.rip));
    state.rip += BigInt(m.cpu.tier.peek()!.length);
  }
  state.rip = start;
  return list;
}

describe.each([EVALUATOR, INTERPRETER, ...VARIANTS].map((variant) => [variant.name, variant] as const))(
  '%s',
  (_name, variant) => {
    /** The evaluator is slow, and has nothing to warm up. */
    const warm = variant === EVALUATOR ? 200 : WARM;

    describe.each([16, 32, 64] as const)('%i-bit', (bits) => {
      const [ax, cx, si] =
        bits === 64 ? ['rax', 'rcx', 'rsi'] : bits === 32 ? ['eax', 'ecx', 'esi'] : ['ax', 'cx', 'si'];

      test('a slice may end at every instruction of a hot loop', () => {
        const body = [
          `add ${ax}, 5`,
          'adc dl, 1',
          `mov [${si}], ${ax}`,
          `xor dh, [${si}+1]`,
          'rol bl, 3',
          `dec ${cx}`,
          'setp bh',
          `lea ${ax}, [${si}+3]`,
        ];
        const m = machine(variant, bits, `again: ${body.join('\n')}\njmp again`);
        m.cpu.state.setGpr64(6, 0x5ffen);
        const at = boundaries(m, body.length + 1);
        let total = 0;
        const go = (n: number): void => {
          expect(m.cpu.run(n)).toEqual({ reason: 'budget', retired: n });
          total += n;
          expect(Number(m.cpu.state.rip), `after ${total}`).toBe(at[total % at.length]);
          expect(m.cpu.retiredNow()).toBe(total);
          const times = (k: number): number => Math.floor((total + at.length - 1 - k) / at.length);
          expect(m.cpu.state.gpr16(1), `after ${total}`).toBe(-times(5) & 0xffff);
          expect(m.cpu.state.gpr8(24), `after ${total}`).toBe(rotated(0, times(4)));
        };
        go(warm * at.length);
        for (let n = 1; n <= 3 * at.length; n++) go(n);
        for (let n = 0; n < 2 * at.length; n++) go(1);
      });

      test('and of a hot loop in a loop', () => {
        const m = machine(
          variant,
          bits,
          `outer: mov ${cx}, 3\ninner: add ax, cx\ndec ${cx}\njnz inner\ninc dx\njmp outer`,
        );
        const [outer, inner] = [boundaries(m, 6), 1];
        const order = [0, ...[0, 1, 2].flatMap(() => [inner, 2, 3]), 4, 5].map((i) => outer[i]!);
        let total = 0;
        for (const n of [warm * order.length, ...Array.from({ length: 40 }, (_, i) => i + 1)]) {
          m.cpu.run(n);
          total += n;
          expect(Number(m.cpu.state.rip), `after ${total}`).toBe(order[total % order.length]);
        }
      });

      test('a page fault in a hot loop leaves what the instructions before it left', () => {
        const source = `again: add al, [${si}]\nadc dl, 0\nadd ${si}, 4\ndec ${cx}\njnz again\nstop: jmp stop`;
        const m = machine(variant, bits, source);
        const [first] = boundaries(m, 1);
        let missing = -1;
        m.map = (page) => (page === missing ? -1 : page);
        for (let i = 0; i < 0x4000; i++) m.ram[0x4000 + i] = i * 7;
        // Pages 4 and 5 hot, then page 6 is missing.
        for (let round = 0; round < Math.max(1, warm / 2048); round++) {
          m.cpu.state.rip = BigInt(AT);
          m.cpu.state.setGpr64(6, 0x4000n);
          m.cpu.state.setGpr64(1, 0x800n);
          runTier(m, 0x800 * 5);
        }
        m.cpu.state.rip = BigInt(AT);
        m.cpu.state.setGpr64(0, 0n);
        m.cpu.state.setGpr64(2, 0n);
        m.cpu.state.setGpr64(6, 0x5f00n);
        m.cpu.state.setGpr64(1, 0x200n);
        m.cpu.state.rflags = 2;
        missing = 0x6000;
        m.cpu.memory.flush(undefined, true);
        const before = m.cpu.retiredNow();
        const { exit, used } = runTier(m, 5000);
        expect([exit, used]).toEqual([L.EXIT_FAULT, 0x40 * 5]);
        expect(m.cpu.pendingFault).toMatchObject({ vector: 14, errorCode: 0, cr2: 0x6000 });
        expect(m.cpu.retiredNow()).toBe(before + 0x40 * 5);
        const { state } = m.cpu;
        expect([Number(state.rip), state.gpr16(6), state.gpr16(1)]).toEqual([first, 0x6000, 0x200 - 0x40]);
        let sum = 0;
        let carries = 0;
        for (let i = 0x5f00; i < 0x6000; i += 4) {
          sum += m.ram[i]!;
          carries += sum >> 8;
          sum &= 0xff;
        }
        expect([state.gpr8(0), state.gpr8(16)]).toEqual([sum, carries]);
        // DEC of 1C1h to 1C0h after an ADD without carry: PF of C0h is even.
        expect(state.rflags & 0x8d5).toBe(0x04);
      });

      test.each(FULL || bits === 32 ? PRODUCERS : PRODUCERS.slice(0, 4))(
        'flags of `%s` that nobody reads are there when a store faults behind it, and when a device stops the run',
        (producer) => {
          const source = `again: ${producer}\nmov [${si}], al\nxor dh, 0x35\nadd dl, al\nadd bl, 1\njnz again\njmp again`;
          const key = `${bits} ${producer}`;
          let expected = flagsSeen.get(key);
          if (!expected) {
            expected = seenBehind(EVALUATOR, bits, source, 1);
            flagsSeen.set(key, expected);
          }
          expect(seenBehind(variant, bits, source, warm)).toEqual(expected);
        },
      );

      test('a device in a hot loop sees the exact time, and an interrupt that it raises comes right behind the access', () => {
        const m = machine(variant, bits, `again: inc al\nmov [${si}], al\nadd bl, al\nnop\njmp again`);
        const at = boundaries(m, 5);
        m.map = (page) => (page === 0x6000 ? DEVICE : page);
        m.cpu.state.setGpr64(6, 0x6010n);
        const seen: number[] = [];
        const taken: [number, number][] = [];
        let pending = -1;
        m.cpu.ports.apic = {
          ...m.cpu.ports.apic,
          pendingVector: () => pending,
          acknowledge: () => {
            pending = -1;
            return 0x20;
          },
        };
        m.onDevice = () => {
          seen.push(m.cpu.retiredNow());
          if (seen.length === warm + 3) {
            pending = 0x20;
            m.cpu.interruptChanged();
          }
        };
        m.cpu.ports.observer = {
          interruptDelivered: (_cpu, _vector, kind, _error, rip) => {
            if (kind === 'interrupt') taken.push([Number(rip), m.cpu.retiredNow()]);
          },
        };
        m.cpu.run(5 * warm);
        expect(seen).toEqual(Array.from({ length: warm }, (_, i) => i * 5 + 1));
        m.cpu.state.rflags |= 0x200;
        m.cpu.run(5 * 3 - 3); // to the end of the access of the third iteration
        expect(taken).toEqual([]);
        m.cpu.run(1);
        expect(taken[0]).toEqual([at[2], (warm + 2) * 5 + 2]);
      });

      test('a device that asks for an exit ends a run of a hot loop right behind its instruction', () => {
        const m = machine(variant, bits, `again: inc al\nadd [${si}], al\nadd bl, al\ninc ${cx}\njmp again`);
        const at = boundaries(m, 5);
        m.map = (page) => (page === 0x6000 ? DEVICE : page);
        m.cpu.state.setGpr64(6, 0x6010n);
        m.cpu.run(warm * 5);
        m.onDevice = ({ write }) => {
          if (write) m.cpu.requestExit();
        };
        for (let i = 0; i < 5; i++) {
          expect(m.cpu.run(1000)).toEqual({ reason: 'event', retired: i === 0 ? 2 : 5 });
          expect(Number(m.cpu.state.rip)).toBe(at[2]);
        }
      });

      test('page walks in a hot loop come at the exact time', () => {
        const m = machine(
          variant,
          bits,
          `again: inc dl\nmov al, [${si}]\nadd ${si}, 0x100\nand ${si}, 0x7fff\njmp again`,
        );
        const walks: [number, number][] = [];
        m.cpu.run(warm * 5);
        m.map = (page) => {
          walks.push([page, m.cpu.retiredNow()]);
          return page;
        };
        const start = m.cpu.retiredNow();
        const from = m.cpu.state.gpr16(6);
        m.cpu.memory.flush(undefined, true);
        m.cpu.run(5 * 0x80);
        const data = walks.filter(([page, when]) => page !== AT || when !== start);
        // One for each page, by the load that is the first to touch it.
        const expected: [number, number][] = [];
        const known = new Set([AT]);
        for (let i = 0; i < 0x80; i++) {
          const page = (from + i * 0x100) & 0x7fff & ~0xfff;
          if (!known.has(page)) expected.push([page, start + i * 5 + 1]);
          known.add(page);
        }
        expect(data).toEqual(expected);
      });

      test('code that changes the loop it is in changes its next iteration, and what comes right behind it', () => {
        // It changes data until it is hot.
        const di = bits === 64 ? 'rdi' : bits === 32 ? 'edi' : 'di';
        const source = `again: mov al, 1\nadd dx, ax\ninc byte [${di}]\nadd byte [${si}], 3\nbehind: mov al, 0\nadd bx, ax\ndec ${cx}\njnz again\nstop: jmp stop`;
        const m = machine(variant, bits, source);
        const behind = boundaries(m, 5)[4]!;
        const run = (times: number, first: number, second: number): void => {
          m.cpu.state.rip = BigInt(AT);
          for (const r of [0, 2, 3]) m.cpu.state.setGpr64(r, 0n);
          m.cpu.state.setGpr64(7, BigInt(first));
          m.cpu.state.setGpr64(6, BigInt(second));
          m.cpu.state.setGpr64(1, BigInt(times));
          m.cpu.run(times * 8);
        };
        const rounds = variant === EVALUATOR ? 300 : 700;
        run(warm, 0x6000, 0x6001);
        run(rounds, AT + 1, behind + 1);
        let [dx, bx] = [0, 0];
        for (let i = 0; i < rounds; i++) {
          dx += (1 + i) & 0xff;
          bx += ((i + 1) * 3) & 0xff;
        }
        expect([m.cpu.state.gpr16(2), m.cpu.state.gpr16(3)]).toEqual([dx & 0xffff, bx & 0xffff]);
        expect(m.cpu.state.gpr16(1)).toBe(0);
      });

      test('code that another processor changes while it is hot', () => {
        const m = machine(variant, bits, 'again: add al, 1\ninc dx\njmp again', 2);
        const [first, second] = m.cpus;
        m.load(0x3000, assemble('patch: inc byte [0x1001]\njmp patch', { bits, org: 0x3000 }));
        second!.state.rip = 0x3000n;
        let al = 0;
        first!.state.setGpr64(0, 0n);
        for (let i = 0; i < 30; i++) {
          const rounds = i === 0 ? warm : 7 + i * 30;
          first!.run(rounds * 3);
          al += rounds * (1 + i);
          expect(first!.state.gpr8(0), `round ${i}`).toBe(al & 0xff);
          second!.run(2);
        }
      });

      test('hot code on a page that may no longer be executed, is away, or is another page', () => {
        const m = machine(variant, bits, 'jmp 0x5000');
        const [here, there] = [0x5000, 0x7000];
        const code = (op: string): Uint8Array =>
          assemble(`again: ${op}\nnop\njmp again`, { bits, org: here });
        m.load(here, code('add dl, 1'));
        m.load(there, code('sub dl, 3'));
        let [to, executable] = [here, true];
        m.map = (page) => (page === here ? to : page);
        m.rights = (page) => (page === here ? { ...ALL_RIGHTS, executable } : ALL_RIGHTS);
        const flush = (): void => m.cpu.memory.flush(undefined, true);
        m.cpu.state.setGpr64(2, 0n);
        runTier(m, 1 + warm * 3);
        expect(m.cpu.state.gpr8(16)).toBe(warm & 0xff);
        runTier(m, 1);
        executable = false;
        flush();
        const rip = m.cpu.state.rip;
        expect(runTier(m, 100)).toEqual({ exit: L.EXIT_FAULT, used: 0 });
        expect(m.cpu.pendingFault).toMatchObject({ vector: 14, errorCode: 0x11, cr2: Number(rip) });
        executable = true;
        to = -1;
        flush();
        expect(runTier(m, 100)).toEqual({ exit: L.EXIT_FAULT, used: 0 });
        expect(m.cpu.pendingFault).toMatchObject({ vector: 14, errorCode: 0, cr2: Number(rip) });
        to = there;
        flush();
        const dl = m.cpu.state.gpr8(16);
        runTier(m, 2 + 3 * warm);
        expect(m.cpu.state.gpr8(16)).toBe((dl - 3 * warm) & 0xff);
        to = here;
        flush();
        runTier(m, 3 * warm);
        expect(m.cpu.state.gpr8(16)).toBe((dl - 2 * warm) & 0xff);
      });

      test('a REP in a hot loop may be cut anywhere', () => {
        const [di] = bits === 64 ? ['rdi'] : bits === 32 ? ['edi'] : ['di'];
        const source = `again: mov ${di}, 0x5ff9\nmov ${cx}, 13\nrep stosb\nadd al, 3\njmp again`;
        const total = 2 + 13 + 2;
        const m = machine(variant, bits, source);
        m.cpu.state.setGpr64(0, 0n);
        m.cpu.run(warm * total);
        for (let n = 0, at = 0; n < 60; n++) {
          m.cpu.run(n % 19);
          at = (at + (n % 19)) % total;
          const left = at < 2 ? (at === 0 ? 0 : 0) : Math.max(0, 15 - at);
          if (at !== 1) expect(m.cpu.state.gpr16(1), `${n}: at ${at}`).toBe(left);
          if (at >= 2) expect(m.cpu.state.gpr16(7)).toBe(0x5ff9 + Math.min(13, at - 2));
        }
      });
    });

    test('RDTSC in a hot loop reads the exact time', () => {
      const m = machine(
        variant,
        32,
        'again: rdtsc\nmov [0x6000+esi*4], eax\ninc esi\nand esi, 0xff\nadd ebx, 1\njmp again',
      );
      m.cpu.state.setGpr64(6, 0n);
      m.cpu.run(6 * 256 * Math.ceil(warm / 256));
      const last = Array.from({ length: 256 }, (_, i) => m.view.getUint32(0x6000 + i * 4, true));
      const start = 6 * 256 * (Math.ceil(warm / 256) - 1);
      expect(last).toEqual(last.map((_, i) => start + i * 6));
    });
  },
);

/** What the evaluator shows, by bits and producer. */
const flagsSeen = new Map<string, string[]>();

/**
 * States at a store behind an instruction that faults, and right behind one that reaches a device which stops the run.
 */
function seenBehind(variant: Variant, bits: Bits, source: string, rounds: number): string[] {
  const m = machine(variant, bits, source);
  const { state } = m.cpu;
  let to = 0x6000;
  m.map = (page) => (page === 0x6000 ? to : page);
  m.onDevice = () => m.cpu.requestExit();
  const reset = (): void => {
    for (let r = 0; r < 8; r++) if (r !== 4) state.setGpr64(r, BigInt(r * 0x1357));
    state.setGpr64(6, 0x6010n);
    state.rflags = 2;
    state.rip = BigInt(AT);
  };
  const turn = (page: number): void => {
    to = page;
    m.cpu.memory.flush(undefined, true);
  };
  reset();
  runTier(m, rounds * 6);
  const seen: string[] = [];
  for (const page of [-1, DEVICE]) {
    for (let extra = 0; extra < 8; extra++) {
      turn(0x6000);
      reset();
      const { used } = runTier(m, extra * 6 + (extra % 3));
      turn(page);
      const end = page === DEVICE ? runDevice(m) : runTier(m, 1000);
      state.views.f64[(state.base + L.ST_RETIRED) >>> 3] = 0;
      seen.push(`${used} ${end.exit} ${end.used} ${state.rip} ${state.rflags} ${stateHash(m.cpu)}`);
    }
  }
  return seen;
}

/** Runs until the device asks for the end. */
function runDevice(m: FlatMachine): { exit: number; used: number } {
  const { reason, retired } = m.cpu.run(1000);
  expect(reason).toBe('event');
  return { exit: L.EXIT_EVENT, used: retired };
}

function rotated(start: number, times: number): number {
  let x = start;
  for (let i = 0; i < times % 8; i++) x = ((x << 3) | (x >> 5)) & 0xff;
  return x;
}

test.each(VARIANTS.map((variant) => [variant.name, variant] as const))(
  '%s: OF of byte operations that give it is seen by a condition',
  (_name, variant) => {
    for (const producer of [
      'imul cl',
      'mul dl',
      'ror al, 5',
      'imul cl\nror al, 1',
      'shl al, 1',
      'shr al, 1',
    ]) {
      const source = `again: add al, 0x35\nxor al, 0\n${producer}\nseto bl\nadd edi, ebx\nadd ecx, 13\njno again\njmp again`;
      const [want, got] = [EVALUATOR, variant].map((one) => {
        const m = machine(one, 32, source);
        const { state } = m.cpu;
        if (one === variant) runTier(m, 9 * WARM);
        for (let r = 0; r < 8; r++) if (r !== 4) state.setGpr64(r, r === 2 ? 3n : 0n);
        state.rflags = 2;
        state.rip = BigInt(AT);
        state.views.f64[(state.base + L.ST_RETIRED) >>> 3] = 0;
        runTier(m, 3000);
        return stateHash(m.cpu);
      });
      expect(got, producer).toBe(want);
    }
  },
);
