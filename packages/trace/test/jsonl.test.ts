import { EVENT_NAMES, JsonlStream, readJsonl, type TraceEvent, writeJsonl } from '@smm/trace';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { arbitraryEvent } from './arbitrary-events.ts';

const anyEvent = fc
  .constantFrom(...EVENT_NAMES)
  .chain((name) =>
    fc.constantFrom('2015' as const, 'current' as const).chain((form) => arbitraryEvent(name, form)),
  );

describe('JSONL', () => {
  it('comes back as it was, whatever the events', () => {
    fc.assert(
      fc.property(fc.array(anyEvent, { minLength: 1, maxLength: 20 }), (events) => {
        const text = writeJsonl(events);
        expect(text.endsWith('\n')).toBe(true);
        expect(readJsonl(text)).toEqual(events);
        expect(writeJsonl(readJsonl(text))).toBe(text);
      }),
    );
  });

  it('writes 64-bit values as lower-case 0x strings and names the event first', () => {
    const event: TraceEvent = { smbase: 0x7ffc1000n, vcpu: 1, name: 'smm_enter', rip: 0xabn, cpu: 1, ts: 5 };
    expect(writeJsonl([event])).toBe(
      '{"name":"smm_enter","ts":5,"cpu":1,"vcpu":1,"smbase":"0x7ffc1000","rip":"0xab"}\n',
    );
  });

  const line = '{"name":"smm_enter","ts":5,"cpu":1,"vcpu":1,"smbase":"0x30000","rip":"0x0"}';
  it.each([
    ['not JSON', 'hello', 'TRACE_FOREIGN', 1],
    ['no line', '\n\n', 'TRACE_FOREIGN', 1],
    ['an unknown event', `${line}\n{"name":"sched_switch","ts":0,"cpu":0}\n`, 'TRACE_FOREIGN', 2],
    ['an inherited name', '{"name":"toString","ts":0,"cpu":0}', 'TRACE_FOREIGN', 1],
    ['a missing member', line.replace(',"rip":"0x0"', ''), 'TRACE_FOREIGN', 1],
    ['a number where a 0x string belongs', line.replace('"0x30000"', '196608'), 'TRACE_FOREIGN', 1],
    ['more than 64 bits', line.replace('0x30000', '0x10000000000000000'), 'TRACE_FOREIGN', 1],
    ['a line that breaks off', `${line}\n${line.slice(0, 40)}`, 'TRACE_TRUNCATED', 2],
  ])('%s is refused with its line', (_title, text, code, at) => {
    expect(() => readJsonl(text)).toThrow(expect.objectContaining({ code, details: { line: at } }));
  });

  it('passes over members that a later version may add', () => {
    expect(readJsonl(line.replace('"ts":5', '"ts":5,"later":1'))).toEqual(readJsonl(line));
  });

  it('comes in pieces as it comes whole, errors with their lines too', () => {
    const texts = [
      `${line}\n\n${line}`,
      `${line}\n`,
      `${line}\n${line.slice(0, 40)}`,
      `${line}\n\nhello\n`,
      '\n',
    ];
    const outcome = (read: () => TraceEvent[]): unknown => {
      try {
        return read();
      } catch (error) {
        const { code, details, message } = error as { code: string; details: unknown; message: string };
        return { code, details, message };
      }
    };
    for (const text of texts) {
      for (const size of [1, 7, 1000]) {
        const inPieces = outcome(() => {
          const stream = new JsonlStream();
          const bytes = new TextEncoder().encode(text);
          const events: TraceEvent[] = [];
          for (let at = 0; at < bytes.length; at += size)
            events.push(...stream.push(bytes.subarray(at, at + size)));
          return [...events, ...stream.end()];
        });
        expect(inPieces).toEqual(outcome(() => readJsonl(text)));
      }
    }
  });

  it('a line without end is no trace, and is not held', () => {
    const stream = new JsonlStream();
    const piece = new TextEncoder().encode('{"name":'.padEnd(0x8_0000, 'x'));
    stream.push(piece);
    expect(() => [piece, piece].map((each) => stream.push(each))).toThrow(/Line 1 .* too long/);
  });
});
