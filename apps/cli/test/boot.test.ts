/** `smm boot` without firmware of others: options, files, keys and small guests of our own. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { assemble } from '@smm/asm';
import { fileError } from '@smm/files';
import { describe, expect, it } from 'vitest';
import { type BootHost, nodeHost } from '../src/boot/host.ts';
import { type BootFlags, type BootRequest, bootRequest } from '../src/boot/request.ts';
import { runSession } from '../src/boot/session.ts';
import type { Io } from '../src/io.ts';
import { bootToJson, isSuccess, renderBoot } from '../src/render/boot.ts';
import { cli, fitsSchema, scratch } from './support.ts';

/** An outside world with these files, and what was written to it. */
function world(files: Record<string, string | Uint8Array> = {}): {
  io: Io;
  host: BootHost;
  written: Map<string, Uint8Array>;
  clock: { ms: number };
  out: () => string;
  input: { bytes: (text: string) => void; end: () => void; closed: number; paused: boolean };
} {
  const written = new Map<string, Uint8Array>();
  const clock = { ms: 0 };
  const out: number[] = [];
  const content = (path: string): Uint8Array | undefined => {
    const found = written.get(path) ?? files[path];
    return typeof found === 'string' ? new TextEncoder().encode(found) : found;
  };
  const input = {
    bytes: (_text: string): void => undefined,
    end: (): void => undefined,
    closed: 0,
    paused: false,
  };
  const io: Io = {
    out: (text) => {
      out.push(...(typeof text === 'string' ? new TextEncoder().encode(text) : text));
    },
    err: () => undefined,
    outIsTerminal: false,
    errIsTerminal: false,
    columns: undefined,
    env: {},
    readPieces: () => [],
    openRandom: () => undefined,
    readFile: (what, path) => {
      const found = content(String(path));
      if (found === undefined) throw fileError(`cannot read ${what}`, String(path), { code: 'ENOENT' });
      return found;
    },
    openStore: () => expect.unreachable(),
    claim: (what, path) => {
      if (path.startsWith('/ro/')) throw fileError(`cannot write ${what} to`, path, { code: 'EROFS' });
      return {
        replace: (bytes) => {
          written.set(path, (bytes as Uint8Array).slice());
        },
        append: (bytes) => {
          written.set(path, Uint8Array.from([...(written.get(path) ?? []), ...bytes]));
        },
        release: () => undefined,
      };
    },
    breathe: async () => undefined,
  };
  const host: BootHost = {
    inputIsTerminal: true,
    home: '/home/u',
    now: () => clock.ms,
    cpuSeconds: () => 1,
    openInput: (bytes, end) => {
      input.bytes = (text) => bytes(new TextEncoder().encode(text));
      input.end = end;
      return {
        close: () => {
          input.closed++;
        },
        pause: () => {
          input.paused = true;
        },
        resume: () => {
          input.paused = false;
        },
      };
    },
    rest: async () => undefined,
    listFolder: (path) =>
      Object.keys(files)
        .filter((name) => name.startsWith(`${path}/`))
        .map((name) => name.slice(path.length + 1))
        .sort(),
    exists: (path) => content(path) !== undefined,
    realPath: (path) => path,
    atExit: () => () => undefined,
  };
  return { io, host, written, clock, out: () => String.fromCharCode(...out), input };
}

const descriptor = (
  architecture: string,
  name: string,
  features: readonly string[] = ['requires-smm'],
): string =>
  JSON.stringify({
    mapping: {
      device: 'flash',
      executable: { filename: `/fw/${name}_CODE.fd`, format: 'raw' },
      'nvram-template': { filename: `/fw/${name}_VARS.fd`, format: 'raw' },
    },
    targets: [{ architecture, machines: ['pc-q35-*'] }],
    features,
  });

const DISTRIBUTION = {
  '/usr/share/qemu/firmware/40-enrolled.json': descriptor('x86_64', 'MS', ['requires-smm', 'enrolled-keys']),
  '/usr/share/qemu/firmware/50-secure.json': descriptor('x86_64', 'X64'),
  '/usr/share/qemu/firmware/60-plain.json': descriptor('x86_64', 'PLAIN', []),
  '/fw/X64_CODE.fd': new Uint8Array(4096),
  '/fw/X64_VARS.fd': new Uint8Array(4096),
  '/my/VARS.fd': new Uint8Array(8192),
  '/ro/VARS.fd': new Uint8Array(4096),
};

function request(flags: BootFlags, files: Record<string, string | Uint8Array> = DISTRIBUTION): BootRequest {
  const { io, host } = world(files);
  return bootRequest(flags, io, host);
}

describe('which firmware', () => {
  it('is the first for Q35 that requires SMM and has no keys enrolled', () => {
    expect(request({ firmware: 'x64', until: 'shell' }).files).toEqual({
      code: '/fw/X64_CODE.fd',
      vars: '/fw/X64_VARS.fd',
    });
  });

  it("is QEMU's own BIOS behind its program, where nothing else is named", () => {
    const bios = '/usr/share/seabios/bios-256k.bin';
    const files = { ...DISTRIBUTION, [bios]: new Uint8Array(0x4_0000) };
    expect(request({ qemu: ['-program=x86_64'] }, files).files).toEqual({ code: bios, vars: undefined });
    expect(request({ qemu: ['-program=x86_64', '-bios=bios-256k.bin'] }, files).files.code).toBe(bios);
    expect(() => request({}, files)).toThrow(/there is no firmware to boot/);
    expect(() => request({ qemu: ['-program=x86_64', '-kernel=/k'] }, files)).toThrow(/no firmware to boot/);
  });

  it("can be overridden by the user's own descriptor of the same name, and hidden by an empty one", () => {
    const mine = { ...DISTRIBUTION, '/home/u/.config/qemu/firmware/50-secure.json': '' };
    expect(() => request({ firmware: 'x64' }, mine)).toThrow(/MS_CODE.fd, which is not there/);
  });

  it.each([
    [{ firmware: 'ia32' }, /no descriptor in .* requires SMM.*/],
    [{ firmware: 'arm' }, /--firmware arm is not known/],
    [{}, /there is no firmware to boot/],
    [{ code: '/fw/X64_CODE.fd' }, /no variable store/],
    [{ firmware: 'x64', code: '/fw/X64_CODE.fd' }, /both name the code/],
    [{ code: '/nowhere', vars: '/my/VARS.fd' }, /cannot read the firmware \/nowhere: there is no such file/],
    [{ code: '/fw/X64_CODE.fd', vars: '/fw/X64_VARS.fd' }, /the distribution's template/],
    [
      { code: '/fw/X64_CODE.fd', vars: '/ro/VARS.fd' },
      /cannot write the variables to \/ro\/VARS.fd: the disk is read-only/,
    ],
    [{ firmware: 'x64', save: false, varsOut: '/x' }, /contradict/],
    [{ firmware: 'x64', qemu: ['-serial=tcp:1'] }, /-serial tcp:1/],
    [{ firmware: 'x64', json: true, qemu: ['-serial=stdio'] }, /both write to standard output/],
    [{ firmware: 'x64', until: '' }, /is met before anything runs/],
    [{ firmware: 'x64', timeout: 'soon' }, /not a number of seconds/],
  ] as const)('%j is refused', (flags, message) => {
    expect(() => request(flags as BootFlags)).toThrow(message);
  });

  it('missing says which package is wanted', () => {
    try {
      request({ firmware: 'ia32' });
      expect.unreachable();
    } catch (error) {
      expect((error as { fix: string }).fix).toContain('apt-get install ovmf-ia32');
    }
  });
});

describe('where variables are kept', () => {
  it.each([
    [{ firmware: 'x64' }, '/home/u/.local/state/smm/X64_VARS.fd'],
    [{ firmware: 'x64', until: 'shell' }, undefined],
    [{ firmware: 'x64', save: false }, undefined],
    [{ firmware: 'x64', until: 'shell', varsOut: '/tmp/v' }, '/tmp/v'],
    [{ firmware: 'x64', vars: '/my/VARS.fd' }, '/my/VARS.fd'],
    [{ firmware: 'x64', vars: '/my/VARS.fd', explain: true }, undefined],
    [{ code: '/fw/X64_CODE.fd', vars: '/ro/VARS.fd', varsOut: '/tmp/v' }, '/tmp/v'],
  ] as const)('%j: %s', (flags, path) => {
    expect(request(flags as BootFlags).varsOut?.path).toBe(path);
  });

  it('a run without a goal goes on with what the last one left', () => {
    const kept = { ...DISTRIBUTION, '/home/u/.local/state/smm/X64_VARS.fd': new Uint8Array(4096) };
    expect(request({ firmware: 'x64' }, kept).files.vars).toBe('/home/u/.local/state/smm/X64_VARS.fd');
    expect(request({ firmware: 'x64', until: 'shell' }, kept).files.vars).toBe('/fw/X64_VARS.fd');
  });

  it('drives in QEMU words name both chips', () => {
    const { files, varsOut } = request({
      qemu: [
        '-drive=if=pflash,format=raw,unit=0,readonly=on,file=/fw/X64_CODE.fd',
        '-drive=if=pflash,format=raw,unit=1,file=/my/VARS.fd',
      ],
    });
    expect(files).toEqual({ code: '/fw/X64_CODE.fd', vars: '/my/VARS.fd' });
    expect(varsOut?.path).toBe('/my/VARS.fd');
  });

  it.each([
    'if=floppy,file=x',
    'if=pflash',
    'if=pflash,unit=2,file=x',
    'if=pflash,format=vmdk,file=x',
    'if=pflash,=x',
  ])('-drive %s is refused', (drive) => {
    expect(() => request({ qemu: [`-drive=${drive}`], vars: '/my/VARS.fd' })).toThrow(/-drive /);
  });

  it('a comma in a path is written twice', () => {
    const files = { ...DISTRIBUTION, '/a,b': new Uint8Array(4096) };
    expect(request({ qemu: ['-drive=if=pflash,file=/a,,b'], vars: '/my/VARS.fd' }, files).files.code).toBe(
      '/a,b',
    );
  });
});

/** Flash with 16-bit code at F000:0000 and a jump there at the reset vector. */
function flash(source: string): Uint8Array {
  const image = new Uint8Array(0x1_0000);
  image.set(assemble(source, { bits: 16, org: 0 }).bytes);
  image.set(assemble('jmp 0xf000:0', { bits: 16, org: 0xfff0 }).bytes, 0xfff0);
  return image;
}

describe('a session', () => {
  const ECHO = `
    mov dx, 0x3fd
    again:
    in al, dx
    test al, 1
    jz again
    mov dx, 0x3f8
    in al, dx
    out dx, al
    mov dx, 0x3fd
    jmp again`;
  const files = { '/code': flash(ECHO), '/vars': new Uint8Array(4096) };

  it('echoes keys through the UART and ends by Ctrl-A X with exit code 0, the terminal closed', async () => {
    const outside = world(files);
    const asked = bootRequest({ code: '/code', vars: '/vars', qemu: ['-m=64'] }, outside.io, outside.host);
    let step = 0;
    const io: Io = {
      ...outside.io,
      breathe: async () => {
        if (step++ === 0) outside.input.bytes('hello, flash of ours');
        else if (outside.out().endsWith('ours')) outside.input.bytes('\x01x');
      },
    };
    const result = await runSession(asked, io, outside.host);
    expect(outside.out()).toBe('hello, flash of ours');
    expect(result.left).toBe(true);
    expect(result.report.outcome).toBe('left');
    expect(result.report.summary).toBe('left in phase BIOS');
    expect(isSuccess(asked, result)).toBe(true);
    expect(outside.input.closed).toBeGreaterThan(0);
    expect(outside.written.size).toBe(0);
  });

  it.each([
    [true, '\x1b[?1049l\x1b[?25h\x1b[0m'],
    [false, ''],
  ])(
    'puts a terminal back in order that the guest left in disorder (a terminal: %s)',
    async (outIsTerminal, end) => {
      const outside = world(files);
      const asked = bootRequest({ code: '/code', vars: '/vars', qemu: ['-m=64'] }, outside.io, outside.host);
      const printed = '\x1b[?1049h\x1b[?25l\x1b[1;31mred';
      let step = 0;
      const io: Io = {
        ...outside.io,
        outIsTerminal,
        breathe: async () => {
          if (step++ === 0) outside.input.bytes(printed);
          else if (outside.out().endsWith('red')) outside.input.bytes('\x01x');
        },
      };
      await runSession(asked, io, outside.host);
      expect(outside.out()).toBe(printed + end);
    },
  );

  /** Prints a text, then halts until a byte is there, prints it and a prompt, and so on. */
  const asks = (text: string): Uint8Array => {
    const code = flash(`
    ${print(text)}
    again:
    hlt
    mov dx, 0x3fd
    in al, dx
    test al, 1
    jz again
    mov dx, 0x3f8
    in al, dx
    out dx, al
    ${print('Shell> ')}
    jmp again`);
    const at = (offset: number, source: string): void =>
      code.set(assemble(source, { bits: 16, org: offset }).bytes, offset);
    at(0xff00, 'push ax\nmov al, 0x20\nout 0x20, al\npop ax\niret');
    at(0xf000, `${TIMER}\njmp 0xf000:0`);
    at(0xfff0, 'jmp 0xf000:0xf000');
    return code;
  };
  const print = (text: string): string =>
    `mov dx, 0x3f8\n${[...text].map((char) => `mov al, ${char.charCodeAt(0)}\nout dx, al\n`).join('')}`;
  // The timer of reset wakes nobody: a guest that halts sets one up, channel 0 of the 8254 behind the 8259 without a
  // local APIC.
  const TIMER = `
    mov ecx, 0x1b
    rdmsr
    and eax, 0xfffff7ff
    wrmsr
    mov ax, 0
    mov ds, ax
    mov word [0x20], 0xff00
    mov word [0x22], 0xf000
    mov al, 0x11
    out 0x20, al
    mov al, 8
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
    out 0x40, al
    sti`;

  async function fed(code: Uint8Array, lines: string) {
    const outside = world({ ...files, '/code': code });
    const host = { ...outside.host, inputIsTerminal: false };
    const asked = bootRequest({ code: '/code', vars: '/vars', qemu: ['-m=64'] }, outside.io, host);
    const running = runSession(asked, outside.io, host);
    outside.input.bytes(lines);
    outside.input.end();
    const result = await running;
    return { out: outside.out(), result, good: isSuccess(asked, result) };
  }

  it.each([
    ['', '\r'],
    ['\n', '\r'],
    ['q\n', 'q'],
  ])('a pager is answered from a pipe that holds %j', async (lines, key) => {
    const { out, result, good } = await fed(asks("Press ENTER to continue or 'Q' break:"), lines);
    expect(out).toBe(`Press ENTER to continue or 'Q' break:${key}Shell> `);
    expect(result.report.outcome).toBe('shell');
    expect(good).toBe(true);
  });

  it.each([
    ['', '', 'prompt', /^the Boot Manager waits for a key; the input has ended$/],
    ['\n', '\rShell> ', 'shell', /every line/],
    ['ver\n', '\rShell> ', 'shell', /every line/],
  ])(
    "the Boot Manager's prompt is where a pipe that holds %j ends or goes on",
    async (lines, rest, outcome, summary) => {
      const text = 'Press any key to enter the Boot Manager Menu.';
      const { out, result, good } = await fed(asks(text), lines);
      expect(out.startsWith(`${text}${rest}`) && (rest !== '' || out === text)).toBe(true);
      expect(result.report.outcome).toBe(outcome);
      expect(result.report.summary).toMatch(summary);
      expect(good).toBe(true);
    },
  );

  it('a pipe that fills faster than lines are run is paused, and what is cut is said once', async () => {
    const code = flash(`
      ${print('Shell> ')}
      mov ecx, 30000000
      busy:
      dec ecx
      jnz busy
      ${print('Shell> ')}
      jmp $`);
    const outside = world({ ...files, '/code': code });
    const host = { ...outside.host, inputIsTerminal: false };
    const asked = bootRequest(
      { code: '/code', vars: '/vars', qemu: ['-m=64'], budget: '80000000' },
      outside.io,
      host,
    );
    let told = '';
    const io: Io = {
      ...outside.io,
      err: (text) => {
        told += text;
      },
    };
    const running = runSession(asked, io, host);
    const line = `${'x'.repeat(5000)}\n`;
    outside.input.bytes(line.repeat(15));
    expect(outside.input.paused).toBe(false);
    outside.input.bytes(line.repeat(2));
    const paused = outside.input.paused;
    await running;
    expect([paused, outside.input.paused]).toEqual([true, false]);
    expect(told.split('Lines of the input are cut at 4096 characters.').length).toBe(2);
  });

  it('a guest that waits for what no line brings is left, with its last words', async () => {
    const code = asks('What is your name? ');
    const { result, good } = await fed(code, 'ver\nmap\n');
    expect(result.report.outcome).toBe('idle');
    expect(result.report.summary).toBe(
      "the guest waits and has printed nothing for 60 virtual seconds, last 'What is your name?'; 2 lines of input had to wait for a prompt",
    );
    expect(good).toBe(false);
  });

  it('gives up after --budget and says how many that were', async () => {
    const outside = world({ ...files, '/code': flash('again: in al, 0x61\njmp again') });
    const asked = bootRequest(
      { code: '/code', vars: '/vars', qemu: ['-m=64', '-serial=none'], budget: '1000', until: 'never' },
      outside.io,
      outside.host,
    );
    const { report } = await runSession(asked, outside.io, outside.host);
    expect(report.outcome).toBe('budget');
    expect(report.summary).toBe(
      `gave up after 1000 instructions, ${report.instructions} with the turn that they ended in, in phase reset`,
    );
  });

  it('names the file of the variables only where it was written', async () => {
    const outside = world(files);
    const asked = bootRequest(
      { code: '/code', vars: '/vars', qemu: ['-m=64'], until: 'never', budget: '1000', varsOut: '/out' },
      outside.io,
      outside.host,
    );
    const result = await runSession(asked, outside.io, outside.host);
    expect(result.varsWritten).toBeUndefined();
    expect(renderBoot(asked, result, outside.io)).not.toContain('/out');
    expect(renderBoot(asked, { ...result, varsWritten: '/out' }, outside.io)).toContain(
      'Variables written to /out.',
    );
  });

  it('gives up after --timeout and says so', async () => {
    const outside = world({ ...files, '/code': flash('jmp $') });
    const asked = bootRequest(
      { code: '/code', vars: '/vars', qemu: ['-m=64', '-serial=file:/log'], timeout: '3', until: 'never' },
      outside.io,
      outside.host,
    );
    const io: Io = {
      ...outside.io,
      breathe: async () => {
        outside.clock.ms += 1000;
      },
    };
    const result = await runSession(asked, io, outside.host);
    expect(result.report.outcome).toBe('budget');
    expect(isSuccess(asked, result)).toBe(false);
    const object = bootToJson(asked, result);
    expect(object).toMatchObject({ outcome: 'budget', phase: 'reset', stuck: null });
    expect(JSON.parse(JSON.stringify(object))).toEqual(object);
  });
});

describe('the command', () => {
  it('is in the help, and refuses nonsense with exit code 2', async () => {
    expect((await cli('help boot')).out).toContain('Ctrl-A X');
    const folder = scratch();
    writeFileSync(join(folder, 'empty'), '');
    writeFileSync(join(folder, 'odd'), Buffer.alloc(5000));
    for (const name of ['empty', 'odd']) {
      const { code, err } = await cli(
        `boot --code ${join(folder, name)} --vars ${join(folder, name)} --no-save`,
      );
      expect(code).toBe(2);
      expect(err).toMatch(/flash image has \d+ bytes/);
    }
  });

  it('says what a guest that halts did, with exit code 1', async () => {
    const folder = scratch();
    writeFileSync(join(folder, 'code'), flash('cli\nhlt'));
    writeFileSync(join(folder, 'vars'), Buffer.alloc(4096));
    const { code, out } = await cli(
      `boot --code ${folder}/code --vars ${folder}/vars --no-save --until shell --json`,
    );
    expect(code).toBe(1);
    const answer = fitsSchema('boot', JSON.parse(out));
    expect(answer).toMatchObject({ outcome: 'idle', cpus: [{ state: 'halted' }] });
    expect(nodeHost().listFolder(folder)).toEqual(['code', 'vars']);
  });
});
