/** The header read character by character is the one that the regular expressions read, for any line. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seedOf, sized } from '../../../tests/support/form.ts';
import { parseHeader, withoutPrefixes } from '../src/text-header.ts';
import { HeaderScanner } from '../src/text-header-scan.ts';
import { FIELD_NAMES, fieldText } from './field-files.ts';

/** Mostly what lines have, now and then something else. */
function mostly(usual: readonly string[], odd: readonly string[]): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...usual) },
    { weight: 1, arbitrary: fc.constantFrom(...odd) },
  );
}

const blanks = mostly([' ', '  ', '        ', '\t'], ['']);
const number = mostly(['0', '7', '2102', '4294967295'], ['12345678901', '-5', '007']);
const comm = fc.oneof(
  mostly(
    ['CPU 1/KVM', 'qemu-system-x86', '<idle>', '<...>', 'kworker/5:2-eve', 'a-1', 'a:b', 'a b'],
    [
      '<12>',
      'x.dat: y',
      '>',
      'abc>',
      '|',
      'Nov 1 10:00:00 x',
      'host kernel:',
      'é',
      '10:00:00',
      'a b: c',
      '[x]',
    ],
  ),
  fc.string({ maxLength: 18 }),
);
const thread = fc.oneof(
  fc.tuple(comm, number).map(([name, pid]) => `${name}-${pid}`),
  fc.tuple(comm, blanks, number).map(([name, gap, pid]) => `${name}${gap}${pid}`),
  fc.tuple(comm, blanks, number, number).map(([name, gap, pid, tid]) => `${name}${gap}${pid}/${tid}`),
);
const host = mostly(['[004]', '[4]'], ['[12345]', '[]', '(2000) [004]', '[004', '[0x4]']);
const flags = mostly(['', 'd..2. ', 'd..2 ', '....1.. ', 'DNZff1 '], ['12345 ', 'd..2..11 ', 'abc ', 'd..2']);
const time = mostly(['5.000001:', '700.000001234:'], ['12345678901.000001:', '5.0001:', '7us:', '5.000001']);
const name = mostly(
  ['kvm_entry:', 'kvm:kvm_exit:', '1 kvm:kvm_entry:', 'a:'],
  ['sched-x:y:', 'kvm_exit:reason', 'Kvm_x:', '(+12) kvm_entry:', 'kvm_entry', 'a:b:c:', ':'],
);
const words = mostly(
  ['vcpu 0', '', 'reason X rip 0x1)', 'f(x)', ' a: b [1]'],
  ['a\rb', 'x\u2028y', 'x\u00a0 '],
);
const line = fc
  .tuple(
    mostly(['', '   '], ['> ', '<6>', '| ']),
    thread,
    blanks,
    host,
    blanks,
    flags,
    time,
    blanks,
    name,
    blanks,
    words,
  )
  .map((parts) => parts.join(''));

function expectSame(text: string, scanner = new HeaderScanner()): boolean {
  const scanned = scanner.scan(text);
  if (scanned) expect(scanned).toEqual(parseHeader(withoutPrefixes(text)));
  return scanned !== undefined;
}

describe('a scanned header is the parsed one', () => {
  it('of lines made of pieces', () => {
    const scanner = new HeaderScanner();
    let scanned = 0;
    fc.assert(
      fc.property(line, (text) => {
        if (expectSame(text, scanner)) scanned++;
      }),
      { numRuns: sized(20_000, 500_000), seed: seedOf(11) },
    );
    expect(scanned).toBeGreaterThan(1000);
  });

  it('of the inputs from the field, of which it reads some', () => {
    const lines = FIELD_NAMES.flatMap((each) => fieldText(each).split('\n'));
    expect(lines.filter((text) => expectSame(text)).length).toBeGreaterThan(100);
  });

  it.each([
    ['trace-cmd', '       CPU 1/KVM-2102  [005]   700.000001: kvm_entry:            vcpu 1'],
    ['ftrace', '       CPU 1/KVM-2102    [005] d..2.   700.000001: kvm_entry: vcpu 1'],
    ['perf script', 'CPU 1/KVM  2000/2102 [005]   700.000001:          1 kvm:kvm_entry: vcpu 1'],
    ['the idle thread', '          <idle>-0     [005] d..2.   700.000001: sched_switch: x'],
  ])('of %s, which it reads itself', (_title, text) => {
    expect(expectSame(text)).toBe(true);
  });
});
