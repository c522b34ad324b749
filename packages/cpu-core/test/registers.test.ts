/** Registers by name: all of them, as the processor has them and as it goes on after a write. */
import { describe, expect, test } from 'vitest';
import { TIER_NAMES } from '../src/engine/engine.ts';
import type { RegisterName } from '../src/register-names.ts';
import { assemble } from './support/assemble.ts';
import { type Bits, FlatMachine } from './support/flat-machine.ts';

function machine(bits: Bits, source: string, tier: (typeof TIER_NAMES)[number] = 'interpreter'): FlatMachine {
  const m = new FlatMachine({ tier, translator: { threshold: 1 } });
  m.load(0x1000, assemble(source, { bits, org: 0x1000 }));
  m.start(bits, 0x1000);
  return m;
}

describe('every register', () => {
  const { registers, state } = machine(64, 'hlt').cpu;
  const own = new Set<RegisterName>(['cr8', 'cr0', 'rflags', 'eflags', 'vm']);

  test.each(registers.names.filter((name) => !own.has(name)))('%s holds what is written', (name) => {
    const before = state.views.u8.slice(state.base, state.base + 4096);
    const old = registers.get(name);
    for (const value of typeof old === 'bigint' ? [1n, 0x55n] : name.length <= 2 ? [1, 0] : [0, 1]) {
      registers.set(name, value as never);
      expect(registers.get(name)).toBe(value);
      expect((registers as unknown as Record<string, unknown>)[name]).toBe(value);
    }
    state.views.u8.set(before, state.base);
  });

  test('a name that is none and a value that does not fit are refused by name', () => {
    expect(() => registers.get('rxx' as RegisterName)).toThrow(/"rxx", which is not one of registers.names/);
    expect(() => registers.set('al', 256)).toThrow('register al is 256');
    expect(() => registers.set('rax', 5 as never)).toThrow('a bigint of 64 bits');
    expect(() => registers.set('rax', -1n)).toThrow('register rax is -1');
    expect(() => registers.set('cs', Number.NaN)).toThrow('register cs is NaN');
  });
});

describe.each(TIER_NAMES)('%s', (tier) => {
  test('parts of a register and its whole are one', () => {
    const { cpu } = machine(64, 'mov rax,0x1122334455667788\nmov r9d,0x99aabbcc\nstop: jmp stop', tier);
    cpu.run(2);
    const { rax, eax, ax, al, ah, r9, r9w, r9b } = cpu.registers;
    expect([rax, eax, ax, al, ah]).toEqual([0x1122334455667788n, 0x55667788, 0x7788, 0x88, 0x77]);
    expect([r9, r9w, r9b]).toEqual([0x99aabbccn, 0xbbcc, 0xcc]);
    cpu.registers.eax = 1;
    expect(cpu.registers.rax).toBe(1n);
    cpu.registers.ah = 0xff;
    expect(cpu.registers.rax).toBe(0xff01n);
  });

  test('a flag that is written decides the next branch', () => {
    const { cpu } = machine(32, 'xor eax,eax\njz taken\nmov ebx,1\nhlt\ntaken: mov ebx,2\nhlt', tier);
    cpu.run(1);
    expect(cpu.registers.zf).toBe(1);
    cpu.registers.zf = 0;
    cpu.run(10);
    expect(cpu.registers.ebx).toBe(1);
  });

  test('in real mode a selector brings its base along', () => {
    const m = machine(16, 'mov al,[0]\nhlt', tier);
    m.ram[0x2340] = 0x77;
    m.cpu.registers.ds = 0x234;
    expect(m.cpu.registers['ds.base']).toBe(0x2340n);
    m.cpu.run(10);
    expect(m.cpu.registers.al).toBe(0x77);
  });

  test('in protected mode selector and base are written apart', () => {
    const m = machine(32, 'mov al,[0]\nhlt', tier);
    m.ram[0x2340] = 0x77;
    m.cpu.registers.set('ds', 0x18);
    expect(m.cpu.registers['ds.base']).toBe(0n);
    m.cpu.registers['ds.base'] = 0x2340n;
    m.cpu.run(10);
    expect(m.cpu.registers.al).toBe(0x77);
  });

  test('code that has run goes on in another mode after its segment was written', () => {
    const m = machine(32, 'again: inc eax\njmp again', tier);
    m.cpu.run(400);
    m.cpu.registers['cs.attributes'] = 0x9b; // 16-bit code: inc ax
    m.cpu.registers.eax = 0xffff;
    m.cpu.registers.eip = 0x1000;
    m.cpu.run(1);
    expect(m.cpu.registers.eax).toBe(0);
  });

  test('upper halves that are written outside 64-bit code stay until an instruction clears them', () => {
    const { cpu } = machine(32, 'again: mov ebx,eax\njmp again', tier);
    cpu.run(400);
    cpu.registers.rax = 0x5_0000_0001n;
    cpu.registers.rcx = 0x6_0000_0002n;
    cpu.run(2);
    expect([cpu.registers.rbx, cpu.registers.rcx]).toEqual([1n, 0x6_0000_0002n]);
  });
});
