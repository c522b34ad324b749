/** Opens the disks of a boot, and closes them with everything that was written on the disk. */
import { dirname, isAbsolute, resolve } from 'node:path';
import { inflateRawSync } from 'node:zlib';
import { type ByteStore, DirectDisk, OverlayDisk, openImage } from '@smm/block';
import type { BootDisk } from '@smm/machine';
import type { Io } from '../io.ts';
import type { DiskSetting } from '../qemu/disks.ts';
import type { QemuSettings } from '../qemu/settings.ts';
import { oneOf } from '../qemu-values.ts';
import { UsageError } from '../usage-error.ts';

/** Images over images over images. */
const DEEPEST_CHAIN = 32;

/** The disks. Throws `UsageError`, and what opening an image throws. */
export function openDisks({ disks, snapshot }: QemuSettings, io: Io): BootDisk[] {
  return disks.map((setting) => {
    const { bus, port, kind, serial, model, bootIndex, slot } = setting;
    return {
      ...(bus === 'sata' ? { bus, port, kind } : { bus, ...(slot !== undefined && { slot }) }),
      disk: openDisk(setting, snapshot, io),
      ...(serial !== undefined && { serial }),
      ...(model !== undefined && { model }),
      ...(bootIndex !== undefined && { bootIndex }),
      failed: once((message) => io.err(`\r\n${setting.image.path}: ${message}. The guest was told.\r\n`)),
    };
  });
}

function openDisk({ where, kind, image }: DiskSetting, snapshotAll: boolean, io: Io): BootDisk['disk'] {
  const { path, format } = image;
  const known = format === undefined ? undefined : oneOf(`${where}: format=`, format, ['raw', 'qcow2']);
  const overlay = (snapshotAll || image.snapshot) && !image.readonly && kind === 'disk';
  const readonly = image.readonly || overlay || kind === 'cd';
  const store = openChain({ path, format: known, readonly, depth: 0 }, io);
  return overlay ? new OverlayDisk(store) : new DirectDisk(store);
}

/** An image of a chain. */
export interface Link {
  /** Its file. */
  readonly path: string;
  /** Undefined: by its first bytes. */
  readonly format: 'raw' | 'qcow2' | undefined;
  /** It is only read. */
  readonly readonly: boolean;
  /** Images above it. */
  readonly depth: number;
}

/** An image and those below it, which are only read; their names count from the image that names them. */
function openChain(link: Link, io: Io): ByteStore {
  return openOver(io.openStore('the disk image', link.path, { readonly: link.readonly }), link, io);
}

/** The same of a file that is open. */
export function openOver(file: ByteStore, { path, format, readonly, depth }: Link, io: Io): ByteStore {
  if (depth > DEEPEST_CHAIN)
    throw new UsageError(
      `${path}: more than ${DEEPEST_CHAIN} images lie over each other`,
      'Merge some: qemu-img rebase.',
    );
  return openImage(file, {
    readonly,
    ...(format !== undefined && { format }),
    inflateRaw: (packed, sizeBytes) => inflateRawSync(packed, { maxOutputLength: sizeBytes }),
    openBacking: (name, below) => {
      const file = name.replace(/^file:/, '');
      const known =
        below === undefined
          ? undefined
          : oneOf(`${path}: format of the image below`, below, ['raw', 'qcow2']);
      const at = isAbsolute(file) ? file : resolve(dirname(path), file);
      return openChain({ path: at, format: known, readonly: true, depth: depth + 1 }, io);
    },
  });
}

/** Passes each message on the first time. */
function once(say: (message: string) => void): (error: Error) => void {
  const said = new Set<string>();
  return ({ message }) => {
    if (said.has(message)) return;
    said.add(message);
    say(message);
  };
}
