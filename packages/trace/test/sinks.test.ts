import {
  filterSink,
  hashTrace,
  TraceBuffer,
  type TraceEvent,
  TraceHasher,
  TraceRing,
  teeSink,
} from '@smm/trace';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Fnv1a64 } from '../src/fnv1a.ts';

const wake = (ts: number): TraceEvent => ({ name: 'smm_wake', ts, cpu: 0, vcpu: 0 });

describe('sinks', () => {
  it('a ring keeps the last events in order and counts the others', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), fc.nat(60), (capacity, n) => {
        const ring = new TraceRing(capacity);
        for (let i = 0; i < n; i++) ring.sink(wake(i));
        const all = Array.from({ length: n }, (_, i) => i);
        expect(ring.events.map(({ ts }) => ts)).toEqual(all.slice(-capacity));
        expect(ring.dropped).toBe(Math.max(0, n - capacity));
      }),
    );
  });

  it.each([0, -1, 1.5, Number.NaN])('a ring of %s events is refused', (capacity) => {
    expect(() => new TraceRing(capacity)).toThrow(expect.objectContaining({ code: 'TRACE_CAPACITY' }));
  });

  it('a filter lets through what its predicate says, to every sink of a tee', () => {
    const one = new TraceBuffer();
    const two = new TraceBuffer();
    const sink = filterSink(teeSink(one.sink, two.sink), ({ ts }) => ts % 2 === 0);
    for (let i = 0; i < 5; i++) sink(wake(i));
    expect(one.events.map(({ ts }) => ts)).toEqual([0, 2, 4]);
    expect(two.events).toEqual(one.events);
  });
});

describe('hash', () => {
  // Test vectors of the FNV authors (draft-eastlake-fnv, "FNV test vectors").
  it.each([
    ['', 'cbf29ce484222325'],
    ['a', 'af63dc4c8601ec8c'],
    ['foobar', '85944171f73967e8'],
  ])('FNV-1a of "%s" is the published one', (text, expected) => {
    const hash = new Fnv1a64();
    for (const byte of new TextEncoder().encode(text)) hash.byte(byte);
    expect(hash.value.toString(16)).toBe(expected);
  });

  it('hashing one by one equals hashing at once', () => {
    const hasher = new TraceHasher();
    const events = [wake(1), wake(2), wake(3)];
    for (const event of events) hasher.sink(event);
    expect(hasher.hex).toBe(hashTrace(events));
    expect(hasher.count).toBe(3);
    expect(hashTrace([])).toBe('cbf29ce484222325');
  });

  it('tells apart any change of a value, of the order and of the name', () => {
    const base: TraceEvent[] = [wake(1), { name: 'smm_sipi', ts: 2, cpu: 1, vcpu: 1, vector: 9 }];
    const hashes = [
      base,
      [...base].reverse(),
      [wake(2), base[1]!],
      [base[0]!, { ...base[1]!, vector: 8 } as TraceEvent],
      [{ name: 'smm_init', ts: 1, cpu: 0, vcpu: 0 } as TraceEvent, base[1]!],
      base.slice(0, 1),
    ].map(hashTrace);
    expect(new Set(hashes).size).toBe(hashes.length);
  });

  it('does not depend on the order of members or on the names of threads', () => {
    const event: TraceEvent = { name: 'smm_sipi', ts: 2, cpu: 1, vcpu: 1, vector: 9 };
    const reordered: TraceEvent = { vector: 9, vcpu: 1, cpu: 1, ts: 2, name: 'smm_sipi', pid: 7, comm: 'x' };
    expect(hashTrace([reordered])).toBe(hashTrace([event]));
  });
});
