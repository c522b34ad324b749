/** Faults of floating-point instructions that the native CPU's operating system does not let through. */
import { describe, expect, test } from 'vitest';
import { Interpreter } from '../src/engine/wasm/interpreter.ts';
import * as L from '../src/layout.ts';
import { cpuModel } from '../src/system/models.ts';
import { FlatMachine } from './support/flat-machine.ts';

const interpreter = new Interpreter();
const AT = 0x2000;
const [UD, NM, PF, MF, XM] = [6, 7, 14, 16, 19];
const ADDSD = [0xf2, 0x0f, 0x58, 0xc1]; // addsd xmm0, xmm1
const ADDSD_MEMORY = [0xf2, 0x0f, 0x58, 0x06]; // addsd xmm0, [rsi]
const COMISD = [0x66, 0x0f, 0x2f, 0xc1];
const PADDD = [0x0f, 0xfe, 0xc1]; // paddd mm0, mm1
const PADDD_MEMORY = [0x0f, 0xfe, 0x06]; // paddd mm0, [rsi]
const CVTPI2PS_MEMORY = [0x0f, 0x2a, 0x06];
const SIGNALING = 0x7ff0_0000_0000_0001n;
const INEXACT = 0x3ff0_0000_0000_0001n;

describe.each(['evaluator', 'interpreter', 'translator'] as const)('%s', (tier) => {
  /** Runs an instruction in a loop that is hot, then once more after `change`: vector, -1 if none, and the machine. */
  function fault(
    code: readonly number[],
    change: (m: FlatMachine) => void,
    model = 'qemu64',
  ): readonly [number, FlatMachine] {
    const m = new FlatMachine({ tier, translator: { threshold: 1 }, interpreter, model: cpuModel(model) });
    m.load(AT, Uint8Array.of(...code, 0xeb, 0x100 - code.length - 2));
    m.start(64, AT);
    const { state } = m.cpu;
    state.cr0 |= 0x20;
    state.cr4 |= 0x600;
    state.mxcsr = 0x1f80;
    state.ftw = 0xffff;
    m.cpu.modeChanged();
    state.set64(L.ST_XMM, 0x3ff0_0000_0000_0000n);
    state.set64(L.ST_XMM + 16, 0x3ff0_0000_0000_0000n);
    state.setGpr64(6, 0x6000n);
    state.rflags = 0xad7;
    m.cpu.run(20);
    change(m);
    m.cpu.modeChanged();
    m.cpu.memory.flush(undefined, true);
    state.set32(L.ST_BUDGET, 2);
    state.set32(L.ST_EXIT_REQUEST, 0);
    m.cpu.tier.run();
    const raised = state.get32(L.ST_EXIT) === L.EXIT_FAULT;
    if (raised) expect(state.rip).toBe(BigInt(AT));
    return [raised ? m.cpu.pendingFault!.vector : -1, m];
  }
  const unmask = (first: bigint, second: bigint) => (m: FlatMachine) => {
    const { state } = m.cpu;
    state.mxcsr = 0;
    state.set64(L.ST_XMM, first);
    state.set64(L.ST_XMM + 16, second);
  };

  test('an unmasked exception is #XM, or #UD without CR4.OSXMMEXCPT; flags are set, nothing else', () => {
    for (const [osxmmexcpt, vector] of [
      [true, XM],
      [false, UD],
    ] as const) {
      const [raised, m] = fault(ADDSD, (x) => {
        unmask(SIGNALING, 1n)(x); // a denormal beside a NaN raises nothing
        if (!osxmmexcpt) x.cpu.state.cr4 &= ~0x400;
      });
      expect(raised).toBe(vector);
      expect(m.cpu.state.get64(L.ST_XMM)).toBe(SIGNALING);
      expect(m.cpu.state.mxcsr).toBe(1);
    }
    const [inexact, m] = fault(ADDSD, unmask(INEXACT, 0x4ff0_0000_0000_0000n));
    expect([inexact, m.cpu.state.mxcsr]).toEqual([XM, 0x20]);
    const [exact] = fault(ADDSD, unmask(0x4008_0000_0000_0000n, 0x4008_0000_0000_0000n));
    expect(exact).toBe(-1);
  });

  test('a comparison that faults leaves the status flags', () => {
    const [raised, m] = fault(COMISD, (x) => {
      unmask(SIGNALING, 0n)(x);
      x.cpu.state.rflags = 0xad7;
    });
    expect([raised, m.cpu.state.rflags]).toEqual([XM, 0xad7]);
    const [denormal, n] = fault(COMISD, unmask(1n, 0n));
    expect([denormal, n.cpu.state.mxcsr]).toEqual([XM, 2]);
  });

  test('an operand that is not there is #PF before #XM; CR0 and CR4 go before both', () => {
    const missing = (m: FlatMachine): void => {
      m.map = (page) => (page === 0x6000 ? -1 : page);
    };
    const [page, m] = fault(ADDSD_MEMORY, (x) => {
      unmask(SIGNALING, 0n)(x);
      missing(x);
    });
    expect([page, m.cpu.state.mxcsr]).toEqual([PF, 0]);
    for (const [bit, vector] of [
      [0x8, NM],
      [0x4, UD],
    ] as const) {
      const [raised] = fault(ADDSD_MEMORY, (x) => {
        missing(x);
        x.cpu.state.cr0 |= bit;
      });
      expect(raised).toBe(vector);
    }
    const [raised] = fault(ADDSD_MEMORY, (x) => {
      x.cpu.state.cr4 &= ~0x200;
    });
    expect(raised).toBe(UD);
  });

  test('MMX: a pending exception of the x87 is #MF; CR4.OSFXSR means nothing; a page fault changes no tags', () => {
    const pending = (m: FlatMachine): void => {
      m.cpu.state.fsw = 0x8081;
      m.cpu.state.fcw = 0x37e;
    };
    expect(fault(PADDD, pending)[0]).toBe(MF);
    const withoutSse = (m: FlatMachine): void => {
      m.cpu.state.cr4 &= ~0x600;
    };
    const switched = (m: FlatMachine): void => {
      m.cpu.state.cr0 |= 8;
    };
    expect(fault(PADDD, withoutSse)[0]).toBe(-1);
    expect(fault(PADDD, switched)[0]).toBe(NM);
    const [raised, m] = fault(PADDD_MEMORY, (x) => {
      x.map = (page) => (page === 0x6000 ? -1 : page);
      x.cpu.state.ftw = 0xffff;
      x.cpu.state.fsw = 0x1800;
    });
    expect([raised, m.cpu.state.ftw, m.cpu.state.fsw]).toEqual([PF, 0xffff, 0x1800]);
    // With memory it is an instruction on XMM registers alone, but not for Intel: the rounds before entered MMX.
    for (const [model, vector, tags] of [
      ['qemu64', -1, 0xffff],
      ['core2duo', MF, 0x5555],
    ] as const) {
      const [raised, n] = fault(CVTPI2PS_MEMORY, pending, model);
      expect([raised, n.cpu.state.ftw], model).toEqual([vector, tags]);
    }
  });
});
