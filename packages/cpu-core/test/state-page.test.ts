/** The state page's table: nothing that the guest can see is missing from snapshots, hashes and the proof of a hang. */
import { describe, expect, it } from 'vitest';
import { stateHash } from '../src/engine/state-hash.ts';
import * as L from '../src/layout.ts';
import { StatePage, stretches } from '../src/state-page.ts';
import { FlatMachine } from './support/flat-machine.ts';

/** Status flags are in RFLAGS only once they are evaluated; bit 1 is always set. */
const RFLAGS_FIXED = 2;

function machine(): FlatMachine {
  const m = new FlatMachine({ tier: 'evaluator' });
  m.start(64, 0x2000);
  return m;
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('fields', () => {
  it('are aligned, apart, and all of layout.ts', () => {
    let end = 0;
    for (const { name, offset, width, count } of L.STATE_FIELDS) {
      expect(offset % width, name).toBe(0);
      expect(offset, name).toBeGreaterThanOrEqual(end);
      end = offset + width * count;
    }
    const constants = Object.entries(L).flatMap(([name, at]) =>
      name.startsWith('ST_') ? [[name.slice(3), at]] : [],
    );
    expect(L.STATE_FIELDS.map(({ name, offset }) => [name, offset])).toEqual(
      constants.sort((a, b) => Number(a[1]) - Number(b[1])),
    );
  });

  it('that are not registers are these, whatever is added', () => {
    const rest = L.STATE_FIELDS.filter((field) => field.class !== 'architectural');
    expect(rest.map(({ name }) => name).join(' ')).toBe(
      'ZERO CC_RES CC_SRC CC_OP MODE BUDGET EXIT EXIT_REQUEST TLB BLOCK RETIRED ENGINE START_BUDGET HELD_BUDGET TIME_NS ' +
        'TIME_RETIRED TIME_RATE TIME_FREQUENCY TIME_MASK TIME_PORT TIME_TSC PAUSE_WATCHED TIME_READS JUMP_LOG',
    );
  });

  it('that generated code names in one byte are within its reach', () => {
    expect(L.ST_ZERO).toBeLessThan(256);
    expect(L.ST_SEG_BASE / 8 + 8).toBeLessThan(256);
  });

  it.each(L.STATE_FIELDS.map((field) => [field.name, field] as const))(
    '%s: each byte counts, or none does',
    (_, field) => {
      const m = machine();
      const { state } = m.cpu;
      const { u8 } = state.views;
      const before = m.cpu.save();
      const hash = stateHash(m.cpu);
      const repeating = hex(m.cpu.repeatingState());
      const seen = field.class === 'architectural' || field.class === 'counter';
      for (let n = 0; n < field.width * field.count; n++) {
        const at = state.base + field.offset + n;
        const old = u8[at]!;
        const bit = field.name === 'EFLAGS' && n === 0 ? 0x80 : 1;
        u8[at] = old ^ bit;
        const after = m.cpu.save();
        if (field.name !== 'CC_OP' && field.name !== 'CC_RES' && field.name !== 'CC_SRC') {
          expect(hex(after.fields) !== hex(before.fields), `byte ${n}`).toBe(seen);
          expect(stateHash(m.cpu) !== hash, `byte ${n}`).toBe(seen);
          expect(hex(m.cpu.repeatingState()) !== repeating, `byte ${n}`).toBe(
            field.class === 'architectural',
          );
        }
        u8[at] = old;
        if (!seen) continue;
        m.cpu.restore(after);
        expect(u8[at], `byte ${n}`).toBe(old ^ bit);
        m.cpu.restore(before);
        expect(u8[at], `byte ${n}`).toBe(old);
      }
      expect(state.rflags & RFLAGS_FIXED).toBe(RFLAGS_FIXED);
    },
  );
});

describe('snapshots', () => {
  it('evaluate lazy flags', () => {
    const lazy = machine();
    const eager = machine();
    lazy.cpu.state.set32(L.ST_CC_OP, L.CC_LOGIC);
    lazy.cpu.state.set64(L.ST_CC_RES, 0n);
    eager.cpu.state.rflags |= 0x44;
    expect(hex(lazy.cpu.save().fields)).toBe(hex(eager.cpu.save().fields));
    expect(stateHash(lazy.cpu)).toBe(stateHash(eager.cpu));
  });

  it('of another version or length are refused', () => {
    const { cpu } = machine();
    const snapshot = cpu.save();
    const refused = expect.objectContaining({ code: 'SNAPSHOT_VERSION' });
    const { version: _, ...without } = snapshot;
    for (const other of [
      { ...snapshot, version: 1 },
      without,
      { ...snapshot, fields: snapshot.fields.slice(4) },
      { page: new Uint8Array(2048) },
    ])
      expect(() => cpu.restore(other as typeof snapshot)).toThrow(refused);
  });
});

describe('a page', () => {
  it('puts neighbours together', () => {
    const page = new StatePage();
    expect(page.add('a', 'architectural', 'u32')).toBe(0);
    expect(page.add('b', 'architectural', 'u64', 2)).toBe(8);
    expect(page.add('c', 'counter', 'double')).toBe(24);
    expect(page.add('d', 'derived', 'i32')).toBe(32);
    page.skipTo(64);
    expect(page.add('e', 'architectural', 'u16')).toBe(64);
    expect(stretches(page.fields, ['architectural', 'counter'])).toEqual([
      [0, 4],
      [8, 24],
      [64, 4],
    ]);
  });

  it('refuses what does not fit', () => {
    const page = new StatePage();
    page.add('a', 'derived', 'raw16', 200);
    expect(() => page.add('a', 'derived', 'u32')).toThrow('two of a');
    expect(() => page.add('b', 'derived', 'raw16', 100)).toThrow('no room for b');
    expect(() => page.skipTo(16)).toThrow('taken');
  });
});
