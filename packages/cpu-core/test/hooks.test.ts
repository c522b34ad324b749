/** Hooks and breakpoints one by one, in every tier, set while hot code runs and taken out again. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { TIER_NAMES, type TierName } from '../src/engine/engine.ts';
import type { HookedAccess } from '../src/hooks.ts';
import { MODE_HOOKED } from '../src/layout.ts';
import { assemble } from './support/assemble.ts';
import { type Bits, DEVICE, FlatMachine, type FlatMachineOptions } from './support/flat-machine.ts';

const ORG = 0x1000;
/** Counts in EAX at 1006h; memory at 4000h follows. */
const LOOP =
  'xor eax,eax\nnop\nnop\nnop\nnop\nagain: inc eax\nmov [0x4000],eax\ntest eax,0x40000000\njz again\nhlt';
const AGAIN = 0x1006;

function machine(
  tier: TierName,
  source = LOOP,
  bits: Bits = 32,
  options: FlatMachineOptions = {},
): FlatMachine {
  const m = new FlatMachine({ tier, translator: { threshold: 20 }, ...options });
  m.load(ORG, assemble(source, { bits, org: ORG }));
  m.start(bits, ORG);
  return m;
}

function collect(list: HookedAccess[]) {
  return (_cpu: unknown, access: HookedAccess): void => void list.push(access);
}

describe.each(TIER_NAMES)('%s', (tier) => {
  test('a breakpoint in a loop that is hot stops where its condition says, and the run goes on from there', () => {
    const { cpu } = machine(tier);
    cpu.run(5000);
    const remove = cpu.hooks.breakpoint(AGAIN, ({ registers }) => registers.eax % 1000 === 0);
    for (const count of [2000, 3000]) {
      expect(cpu.run(1_000_000).reason).toBe('stopped');
      expect([cpu.registers.eip, cpu.registers.eax]).toEqual([AGAIN, count]);
      expect(cpu.retiredNow()).toBe(5 + 4 * count);
    }
    remove();
    expect(cpu.run(100_000)).toEqual({ reason: 'budget', retired: 100_000 });
    expect(cpu.state.mode & MODE_HOOKED).toBe(0);
  });

  test('a breakpoint that is set where the processor stands stops it there once', () => {
    const { cpu } = machine(tier);
    cpu.hooks.breakpoint(ORG);
    expect(cpu.run(10)).toEqual({ reason: 'stopped', retired: 0 });
    expect(cpu.run(10)).toEqual({ reason: 'budget', retired: 10 });
  });

  test('an instruction that is jumped to is told each time, even one that jumps to itself', () => {
    const { cpu } = machine(tier, 'here: jmp here');
    let times = 0;
    cpu.hooks.code({ at: ORG }, () => void times++);
    cpu.run(100);
    expect(times).toBe(100);
  });

  test('a repeated instruction is told once, however its run is cut', () => {
    const { cpu } = machine(tier, 'mov edi,0x4000\nmov ecx,50\nrep stosb\nmov ecx,2\nrep stosb\nhlt');
    const at: number[] = [];
    cpu.hooks.code({ at: ORG + 10, size: 9 }, (_cpu, linear) => at.push(linear));
    while (cpu.run(7).reason === 'budget');
    expect(at).toEqual([ORG + 10, ORG + 12, ORG + 17]);
  });

  test('a snapshot that is put back is told its instruction again', () => {
    const { cpu } = machine(tier);
    cpu.hooks.breakpoint(AGAIN, ({ registers }) => registers.eax === 100);
    cpu.run(10_000);
    const snapshot = cpu.save();
    cpu.run(100);
    cpu.restore(snapshot);
    expect(cpu.run(10)).toEqual({ reason: 'stopped', retired: 0 });
  });

  test('a hook may move the processor, and may hook and unhook while it is told', () => {
    const { cpu } = machine(tier);
    cpu.run(5000);
    const told: string[] = [];
    const first = cpu.hooks.code({ at: AGAIN }, () => {
      told.push('first');
      first();
      cpu.hooks.code({ at: AGAIN + 1 }, ({ registers }) => {
        told.push('second');
        registers.eax = 0x4000_0000;
        registers.eip += 5; // over the store
      });
    });
    expect(cpu.run(1_000_000).reason).toBe('halted');
    expect(told).toEqual(['first', 'second']);
    expect(cpu.registers.eax).toBe(0x4000_0000);
  });

  test('memory hooks tell every access that touches their bytes, and no other', () => {
    const m = machine(
      tier,
      'mov eax,0x11223344\nagain: mov [0x4000],eax\nadd word [0x4002],1\nmov bl,[0x4004]\nmov ecx,[0x3ffe]\n' +
        'mov [0x3fff],ax\nmov edx,[0x4008]\nmovq xmm0,[0x3ffc]\ndec dword [0x5000]\njnz again\nhlt',
    );
    m.view.setUint32(0x5000, 40, true);
    m.cpu.state.cr4 |= 0x200;
    m.cpu.modeChanged();
    m.cpu.run(150);
    const list: HookedAccess[] = [];
    const remove = m.cpu.hooks.memory({ at: 0x4000, size: 4 }, collect(list));
    m.cpu.run(9);
    const told = list.map(
      ({ write, at, size, value }) => `${write ? 'w' : 'r'} ${at.toString(16)} ${size} ${value.toString(16)}`,
    );
    expect([...told].sort()).toEqual([
      'r 3ffc 8 1123333344000000',
      'r 3ffe 4 33444400',
      'r 4002 2 1122',
      'w 3fff 2 3344',
      'w 4000 4 11223344',
      'w 4002 2 1123',
    ]);
    remove();
    m.cpu.run(9);
    expect(list).toHaveLength(6);
  });

  test('a memory hook that stops lets its instruction finish; string instructions stop between iterations', () => {
    const { cpu, ram } = machine(tier, 'mov edi,0x4000\nmov ecx,0x100\nmov al,7\nrep stosb\nhlt');
    cpu.hooks.memory({ at: 0x4080, reads: false }, () => cpu.hooks.stop());
    expect(cpu.run(10_000)).toEqual({ reason: 'stopped', retired: 3 + 0x81 });
    expect([ram[0x4080], ram[0x4081], cpu.registers.edi]).toEqual([7, 0, 0x4081]);
    expect(cpu.run(10_000).reason).toBe('halted');
    expect(ram[0x40ff]).toBe(7);
  });

  test('devices, and what events push, are told too', () => {
    const m = machine(tier, `mov eax,[${DEVICE}]\nmov [${DEVICE + 4}],ax\nhlt`);
    m.deviceValue = 0x1234_5678;
    const list: HookedAccess[] = [];
    m.cpu.hooks.memory({ at: DEVICE, size: 0x1000 }, collect(list));
    m.cpu.run(10);
    expect(list).toEqual([
      { write: false, at: DEVICE, size: 4, value: 0x1234_5678n },
      { write: true, at: DEVICE + 4, size: 2, value: 0x5678n },
    ]);
    const real = machine(tier, 'int 0x21\nhlt', 16);
    real.view.setUint16(0x84, 0x2000, true);
    real.ram[0x2000] = 0xf4;
    const pushed: HookedAccess[] = [];
    real.cpu.hooks.memory({ at: 0x7ff0, size: 16 }, collect(pushed));
    real.cpu.run(10);
    expect(pushed.map(({ write, value }) => [write, value])).toEqual([
      [true, 2n],
      [true, 0n],
      [true, 0x1002n],
    ]);
  });

  test('port hooks, and observers beside the own one', () => {
    const seen: unknown[] = [];
    const ports = {
      observer: { interruptDelivered: (_cpu: number, vector: number) => void seen.push(vector) },
    };
    const m = machine(tier, 'mov al,5\nout 0x80,al\nin ax,0x71\nmov dx,0x72\nin al,dx\nint 0x30\nhlt', 16, {
      ports,
    });
    m.view.setUint16(0xc0, 0x2000, true);
    m.ram[0x2000] = 0xf4;
    const list: HookedAccess[] = [];
    const { hooks } = m.cpu;
    const removals = [
      hooks.port({ at: 0x80 }, collect(list)),
      hooks.port({ at: 0x72 }, collect(list)),
      hooks.observe({ interruptDelivered: (_cpu, vector) => void seen.push(`hooked ${vector}`) }),
    ];
    m.cpu.run(100);
    expect(list).toEqual([
      { write: true, at: 0x80, size: 1, value: 5n },
      { write: false, at: 0x71, size: 2, value: 0xffffn },
      { write: false, at: 0x72, size: 1, value: 0xffn },
    ]);
    expect(seen).toEqual([0x30, 'hooked 48']);
    for (const remove of removals) remove();
    expect(m.cpu.ports).toBe(m.cpu.ownPorts);
  });

  test('code that another processor shares, or another linear address, is not told', () => {
    const m = machine(tier, 'again: inc eax\njmp again', 32, { processors: 2 });
    m.map = (page) => (page === 0x9000 ? 0x1000 : page);
    const [first, second] = [m.cpus[0]!, m.cpus[1]!];
    m.start(32, ORG, 0x8000, second);
    let told = 0;
    first.hooks.code({ at: 0x9000 }, () => void told++);
    second.hooks.code({ at: 0x5000 }, () => void told++); // its code stops short too
    first.run(400);
    second.run(400);
    expect(told).toBe(0);
    // The same bytes, the same EIP, by a segment at 8000h.
    first.registers['cs.base'] = 0x8000n;
    first.registers.eip = 0x1000;
    first.run(400);
    expect(told).toBe(200);
  });

  test('an instruction that cannot be fetched does not begin', () => {
    const m = machine(tier, 'jmp 0x5000');
    m.map = (page) => (page === 0x5000 ? -1 : page);
    let told = 0;
    m.cpu.hooks.code({ at: 0x5000, size: 0x1000 }, () => void told++);
    m.cpu.run(100);
    expect(m.cpu.registers.cr2).toBe(0x5000n);
    expect(told).toBe(0);
  });

  test('an address that is none is refused by name', () => {
    const { hooks } = machine(tier).cpu;
    expect(() => hooks.code({ at: 1.5 }, () => {})).toThrow('the linear address of a hook is 1.5');
    expect(() => hooks.memory({ at: 0, size: 0 }, () => {})).toThrow('size is 0');
    expect(() => hooks.port({ at: 0x1_0000 }, () => {})).toThrow('at is 65536');
    expect(() => hooks.code({}, undefined as never)).toThrow('a code hook is undefined');
  });
});

describe('what generated code is made', () => {
  afterEach(() => vi.restoreAllMocks());

  /** All modules that a guest makes the engine generate, by `prepare`'s hooks. */
  function modulesOf(prepare: (m: FlatMachine) => void): string[] {
    const modules: string[] = [];
    const { Module } = WebAssembly;
    const spy = vi.spyOn(WebAssembly, 'Module').mockImplementation(function (
      this: unknown,
      bytes: BufferSource,
    ) {
      const view = bytes instanceof ArrayBuffer ? new Uint8Array(bytes) : new Uint8Array(bytes.buffer);
      modules.push(Buffer.from(view).toString('base64'));
      return new Module(bytes);
    } as never);
    const m = machine('translator', LOOP, 32, { processors: 2, translator: { threshold: 20 } });
    prepare(m);
    m.cpu.run(10_000);
    spy.mockRestore();
    return modules;
  }

  test('is the same, byte for byte, without hooks, after hooks, beside hooks, and with hooks of memory and ports', () => {
    const plain = modulesOf(() => {});
    expect(plain.length).toBeGreaterThan(1); // the interpreter, and what was translated
    const after = modulesOf(({ cpu }) => {
      const { hooks } = cpu;
      const remove = [
        hooks.code({}, () => {}),
        hooks.memory({}, () => {}),
        hooks.port({}, () => {}),
        hooks.observe({}),
      ];
      for (const one of remove) one();
    });
    const beside = modulesOf(({ cpus }) => void cpus[1]!.hooks.code({}, () => {}));
    const watching = modulesOf(({ cpu }) => {
      cpu.hooks.memory({ at: 0x5000 }, () => {});
      cpu.hooks.port({}, () => {});
      cpu.hooks.observe({ msr: () => {} });
    });
    expect(after).toEqual(plain);
    expect(beside).toEqual(plain);
    expect(watching).toEqual(plain);
  });
});
