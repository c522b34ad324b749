/** What is read: files and pipes, of a size that makes sense. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openRandom, readBounded, readPieces } from '../src/input.ts';
import { firstLine, scratch, start } from './support.ts';

const folder = scratch();
writeFileSync(join(folder, 'nine'), '123456789');
mkdirSync(join(folder, 'folder'));

it('a file up to the limit', () => {
  expect(new TextDecoder().decode(readBounded('the ROM', join(folder, 'nine'), 9))).toBe('123456789');
});

it.each([
  [join(folder, 'nine'), /cannot read the ROM .*nine: it has 9 bytes/],
  [join(folder, 'absent'), /there is no such file/],
  [join(folder, 'folder'), /it is a folder/],
  ['/dev/zero', /cannot read the ROM \/dev\/zero: it is a device and has no size/],
  ['/dev/null', /it is a device and has no size/],
])('%s beyond it is refused', (path, message) => {
  expect(() => readBounded('the ROM', path, 8)).toThrow(message);
});

it('an endless pipe is refused when it is too much, a slow one is waited for', async () => {
  const pipe = join(folder, 'pipe');
  spawnSync('mkfifo', [pipe]);
  const read = `try { console.log(files.readBounded('it', path, 5).length); } catch (error) { console.log(error.message); }`;
  for (const [feed, said] of [
    [`sleep 0.2; printf ab; sleep 0.2; printf cd`, '4'],
    [`yes`, `cannot read it ${pipe}: it has more than 5 bytes`],
  ] as const) {
    const line = firstLine(start(read, pipe));
    spawnSync('sh', ['-c', `(${feed}) > "$0"`, pipe], { timeout: 300_000 });
    expect(await line).toBe(said);
  }
});

it('reads piece by piece, each a part of the file', () => {
  const path = join(folder, 'long');
  const content = Buffer.from('0123456789'.repeat(50_000));
  writeFileSync(path, content);
  const pieces = [...readPieces('the trace', path)];
  expect(pieces.length).toBeGreaterThan(4);
  expect(Buffer.concat(pieces).equals(content)).toBe(true);
  expect(() => [...readPieces('the trace', join(folder, 'none'))]).toThrow(/cannot read the trace .*none/);
});

it('reads at any place, up to the end', () => {
  const file = openRandom('the trace', join(folder, 'nine'));
  const text = (offset: number, length: number): string =>
    new TextDecoder().decode(file?.read(offset, length) ?? new Uint8Array());
  expect([file?.size, text(3, 2), text(0, 1), text(7, 9), text(20, 1)]).toEqual([9, '45', '1', '89', '']);
  file?.close();
  expect(openRandom('the trace', '/dev/null')).toBeUndefined();
  expect(() => openRandom('the trace', join(folder, 'none'))).toThrow(/cannot read the trace .*none/);
});
