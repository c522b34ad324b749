import { formatTrace, readTrace, type TraceEvent, writeJsonl, writeTraceDat } from '@smm/trace';
import { describe, expect, it } from 'vitest';
import { MAIL_PROSE } from './mail-excerpt.ts';
import { goodRun, PLANNED } from './scenarios.ts';

const utf8 = (text: string) => new TextEncoder().encode(text);

describe('readTrace', () => {
  const run = goodRun();
  const plain = (events: readonly TraceEvent[]) =>
    events.map(({ pid: _pid, comm: _comm, ...event }) => event);

  it.each([
    ['trace.dat', writeTraceDat(run), undefined],
    ['jsonl', utf8(writeJsonl(run)), run.map((_, i) => i + 1)],
    ['text', utf8(formatTrace(run)), run.map((_, i) => i + 2)],
  ])('tells %s by its first bytes and finds the same events and plan in each', (format, bytes, lines) => {
    const file = readTrace(bytes);
    expect(file.format).toBe(format);
    expect(plain(file.events)).toEqual(run);
    expect(file.planned).toEqual(PLANNED);
    expect(file.lines).toEqual(lines);
  });

  it('takes a mail for text', () => {
    expect(readTrace(utf8(MAIL_PROSE))).toMatchObject({ format: 'text', planned: PLANNED.slice(0, 2) });
  });

  it.each([
    ['an empty file', new Uint8Array(0), 'TRACE_FOREIGN'],
    ['a picture', Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0, 1, 2, 255), 'TRACE_FOREIGN'],
    ['other JSON', utf8('{"hello":1}\n'), 'TRACE_FOREIGN'],
    ['half a trace.dat', writeTraceDat(run).slice(0, 5000), 'TRACE_TRUNCATED'],
    ['half a JSONL file', utf8(writeJsonl(run).slice(0, -30)), 'TRACE_TRUNCATED'],
  ])('%s is refused in printable words', (_title, bytes, code) => {
    let thrown: unknown;
    try {
      readTrace(bytes);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ code });
    expect((thrown as Error).message).toMatch(/^[\x20-\x7e]+$/);
  });
});
