/** What a processor remembers of translations is part of its snapshot: the guest can tell. */
import { describe, expect, it } from 'vitest';
import type { TierName } from '../src/engine/engine.ts';
import { ACCESS_EXEC } from '../src/ports.ts';
import { assemble } from './support/assemble.ts';
import { FlatMachine } from './support/flat-machine.ts';

const PROGRAM = 0x1000;
/** Linear pages, and where the tables say they are before and after. */
const DATA = 0x8000;
const BEFORE = 0x8000;
const AFTER = 0x9000;
const [OLD, NEW] = [111, 222];

/** Reads DATA into EBX, writes beside its own code, reads DATA into ECX, drops the page, reads DATA into EDX. */
const SOURCE = `
  mov ebx, [${DATA}]
  mov [${PROGRAM + 0x800}], ebx
  nop
  mov ecx, [${DATA}]
  mov [${PROGRAM + 0x804}], ecx
  invlpg [${DATA}]
  mov edx, [${DATA}]
end: jmp end`;

function machine(tier: TierName, source = SOURCE) {
  const m = new FlatMachine({ tier, ram: 1 << 16, cache: 1 << 20, translator: { threshold: 1 } });
  const walks: string[] = [];
  let place = BEFORE;
  m.map = (page, { access }) => {
    walks.push(`${page.toString(16)} ${access === ACCESS_EXEC ? 'fetched' : 'used'}`);
    return page === DATA ? place : page;
  };
  m.load(PROGRAM, assemble(source, { bits: 32, org: PROGRAM }));
  m.view.setUint32(BEFORE, OLD, true);
  m.view.setUint32(AFTER, NEW, true);
  m.start(32, PROGRAM);
  const move = (): void => {
    place = AFTER;
    walks.length = 0;
  };
  return { m, walks, move };
}

const TIERS = ['evaluator', 'interpreter', 'translator'] as const;

describe.each(TIERS)('%s', (tier) => {
  it.each(TIERS)('goes on in the %s with what it has cached, until that is dropped', (other) => {
    const straight = machine(tier);
    const restored = machine(other);
    straight.m.cpu.run(3);
    straight.move();
    restored.move();
    const snapshot = straight.m.cpu.save();
    restored.m.ram.set(straight.m.ram);
    restored.m.cpu.restore(snapshot);
    expect(restored.m.cpu.save()).toEqual(snapshot);
    for (const { m, walks } of [straight, restored]) {
      m.cpu.run(20);
      const { ebx, ecx, edx } = m.cpu.registers;
      expect([ebx, ecx, edx]).toEqual([OLD, OLD, NEW]);
      expect(walks).toEqual(['8000 used']);
    }
    expect(restored.m.cpu.save()).toEqual(straight.m.cpu.save());
  });
});

it('bytes that are no translations of this memory are refused', () => {
  const { m } = machine('evaluator');
  m.cpu.run(3);
  const snapshot = m.cpu.save();
  const { translations } = snapshot;
  expect(translations.length).toBeGreaterThan(16);
  const refused = expect.objectContaining({ code: 'SNAPSHOT_MEMORY' });
  for (const [at, value] of [
    [0, 1], // an address inside a page
    [7, 0x7f], // no number
    [8, 1], // a host offset inside a page
    [11, 0xff], // outside the memory
    [12, 0x0f], // no kind
    [12, 0x00], // no rights
    [13, 0x01], // what is unknown
  ] as const) {
    const changed = translations.slice();
    changed[at] = value;
    expect(() => m.cpu.restore({ ...snapshot, translations: changed }), `byte ${at}`).toThrow(refused);
  }
  expect(() => m.cpu.restore({ ...snapshot, translations: translations.slice(1) })).toThrow(refused);
  m.cpu.restore(snapshot);
  expect(m.cpu.save()).toEqual(snapshot);
});
