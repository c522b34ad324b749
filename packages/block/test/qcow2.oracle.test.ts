/** qcow2 images that qemu-img made are read and written here; qemu-img reads them back and finds no fault in them. */
import { writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { sized } from '../../../tests/support/form.ts';
import { createQcow2, MemoryStore, openImage } from '../src/index.ts';
import { checked, converted, inflateRaw, madeByQemu, missingQemuImg, PowerStore } from './support.ts';

vi.setConfig({ testTimeout: 60_000 }); // dozens of processes on a loaded host

const SIZE = 3 * 2 ** 20 + 512;
const runs = sized(3, 40);

/** Bytes in which every place can be told from every other, and some stretches are zeros. */
const content = Uint8Array.from({ length: SIZE }, (_, i) =>
  i % 0x3_0000 < 0x1_0000 ? 0 : (Math.imul(i >>> 4, 0x9e37_79b1) >>> 24) | 1,
);

interface Kind {
  readonly name: string;
  /** Options of `qemu-img create -o`, or of `convert` where it begins with the content. */
  readonly options: string;
  readonly begins: 'empty' | 'full' | 'compressed' | 'over' | 'snapshot';
}

const KINDS: readonly Kind[] = [
  { name: 'empty', options: 'cluster_size=64k', begins: 'empty' },
  { name: 'version 2', options: 'compat=0.10', begins: 'full' },
  { name: 'the smallest clusters', options: 'cluster_size=512', begins: 'full' },
  { name: 'the largest clusters', options: 'cluster_size=2M', begins: 'full' },
  { name: 'counts of one bit', options: 'cluster_size=4k,refcount_bits=1', begins: 'full' },
  { name: 'counts of four bits', options: 'cluster_size=1k,refcount_bits=4', begins: 'empty' },
  { name: 'counts of 64 bits', options: 'cluster_size=512,refcount_bits=64', begins: 'empty' },
  { name: 'tables in advance', options: 'preallocation=metadata,cluster_size=4k', begins: 'empty' },
  { name: 'compressed', options: 'cluster_size=16k', begins: 'compressed' },
  { name: 'over a raw image', options: 'cluster_size=8k', begins: 'over' },
  { name: 'with a snapshot inside', options: 'cluster_size=8k', begins: 'snapshot' },
];

function make({ options, begins }: Kind): MemoryStore {
  return madeByQemu(content, (run, path) => {
    const image = path('image');
    if (begins === 'empty') run('create', '-q', '-f', 'qcow2', '-o', options, image, `${SIZE}`);
    else if (begins === 'over') {
      run('create', '-q', '-f', 'qcow2', '-o', options, '-b', 'below', '-F', 'raw', image);
    } else {
      const packed = begins === 'compressed' ? ['-c'] : [];
      run('convert', '-f', 'raw', '-O', 'qcow2', ...packed, '-o', options, path('below'), image);
      if (begins === 'snapshot') run('snapshot', '-c', 'before', image);
    }
  });
}

const write = fc.record({
  at: fc.nat({ max: SIZE / 512 - 1 }).map((sector) => sector * 512),
  length: fc.constantFrom(512, 512, 4096, 0x1_0200),
  value: fc.nat({ max: 255 }),
});
const step = fc.oneof(
  { weight: 8, arbitrary: write },
  { weight: 1, arbitrary: fc.constantFrom('flush', 'open again') },
);

describe.skipIf(missingQemuImg !== undefined)(`qcow2 as qemu-img has it ${missingQemuImg ?? ''}`, () => {
  it.each(KINDS)('$name: reads what qemu-img wrote, and qemu-img what was written', (kind) => {
    const original = make(kind).bytes;
    const over = kind.begins === 'over';
    const options = {
      inflateRaw,
      ...(over && { openBacking: () => new MemoryStore(content) }),
    };
    const first = openImage(new MemoryStore(original), { ...options, readonly: true });
    const all = new Uint8Array(SIZE);
    first.read(0, all);
    expect(first.sizeBytes).toBe(SIZE);
    expect(Buffer.compare(all, kind.begins === 'empty' ? new Uint8Array(SIZE) : content)).toBe(0);
    fc.assert(
      fc.property(fc.array(step, { minLength: 5, maxLength: 60 }), (steps) => {
        const expected = all.slice();
        const file = new MemoryStore(original);
        let disk = openImage(file, options);
        for (const each of steps) {
          if (each === 'flush') disk.flush();
          else if (each === 'open again') {
            disk.flush();
            disk = openImage(file, options);
          } else {
            const bytes = new Uint8Array(Math.min(each.length, SIZE - each.at)).fill(each.value);
            disk.write(each.at, bytes);
            expected.set(bytes, each.at);
          }
        }
        const here = new Uint8Array(SIZE);
        disk.read(0, here);
        expect(Buffer.compare(here, expected)).toBe(0);
        disk.flush();
        const below = over ? content : undefined;
        expect(checked(file.bytes, below)).toEqual({ corruptions: 0, leaks: 0 });
        expect(Buffer.compare(converted(file.bytes, below), expected)).toBe(0);
      }),
      { numRuns: runs },
    );
  });

  it('a snapshot inside stays what it was', () => {
    const file = make(KINDS.find(({ begins }) => begins === 'snapshot')!);
    const disk = openImage(file);
    for (let at = 0; at < SIZE; at += 0x5000) disk.write(at, Uint8Array.of(1, 2, 3));
    disk.flush();
    const back = madeByQemu(new Uint8Array(0), (run, path) => {
      writeFileSync(path('image'), file.bytes);
      run('snapshot', '-a', 'before', path('image'));
    });
    expect(Buffer.compare(converted(back.bytes), content)).toBe(0);
  });

  it.each([9, 12, 16, 21])(
    'an image made here with clusters of 2^%i bytes is sound, empty and full',
    (bits) => {
      const file = new MemoryStore();
      createQcow2(file, { sizeBytes: SIZE, clusterBits: bits });
      expect(checked(file.bytes)).toEqual({ corruptions: 0, leaks: 0 });
      const disk = openImage(file);
      disk.write(0, content);
      disk.flush();
      expect(checked(file.bytes)).toEqual({ corruptions: 0, leaks: 0 });
      expect(Buffer.compare(converted(file.bytes), content)).toBe(0);
    },
  );

  it('a loss of power leaves a sound image with all that was flushed', () => {
    const kinds = KINDS.filter(({ begins }) => begins !== 'over');
    const originals = new Map(kinds.map((kind) => [kind, make(kind).bytes]));
    const course = fc.record({
      kind: fc.constantFrom(...kinds),
      steps: fc.array(step, { minLength: 5, maxLength: 40 }),
      kept: fc.array(fc.boolean(), { minLength: 32, maxLength: 32 }),
      moment: fc.nat({ max: 1e6 }),
    });
    fc.assert(
      fc.property(course, ({ kind, steps, kept, moment }) => {
        const file = new PowerStore(originals.get(kind)!);
        const disk = openImage(file, { inflateRaw });
        const safe = new Uint8Array(SIZE);
        disk.read(0, safe);
        const done: { at: number; bytes: Uint8Array; begun: number; flushed: number }[] = [];
        for (const each of steps) {
          const begun = file.log.length;
          if (typeof each === 'string') {
            disk.flush();
            for (const write of done) write.flushed = Math.min(write.flushed, file.log.length);
          } else {
            const bytes = new Uint8Array(Math.min(each.length, SIZE - each.at)).fill(each.value);
            disk.write(each.at, bytes);
            done.push({ at: each.at, bytes, begun, flushed: Number.POSITIVE_INFINITY });
          }
        }
        // Right before a flush most can be lost; half of the losses are there.
        disk.flush();
        const flushes = file.log.flatMap((each, i) => (each === 'flush' ? [i] : []));
        const count =
          moment % 2 === 0 ? flushes[(moment / 2) % flushes.length]! : moment % (file.log.length + 1);
        for (const { at, bytes, flushed } of done) if (flushed <= count) safe.set(bytes, at);
        const since = done.filter(({ begun, flushed }) => begun < count && flushed > count);
        const left = file.afterLoss(count, (i) => kept[i % kept.length]!);
        expect(checked(left).corruptions).toBe(0);
        const found = new Uint8Array(SIZE);
        openImage(new MemoryStore(left), { inflateRaw, readonly: true }).read(0, found);
        const may = (i: number, byte: number): boolean =>
          safe[i] === byte ||
          since.some(({ at, bytes }) => i >= at && i < at + bytes.length && bytes[i - at] === byte);
        expect(found.findIndex((byte, i) => !may(i, byte))).toBe(-1);
      }),
      { numRuns: sized(80, 600) },
    );
  });
});
