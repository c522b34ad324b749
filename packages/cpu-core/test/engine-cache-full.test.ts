/**
 * More code than the op cache holds: it is emptied over and over, in the middle of jumps, calls and other processors'
 * turns.
 */

import { expect, test } from 'vitest';
import { CORE_SIZE } from '../src/engine/core.ts';
import type { TierName } from '../src/engine/engine.ts';
import { stateHash } from '../src/engine/state-hash.ts';
import { assemble } from './support/assemble.ts';
import { FlatMachine } from './support/flat-machine.ts';

const BLOCKS = 1500;

/** Blocks that call, jump on conditions and hash, spread over pages; the chain is run three times. */
function source(): string {
  const lines = ['xor eax, eax', 'mov edi, 3', 'again:'];
  for (let i = 0; i < BLOCKS; i++) {
    lines.push(`b${i}:`, `imul eax, eax, ${(i * 2 + 3) % 97}`, `add eax, ${i}`, 'test al, 4', `jz skip${i}`);
    lines.push('xor eax, 0x5a5a5a5a', `call sub${i % 7}`, `skip${i}:`, `jmp b${i + 1}`);
    if (i % 40 === 0) lines.push('times 600 nop');
  }
  lines.push(`b${BLOCKS}:`, 'dec edi', 'jnz again', 'stop: jmp stop');
  for (let i = 0; i < 7; i++) lines.push(`sub${i}:`, `rol eax, ${i + 1}`, `add eax, ${i * 11}`, 'ret');
  return lines.join('\n');
}

test('an op cache that is emptied again and again changes nothing', () => {
  const code = assemble(source(), { bits: 32, org: 0x1_0000 });
  const run = (tier: TierName, cache: number): string[] => {
    const m = new FlatMachine({ tier, cache, processors: 2 });
    m.load(0x1_0000, code);
    for (const cpu of m.cpus) m.start(32, 0x1_0000, cpu.index === 0 ? 0x8000 : 0x9000, cpu);
    const hashes: string[] = [];
    for (let slice = 0; slice < 60; slice++) {
      for (const cpu of m.cpus) {
        cpu.run(slice % 2 ? 911 : 557);
        hashes.push(stateHash(cpu));
      }
    }
    return hashes;
  };
  const reference = run('evaluator', 8 << 20);
  expect(run('interpreter', 8 << 20)).toEqual(reference);
  expect(run('interpreter', 2 * CORE_SIZE + 120 * 1024)).toEqual(reference);
});
