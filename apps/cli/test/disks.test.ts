/** Which disks a command line asks for, and what becomes of their images. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createQcow2, MemoryStore } from '@smm/block';
import { openStore } from '@smm/files';
import { afterAll, describe, expect, it } from 'vitest';
import { openDisks } from '../src/boot/disks.ts';
import type { Io } from '../src/io.ts';
import { qemuSettings } from '../src/qemu/settings.ts';

const folder = mkdtempSync(join(tmpdir(), 'smm-disks-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const place = (name: string): string => join(folder, name);

/** The settings of disks, as `bus port kind path format flags`. */
function asked(...options: string[]): string[] {
  return qemuSettings(options).disks.map(({ bus, port, kind, image, bootIndex }) =>
    [
      ...[bus, port, kind, image.path, image.format ?? '?'],
      ...[image.readonly ? 'ro' : '', image.snapshot ? 'snapshot' : ''],
      bootIndex === undefined ? '' : `boot${bootIndex}`,
    ]
      .filter((word) => word !== '')
      .join(' '),
  );
}

describe('options', () => {
  it.each([
    [['-hda=x'], ['sata 0 disk x ?']],
    [
      ['-hdb=a,b', '-cdrom=c.iso'],
      ['sata 1 disk a,b ?', 'sata 2 cd c.iso ?'],
    ],
    [['-drive=file=x,format=qcow2'], ['sata 0 disk x qcow2']],
    [
      ['-drive=x', '-drive=if=ide,index=0,file=y'],
      ['sata 0 disk y ?', 'sata 1 disk x ?'],
    ],
    [['-drive=if=ide,media=cdrom,readonly=on,file=x'], ['sata 0 cd x ? ro']],
    [['-drive=if=ide,snapshot=on,format=raw,file=x'], ['sata 0 disk x raw snapshot']],
    [
      ['-drive=if=none,id=d,format=raw,file=x', '-device=ide-hd,drive=d,bootindex=3'],
      ['sata 0 disk x raw boot3'],
    ],
    [['-device=ide-cd,drive=d,bus=ide.4', '-drive=if=none,id=d,file=x'], ['sata 4 cd x ?']],
    [
      [
        '-blockdev=driver=file,node-name=f,filename=x',
        '-blockdev=driver=qcow2,node-name=q,file=f,read-only=on',
        '-device=ide-hd,drive=q',
      ],
      ['sata 0 disk x qcow2 ro'],
    ],
    [
      [
        '-blockdev={"driver":"qcow2","node-name":"q","file":{"driver":"file","filename":"x"}}',
        '-device=ide-hd,drive=q',
      ],
      ['sata 0 disk x qcow2'],
    ],
    [['-drive=if=virtio,file=x'], ['virtio 0 disk x ?']],
  ])('%j', (options, disks) => {
    expect(asked(...options)).toEqual(disks);
  });

  it.each([
    [['-device=ide-hd'], /there is no drive=/],
    [['-device=ide-hd,drive=d'], /there is no drive d/],
    [['-device=ide-hd,drive=d,frobnicate=1', '-drive=if=none,id=d,file=x'], /frobnicate= is not known/],
    [['-device=ide-hd,drive=d,bus=scsi.0', '-drive=if=none,id=d,file=x'], /there is no bus scsi.0/],
    [['-device=ide-hd,drive=d,bus=ide.6', '-drive=if=none,id=d,file=x'], /there is no SATA port 6/],
    [
      ['-device=ide-hd,drive=d', '-device=ide-cd,drive=d', '-drive=if=none,id=d,file=x'],
      /used by another device/,
    ],
    [['-hda=x', '-drive=if=ide,index=0,file=y'], /SATA port 0 has a drive/],
    [['-drive=if=ide,media=tape,file=x'], /media=tape is not known/],
    [['-drive=if=ide,format=raw'], /there is no file=/],
    [['-drive=if=ide,snapshot=perhaps,file=x'], /snapshot=perhaps is neither on nor off/],
  ])('%j is refused', (options, message) => {
    expect(() => asked(...options)).toThrow(message);
  });

  it('a drive that nobody uses is ignored, aloud', () => {
    expect(qemuSettings(['-drive=if=none,id=d,file=x']).ignored[0]!.note).toContain('no device here uses it');
    expect(qemuSettings(['-drive=if=none,id=d,file=x', '-device=ide-hd,drive=d']).ignored).toEqual([]);
  });
});

describe('images', () => {
  const said: string[] = [];
  const open: { close: () => void }[] = [];
  const io = {
    err: (text: string) => said.push(text),
    openStore: (what: string, path: string, options: { readonly: boolean }) => {
      const store = openStore(what, path, options);
      open.push(store);
      return store;
    },
  } as unknown as Io;
  const disks = (...options: string[]) => openDisks(qemuSettings(options), io).map(({ disk }) => disk);
  const closed = (): void =>
    open.splice(0).forEach((store) => {
      store.close();
    });

  it('raw: what the guest writes is in the file at once, unless it is to be kept out', () => {
    writeFileSync(place('raw'), new Uint8Array(2048));
    const [disk] = disks(`-hda=${place('raw')}`);
    disk!.write(512, new Uint8Array(512).fill(7));
    expect(readFileSync(place('raw'))[512]).toBe(7);
    expect(() => disks(`-hda=${place('raw')}`)).toThrow('is writing it');
    expect(() => disks(`-cdrom=${place('raw')}`)).toThrow('is writing it');
    closed();
    for (const options of [
      [`-drive=snapshot=on,file=${place('raw')}`],
      ['-snapshot', `-hda=${place('raw')}`],
    ]) {
      const [kept, second] = [...disks(...options), ...disks(...options)];
      kept!.write(512, new Uint8Array(512).fill(9));
      const bytes = new Uint8Array(512);
      kept!.read(512, bytes);
      expect([bytes[0], readFileSync(place('raw'))[512], second!.sizeBytes]).toEqual([9, 7, 2048]);
      closed();
    }
    const [readonly] = disks(`-drive=readonly=on,file=${place('raw')}`);
    expect([readonly!.readonly, () => readonly!.write(0, new Uint8Array(512))]).toEqual([
      true,
      expect.any(Function),
    ]);
    expect(() => readonly!.write(0, new Uint8Array(512))).toThrow('read-only');
    closed();
  });

  it('qcow2: found by its first bytes, written, and there again', () => {
    const file = new MemoryStore();
    createQcow2(file, { sizeBytes: 2 ** 30 });
    writeFileSync(place('image'), file.bytes);
    const [disk] = disks(`-hda=${place('image')}`);
    disk!.write(2 ** 29, new Uint8Array(512).fill(5));
    disk!.flush();
    closed();
    const [again] = disks(`-drive=format=qcow2,file=${place('image')}`);
    const bytes = new Uint8Array(512);
    again!.read(2 ** 29, bytes);
    expect([bytes[0], again!.sizeBytes]).toEqual([5, 2 ** 30]);
    closed();
    expect(() => disks(`-drive=format=vmdk,file=${place('image')}`)).toThrow('vmdk');
  });

  it('that are not there, or no files, are refused with what to do', () => {
    expect(() => disks(`-hda=${place('nowhere')}`)).toThrow('there is no such file');
    expect(() => disks(`-hda=${folder}`)).toThrow('it is a folder');
    closed();
  });
});
