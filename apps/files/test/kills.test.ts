/**
 * Killed at any moment, two writers at a time: the file is the old image or the new one, and nothing is in the next
 * run's way.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { claimOutput } from '../src/output.ts';
import { ended, FULL, firstLine, scratch, start } from './support.ts';

const KILLS = FULL ? 100 : 5;
const BYTES = 0x8_0000;

/** Writes images of one byte each, one after another, for ever. */
const WRITER = `
const output = files.claimOutput('the variables', path);
for (let byte = 1; ; byte = (byte % 255) + 1) {
  output.replace(new Uint8Array(${BYTES}).fill(byte));
  if (byte === 1) console.log('writing');
}`;

it(
  `${KILLS} kills at odd moments leave whole images, and each next run begins at once`,
  async () => {
    const folder = scratch();
    const path = join(folder, 'VARS.fd');
    for (let kill = 0; kill < KILLS; kill++) {
      const child = start(WRITER, path);
      expect(await firstLine(child), `run ${kill} begins`).toBe('writing');
      const second =
        kill % 10 === 0
          ? await firstLine(start(`files.claimOutput('x', path); console.log('both')`, path))
          : '';
      expect(second, 'a second writer is refused').toBe('');
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 20));
      child.kill('SIGKILL');
      await ended(child);
      const image = readFileSync(path);
      expect(image.length).toBe(BYTES);
      expect(new Set(image).size, 'one image, not parts of two').toBe(1);
    }
    claimOutput('the variables', path).release();
    expect(readdirSync(folder)).toEqual(['VARS.fd']);
  },
  60_000 + KILLS * 1000,
);
