/** What a guest leaves behind in the terminal is put back, and nothing else is touched. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { TerminalModes } from '../src/boot/terminal-modes.ts';

function restoring(...pieces: string[]): string {
  const modes = new TerminalModes();
  for (const piece of pieces) modes.take(new TextEncoder().encode(piece));
  return modes.restoring;
}

it.each([
  ['the second screen', '\x1b[?1049hvi', '\x1b[?1049l'],
  ['a hidden cursor', 'x\x1b[?25l', '\x1b[?25h'],
  ['colours', '\x1b[0m\x1b[1;33;44mBoot', '\x1b[0m'],
  ['mouse reports and bracketed paste', '\x1b[?1000;1006h\x1b[?2004h', '\x1b[?2004l\x1b[?1006l\x1b[?1000l'],
  ['no autowrap', '\x1b[?7l', '\x1b[?7h'],
  ['inserting', '\x1b[4h', '\x1b[4l'],
  ['application keypad and cursor keys', '\x1b[?1h\x1b=', '\x1b[?1l\x1b>'],
  ['line drawing', '\x1b(0lqk', '\x1b(B'],
  ['a scrolling region', '\x1b[2;20r', '\x1b7\x1b[r\x1b8'],
  ['a cursor of another shape', '\x1b[5 q', '\x1b[0 q'],
  ['a title that is not finished', '\x1b]0;guest', '\x1b\\'],
  ['a sequence that is not finished', 'x\x1b[12', '\x18'],
])('%s is put back', (_name, printed, expected) => {
  expect(restoring(printed)).toBe(expected);
  expect(restoring(...printed)).toBe(expected);
});

it.each([
  ['plain text', 'UEFI Interactive Shell\r\n'],
  [
    'what the guest put back itself',
    '\x1b[?1049h\x1b[31mred\x1b[m\x1b[?25l\x1b[?25h\x1b[?1049l\x1b[0;0m\x1b[r',
  ],
  ['cursor movements and erasing, as OVMF prints them', '\x1b[2J\x1b[01;01H\x1b[=3h\x1b[K'],
  ['a title', '\x1b]0;guest\x07text\x1b]2;x\x1b\\'],
  ['a full reset', '\x1b[?1049h\x1b[7m\x1b(0\x1bc'],
])('%s needs nothing', (_name, printed) => {
  expect(restoring(printed)).toBe('');
});

it('whatever was printed, what puts it back leaves nothing to put back', () => {
  const piece = fc.oneof(
    fc.string(),
    fc.constantFrom('\x1b', '\x1b[', '\x1b[?', '1049', '25', ';', 'h', 'l', 'm', '\x1b(', '\x1b]'),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      const printed = pieces.join('');
      expect(restoring(printed, restoring(printed))).toBe('');
    }),
  );
});
