/** A trace.dat is read in small pieces, each CPU's beside the others', and gives what the whole file gives. */
import { deflateSync, inflateSync } from 'node:zlib';
import {
  type ByteSource,
  readTraceDat,
  type TraceCodec,
  TraceDatStream,
  type TraceEvent,
  writeTraceDat,
} from '@smm/trace';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inOrderOfTime } from '../src/dat-merge.ts';
import { OtherRecord } from '../src/dat-pages.ts';
import { healthyTrace } from './healthy.ts';

let unpacked = 0;
const zlib: TraceCodec = {
  name: 'zlib',
  version: '1',
  compress: (data) => deflateSync(data),
  decompress: (data, size) => {
    unpacked += size;
    return inflateSync(data, { maxOutputLength: Math.max(1, size) });
  },
};

const events = healthyTrace({ form: 'current', vcpus: 4, amd: false, apicv: false, smis: 300, seed: 3 });

/** A source that gives its bytes in one buffer, again and again, and remembers how much was asked for. */
function watched(bytes: Uint8Array): ByteSource & { readonly asked: { most: number; total: number } } {
  const asked = { most: 0, total: 0 };
  const buffer = new Uint8Array(0x2_0000);
  return {
    asked,
    size: bytes.length,
    read: (offset, length) => {
      asked.most = Math.max(asked.most, length);
      asked.total += length;
      buffer.fill(0xee);
      buffer.set(bytes.subarray(offset, offset + length));
      return buffer.subarray(0, Math.max(0, Math.min(length, bytes.length - offset)));
    },
  };
}

function allOf(stream: TraceDatStream): TraceEvent[] {
  return [...stream.pieces()].flat();
}

describe.each([
  ['version 6', writeTraceDat(events, { form: 'current' })],
  ['version 7', writeTraceDat(events, { form: 'current', version: 7 })],
  ['version 7, compressed', writeTraceDat(events, { form: 'current', version: 7, codec: zlib })],
])('%s', (_title, bytes) => {
  it('gives the events of the whole file, from pieces of at most 128 KiB', () => {
    const source = watched(bytes);
    const stream = new TraceDatStream(source, { codecs: [zlib] });
    const whole = readTraceDat(bytes, { codecs: [zlib] });
    expect(allOf(stream)).toEqual(whole.events);
    expect(stream.counts).toEqual(whole.counts);
    expect(stream.form).toBe('current');
    expect(source.asked.most).toBeLessThanOrEqual(0x2_0000);
  });

  it('gives the first events before the last are read', () => {
    const source = watched(bytes);
    const stream = new TraceDatStream(source, { codecs: [zlib] });
    const pieces = stream.pieces();
    expect(pieces.next().value?.length).toBeGreaterThan(1000);
    const before = source.asked.total + unpacked;
    for (const _piece of pieces);
    expect(source.asked.total + unpacked).toBeGreaterThan(before + 10_000);
  });
});

it('a file that becomes shorter while it is read is truncated', () => {
  const bytes = writeTraceDat(events, { form: 'current' });
  const source = { ...watched(bytes.subarray(0, bytes.length - 4096)), size: bytes.length };
  expect(() => allOf(new TraceDatStream(source))).toThrow(
    expect.objectContaining({ code: 'TRACE_TRUNCATED' }),
  );
});

it.each([[{}], [{ size: -1, read: () => new Uint8Array() }], [{ size: 5 }]])('%j is no source', (source) => {
  expect(() => new TraceDatStream(source as ByteSource)).toThrow(
    expect.objectContaining({ name: expect.any(String) }),
  );
});

it('records of all CPUs come in order of time, then of the CPUs, then as they were', () => {
  const queue = fc.array(fc.record({ ts: fc.nat(20), cpu: fc.nat(2) }), { maxLength: 30 });
  fc.assert(
    fc.property(fc.array(queue, { maxLength: 6 }), fc.integer({ min: 1, max: 5 }), (queues, size) => {
      let tag = 0;
      const records = queues.map((times) =>
        [...times]
          .sort((x, y) => x.ts - y.ts || x.cpu - y.cpu)
          .map(({ ts, cpu }) => new OtherRecord(ts, cpu, String(tag++), false)),
      );
      const pieces = records.map((own) =>
        own.flatMap((_record, i) => (i % size === 0 ? [own.slice(i, i + size)] : [])),
      );
      const sorted = records.flat().sort((x, y) => x.ts - y.ts || x.cpu - y.cpu);
      expect([...inOrderOfTime(pieces)]).toEqual(sorted);
    }),
    { numRuns: 200 },
  );
});
