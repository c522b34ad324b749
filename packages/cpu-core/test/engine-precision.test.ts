/** Faults, exits and code changes fall on the exact instruction, in every tier. */

import { UnmodelledError } from '@smm/x86-defs';
import { describe, expect, test } from 'vitest';
import * as L from '../src/layout.ts';
import { assemble } from './support/assemble.ts';
import { type Bits, DEVICE, FlatMachine } from './support/flat-machine.ts';

const AT = 0x1000;

describe.each(['evaluator', 'interpreter'] as const)('%s', (tier) => {
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

  describe('segments that are not flat', () => {
    // Base 2000h, limit 0FFFh; attributes in save-state form. Intel SDM Vol. 3, "Segment Descriptor Tables", "Type
    // Checking".
    const DATA = 0x93;
    const READ_ONLY = 0x91;
    const EXPAND_DOWN = 0x97;
    const READABLE_CODE = 0x9b;
    const EXECUTE_ONLY = 0x99;
    const ABSENT = 0x13;
    const read = 'mov eax,[ebx]';
    const write = 'mov [ebx],eax';
    const modify = 'add [ebx],eax';
    test.each<[string, number, string, number, boolean]>([
      ['data, last dword', DATA, read, 0xffc, true],
      ['data, over the end', DATA, read, 0xffd, false],
      ['data, far over the end', DATA, write, 0xffff_fffe, false],
      ['data, written', DATA, write, 0xffc, true],
      ['data, modified', DATA, modify, 0, true],
      ['read-only, read', READ_ONLY, read, 0, true],
      ['read-only, written', READ_ONLY, write, 0, false],
      ['read-only, modified', READ_ONLY, modify, 0, false],
      ['expand-down, below', EXPAND_DOWN, read, 0xfff, false],
      ['expand-down, above', EXPAND_DOWN, write, 0x1000, true],
      ['expand-down, over 64 KiB', EXPAND_DOWN, read, 0xfffd, false],
      ['code, read', READABLE_CODE, read, 0, true],
      ['code, written', READABLE_CODE, write, 0, false],
      ['execute-only, read', EXECUTE_ONLY, read, 0, false],
      ['absent', ABSENT, read, 0, false],
    ])('%s', (_name, attributes, source, offset, allowed) => {
      const m = machine(32, `nop\n${source}\nstop: jmp stop`);
      const { state } = m.cpu;
      state.setSegBase(3, 0x2000);
      state.setSegLimit(3, 0xfff);
      state.setSegAttr(3, attributes);
      m.cpu.modeChanged();
      state.setGpr32(3, offset);
      state.setGpr32(0, 0x1234_5678);
      if (allowed && source !== write) m.view.setUint32(0x2000 + offset, 0x0101_0101, true);
      const end = run(m, 2);
      if (!allowed) {
        expect(end).toEqual({ exit: L.EXIT_FAULT, left: 1, rip: AT + 1 });
        expect(m.cpu.pendingFault).toMatchObject({ vector: 13, errorCode: 0 });
        return;
      }
      expect(end).toMatchObject({ exit: L.EXIT_BUDGET, left: 0 });
      if (source === read) expect(state.gpr32(0)).toBe(0x0101_0101);
      else expect(m.view.getUint32(0x2000 + offset, true)).toBe(source === write ? 0x1234_5678 : 0x1335_5779);
    });

    test('rights do not count in real mode, limits do', () => {
      const m = machine(16, 'mov [bx],ax\nmov [bx+2],ax\nstop: jmp stop');
      m.cpu.state.setSegAttr(3, READ_ONLY);
      m.cpu.state.setSegLimit(3, 0xfff);
      m.cpu.modeChanged();
      m.cpu.state.setGpr32(3, 0xffe);
      m.cpu.state.setGpr32(0, 0xabcd);
      expect(run(m, 5)).toEqual({ exit: L.EXIT_FAULT, left: 4, rip: AT + 2 });
      expect(m.view.getUint16(0xffe, true)).toBe(0xabcd);
    });

    test('16-bit addresses wrap, and the high halves of the registers do not count', () => {
      const m = machine(16, 'mov al,[bx+si+4]\nlea ecx,[bx+si+4]\nstop: jmp stop');
      m.cpu.state.setGpr32(3, 0x1234_fff0);
      m.cpu.state.setGpr32(6, 0x5678_0020);
      m.cpu.state.setGpr32(1, -1);
      m.ram[0x14] = 0x77;
      run(m, 2);
      expect(m.cpu.state.gpr8(0)).toBe(0x77);
      expect(m.cpu.state.gpr32(1)).toBe(0x14);
    });

    test('a 16-bit stack wraps inside its segment and keeps the upper half of ESP', () => {
      const m = machine(16, 'push ax\ncall f\nf: pop bx\npop cx\nstop: jmp stop');
      m.cpu.state.setSegBase(2, 0x4000);
      m.cpu.modeChanged();
      m.cpu.state.setGpr32(4, 0x5555_0000);
      m.cpu.state.setGpr32(0, 0xbeef);
      run(m, 2);
      expect(m.cpu.state.gpr32(4)).toBe(0x5555_fffc);
      expect(m.view.getUint16(0x1_3ffe, true)).toBe(0xbeef);
      expect(m.view.getUint16(0x1_3ffc, true)).toBe(AT + 4);
      run(m, 2);
      expect([m.cpu.state.gpr32(3), m.cpu.state.gpr32(1), m.cpu.state.gpr32(4)]).toEqual([
        AT + 4,
        0xbeef,
        0x5555_0000,
      ]);
    });

    test('a push beyond the stack segment is #SS, a return beyond the code segment #GP', () => {
      const m = machine(16, 'push eax');
      m.cpu.state.setSegLimit(2, 0x7fff);
      m.cpu.modeChanged();
      m.cpu.state.setGpr32(4, 0x8002);
      expect(run(m, 1)).toEqual({ exit: L.EXIT_FAULT, left: 1, rip: AT });
      expect(m.cpu.pendingFault.vector).toBe(12);
      expect(m.cpu.state.gpr32(4)).toBe(0x8002);
      const other = machine(16, 'o32 ret');
      other.view.setUint32(0x8000, 0x1_0000, true);
      expect(run(other, 1)).toEqual({ exit: L.EXIT_FAULT, left: 1, rip: AT });
      expect(other.cpu.pendingFault.vector).toBe(13);
      expect(other.cpu.state.gpr32(4)).toBe(0x8000);
    });
  });

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
    if (tier === 'interpreter') expect(seen[0]![0]).toBe((AT + 2).toString(16));
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
    const budget = tier === 'interpreter' ? 3_000_001 : 30_001; // over the length of a stay in generated code
    expect(m.cpu.run(budget)).toEqual({ reason: 'budget', retired: budget });
    expect(m.cpu.run(2)).toEqual({ reason: 'budget', retired: 2 });
    expect(m.cpu.state.gpr64(0)).toBe(BigInt((budget - 1) / 4 + 1));
    expect(m.cpu.state.gpr64(3)).toBe(BigInt((budget - 1) / 4 + 1));
    expect(m.cpu.state.gpr64(1)).toBe(BigInt((budget - 1) / 4 + 1));
    expect(m.cpu.state.rip).toBe(BigInt(AT + 9));
  });
});
