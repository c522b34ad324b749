import { couldHideFailure, type Diagnosis, diagnose, parseTraceText, type ReadCounts } from '@smm/trace';
import { SmmError } from '@smm/x86-defs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyHost, type Host, healthyText, healthyTrace } from './healthy.ts';

const FULL = process.env['SMM_FULL'] === '1';

function read(text: string): { counts: ReadCounts; found: readonly Diagnosis[] } {
  const { events, form, notes, cut, counts, planned } = parseTraceText(text);
  return {
    counts,
    found: diagnose(events, { form, notes, cut, planned, complete: !couldHideFailure(counts) }),
  };
}

/** Whether no event is left to read, which is an error that says so. */
function leavesNothing(text: string): boolean {
  try {
    parseTraceText(text);
    return false;
  } catch (error) {
    if (SmmError.isInstance(error) && error.code === 'TRACE_FOREIGN') return true;
    throw error;
  }
}

const lines = (text: string): string[] => text.split('\n').filter((line) => line !== '');

/** Turns a good trace into what arrives; `at` gives a number below its argument. */
type Mangle = (text: string, at: (below: number) => number) => string;

const MANGLES: Readonly<Record<string, Mangle>> = {
  nothing: (text) => text,
  'wrapped at 72 columns': (text) => text.replace(/(.{1,72})(?: +|$)/gm, '$1\n'),
  'wrapped at any blank': (text, at) =>
    lines(text)
      .map((line) => line.replace(/(?<=\S) (?=\S)/g, (blank) => (at(8) === 0 ? '\n' : blank)))
      .join('\n'),
  quoted: (text) => text.replace(/^/gm, '> '),
  'quoted-printable': (text) =>
    lines(text)
      .map((line) => line.replace(/=/g, '=3D').replace(/.{1,75}(?!$)/g, '$&=\n'))
      .join('\n'),
  'in a kernel log': (text) =>
    lines(text)
      .map((line, i) => `[ ${100 + i}.000001] ${line}`)
      .join('\n'),
  'CPU by CPU': (text) =>
    [4, 5, 6, 7, 8].flatMap((cpu) => lines(text).filter((line) => line.includes(`[00${cpu}]`))).join('\n'),
  'cut short': (text, at) => text.slice(0, 200 + at(Math.max(1, text.length - 200))),
  'with fields cut out': (text, at) =>
    lines(text)
      .map((line) =>
        at(5) === 0 ? line.replace(/ (?:info\d?|rip|error_code|intr_info|smbase) \S+/, '') : line,
      )
      .join('\n'),
  'with other tracepoints, prose and empty lines between': (text, at) =>
    lines(text)
      .flatMap((line) => [
        line,
        ...(at(6) === 0 ? ['  CPU 0/KVM-2101 [004] 5.000001: sched_switch: prev_comm=x'] : []),
        ...(at(9) === 0 ? ['Then it goes on like this:', ''] : []),
      ])
      .join('\n'),
  'with lines garbled': (text, at) =>
    lines(text)
      .map((line) => (at(10) === 0 ? line.slice(0, line.lastIndexOf(':') + 3) : line))
      .join('\n'),
  'without task and time': (text) => text.replace(/^.*?\d\.\d{6}: /gm, ''),
  'hard wrapped by a terminal': (text, at) =>
    text.replace(new RegExp(`(.{${60 + at(40)}})(?=.)`, 'g'), '$1\n'),
  'cut off at the right': (text, at) => text.replace(new RegExp(`^(.{${70 + at(60)}}).*$`, 'gm'), '$1'),
  'without its beginning': (text, at) => text.slice(at(Math.max(1, text.length - 200))),
  'with DOS line ends': (text) => text.replace(/\n/g, '\r\n'),
  'behind what others put before a line': (text, at) => {
    const prefix = PREFIXES[at(PREFIXES.length)]!;
    return lines(text)
      .map((line) => `${prefix}${line}`)
      .join('\n');
  },
  'as perf script prints it': (text) =>
    text.replace(/^ *(.*?)-(\d+) +(\[\d+\]) +([\d.]+: )(\w+: +)/gm, '$1 2000/$2 $3 $4 kvm:$5'),
  'with lines of one time in another order': (text, at) =>
    lines(text)
      .map((line, i) => ({ line, key: /\[00\d\] +([\d.]+)/.exec(line)?.[1] ?? '', tie: at(2) * 1000 + i }))
      .sort((a, b) => a.key.localeCompare(b.key) || a.tie - b.tie)
      .map(({ line }) => line)
      .join('\n'),
};

const PREFIXES: readonly string[] = [
  '> > ',
  '>>> ',
  'PB> ',
  '| ',
  '<6>',
  '[  812.123456] ',
  'Nov 28 21:00:01 host kernel: ',
  'host kernel: ',
  '2024-05-06T07:08:09.123+02:00 ',
  '2024-05-06 07:08:09 ',
  '21:00:01.123 ',
  '[Thu Nov 28 21:00:01 2024] ',
  'hang.dat: ',
];

const numbers = fc.infiniteStream(fc.nat(0xffff));

function mangled(host: Host, mangle: Mangle, stream: Iterator<number>): string {
  return mangle(healthyText(host), (below) => (stream.next().value as number) % below);
}

describe('a trace of a good run, as it arrives', () => {
  it.each(Object.entries(MANGLES))(
    '%s: every line is counted once, and nothing is diagnosed',
    (_title, mangle) => {
      fc.assert(
        fc.property(anyHost, numbers, (host, stream) => {
          const text = mangled(host, mangle, stream[Symbol.iterator]());
          fc.pre(!leavesNothing(text));
          const { counts, found } = read(text);
          const { events, continued, notUnderstood, passedOver } = counts;
          expect(events + continued + notUnderstood + passedOver).toBe(counts.lines);
          expect(found.map(({ id, sentence }) => [id, sentence])).toEqual([]);
        }),
        { numRuns: FULL ? 2000 : 30 },
      );
    },
  );

  it('two of them after each other: every line is counted once, and nothing is diagnosed', () => {
    const any = fc.constantFrom(...Object.keys(MANGLES));
    fc.assert(
      fc.property(anyHost, numbers, any, any, (host, stream, first, second) => {
        const iterator = stream[Symbol.iterator]();
        const at = (below: number): number => (iterator.next().value as number) % below;
        const text = MANGLES[second]!(MANGLES[first]!(healthyText(host), at), at);
        fc.pre(!leavesNothing(text));
        const { counts, found } = read(text);
        const { events, continued, notUnderstood, passedOver } = counts;
        expect(events + continued + notUnderstood + passedOver).toBe(counts.lines);
        expect(found.map(({ id, sentence }) => [id, sentence])).toEqual([]);
      }),
      { numRuns: FULL ? 20_000 : 100 },
    );
  });

  it.each([
    'with DOS line ends',
    'behind what others put before a line',
    'as perf script prints it',
    'wrapped at 72 columns',
    'wrapped at any blank',
    'quoted',
    'quoted-printable',
    'in a kernel log',
  ])('%s: every event is there', (title) => {
    fc.assert(
      fc.property(anyHost, numbers, (host, stream) => {
        const text = mangled(host, MANGLES[title]!, stream[Symbol.iterator]());
        const { counts } = read(text);
        expect(counts).toMatchObject({ events: healthyTrace(host).length, notUnderstood: 0 });
      }),
      { numRuns: FULL ? 1000 : 20 },
    );
  });
});

it('many SMIs one after the other are no storm where the processors only wait for them', () => {
  const text = healthyText({ form: 'current', vcpus: 2, amd: false, apicv: false, smis: 60, seed: 5 });
  expect(read(text).found).toEqual([]);
});
