/** Guests that retire nothing, or make much of little: whatever they do, a run can be interrupted and time goes on. */
import { cpuModel } from '@smm/cpu-core';
import { SAVE_STATE_AMD64 } from '@smm/x86-defs';
import { describe, expect, it } from 'vitest';
import {
  Boot,
  DEFAULT_KVM_OPTIONS,
  DEFAULT_SCHEDULE,
  encodeSnapshot,
  Machine,
  relocate,
  resolveSwitches,
  runBoot,
} from '../src/index.ts';
import { bootPlatform } from '../src/scenario/boot/platform.ts';
import { rom } from './flat-rom.ts';
import { parts } from './runs.ts';

/** A machine with all devices of a boot. `source` runs from F000:0000, in flash of which 64 KiB hold variables. */
function platform(source: string, kvm: boolean): Machine {
  const flash = new Uint8Array(0x2_0000).fill(0xff);
  flash.set(rom(source), 0x1_0000);
  const switches = resolveSwitches({ accelerator: kvm ? 'kvm' : 'tcg' });
  const ignore = (): void => undefined;
  return new Machine({
    cpus: 1,
    memoryMiB: 64,
    model: cpuModel('qemu64'),
    flash,
    saveState: SAVE_STATE_AMD64,
    accelerator: kvm ? { options: DEFAULT_KVM_OPTIONS, switches: switches.kvm } : 'tcg',
    behaviour: switches.behaviour,
    schedule: DEFAULT_SCHEDULE,
    comm: 'test',
    interpreter: parts.interpreter,
    peripherals: (given) =>
      bootPlatform(
        {
          varsSize: 0x1_0000,
          secureFlash: true,
          fwCfg: {},
          smiFeatures: 7,
          keyboard: true,
          transmit: ignore,
          roomAgain: ignore,
          varsWritten: ignore,
        },
        given,
      ),
  });
}

/** Protected mode with a flat 4 GiB data segment in DS, ES and SS, then back to real mode with those limits. */
const UNREAL = `
  cli
  lgdt [cs:gdtr]
  mov eax, cr0
  or al, 1
  mov cr0, eax
  mov bx, 8
  mov ds, bx
  mov es, bx
  and al, 0xfe
  mov cr0, eax
  jmp go
gdtr: dw 15
  dd 0xf0000 + gdt
gdt: dq 0, 0x00cf92000000ffff
go:
  xor ax, ax
  mov ss, ax
  mov sp, 0x7000
`;

/** Interrupt vector \`n\` leads to \`label\`. */
const vector = (n: number, label: string): string =>
  `mov dword [${n * 4}], 0xf0000000 + ${label}\n`.replace('0xf0000000', '0xf0000000');

/** One fw_cfg DMA whose structure lies at the 64-bit address high:low. */
const dma = (high: number, low: number): string => {
  const swap = (v: number): number =>
    ((v << 24) | ((v & 0xff00) << 8) | ((v >>> 8) & 0xff00) | (v >>> 24)) >>> 0;
  return `mov dx, 0x514\n mov eax, ${swap(high)}\n out dx, eax\n mov dx, 0x518\n mov eax, ${swap(low)}\n out dx, eax\n`;
};

const GUESTS: readonly (readonly [name: string, source: string])[] = [
  ['#UD whose handler begins with UD2', `${UNREAL}${vector(6, 'bad')}bad: ud2`],
  ['#DE whose handler begins with a division by 0', `${UNREAL}${vector(0, 'bad')}xor cl, cl\nbad: div cl`],
  [
    'HLT with a periodic LAPIC timer of count 1',
    `${UNREAL}${vector(0x40, 'tick')}
     mov ebx, 0xfee00000
     mov dword [ebx + 0xf0], 0x1ff
     mov dword [ebx + 0x3e0], 0xb
     mov dword [ebx + 0x320], 0x20040
     mov dword [ebx + 0x380], 1
     sti
    halt: hlt
     jmp halt
    tick: mov dword [ebx + 0x0b0], 0
     iret`,
  ],
  [
    'HLT with that timer masked, so that nothing ever wakes it',
    `${UNREAL}
     mov ebx, 0xfee00000
     mov dword [ebx + 0xf0], 0x1ff
     mov dword [ebx + 0x3e0], 0xb
     mov dword [ebx + 0x320], 0x30040
     mov dword [ebx + 0x380], 1
     hlt`,
  ],
  [
    'HLT with an 8254 count of 1',
    `${UNREAL} mov al, 0x34\n out 0x43, al\n mov al, 1\n out 0x40, al\n mov al, 0\n out 0x40, al\n hlt`,
  ],
  [
    'HLT with a HPET comparator that meets at every tick',
    `${UNREAL}
     mov ebx, 0xfed00000
     mov dword [ebx + 0x100], 0x4c
     mov dword [ebx + 0x108], 1
     mov dword [ebx + 0x100], 0x4c
     mov dword [ebx + 0x10c], 0
     mov dword [ebx + 0x010], 1
     hlt`,
  ],
  [
    'fw_cfg DMA at the end of 64 bits, again and again',
    `${UNREAL}again: ${dma(0xffff_ffff, 0xffff_ffff)} jmp again`,
  ],
  ['fw_cfg DMA at 2^52, again and again', `${UNREAL}again: ${dma(0x10_0000, 0)} jmp again`],
  [
    'fw_cfg DMA of 48 MiB of zeros, again and again',
    `${UNREAL}
     mov dword [0x1000], 0x02000000
     mov dword [0x1004], 0x00000003
     mov dword [0x1008], 0
     mov dword [0x100c], 0x00001000
     again: ${dma(0, 0x1000)} jmp again`,
  ],
  [
    'the address map drawn anew with every write',
    `${UNREAL} mov dx, 0xcf8\n mov eax, 0x80000090\n out dx, eax\n mov dx, 0xcfd
     again: xor al, 0x30\n out dx, al\n jmp again`,
  ],
  [
    'flash erased again and again',
    `${UNREAL} mov edi, 0xfffe0000\n again: mov byte [edi], 0x20\n mov byte [edi], 0xd0\n jmp again`,
  ],
  ['REP STOSB over 4 GiB', `${UNREAL} again: xor edi, edi\n mov ecx, -1\n a32 rep stosb\n jmp again`],
  ['REP OUTSB without end', `${UNREAL} mov dx, 0x402\n again: mov ecx, -1\n a32 rep outsb\n jmp again`],
];

describe.each([false, true])('a guest (kvm %s)', (kvm) => {
  it.each(GUESTS)('%s', (_name, source) => {
    const machine = platform(source, kvm);
    const times: number[] = [];
    for (let stops = 0; stops < 5; stops++) {
      // Nothing but interrupt can end this run: without it the test would never end.
      expect(machine.run({ instructions: Number.POSITIVE_INFINITY, interrupt: () => true })).toBe(
        'interrupted',
      );
      times.push(machine.clock.now());
    }
    expect(times[4]).toBeGreaterThan(times[0]!);
  });
});

describe('processors that sleep while a timer ticks', () => {
  const asleep = `${UNREAL} mov al, 0x14\n out 0x43, al\n mov al, 1\n out 0x40, al\n again: hlt\n jmp again`;

  it('end a run that has an instruction limit alone, and a turn, with a word of its own', () => {
    const machine = platform(asleep, false);
    expect(machine.run({ instructions: 1000 })).toBe('asleep');
    const time = machine.clock.now();
    expect(machine.run({ instructions: 1000 })).toBe('asleep');
    expect(machine.clock.now()).toBeGreaterThan(time);
    expect(machine.runTurn()).toBe('asleep');
    expect(machine.runTo(machine.retired + 1)).toBe('asleep');
    expect(machine.retired).toBeLessThan(100);
  });

  it('end a relocation of a ROM', () => {
    const report = relocate({ rom: rom(asleep), cpus: 1 });
    expect([report.outcome, report.summary]).toEqual([
      'ended',
      expect.stringContaining('every processor halted'),
    ]);
  });
});

describe('a boot', () => {
  it.each(GUESTS)('with %s is given up when its user says so', (_name, source) => {
    const boot = new Boot({ code: rom(source), vars: new Uint8Array(0x1_0000).fill(0xff), memoryMiB: 64 });
    let asked = 0;
    const report = runBoot(boot, { interrupt: () => true, giveUp: () => ++asked > 3 });
    expect(report.outcome).toBe('budget');
    expect(report.summary).toMatch(/after the time given/);
  });

  it('takes the same course whether it is interrupted or not', () => {
    // Timer interrupts, device accesses, PAUSE and rests, with looks for a hang in between.
    const source = `${UNREAL}${vector(8, 'tick')}
     mov al, 0x11\n out 0x20, al\n mov al, 8\n out 0x21, al\n mov al, 4\n out 0x21, al\n mov al, 1\n out 0x21, al
     mov al, 0xfe\n out 0x21, al
     mov al, 0x34\n out 0x43, al\n mov al, 77\n out 0x40, al\n mov al, 0\n out 0x40, al
     mov ebx, 0xfee00000
     mov dword [ebx + 0xf0], 0x1ff
     mov dword [ebx + 0x350], 0x700
     sti
    again: mov ecx, 500
    loop1: inc dword [0x1000 + ecx * 4]\n in al, 0x40\n add [0x500], al\n pause\n loop loop1
     hlt
     jmp again
    tick: push ax\n inc dword [0x504]\n mov al, 0x20\n out 0x20, al\n pop ax\n iret`.replace(
      '[0x1000 + ecx * 4]',
      '[ecx * 4 + 0x1000]',
    );
    const course = (interrupt?: () => boolean) => {
      const boot = new Boot({
        code: rom(source),
        vars: new Uint8Array(0x1_0000).fill(0xff),
        memoryMiB: 64,
        lookEvery: 60_000,
        schedule: { seed: 3, slice: 7000 },
      });
      const report = runBoot(boot, { budget: 700_000, piece: 90_000, ...(interrupt && { interrupt }) });
      return { report, end: encodeSnapshot(boot.machine.save()) };
    };
    const whole = course();
    expect(new DataView(whole.end.buffer).byteLength).toBeGreaterThan(1000);
    let asked = 0;
    expect(course(() => ++asked % 3 !== 0)).toEqual(whole);
    expect(asked).toBeGreaterThan(10);
    expect(whole.report.delivered.get('interrupt 8')).toBeGreaterThan(10);
  });
});
