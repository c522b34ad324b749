/**
 * The PM timer, the TSC and PAUSE in a whole machine: what generated code computes alone is what the devices answer,
 * and is counted alike.
 */
import { cpuModel, stateHash, type TierName } from '@smm/cpu-core';
import { SAVE_STATE_AMD64 } from '@smm/x86-defs';
import { describe, expect, it } from 'vitest';
import { DEFAULT_KVM_OPTIONS, Machine, type MachineOptions, resolveSwitches } from '../src/index.ts';
import { rom } from './flat-rom.ts';
import { parts } from './runs.ts';

/** Writes a byte of the LPC bridge's configuration space (00:1F.0). */
const lpc = (offset: number, value: number): string => `
  mov eax, ${0x8000_f800 + (offset & ~3)}
  mov dx, 0cf8h
  out dx, eax
  mov al, ${value}
  mov dx, ${0xcfc + (offset & 3)}
  out dx, al
`;

/** Polls the timer at a base: the sum of what it reads goes to EBX, time stamps to ESI. */
const poll = (base: number, times: number): string => `
  mov cx, ${times}
  mov dx, ${base + 8}
%%: in eax, dx
  add ebx, eax
  pause
  in ax, dx
  add ebx, eax
  mov edi, edx
  rdtsc
  add esi, eax
  mov edx, edi
  dec cx
  jnz %%
`;

/** The PM block off, at 600h, at B000h, off again; with an alarm of the local APIC timer in between. */
const source = [
  poll(0x600, 20),
  lpc(0x41, 6),
  lpc(0x44, 0x80),
  poll(0x600, 300),
  lpc(0x41, 0xb0),
  poll(0x600, 20),
  poll(0xb000, 300),
  lpc(0x44, 0),
  poll(0xb000, 20),
  'cli\nhlt',
]
  .map((text, i) => text.replaceAll('%%', `poll${i}`))
  .join('\n');

interface Run extends Partial<MachineOptions> {
  readonly tier: TierName;
}

function machine(options: Run): Machine {
  return new Machine({
    cpus: 1,
    memoryMiB: 64,
    model: cpuModel('qemu64'),
    flash: rom(source),
    saveState: SAVE_STATE_AMD64,
    accelerator: 'tcg',
    behaviour: {},
    schedule: { seed: 0, slice: 10_000 },
    comm: 'test',
    interpreter: parts.interpreter,
    ...options,
  });
}

function look(m: Machine) {
  return {
    retired: m.retired,
    now: m.clock.now(),
    accesses: m.deviceAccesses,
    rip: m.processors.map(({ state }) => state.rip),
    sums: m.processors.map(({ state }) => [state.gpr32(3), state.gpr32(6)]),
    states: m.processors.map((processor) => stateHash(processor)),
  };
}

const alone = (m: Machine): number => m.processors.reduce((n, { shortcuts }) => n + shortcuts.timeReads, 0);

describe.each([
  [8, 10_000],
  [64, 113],
  [0.3, 7],
  [1e6 / 3, 1],
])('%f ns per instruction, slices of %i', (nsPerInstruction, slice) => {
  it.each<TierName>(['interpreter', 'translator'])(
    '%s and evaluator read the same, at any moment',
    (tier) => {
      const common = { nsPerInstruction, schedule: { seed: 0, slice } };
      const fast = machine({ ...common, tier });
      const plain = machine({ ...common, tier: 'evaluator' });
      for (let n = 0; n < 60; n++) {
        const stop = fast.run({ instructions: 131 });
        expect(plain.run({ instructions: 131 })).toBe(stop);
        expect(look(fast)).toEqual(look(plain));
      }
      expect(fast.idleReason(0)).toBe('halted');
      // 600 of the reads of the timer, and every time stamp.
      expect([alone(fast), alone(plain)]).toEqual([600 + 660, 0]);
    },
  );
});

it('a snapshot holds the count, and goes on in another tier', () => {
  const schedule = { seed: 0, slice: 500 };
  const fast = machine({ tier: 'interpreter', schedule });
  fast.run({ instructions: 2000 });
  const snapshot = structuredClone(fast.save());
  expect(alone(fast)).toBeGreaterThan(100);
  const plain = machine({ tier: 'evaluator', schedule });
  plain.restore(snapshot);
  expect(look(plain)).toEqual(look(fast));
  const again = machine({ tier: 'interpreter', schedule });
  again.restore(snapshot);
  for (const m of [fast, plain, again]) m.run({ instructions: 10_000 });
  expect(look(plain)).toEqual(look(fast));
  expect(look(again)).toEqual(look(fast));
  expect(alone(again)).toBeGreaterThan(100);
  fast.reset();
  expect([fast.deviceAccesses, alone(fast)]).toEqual([0, 0]);
});

it('under kvm every IN is an exit', () => {
  const { kvm: switches } = resolveSwitches({ accelerator: 'kvm' });
  const accelerator = { options: DEFAULT_KVM_OPTIONS, switches };
  const fast = machine({ tier: 'interpreter', accelerator });
  const plain = machine({ tier: 'evaluator', accelerator });
  for (const m of [fast, plain]) m.run({ instructions: 10_000 });
  expect(look(fast)).toEqual(look(plain));
  expect(fast.accelerator.save()).toEqual(plain.accelerator.save());
  expect(alone(fast)).toBe(660); // the time stamps
});

it('an observer of instructions hears of every PAUSE and RDTSC', () => {
  const heard: string[] = [];
  const m = machine({
    tier: 'interpreter',
    observer: { instruction: (_processor, name) => heard.push(name) },
  });
  m.run({ instructions: 10_000 });
  expect(heard.filter((name) => name === 'PAUSE')).toHaveLength(660);
  expect(heard.filter((name) => name === 'RDTSC')).toHaveLength(660);
  expect(alone(m)).toBe(600);
});

/** The boot processor pauses alone, then starts the other at F000:0, the same program; both pause on. */
const pausing = `
  xor ax, ax
  mov ds, ax
  o32 lgdt [cs:gdtr]
  mov eax, cr0
  or al, 1
  mov cr0, eax
  jmp short next
next:
  mov bx, 8
  mov es, bx
  and al, 0feh
  mov cr0, eax
  mov edi, 0fee00000h
  cmp dword [es:edi + 20h], 0
  jne spin
  mov dword [es:edi + 0f0h], 1ffh
  mov ecx, 1000
first:
  pause
  dec ecx
  jnz first
  mov dword [es:edi + 300h], 000c4500h
  mov dword [es:edi + 300h], 000c46f0h
spin:
  inc ebx
  pause
  jmp spin
gdtr: dw 15
  dd 0xf0000 + gdt
gdt: dq 0, 0x008f93000000ffff
`;

describe.each([1, 37, 10_000])('PAUSE that ends a turn, slices of %i', (slice) => {
  it('ends it at the same instruction in every tier', () => {
    const looks = (tier: TierName) => {
      const m = machine({
        tier,
        cpus: 2,
        yieldOnPause: true,
        flash: rom(pausing),
        schedule: { seed: slice, slice },
      });
      return Array.from({ length: 30 }, () => {
        m.run({ instructions: 501 });
        return look(m);
      });
    };
    const plain = looks('evaluator');
    expect(looks('interpreter')).toEqual(plain);
    expect(looks('translator')).toEqual(plain);
    const [first, second] = plain.at(-1)!.sums.map(([turns]) => turns!);
    expect(second).toBeGreaterThan(1000);
    if (slice > 1) expect(Math.abs(first! - second!)).toBeLessThan(100); // turn by turn, whatever the slice
  });
});

it('what is read alone is told to a hook of ports while there is one, with the same values', () => {
  const schedule = { seed: 0, slice: 50 };
  const hooked = machine({ tier: 'translator', schedule });
  const plain = machine({ tier: 'translator', schedule });
  let told = 0;
  const remove = hooked.processors[0]!.hooks.port({ at: 0x608 }, () => void told++);
  for (const m of [hooked, plain]) m.run({ instructions: 900 });
  expect(told).toBeGreaterThan(100);
  expect(look(hooked)).toEqual(look(plain));
  remove();
  const before = told;
  for (const m of [hooked, plain]) m.run({ instructions: 10_000 });
  expect(told).toBe(before);
  expect(look(hooked)).toEqual(look(plain));
  expect(alone(hooked)).toBeGreaterThan(660);
});
