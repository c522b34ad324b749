/**
 * Stores to data on a page that holds code: the tables are walked once for them, as for any page, until translations
 * are dropped.
 */
import { describe, expect, it } from 'vitest';
import type { TierName } from '../src/engine/engine.ts';
import { Interpreter } from '../src/engine/wasm/interpreter.ts';
import { ACCESS_EXEC, ACCESS_WRITE } from '../src/ports.ts';
import { assemble } from './support/assemble.ts';
import { FlatMachine } from './support/flat-machine.ts';

/** Compiled once for all machines. */
const INTERPRETER = new Interpreter();

const PROGRAM = 0x1000;
/** On the program's page, in no line with code. */
const DATA = PROGRAM + 0x800;
const ROUNDS = 500;

function run(tier: TierName, source: string) {
  const m = new FlatMachine({
    tier,
    interpreter: INTERPRETER,
    ram: 1 << 16,
    cache: 1 << 20,
    translator: { threshold: 2 },
  });
  const walks = { toFetch: 0, toWrite: 0 };
  m.map = (page, { access }) => {
    if (page === PROGRAM && access === ACCESS_WRITE) walks.toWrite++;
    if (page === PROGRAM && access === ACCESS_EXEC) walks.toFetch++;
    return page;
  };
  m.load(PROGRAM, assemble(source, { bits: 32, org: PROGRAM }));
  m.start(32, PROGRAM);
  m.cpu.run(ROUNDS * 4);
  return { m, walks, stored: m.view.getUint32(DATA, true) };
}

describe.each<TierName>(['evaluator', 'interpreter', 'translator'])('%s', (tier) => {
  it('stores beside code without a walk for each', () => {
    const { walks, stored } = run(tier, `again: inc eax\nmov [${DATA}], eax\nadd ebx, eax\njmp again`);
    expect(stored).toBe(ROUNDS);
    // The first fetch has found that the page may be written.
    expect(walks).toEqual({ toFetch: 1, toWrite: 0 });
  });

  it('walks anew once translations were dropped', () => {
    const source = `again: inc eax\nmov [${DATA}], eax\ninvlpg [${PROGRAM}]\njmp again`;
    const { walks, stored } = run(tier, source);
    expect(stored).toBe(ROUNDS);
    // Here too the fetch finds it, whether the page is known to hold code by then or not.
    expect(walks).toEqual({ toFetch: ROUNDS + 1, toWrite: 0 });
  });

  it('sees a store onto the code itself after many beside it', () => {
    const source = `
      again: inc eax
      mov [${DATA}], eax
      cmp eax, 100
      jb again
      mov byte [patch + 1], 77
      patch: mov bl, 3
      jmp again`;
    const { m } = run(tier, source);
    expect(m.cpu.state.gpr8(3 * 8)).toBe(77);
  });

  it('notes the page as touched', () => {
    const { m } = run(tier, `again: inc eax\nmov [${DATA}], eax\nadd ebx, eax\njmp again`);
    expect(m.engine.touchedPages[PROGRAM >>> 12]).toBe(1);
  });
});
