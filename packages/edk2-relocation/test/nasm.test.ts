import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assemble } from '@smm/asm';
import { describe, expect, it } from 'vitest';
import { COMMON_SYMBOLS } from '../src/layout.ts';
import { dxeImage } from '../src/source/dxe.ts';
import { smmImage } from '../src/source/pi-smm-cpu.ts';
import { TILE_SIZE_2024 } from '../src/tiles.ts';
import type { FirmwareQuirk, FirmwareVariant } from '../src/variant.ts';

const haveNasm = spawnSync('nasm', ['-v']).status === 0;
const reason = haveNasm ? '' : ' (skipped: needs nasm)';

function nasm(source: string): Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'smm-fw-'));
  try {
    writeFileSync(join(folder, 'in.asm'), source);
    execFileSync('nasm', ['-w-all', '-f', 'bin', '-o', 'out.bin', 'in.asm'], { cwd: folder });
    return readFileSync(join(folder, 'out.bin'));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function variant(
  bitness: 32 | 64,
  shape: '2015' | '2024',
  quirks: readonly FirmwareQuirk[],
): FirmwareVariant {
  return {
    bitness,
    shape,
    waitForRebased: true,
    tsegMb: 8,
    gatherPolls: 0x1000,
    s3: quirks.includes('Q11'),
    has: (quirk) => quirks.includes(quirk),
  };
}

describe.skipIf(!haveNasm)(`the firmware sources through real nasm${reason}`, () => {
  const symbols = { ...COMMON_SYMBOLS, TILE_SIZE: TILE_SIZE_2024 };
  const prelude = Object.entries(symbols).map(([name, value]) => `${name} equ ${value}`);
  it.each([
    [32, '2015', []],
    [64, '2015', []],
    [32, '2024', []],
    [64, '2024', []],
    [32, '2015', ['Q5', 'Q6', 'Q7', 'Q8', 'Q9', 'Q11', 'Q24']],
    [64, '2015', ['Q11']],
    [64, '2024', ['Q5', 'Q6', 'Q7', 'Q8', 'Q24', 'Q25']],
  ] as const)('give the same bytes: %d-bit, %s, quirks %j', (bitness, shape, quirks) => {
    const chosen = variant(bitness, shape, quirks);
    for (const source of [smmImage(chosen), dxeImage(chosen)]) {
      const theirs = nasm(`org 0x7ffd2000\n${prelude.join('\n')}\n${source}`);
      const ours = assemble(source, { org: 0x7ffd2000, symbols });
      expect(Buffer.from(ours.bytes).toString('hex')).toBe(theirs.toString('hex'));
    }
  });
});
