/** qcow2 flash images: what qemu-img makes is read, what is written back is what qemu-img finds sound. */
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openStore, readBounded } from '@smm/files';
import { describe, expect, it } from 'vitest';
import { newFlashFile, readFlashImage } from '../src/boot/flash-image.ts';
import type { Io } from '../src/io.ts';
import { flashDrives, type ImageOptions } from '../src/qemu/flash.ts';
import { cli, scratch } from './support.ts';

const SIZE = 528 * 1024;
const io = { readFile: readBounded, openStore } as Partial<Io> as Io;
const hasQemuImg = spawnSync('qemu-img', ['--version']).status === 0;

/** A variable store: a header, and erased flash. */
function store(): Uint8Array {
  const bytes = new Uint8Array(SIZE).fill(0xff);
  for (let i = 0; i < 20_000; i++) bytes[i] = (i * 31 + (i >> 5)) & 0xff;
  return bytes;
}

describe.skipIf(!hasQemuImg)(`images of qemu-img ${hasQemuImg ? '' : '(skipped: not installed)'}`, () => {
  const img = (...args: string[]): string => execFileSync('qemu-img', args, { encoding: 'utf8' });

  it.each([
    ['plain', []],
    ['compressed', ['-c']],
    ['of version 2, with small clusters', ['-o', 'compat=0.10,cluster_size=4096']],
  ] as const)('%s: read, changed and written back', (_what, options) => {
    const folder = scratch();
    const [raw, path, again] = ['vars.fd', 'vars.qcow2', 'again.fd'].map((name) => join(folder, name));
    writeFileSync(raw!, store());
    img('convert', '-f', 'raw', '-O', 'qcow2', ...options, raw!, path!);
    for (const format of [undefined, 'qcow2'] as const) {
      const image = readFlashImage('the variable store', path!, format, io);
      expect(Buffer.from(image.bytes).equals(store())).toBe(true);
      const changed = store();
      changed.fill(0x5a, 0x1_0000, 0x1_1234);
      changed[SIZE - 1] = 0;
      writeFileSync(path!, image.fileOf(changed));
      expect(img('check', path!)).toContain('No errors');
      img('convert', '-O', 'raw', path!, again!);
      expect(readFileSync(again!).equals(changed)).toBe(true);
      writeFileSync(path!, image.fileOf(store())); // the second change is of the file as it was read
    }
    expect(readFlashImage('the variable store', path!, 'raw', io).bytes.length).not.toBe(SIZE);
  });

  it('over others, which stay as they are', () => {
    const folder = scratch();
    writeFileSync(join(folder, 'template.fd'), store());
    img('create', '-q', '-f', 'qcow2', '-b', 'template.fd', '-F', 'raw', join(folder, 'one.qcow2'));
    img('create', '-q', '-f', 'qcow2', '-b', 'one.qcow2', '-F', 'qcow2', join(folder, 'two.qcow2'));
    const two = join(folder, 'two.qcow2');
    const image = readFlashImage('the variable store', two, undefined, io);
    const changed = store();
    changed[77] = 0;
    writeFileSync(two, image.fileOf(changed));
    img('convert', '-O', 'raw', two, join(folder, 'again.fd'));
    expect(readFileSync(join(folder, 'again.fd')).equals(changed)).toBe(true);
    expect(readFileSync(join(folder, 'template.fd')).equals(store())).toBe(true);
  });

  it('a new file is qcow2 where its name says so', () => {
    const path = join(scratch(), 'new.qcow2');
    writeFileSync(path, newFlashFile(path, store()));
    expect(img('check', path)).toContain('No errors');
    expect(Buffer.from(readFlashImage('it', path, undefined, io).bytes).equals(store())).toBe(true);
    expect(newFlashFile('new.fd', store())).toEqual(store());
  });

  it('smm boot takes them, and says what is none', async () => {
    const folder = scratch();
    const [code, vars, other] = ['code.qcow2', 'vars.qcow2', 'code.vmdk'].map((name) => join(folder, name));
    writeFileSync(join(folder, 'code.fd'), new Uint8Array(0x1_0000).fill(0xf4));
    img('convert', '-f', 'raw', '-O', 'qcow2', join(folder, 'code.fd'), code!);
    img('convert', '-f', 'raw', '-O', 'vmdk', join(folder, 'code.fd'), other!);
    img('create', '-q', '-f', 'qcow2', vars!, '64k');
    const drives = (format: string, file: string): string[] => [
      ...['-drive', `if=pflash,unit=0,readonly=on${format},file=${file}`],
      ...['-drive', `if=pflash,unit=1${format},file=${vars}`],
    ];
    for (const format of ['', ',format=qcow2']) {
      const { err } = await cli([
        'boot',
        ...drives(format, code!),
        '--until',
        'shell',
        '--budget',
        '1000000',
      ]);
      expect(err).toMatch(/^idle: every processor is halted/m); // F4h is HLT: this code has run
    }
    const { code: exit, err } = await cli(['boot', ...drives('', other!), '--until', 'shell']);
    expect(exit).toBe(2);
    expect(err).toMatch(/vmdk/);
  });
});

describe('formats on the command line', () => {
  const formats = (options: Partial<ImageOptions>): (string | undefined)[] =>
    flashDrives({ drives: [], blockdevs: [], machine: new Map(), ...options }).map(({ format }) => format);

  it.each([
    ['if=pflash,file=x', undefined],
    ['if=pflash,format=raw,file=x', 'raw'],
    ['if=pflash,format=qcow2,file=x', 'qcow2'],
    ['if=pflash,driver=qcow2,file.driver=file,file.filename=x', 'qcow2'],
  ])('-drive %s: %s', (drive, format) => {
    expect(formats({ drives: [drive] })).toEqual([format]);
  });

  it.each([
    [['driver=file,filename=x,node-name=n'], 'raw'],
    [['driver=file,filename=x,node-name=f', 'driver=qcow2,file=f,node-name=n'], 'qcow2'],
    [['{"driver":"qcow2","node-name":"n","file":{"driver":"file","filename":"x"}}'], 'qcow2'],
  ])('-blockdev %j: %s', (blockdevs, format) => {
    expect(formats({ blockdevs, machine: new Map([[0, 'n']]) })).toEqual([format]);
  });
});
