/** Images in memory, and qemu-img as the judge of them. Test code only. */
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { inflateRawSync } from 'node:zlib';
import { inScratch } from '../../../tests/support/qemu.ts';
import { type ByteStore, MemoryStore } from '../src/index.ts';

/** Why qemu-img cannot be asked, for the names of tests; undefined if it can. */
export const missingQemuImg =
  spawnSync('qemu-img', ['--version']).error === undefined ? undefined : '(skipped: needs qemu-img)';

export const inflateRaw = (packed: Uint8Array, sizeBytes: number): Uint8Array =>
  inflateRawSync(packed, { maxOutputLength: sizeBytes });

/** What qemu-img says of an image: corruptions and leaked clusters. */
export function checked(image: Uint8Array, backing?: Uint8Array): { corruptions: number; leaks: number } {
  return inScratch((path) => {
    writeFileSync(path('image'), image);
    if (backing !== undefined) writeFileSync(path('below'), backing);
    const { stdout, stderr, status } = spawnSync(
      'qemu-img',
      ['check', '-f', 'qcow2', '--output=json', path('image')],
      { encoding: 'utf8' },
    );
    if (status === null || status === 1) throw new Error(`qemu-img check: ${stderr}`);
    const { corruptions = 0, leaks = 0 } = JSON.parse(stdout) as { corruptions?: number; leaks?: number };
    return { corruptions, leaks };
  });
}

/** What qemu-img reads from an image; `backing`: the image that it lies over is put where its header says. */
export function converted(image: Uint8Array, backing?: Uint8Array): Uint8Array {
  return inScratch((path) => {
    writeFileSync(path('image'), image);
    if (backing !== undefined) writeFileSync(path('below'), backing);
    execFileSync('qemu-img', ['convert', '-f', 'qcow2', '-O', 'raw', path('image'), path('raw')]);
    return new Uint8Array(readFileSync(path('raw')));
  });
}

/** An image that qemu-img made: `make` gets the place of it and of `below`, a raw image that holds `bytes`. */
export function madeByQemu(
  bytes: Uint8Array,
  make: (run: (...args: string[]) => void, path: (name: string) => string) => void,
): MemoryStore {
  return inScratch((path) => {
    writeFileSync(path('below'), bytes);
    make((...args) => void execFileSync('qemu-img', args, { cwd: path('.'), stdio: 'pipe' }), path);
    return new MemoryStore(readFileSync(path('image')));
  });
}

/** A store that a loss of power hits: what was written after the last flush is on the disk, or not, write by write. */
export class PowerStore implements ByteStore {
  readonly readonly = false;
  /** Every write and flush, in order. */
  readonly log: ({ readonly at: number; readonly bytes: Uint8Array } | 'flush')[] = [];
  readonly #begun: Uint8Array;
  readonly #live: MemoryStore;

  constructor(bytes: Uint8Array) {
    this.#begun = bytes;
    this.#live = new MemoryStore(bytes);
  }

  get sizeBytes(): number {
    return this.#live.sizeBytes;
  }

  read(at: number, into: Uint8Array): void {
    this.#live.read(at, into);
  }

  write(at: number, bytes: Uint8Array): void {
    this.#live.write(at, bytes);
    this.log.push({ at, bytes: bytes.slice() });
  }

  flush(): void {
    this.log.push('flush');
  }

  /** What is on the disk if power goes after `count` of the log; `kept`: which writes since a flush got there. */
  afterLoss(count: number, kept: (index: number) => boolean): Uint8Array {
    const disk = new MemoryStore(this.#begun);
    const flushed = this.log.lastIndexOf('flush', count - 1);
    this.log.slice(0, count).forEach((each, i) => {
      if (each !== 'flush' && (i < flushed || kept(i))) disk.write(each.at, each.bytes);
    });
    return disk.bytes;
  }
}
