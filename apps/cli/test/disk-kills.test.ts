/**
 * Killed at any moment while it writes a disk: what was flushed is on it, the rest is there or not sector by sector,
 * and a qcow2 image has no fault but clusters that nobody uses.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createQcow2, MemoryStore, openImage } from '@smm/block';
import { afterAll, describe, expect, it } from 'vitest';
import { sized } from '../../../tests/support/form.ts';

const KILLS = sized(4, 100);
const SECTORS = 4096;
const built = (path: string): string =>
  fileURLToPath(new URL(`../../../${path}/dist/index.js`, import.meta.url));
const missing =
  spawnSync('qemu-img', ['--version']).error === undefined ? undefined : '(skipped: needs qemu-img)';
const folder = mkdtempSync(join(tmpdir(), 'smm-kills-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Fills sectors far apart with a number that grows, for ever; prints it each time that all of it is on the disk. */
const WRITER = `
const store = files.openStore('the disk image', path, { readonly: false });
const disk = block.openImage(store);
const round = new DataView(new ArrayBuffer(512));
for (let n = 1; ; n++) {
  for (let i = 0; i < 512; i += 4) round.setUint32(i, n, true);
  for (let k = 0; k < 16; k++) disk.write(512 * ((k * 257 + n * 31) % ${SECTORS}), new Uint8Array(round.buffer));
  disk.flush();
  console.log(n);
}`;

function start(path: string): ChildProcess {
  const [files, block] = [built('apps/files'), built('packages/block')];
  for (const file of [files, block])
    if (!existsSync(file)) throw new Error(`${file} is not built: run npm run build first`);
  const imports = `import * as files from ${JSON.stringify(files)};\nimport * as block from ${JSON.stringify(block)};`;
  const code = `${imports}\nconst path = process.argv[1];\n${WRITER}`;
  return spawn(process.execPath, ['--input-type=module', '-e', code, path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

/** Runs a writer until it is killed; the last number that it printed. */
async function killed(path: string, afterMs: number): Promise<number> {
  const child = start(path);
  let text = '';
  const begun = new Promise<void>((resolve) => {
    child.stdout!.on('data', (data: Buffer) => {
      text += data.toString();
      resolve();
    });
    child.on('exit', () => resolve());
  });
  await begun;
  await new Promise((resolve) => setTimeout(resolve, afterMs));
  const gone = new Promise<void>((resolve) => child.on('close', () => resolve()));
  child.kill('SIGKILL');
  await gone;
  return Number(text.trim().split('\n').at(-1));
}

describe.skipIf(missing !== undefined)(`${KILLS} kills ${missing ?? ''}`, () => {
  it.each(['raw', 'qcow2'] as const)(
    'of a writer of %s',
    async (format) => {
      const path = join(folder, format);
      const fresh = new MemoryStore(format === 'raw' ? new Uint8Array(512 * SECTORS) : new Uint8Array(0));
      if (format === 'qcow2') createQcow2(fresh, { sizeBytes: 512 * SECTORS, clusterBits: 9 });
      for (let kill = 0; kill < KILLS; kill++) {
        writeFileSync(path, fresh.bytes);
        const flushed = await killed(path, (kill * 7919) % 40);
        expect(flushed).toBeGreaterThan(0);
        if (format === 'qcow2') {
          const { stdout, stderr } = spawnSync('qemu-img', ['check', '--output=json', path], {
            encoding: 'utf8',
          });
          const found = JSON.parse(stdout || `{"error": ${JSON.stringify(stderr)}}`) as {
            corruptions?: number;
          };
          expect({ ...found, corruptions: found.corruptions ?? 0 }).toMatchObject({ corruptions: 0 });
        }
        const disk = openImage(new MemoryStore(readFileSync(path)), { readonly: true, format });
        const sector = new Uint8Array(512);
        const words = new Uint32Array(sector.buffer);
        for (let at = 0; at < SECTORS; at++) {
          disk.read(512 * at, sector);
          const round = words[0]!;
          expect(
            words.every((word) => word === round),
            `sector ${at} is of one round`,
          ).toBe(true);
          // The last flushed round that wrote this sector, or the one that was at work.
          expect(round === flushed + 1 || round === latest(at, flushed), `sector ${at}: ${round}`).toBe(true);
        }
      }
    },
    60_000 + KILLS * 5000,
  );
});

/** The last round up to `flushed` that wrote a sector; 0: none. */
function latest(sector: number, flushed: number): number {
  for (let n = flushed; n > 0; n--)
    for (let k = 0; k < 16; k++) if ((k * 257 + n * 31) % SECTORS === sector) return n;
  return 0;
}
