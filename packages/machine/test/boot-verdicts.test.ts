/** What a boot says of guests that wait: which waits are hangs, and which are not. */
import { assemble } from '@smm/asm';
import { describe, expect, it } from 'vitest';
import { activityOf, Boot, BUSY_WAIT_NS, bootInPieces, runBoot } from '../src/index.ts';
import { sleepRom } from './sleep-rom.ts';

const CODE_SIZE = 0x1_0000;

/** 16-bit code at F000:0000 of a flash chip with a jump there at the reset vector; an empty chip below it. */
function boot(
  source: string | Uint8Array,
  more: { cpus?: number; serial?: (byte: number) => void } = {},
): Boot {
  const code = new Uint8Array(CODE_SIZE);
  code.set(typeof source === 'string' ? assemble(source, { bits: 16, org: 0 }).bytes : source);
  code.set(assemble('jmp 0xf000:0', { bits: 16, org: 0xfff0 }).bytes, 0xfff0);
  return new Boot({ code, vars: new Uint8Array(0x1000).fill(0xff), memoryMiB: 64, ...FAST, ...more });
}

/** Time passes fast, and hangs are looked for often: what takes millions of instructions takes thousands. */
const FAST = { nsPerInstruction: 4000, lookEvery: 100_000 };

/** Switches to 32-bit code with flat segments; `source` is assembled for that. The tables lie at F0400h. */
function flat(source: string): Uint8Array {
  const image = new Uint8Array(0x500);
  const enter = `lgdt [cs:0x400]\nmov eax, cr0\nor al, 1\nmov cr0, eax\ndb 0x66, 0xea\ndd 0xf0100\ndw 8`;
  image.set(assemble(enter, { bits: 16, org: 0 }).bytes);
  const load = 'mov ax, 16\nmov ds, ax\nmov es, ax\nmov ss, ax\n';
  image.set(assemble(load + source, { bits: 32, org: 0xf0100 }).bytes, 0x100);
  const view = new DataView(image.buffer);
  view.setUint16(0x400, 23, true);
  view.setUint32(0x402, 0xf0408, true);
  view.setBigUint64(0x410, 0x00cf_9b00_0000_ffffn, true);
  view.setBigUint64(0x418, 0x00cf_9300_0000_ffffn, true);
  return image;
}

/** Enough for three times the time that a hang must last. */
const BUDGET = (3 * BUSY_WAIT_NS) / 4000;

describe('a processor that waits alone', () => {
  it('for a byte that nobody changes is stuck: where, on what, since when', () => {
    const machine = boot(`
      xor ax, ax
      mov ds, ax
      mov byte [0x5123], 0
    again:
      mov al, [0x5123]
      test al, al
      jz again
      hlt`);
    const report = runBoot(machine, { budget: BUDGET });
    expect(report.outcome).toBe('stuck');
    expect(report.stuck).toMatchObject({ processor: 0, period: 3, reads: [0x5123] });
    expect(report.virtualNs - report.stuck!.sinceNs).toBeGreaterThanOrEqual(BUSY_WAIT_NS);
    expect(report.stuck!.sinceNs).toBeLessThan(1e9);
    expect(report.summary).toContain('reading 0x5123');
  });

  it('is named by where its loop begins, whenever it is looked at', () => {
    const places = [0, 1, 2].map((nops) => {
      const report = runBoot(
        boot(
          `${'nop\n'.repeat(nops)}xor ax, ax\nmov ds, ax\nagain:\nmov al, [0x5123]\ntest al, al\njz again`,
        ),
        { budget: BUDGET },
      );
      expect(activityOf(report.cpus[0]!, report.stuck)).toBe(`spins at 0x${report.stuck!.rip.toString(16)}`);
      return report.stuck!.rip - nops;
    });
    expect(places).toEqual([4, 4, 4]);
  });

  it.each([
    ['polls the PM timer', 'mov dx, 0x608\nagain:\nin al, dx\njmp again'],
    [
      'polls the serial port, as an idle prompt does',
      'mov dx, 0x3fd\nagain:\nin al, dx\ntest al, 1\njz again',
    ],
    ['polls the clock of the CPU', 'again:\nrdtsc\njmp again'],
    ['counts in memory', 'xor ax, ax\nmov ds, ax\nagain:\ninc dword [0x5000]\njmp again'],
    ['counts in a register', 'again:\ninc ecx\njmp again'],
  ])('and %s is not stuck', (_what, source) => {
    expect(runBoot(boot(source), { budget: BUDGET }).outcome).toBe('budget');
  });

  it('is not stuck while another CPU still runs', () => {
    // CPU 0 starts CPU 1 at 0800:0000 by INIT and SIPI; CPU 1 counts in EAX (66 40 EB FC), CPU 0 waits for nothing.
    const source = flat(`
      mov dword [0x8000], 0xfceb4066
      mov dword [0xfee00300], 0x000c4500
      mov dword [0xfee00300], 0x000c4608
    again:
      mov al, [0x5123]
      jmp again`);
    const machine = boot(source, { cpus: 2 });
    const report = runBoot(machine, { budget: BUDGET });
    expect(report.cpus[1]!.idle).toBeUndefined();
    expect(report.outcome).toBe('budget');
  });
});

describe('a guest that ends', () => {
  it('by halting with interrupts off is idle', () => {
    const report = runBoot(boot('cli\nhlt'), { budget: BUDGET });
    expect(report).toMatchObject({ outcome: 'idle' });
    expect(report.cpus[0]!.idle).toBe('halted');
  });

  it('by turning itself off through PM1_CNT', () => {
    const off = `
      mov dx, 0xcf8
      mov eax, 0x8000f840
      out dx, eax
      mov dx, 0xcfc
      mov eax, 0x601
      out dx, eax
      mov dx, 0xcf8
      mov eax, 0x8000f844
      out dx, eax
      mov dx, 0xcfc
      mov al, 0x80
      out dx, al
      mov dx, 0x604
      mov ax, 0x2000
      out dx, ax
      jmp $`;
    expect(runBoot(boot(off), { budget: BUDGET }).outcome).toBe('powered-off');
  });

  it('by asking for a reset starts again, unless that is not wanted', () => {
    const reset = 'mov dx, 0xcf9\nmov al, 6\nout dx, al\njmp $';
    expect(runBoot(boot(reset), { budget: BUDGET, noReboot: true }).outcome).toBe('reset');
    const again = runBoot(boot(reset), { budget: 1_000_000 });
    expect(again.outcome).toBe('budget');
    expect(again.resets).toBeGreaterThan(5);
  });

  const FAULT = 'lidt [cs:idtr]\nud2\nidtr:\ndw 0\ndd 0';

  it('by the same triple fault after a reset, and nothing printed, is shut down', () => {
    const report = runBoot(boot(FAULT), { budget: BUDGET });
    expect(report).toMatchObject({ outcome: 'shutdown', resets: 1 });
    expect(report.summary).toContain('a second time');
    expect(report.delivered.size).toBeGreaterThan(0);
  });

  it('by a triple fault starts again, unless that is not wanted', () => {
    // It faults until it has done so three times: CMOS 50h counts.
    const reboots = `mov al, 0x50\nout 0x70, al\nin al, 0x71\ncmp al, 3\nje done\ninc al\nout 0x71, al
      mov dx, 0x3f8\nmov al, 0x2e\nout dx, al\n${FAULT}\ndone: cli\nhlt`;
    expect(runBoot(boot(reboots), { budget: BUDGET })).toMatchObject({ outcome: 'idle', resets: 3 });
    for (const wish of [{ noReboot: true }, { shutdownEnds: true }])
      expect(runBoot(boot(reboots), { budget: BUDGET, ...wish })).toMatchObject({
        ...{ outcome: 'shutdown', resets: 0 },
        summary: expect.stringMatching(/^shut down: processor 0: triple fault[^,]*$/) as string,
      });
  });

  it('in S3 that nothing will end says so; woken, it goes on', () => {
    const machine = boot(sleepRom(), { cpus: 2 });
    const report = runBoot(machine, { budget: BUDGET });
    expect(report).toMatchObject({ outcome: 'suspended', sleeps: [{ toNs: undefined }] });
    const waiting = bootInPieces(machine, { budget: BUDGET, waitSuspended: true });
    expect(waiting.next().done).toBe(false);
    machine.machine.pressPowerButton();
    const { value } = waiting.next();
    expect(value).toMatchObject({ outcome: 'idle', sleeps: [{ wokenBy: 'power button' }], resets: 0 });
  });

  it('in S3 sleeps to the alarm of the RTC, however long that is', () => {
    const report = runBoot(boot(sleepRom({ alarmSecond: 59 }), { cpus: 2 }), { budget: BUDGET });
    expect(report).toMatchObject({ outcome: 'idle', sleeps: [{ wokenBy: 'RTC' }] });
    expect(report.sleeps[0]!.toNs! - report.sleeps[0]!.fromNs).toBeGreaterThan(50e9);
  });

  it('by turning itself off to S4', () => {
    expect(runBoot(boot(sleepRom({ type: 2 }), { cpus: 2 }), { budget: BUDGET }).outcome).toBe('powered-off');
  });

  it('by running into empty memory is lost', () => {
    expect(runBoot(boot(flat('mov eax, 0x200000\njmp eax')), { budget: BUDGET })).toMatchObject({
      outcome: 'lost',
      summary: expect.stringContaining('there is no code') as string,
    });
  });

  it('not by HLT, if the PIT wakes it through the 8259 and LINT0', () => {
    // LINT0 of the local APIC is masked after reset: ExtINT there, as firmware sets it up.
    const tick = flat(`
      mov esp, 0x9000
      mov eax, handler
      mov [0x5100], ax
      mov word [0x5102], 8
      mov word [0x5104], 0x8e00
      shr eax, 16
      mov [0x5106], ax
      mov word [0x5200], 0x7ff
      mov dword [0x5202], 0x5000
      lidt [0x5200]
      mov dword [0xfee000f0], 0x1ff
      mov dword [0xfee00350], 0x700
      mov al, 0x11
      out 0x20, al
      mov al, 0x20
      out 0x21, al
      mov al, 4
      out 0x21, al
      mov al, 1
      out 0x21, al
      mov al, 0xfe
      out 0x21, al
      mov al, 0x34
      out 0x43, al
      mov al, 0
      out 0x40, al
      mov al, 0x10
      out 0x40, al
    again:
      sti
      hlt
      jmp again
    handler:
      mov al, 0x54
      mov dx, 0x3f8
      out dx, al
      mov al, 0x20
      out 0x20, al
      iretd`);
    const report = runBoot(boot(tick), { until: { text: 'TTTTT' }, budget: BUDGET });
    expect(report.outcome, report.summary).toBe('text');
    expect([...report.delivered]).toEqual([['interrupt 32', 5]]);
    // 4096 periods of 1.193182 MHz each
    expect(report.virtualNs / 5e6).toBeCloseTo(4096 / 1193.182, 1);
  });

  it('by printing what was waited for', () => {
    let text = '';
    const hello = [...'Hi> there'].map((char) => `mov al, ${char.charCodeAt(0)}\nout dx, al`).join('\n');
    const machine = boot(`mov dx, 0x3f8\n${hello}\njmp $`, {
      serial: (byte) => {
        text += String.fromCharCode(byte);
      },
    });
    expect(runBoot(machine, { until: { text: 'there' }, budget: BUDGET }).outcome).toBe('text');
    expect(text).toBe('Hi> there');
  });
});

describe('a guest that sleeps with interrupts off', () => {
  /** PM block at 600h, RCBA; the watchdog runs out after 2 * 0.6 s, twice before it resets. */
  const WATCHDOG = `
      mov dx, 0xcf8
      mov eax, 0x8000f840
      out dx, eax
      mov dx, 0xcfc
      mov eax, 0x601
      out dx, eax
      mov dx, 0xcf8
      mov eax, 0x8000f844
      out dx, eax
      mov dx, 0xcfc
      mov al, 0x80
      out dx, al
      mov dx, 0xcf8
      mov eax, 0x8000f8f0
      out dx, eax
      mov dx, 0xcfc
      mov eax, 0xfed1c001
      out dx, eax
      mov dword [0xfed1f410], 0
      mov dx, 0x672
      mov ax, 2
      out dx, ax
      mov dx, 0x668
      xor ax, ax
      out dx, ax
      mov dx, 0x660
      out dx, ax
      cli
      hlt
      jmp $`;

  it('is not idle while the watchdog will reset it, however far the alarm is', () => {
    const report = runBoot(boot(flat(WATCHDOG)), { budget: BUDGET, noReboot: true });
    expect(report.outcome, report.summary).toBe('reset');
    expect(report.virtualNs).toBeCloseTo(2.4e9, -8);
  });
});

describe('an operating system: code at addresses that mean others', () => {
  /** Pages of 4 MiB: the first at 0 and at C0000000h, local APICs at FEC00000h. Goes on at C00Fxxxxh. */
  const PAGED = `
      mov edi, 0x10000
      mov dword [edi], 0x83
      mov dword [edi + 0xc00], 0x83
      mov dword [edi + 0xfec], 0xfec00083
      mov cr3, edi
      mov eax, 0x10
      mov cr4, eax
      mov eax, cr0
      or eax, 0x80000000
      mov cr0, eax
      mov eax, above
      add eax, 0xc0000000
      jmp eax
    above:
      mov esp, 0xc0009000
  `;
  const os = (source: string) => boot(flat(PAGED + source));

  it('is recognised, and not lost where the number of its address is no memory', () => {
    const guest = os('again: inc ecx\njmp again');
    const report = runBoot(guest, { budget: BUDGET });
    expect([report.outcome, report.phase]).toEqual(['budget', 'OS']);
    expect(report.cpus[0]!.rip >> 16n).toBe(0xc00fn);
    expect(report.cpus[0]!.module).toBeUndefined();
  });

  const WAIT = 'again: mov al, [0x5123]\ntest al, al\njz again';
  it('may wait in a loop that can be interrupted, and is stuck in one that cannot', () => {
    expect(runBoot(os(`sti\n${WAIT}`), { budget: BUDGET }).outcome).toBe('budget');
    const report = runBoot(os(`cli\n${WAIT}`), { budget: BUDGET });
    expect([report.outcome, report.phase]).toEqual(['stuck', 'OS']);
  });

  it.each([
    ['may sleep for as long as it likes', os, 'budget'],
    ['firmware may not', (source: string) => boot(flat(source)), 'idle'],
  ] as const)('%s', (_what, make, outcome) => {
    // The PIT ticks all the time, at a LINT0 that is masked.
    const pit = 'mov al, 0x34\nout 0x43, al\nmov al, 0\nout 0x40, al\nout 0x40, al\n';
    const guest = make(`${pit}mov eax, 200000\nwait_: dec eax\njnz wait_\nagain: sti\nhlt\njmp again`);
    const giveUp = () => guest.machine.clock.now() > 700e9;
    const report = runBoot(guest, { giveUp, pieceNs: 10e9 });
    expect(report.outcome, report.summary).toBe(outcome);
  });
});

describe('images that are no flash', () => {
  const good = new Uint8Array(0x1000);
  it.each([
    ['empty code', new Uint8Array(0), good],
    ['code that is not whole blocks', new Uint8Array(0x1001), good],
    ['an empty image for variables', good, new Uint8Array(0)],
    ['more than fits below 4 GiB', new Uint8Array(0x100_0000), good],
  ])('%s', (_what, code, vars) => {
    expect(() => new Boot({ code, vars })).toThrow(expect.objectContaining({ code: 'FLASH_SIZE' }) as Error);
  });

  it('random bytes get a verdict', () => {
    for (const seed of [1, 2, 3]) {
      let x = seed;
      const code = Uint8Array.from({ length: CODE_SIZE }, () => {
        x = (Math.imul(x, 1_103_515_245) + 12_345) >>> 0;
        return x >>> 16;
      });
      const report = runBoot(new Boot({ code, vars: good, memoryMiB: 64, ...FAST }), { budget: 2_000_000 });
      expect(['idle', 'lost', 'shutdown', 'stuck', 'unmodelled', 'budget']).toContain(report.outcome);
      expect(report.summary).not.toBe('');
    }
  });
});
