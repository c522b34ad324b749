import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assemble } from '../src/assemble.ts';
import { type Bits, corpus } from './corpus.ts';
import { rowLines } from './rows.ts';

const haveNasm = spawnSync('nasm', ['-v']).status === 0;
const reason = haveNasm ? '' : ' (skipped: needs nasm)';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'smm-asm-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Bytes and the offset of each line, by real nasm. */
function nasm(source: string): { bytes: Uint8Array; offsets: Map<number, number>; org: number } {
  const input = join(folder, 'in.asm');
  const output = join(folder, 'out.bin');
  const list = join(folder, 'out.lst');
  writeFileSync(input, source);
  execFileSync('nasm', ['-w-all', '-f', 'bin', '-l', list, '-o', output, input], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const offsets = new Map<number, number>();
  for (const line of readFileSync(list, 'latin1').split('\n')) {
    const match = /^ *(\d+) ([0-9A-F]{8}) /.exec(line);
    if (match !== null && !offsets.has(Number(match[1])))
      offsets.set(Number(match[1]), Number.parseInt(match[2] ?? '', 16));
  }
  return { bytes: readFileSync(output), offsets, org: 0 };
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

/** Compares line by line, then everything; returns the number of lines. */
function compare(source: string): number {
  const theirs = nasm(source);
  const ours = assemble(source);
  const different: string[] = [];
  for (const line of ours.listing) {
    const offset = theirs.offsets.get(line.line);
    if (offset === undefined || line.bytes.length === 0) continue;
    const expected = hex(theirs.bytes.subarray(offset, offset + line.bytes.length));
    if (expected !== hex(line.bytes) || offset !== line.offset) {
      different.push(
        `${line.line} ${line.text}: ours ${line.offset}:${hex(line.bytes)} nasm ${offset}:${expected}`,
      );
    }
  }
  expect(different.slice(0, 20)).toEqual([]);
  expect(hex(ours.bytes)).toBe(hex(theirs.bytes));
  return ours.listing.length;
}

describe.skipIf(!haveNasm)(`the same source through nasm${reason}`, () => {
  it.each([16, 32, 64] as const)('gives the same bytes in %d-bit mode', (bits: Bits) => {
    expect(compare(corpus(bits))).toBeGreaterThan(2000);
  });

  it.each([16, 32, 64] as const)(
    'gives the same bytes for every row of the table in %d-bit mode',
    (bits: Bits) => {
      // Each line between two anchors, so that short branches reach.
      const lines = rowLines(bits).flatMap((line) =>
        line.includes('target') ? [line, 'times 3 nop'] : [line],
      );
      const blocks = lines.map((line, index) =>
        line.includes('target') ? `t${index}: ${line.replaceAll('target', `t${index}`)}` : line,
      );
      expect(compare(`bits ${bits}\norg 0x1000\n${blocks.join('\n')}\n`)).toBeGreaterThan(500);
    },
  );
});
