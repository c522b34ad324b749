/** A firmware that goes no further by itself says so: its boot manager's prompt, a menu, nothing to boot. */
import { assemble } from '@smm/asm';
import { describe, expect, it } from 'vitest';
import { Boot, LineFeeder, runBoot } from '../src/index.ts';
import { LastWords } from '../src/scenario/boot/last-words.ts';
import { volume } from './firmware-builder.ts';

const PROMPT = 'BdsDxe: Press any key to enter the Boot Manager Menu.\r\n';
const SHELL_FILE = [
  0x83, 0xa5, 0x04, 0x7c, 0x3e, 0x9e, 0x1c, 0x4f, 0xad, 0x65, 0xe0, 0x52, 0x68, 0xd0, 0xb4, 0xd1,
];

/** Prints `text` on a port and halts; `files` is a firmware volume with more, `keys` what is printed after a key. */
function firmware(text: string, { port = 0x3f8, shell = false, interruptible = false } = {}): Boot {
  const code = new Uint8Array(0x2_0000).fill(0xff);
  const part = volume([{ name: 'Any', type: 2, guid: 1 }]);
  if (shell) part.set(SHELL_FILE, 0x48);
  code.set(part);
  const source = `
    mov si, 0x100
  next:
    cs lodsb
    test al, al
    jz done
    mov dx, ${port}
    out dx, al
    jmp next
  done:
    ${interruptible ? 'sti' : 'cli'}
    hlt
    jmp done`;
  code.set(assemble(source, { bits: 16, org: 0 }).bytes, 0x1_0000);
  code.set(new TextEncoder().encode(`${text}\0`), 0x1_0100);
  code.set(assemble('jmp 0xf000:0', { bits: 16, org: 0xfff0 }).bytes, 0x1_fff0);
  return new Boot({ code, memoryMiB: 64, nsPerInstruction: 4000 });
}

describe('a run to', () => {
  it.each([
    ['prompt', PROMPT, {}, 'prompt', /^the Boot Manager waits for a key$/],
    ['prompt', '^v=Move Highlight   <Enter>=Select Entry', {}, 'prompt', /^a menu of the firmware is shown/],
    ['shell', PROMPT, {}, 'prompt', /waits for a key, and this firmware has no shell$/],
    ['shell', PROMPT, { shell: true }, 'prompt', /waits for a key, so no shell comes by itself$/],
    ['shell', 'No bootable device.\n', { port: 0x402 }, 'unbootable', /'No bootable device.'$/],
    ['relocated', 'No bootable device.\n', {}, 'unbootable', /nothing to boot/],
    ['shell', `${PROMPT}UEFI Interactive Shell v2.2\r\nShell> `, {}, 'shell', /^the UEFI shell prompts$/],
    ['prompt', 'Press any key to go on.\r\n', {}, 'idle', /nothing is pending/],
  ] as const)("'%s' with %j %j ends as %s", (goal, text, options, outcome, summary) => {
    const report = runBoot(firmware(text, options), { until: goal, budget: 100_000 });
    expect(report.outcome).toBe(outcome);
    expect(report.summary).toMatch(summary);
  });

  it('nothing in particular goes on at a prompt, and ends where nothing can be booted', () => {
    expect(runBoot(firmware(PROMPT, { interruptible: true }), { budget: 1000 }).outcome).toBe('idle');
    expect(runBoot(firmware('No bootable device.\n'), { budget: 100_000 }).outcome).toBe('unbootable');
  });
});

describe('last words', () => {
  const after = (text: string): string | undefined => {
    const words = new LastWords();
    for (const char of text) words.see(char.charCodeAt(0));
    return words.word;
  };

  it('hold until more is printed on another line; a menu is drawn in any order', () => {
    expect(after(PROMPT)).toBe('prompt');
    expect(after(`${PROMPT}\r\n  `)).toBe('prompt');
    expect(after(`${PROMPT}BdsDxe: loading Boot0000`)).toBeUndefined();
    expect(after(`${PROMPT}x\r\n^v=Move Highlight\r\n Device Manager`)).toBe('menu');
    expect(after(`^v=Move Highlight\r\n${PROMPT}`)).toBe('prompt');
    expect(after('No bootable device.  Retrying in 60 seconds.\n')).toBe('unbootable');
  });
});

it('keys from a pipe reach a menu; commands wait for a shell', () => {
  let sent = '';
  const feeder = new LineFeeder((byte) => {
    sent += String.fromCharCode(byte);
  });
  feeder.take(new TextEncoder().encode('\n\x1b[B\n\x1b\ny\nver\n'));
  feeder.end();
  for (let i = 0; i < 6; i++) feeder.typeKey();
  expect(sent).toBe('\r\x1b[B\x1by');
  expect(feeder.left).toBe(1);
});
