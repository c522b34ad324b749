/**
 * Pages of code are remembered until translations are dropped, so that nobody walks for them twice; but not so many
 * that a guest fills the host's memory.
 */
import { describe, expect, it } from 'vitest';
import { sized } from '../../../tests/support/form.ts';
import type { TierName } from '../src/engine/engine.ts';
import { Interpreter } from '../src/engine/wasm/interpreter.ts';
import { ACCESS_EXEC } from '../src/ports.ts';
import { assemble } from './support/assemble.ts';
import { FlatMachine } from './support/flat-machine.ts';

const INTERPRETER = new Interpreter();
const PROGRAM = 0x1000;

/**
 * How often the first of `pages` linear pages, all of them the same memory, is asked for while each of them is
 * executed, twice.
 */
function walksOfFirst(tier: TierName, pages: number): number {
  const m = new FlatMachine({ tier, interpreter: INTERPRETER, ram: 1 << 16, cache: 1 << 20 });
  let walks = 0;
  m.map = (page, { access }) => {
    if (access === ACCESS_EXEC && page === PROGRAM) walks++;
    return PROGRAM;
  };
  const source = `add eax, 0x1000
    cmp eax, ${PROGRAM + pages * 0x1000}
    jb go
    mov eax, ${PROGRAM}
    go: jmp eax`;
  m.load(PROGRAM, assemble(source, { bits: 32, org: PROGRAM }));
  m.start(32, PROGRAM);
  m.cpu.state.setGpr32(0, PROGRAM);
  m.cpu.run(pages * 4 * 2);
  return walks;
}

const TIERS = sized<readonly TierName[]>(
  ['evaluator', 'interpreter'],
  ['evaluator', 'interpreter', 'translator'],
);

describe.each(TIERS)('%s', (tier) => {
  it('remembers as many pages as a large program has', () => {
    expect(walksOfFirst(tier, 5_000)).toBe(1);
  });

  it('forgets pages of a guest that executes ever others', () => {
    expect(walksOfFirst(tier, 70_000)).toBe(2);
  });
});
