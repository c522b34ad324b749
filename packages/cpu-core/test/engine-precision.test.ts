/** Faults, exits and code changes fall on the exact instruction, in every tier. */

import { UnmodelledError } from '@smm/x86-defs';
import { describe, expect, test } from 'vitest';
import * as L from '../src/layout.ts';
import { assemble } from './support/assemble.ts';
import { type Bits, DEVICE, FlatMachine } from './support/flat-machine.ts';

const AT = 0x1000;

describe.each(['evaluator', 'wasm'] as const)('%s', (tier) => {
  function machine(bits: Bits, source: string, processors = 1): FlatMachine {
    const m = new FlatMachine({ tier, processors });
    m.load(AT, assemble(source, { bits, org: AT }));
    for (const cpu of m.cpus) m.start(bits, AT, 0x8000 - cpu.index * 0x400, cpu);
    return m;
  }
  /** Runs the tier alone: faults stay undelivered. */
  function run(m: FlatMachine, budget: number): { exit: number; left: number; rip: number } {
    const { state, tier: t } = m.cpu;
    state.set32(L.ST_BUDGET, budget);
    state.set32(L.ST_EXIT_REQUEST, 0);
    t.run();
    return { exit: state.get32(L.ST_EXIT), left: state.get32(L.ST_BUDGET) | 0, rip: Number(state.rip) };
  }

  describe('the shadow of STI while nothing is pending', () => {
    function withInterrupts(source: string) {
      const m = machine(32, source);
      const line = { pending: -1 };
      const taken: number[] = [];
      m.cpu.ports.apic = {
        ...m.cpu.ports.apic,
        pendingVector: () => line.pending,
        acknowledge: () => line.pending,
      };
      m.cpu.ports.observer = {
        interruptDelivered: (_cpu, _vector, _kind, _error, rip) => void taken.push(Number(rip)),
      };
      const raise = (): void => {
        line.pending = 0x20;
        m.cpu.interruptChanged();
      };
      return { m, taken, raise };
    }

    test('outlives a run that ends right behind it', () => {
      const { m, taken, raise } = withInterrupts('nop\nsti\nnop\nnop\nnop');
      m.cpu.run(2);
      expect(m.cpu.state.activity & L.ACT_SHADOW_STI).toBe(L.ACT_SHADOW_STI);
      raise();
      m.cpu.run(1);
      expect(taken).toEqual([]);
      m.cpu.run(1);
      expect(taken[0]).toBe(AT + 3);
    });

    test('is over one instruction later', () => {
      const { m, taken, raise } = withInterrupts('nop\nsti\nnop\nnop\nnop');
      m.cpu.run(3);
      expect(m.cpu.state.activity & L.ACT_SHADOW_STI).toBe(0);
      raise();
      m.cpu.run(1);
      expect(taken[0]).toBe(AT + 3);
    });

    test('does not delay an interrupt that the instruction in it raises', () => {
      const { m, taken, raise } = withInterrupts('sti\nmov [edi],eax\nnop\nnop');
      m.cpu.state.setGpr32(7, DEVICE);
      m.onDevice = raise;
      m.cpu.run(3);
      expect(taken[0]).toBe(AT + 3);
    });
  });

  test('a page fault in the middle of a block leaves registers, flags, RIP and budget of the instructions before it', () => {
    const m = machine(64, 'mov eax,5\nadd eax,-5\npush rax\nadd [rdi],rax\ninc eax\nstop: jmp stop');
    m.map = (page) => (page === 0x9000 ? -1 : page);
    m.cpu.state.setGpr64(7, 0x9ff0n);
    expect(run(m, 100)).toEqual({ exit: L.EXIT_FAULT, left: 97, rip: AT + 9 });
    expect(m.cpu.pendingFault).toMatchObject({ vector: 14, errorCode: 2, cr2: 0x9ff0 });
    expect(m.cpu.state.gpr64(0)).toBe(0n);
    expect(m.cpu.state.gpr64(4)).toBe(0x7ff8n);
    expect(m.cpu.state.rflags).toBe(0x57); // ZF PF AF CF of the addition
  });

  test('a store that crosses into a missing page writes nothing; CR2 is the second page', () => {
    const m = machine(32, 'mov dword [0x8ffe],0x11223344\nstop: jmp stop');
    m.map = (page) => (page === 0x9000 ? -1 : page);
    expect(run(m, 10)).toMatchObject({ exit: L.EXIT_FAULT, left: 10, rip: AT });
    expect(m.cpu.pendingFault).toMatchObject({ vector: 14, cr2: 0x9000 });
    expect(m.view.getUint16(0x8ffe, true)).toBe(0);
  });

  test('an instruction fetch fault names the first byte on the missing page', () => {
    const m = machine(32, 'jmp 0x1ffe');
    m.load(0x1ffe, Uint8Array.of(0xb8, 1)); // mov eax, imm32 over the border
    m.map = (page) => (page === 0x2000 ? -1 : page);
    expect(run(m, 10)).toMatchObject({ exit: L.EXIT_FAULT, left: 9, rip: 0x1ffe });
    expect(m.cpu.pendingFault).toMatchObject({ vector: 14, cr2: 0x2000 });
  });

  test('an instruction on two pages is fetched anew when its second page is mapped elsewhere', () => {
    const m = machine(32, 'jmp 0x1ffe');
    m.load(0x1ffe, Uint8Array.of(0xb8, 0x01, 0, 0, 0, 0xeb, 0xf9)); // mov eax,imm32; jmp 1ffe
    m.ram.set(Uint8Array.of(0x22, 0, 0, 0xeb, 0xf9), 0x5000);
    run(m, 5);
    expect(m.cpu.state.gpr32(0)).toBe(1);
    m.map = (page) => (page === 0x2000 ? 0x5000 : page);
    m.cpu.memory.flush(undefined, true);
    run(m, 6);
    expect(m.cpu.state.gpr32(0)).toBe(0x2201);
  });

  test('division faults on the instruction', () => {
    const m = machine(64, 'xor ecx,ecx\nmov eax,7\ndiv rcx\nstop: jmp stop');
    expect(run(m, 10)).toEqual({ exit: L.EXIT_FAULT, left: 8, rip: AT + 7 });
    expect(m.cpu.pendingFault.vector).toBe(0);
  });

  test('a non-canonical address is a general-protection fault, a stack fault through RSP', () => {
    const m = machine(64, 'mov rax,0x800000000000\nmov ecx,[rax]\nstop: jmp stop');
    expect(run(m, 10)).toMatchObject({ exit: L.EXIT_FAULT, left: 9 });
    expect(m.cpu.pendingFault).toMatchObject({ vector: 13, errorCode: 0 });
    const n = machine(64, 'mov rsp,0x800000000000\npop rcx\nstop: jmp stop');
    run(n, 10);
    expect(n.cpu.pendingFault).toMatchObject({ vector: 12, errorCode: 0 });
  });

  test('code written by the instruction before it is executed as written', () => {
    const m = machine(32, 'mov byte [patch+1],42\npatch: mov al,1\nstop: jmp stop');
    run(m, 5);
    expect(m.cpu.state.gpr8(0)).toBe(42);
  });

  test('code written by another processor is executed as written', () => {
    const m = machine(32, 'loop_: mov al,1\nadd ebx,1\njmp loop_', 2);
    const [first, second] = m.cpus;
    m.load(0x3000, assemble('mov byte [0x1001],9\nstop: jmp stop', { bits: 32, org: 0x3000 }));
    first!.run(1000);
    expect(first!.state.gpr8(0)).toBe(1);
    second!.state.rip = 0x3000n;
    second!.run(3);
    first!.run(3);
    expect(first!.state.gpr8(0)).toBe(9);
  });

  test('code written by the machine is executed as written once the engine is told', () => {
    const m = machine(32, 'loop_: mov al,1\nadd ebx,1\njmp loop_');
    m.cpu.run(1000);
    m.load(AT + 1, Uint8Array.of(7));
    m.cpu.run(3);
    expect(m.cpu.state.gpr8(0)).toBe(7);
  });

  test('a device access that asks for an exit ends the run right after its instruction', () => {
    const m = machine(32, `inc eax\nmov [${DEVICE}],eax\ninc eax\ninc eax\nstop: jmp stop`);
    m.onDevice = () => m.cpu.requestExit();
    expect(m.cpu.run(100)).toEqual({ reason: 'event', retired: 2 });
    expect(m.cpu.state.gpr32(0)).toBe(1);
  });

  test('a device sees the number of instructions retired before the one that accesses it', () => {
    const m = machine(32, `inc eax\ninc eax\nmov [${DEVICE}],eax\nstop: jmp stop`);
    const seen: number[] = [];
    m.onDevice = () => seen.push(m.cpu.retiredNow());
    m.cpu.run(50);
    expect(seen).toEqual([2]);
  });

  test('a translator sees the RIP and the time of the access', () => {
    const m = machine(32, 'inc eax\ninc eax\nmov [0x9000],eax\nstop: jmp stop');
    const seen: [string, number][] = [];
    m.map = (page, request) => {
      if (request.linear === 0x9000) seen.push([m.cpu.state.rip.toString(16), m.cpu.retiredNow()]);
      return page;
    };
    m.cpu.run(50);
    // The evaluator has RIP on the next instruction by then, as helpers do; insnRip is the instruction's.
    expect(m.cpu.insnRip).toBeGreaterThanOrEqual(BigInt(AT + 2));
    expect(seen[0]![1]).toBe(2);
    if (tier === 'wasm') expect(seen[0]![0]).toBe((AT + 2).toString(16));
  });

  test('every access to a device translates once, also where it is read and written', () => {
    const m = machine(32, `add dword [${DEVICE}],1\nstop: jmp stop`);
    let asked = 0;
    m.map = (page) => {
      if (page === DEVICE) asked++;
      return page;
    };
    m.cpu.run(5);
    expect(asked).toBe(1);
    expect(m.accesses).toHaveLength(2);
  });

  test('what nobody implements is an UnmodelledError with bytes, mode and RIP', () => {
    const m = machine(32, 'nop\ndb 0xd9, 0xfe\nstop: jmp stop');
    expect(() => m.cpu.run(10)).toThrow(UnmodelledError);
    expect(() => m.cpu.run(10)).toThrow(/RIP 1001h in 32-bit code.*d9 fe/i);
  });

  test('long runs stop at the exact instruction', () => {
    const m = machine(64, 'again: inc rax\ninc rbx\ninc rcx\njmp again');
    const budget = tier === 'wasm' ? 3_000_001 : 30_001; // over the length of a stay in generated code
    expect(m.cpu.run(budget)).toEqual({ reason: 'budget', retired: budget });
    expect(m.cpu.run(2)).toEqual({ reason: 'budget', retired: 2 });
    expect(m.cpu.state.gpr64(0)).toBe(BigInt((budget - 1) / 4 + 1));
    expect(m.cpu.state.gpr64(3)).toBe(BigInt((budget - 1) / 4 + 1));
    expect(m.cpu.state.gpr64(1)).toBe(BigInt((budget - 1) / 4 + 1));
    expect(m.cpu.state.rip).toBe(BigInt(AT + 9));
  });
});
