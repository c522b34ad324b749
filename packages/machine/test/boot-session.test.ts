/** A boot that somebody watches: text out, keys and lines in, variables kept, without a terminal or a file. */
import { assemble } from '@smm/asm';
import { describe, expect, it } from 'vitest';
import {
  BootSession,
  KeyFilter,
  LineFeeder,
  LONGEST_LINE,
  type SessionHost,
  VarsKeeper,
} from '../src/index.ts';
import { sleepRom } from './sleep-rom.ts';

describe('keys', () => {
  it('reach the guest, except behind Ctrl-A', () => {
    const log: string[] = [];
    const keys = new KeyFilter({
      send: (byte) => log.push(String.fromCharCode(byte)),
      leave: () => log.push('<leave>'),
      help: () => log.push('<help>'),
      save: () => log.push('<save>'),
      power: () => log.push('<power>'),
    });
    for (const part of ['ab\x03', '\x01', 'x', '\x01h\x01\x01\x01qc\x01s\x01P'])
      keys.take(new TextEncoder().encode(part));
    expect(log.join('')).toBe('ab\x03<leave><help>\x01c<save><power>');
  });

  it('without end is bounded: long lines are cut, and reading should pause', () => {
    const sent: number[] = [];
    const feeder = new LineFeeder((byte) => sent.push(byte));
    const chunk = new Uint8Array(10_000).fill(0x61);
    for (let i = 0; i < 100; i++) feeder.take(chunk);
    expect(feeder).toMatchObject({ full: false, waiting: false, cut: 0 });
    feeder.take(new TextEncoder().encode('\nver\n'));
    expect(feeder).toMatchObject({ full: false, left: 2, cut: 1 });
    chunk[9_999] = 0x0a;
    while (!feeder.full) feeder.take(chunk);
    const before = feeder.left;
    for (const char of 'Shell> ') feeder.see(char.charCodeAt(0));
    expect(sent.length).toBe(LONGEST_LINE + 1);
    expect(feeder).toMatchObject({ full: false, left: before - 1 });
  });

  it('from a pipe go line by line, each at a prompt', () => {
    let sent = '';
    const feeder = new LineFeeder((byte) => {
      sent += String.fromCharCode(byte);
    });
    const show = (text: string): void => {
      for (const char of text) feeder.see(char.charCodeAt(0));
    };
    feeder.take(new TextEncoder().encode('ver\r\nma'));
    feeder.take(new TextEncoder().encode('p'));
    expect(sent).toBe('');
    show('\x1b[1mShell> ');
    expect(sent).toBe('ver\r');
    show('\x1b[0m ver\r\nUEFI v2.70\r\n');
    feeder.end();
    expect(sent).toBe('ver\r');
    show('FS0:\\EFI\\> ');
    expect(sent).toBe('ver\rmap\r');
    expect(feeder.atPrompt).toBe(false);
    show('Shell> ');
    expect(feeder.atPrompt && feeder.ended && !feeder.waiting).toBe(true);
  });
});

/** 16-bit code at F000:0000 of a flash chip with a jump there at the reset vector. */
function flash(source: string): Uint8Array {
  const image = new Uint8Array(0x1_0000);
  image.set(assemble(source, { bits: 16, org: 0 }).bytes);
  image.set(assemble('jmp 0xf000:0', { bits: 16, org: 0xfff0 }).bytes, 0xfff0);
  return image;
}

/** Echoes what the serial port brings. */
const ECHO = flash(`
  again:
  mov dx, 0x3fd
  in al, dx
  test al, 1
  jz again
  mov dx, 0x3f8
  in al, dx
  out dx, al
  jmp again`);

/**
 * Flash takes commands in SMM alone: this handler programs a byte of the store (Intel 28F: 40h, data; FFh reads the
 * array again).
 */
const HANDLER = assemble(
  `mov ebx, 0xfffef000
  mov byte [ebx], 0x40
  mov byte [ebx], 0x5a
  mov byte [ebx], 0xff
  rsm`,
  { bits: 16, org: 0x8000 },
).bytes;

/** Puts the handler to the SMBASE of reset, sends itself an SMI, prints V, and echoes. */
const WRITES = flash(`
  mov ax, 0x3800
  mov es, ax
  ${[...HANDLER].map((byte, at) => `mov byte [es:${at}], ${byte}`).join('\n')}
  lgdt [cs:table]
  mov eax, cr0
  or al, 1
  mov cr0, eax
  mov bx, 8
  mov es, bx
  mov ebx, 0xfee00300
  mov dword [es:ebx], 0x40200
  mov dx, 0x3f8
  mov al, 'V'
  out dx, al
  again:
  mov dx, 0x3fd
  in al, dx
  test al, 1
  jz again
  mov dx, 0x3f8
  in al, dx
  out dx, al
  jmp again
  table:
  dw 15
  dd 0xf0000 + descriptors
  descriptors:
  dq 0
  dq 0x00cf93000000ffff`);

/** A host whose clock goes on by 30 ms whenever it is looked at. */
function host(between: () => void = () => undefined): SessionHost {
  let ms = 0;
  return {
    now: () => {
      ms += 30;
      return ms;
    },
    breathe: async () => between(),
  };
}

function machine(code: Uint8Array) {
  return { code, vars: new Uint8Array(0x1000).fill(0xff), memoryMiB: 64, nsPerInstruction: 4000 };
}

describe('a session', () => {
  it('shows what the guest prints and sends keys, until the user leaves', async () => {
    let seen = '';
    const session: BootSession = new BootSession({
      machine: machine(ECHO),
      host: host(() => {
        if (seen === '') for (const char of 'abc') session.send(char.charCodeAt(0));
        if (seen === 'abc') session.leave();
      }),
      show: (bytes) => {
        seen += String.fromCharCode(...bytes);
      },
    });
    const { report, left } = await session.run();
    expect(seen).toMatch(/^(abc)+$/);
    expect([report.outcome, left]).toEqual(['left', true]);
  });

  it('keeps the variables that the guest wrote, and only then', async () => {
    for (const [code, kept] of [
      [WRITES, [0x5a]],
      [ECHO, []],
    ] as const) {
      const images: Uint8Array[] = [];
      let pieces = 0;
      const session: BootSession = new BootSession({
        machine: machine(code),
        host: host(() => {
          if (pieces++ > 40) session.leave();
        }),
        keepVars: (image) => images.push(image),
      });
      await session.run();
      expect(images.map(([first]) => first)).toEqual(kept);
      expect(session.varsKept).toBe(kept.length > 0);
    }
  });

  it('keeps on stopping what a run that threw had not, once', async () => {
    let kept = 0;
    const session = new BootSession({
      machine: machine(WRITES),
      host: host(),
      show: () => {
        throw new Error('no screen');
      },
      keepVars: () => kept++,
    });
    await expect(session.run()).rejects.toThrow('no screen');
    expect(kept).toBe(0);
    session.stop();
    session.stop();
    expect(kept).toBe(1);
  });

  it('waits in S3 where somebody may press the power button, without work, and keeps his keys', async () => {
    const sleeper = { ...machine(flash(sleepRom())), cpus: 2 };
    const alone = await new BootSession({ machine: sleeper, host: host() }).run();
    expect(alone.report.outcome).toBe('suspended');
    let rests = 0;
    const session: BootSession = new BootSession({
      ...{ machine: sleeper, attended: true },
      host: {
        ...host(),
        rest: async () => {
          session.send(0x61);
          if (++rests === 3) session.pressPowerButton();
        },
      },
    });
    const { report } = await session.run();
    expect([report.outcome, report.sleeps[0]?.wokenBy, rests >= 3]).toEqual(['idle', 'power button', true]);
    expect(session.boot.serial.room).toBe(0); // the first key reached the port when it had power again
  });

  it('ends when it reaches its goal, its budget or its time', async () => {
    const run = async (more: object) =>
      (await new BootSession({ machine: machine(WRITES), host: host(), ...more }).run()).report;
    expect((await run({ until: { text: 'V' } })).outcome).toBe('text');
    expect((await run({ budget: 10_000 })).summary).toContain('gave up after 10000 instructions');
    expect((await run({ timeout: 2 })).summary).toContain('gave up after the time given');
  });
});

describe('a variable store', () => {
  it('is written when a change has settled, and when asked', () => {
    const clock = { ms: 0 };
    const writes: number[] = [];
    const vars = new VarsKeeper({
      image: () => Uint8Array.of(clock.ms / 100),
      write: ([byte]) => writes.push(byte!),
      now: () => clock.ms,
    });
    vars.tick();
    vars.save();
    expect([writes, vars.written]).toEqual([[], false]);
    vars.changed();
    for (clock.ms = 100; clock.ms <= 500; clock.ms += 100) {
      vars.changed();
      vars.tick();
    }
    expect(writes).toEqual([4]);
    vars.save();
    vars.changed();
    vars.save();
    expect(writes).toHaveLength(3);
    expect(vars.written).toBe(true);
  });

  it('that cannot be written is an error once', () => {
    let tries = 0;
    const vars = new VarsKeeper({
      image: () => Uint8Array.of(1),
      write: () => {
        tries++;
        throw new Error('the disk is full');
      },
      now: () => 0,
    });
    vars.changed();
    expect(() => vars.save()).toThrow('the disk is full');
    vars.changed();
    vars.save();
    expect([tries, vars.written]).toEqual([1, false]);
  });
});
