/** Which files are the two flash chips, by `-drive`, `-pflash`, `-blockdev` and `-machine pflash0=`. */

import { wholeNumber } from '../qemu-values.ts';
import { UsageError } from '../usage-error.ts';
import { isOn, type KeyValues, keyValues } from './keyval.ts';

/** A flash chip's file. */
export interface PflashDrive {
  /** 0 is the code, 1 the variables. */
  readonly unit: number;
  /** The file. */
  readonly path: string;
  /** What the guest writes does not reach the file. */
  readonly readonly: boolean;
}

/** What the options say about images. */
export interface ImageOptions {
  /** Values of `-drive`, of flash (`if=pflash`) and of nobody yet (`if=none`). */
  readonly drives: readonly string[];
  /** Values of `-blockdev`. */
  readonly blockdevs: readonly string[];
  /** Ids by unit, from `-machine pflash0=`. */
  readonly machine: ReadonlyMap<number, string>;
}

const ADVICE =
  'Write -drive if=pflash,format=raw,unit=0,readonly=on,file=CODE and the same with unit=1 for the variables.';
const UNITS = 2;

/** The chips. Throws `UsageError`. */
export function flashDrives({ drives, blockdevs, machine }: ImageOptions): PflashDrive[] {
  const found: PflashDrive[] = [];
  const nodes = new Map<string, KeyValues>();
  for (const text of drives) {
    const values = keyValues('-drive', text, 'file');
    const id = values.get('id');
    if (values.get('if') === 'pflash') {
      const given = values.get('unit') ?? values.get('index');
      const unit = given === undefined ? freeUnit(found) : wholeNumber('-drive unit=', given);
      if (unit >= UNITS) throw new UsageError(`-drive ${text}: there is no flash unit ${unit}`, ADVICE);
      found.push({ unit, ...imageOf(`-drive ${text}`, values, nodes) });
    } else if (id !== undefined) nodes.set(id, values);
  }
  for (const text of blockdevs) {
    const values = keyValues('-blockdev', text, 'driver');
    const name = values.get('node-name');
    if (name !== undefined) nodes.set(name, values);
  }
  for (const [unit, id] of machine) {
    const node = nodes.get(id);
    if (node === undefined) {
      throw new UsageError(
        `-machine pflash${unit}=${id}: there is no such node`,
        nodes.size === 0
          ? `Give -blockdev with node-name=${id}.`
          : `There are ${[...nodes.keys()].join(', ')}; or give -blockdev with node-name=${id}.`,
      );
    }
    found.push({ unit, ...imageOf(`-machine pflash${unit}=${id}`, node, nodes) });
  }
  return found;
}

function freeUnit(drives: readonly PflashDrive[]): number {
  let unit = 0;
  while (drives.some((drive) => drive.unit === unit)) unit++;
  return unit;
}

/** Formats that are a file's bytes as they are. */
const PLAIN = ['raw', 'file'];

/** Follows nodes down to the file; one that is read-only on the way makes it so. */
function imageOf(
  where: string,
  node: KeyValues,
  nodes: ReadonlyMap<string, KeyValues>,
): Omit<PflashDrive, 'unit'> {
  let readonly = false;
  const seen = new Set<KeyValues>();
  let [at, prefix] = [node, ''];
  for (;;) {
    const get = (key: string): string | undefined => at.get(prefix + key);
    for (const format of [get('format'), get('driver')]) {
      if (format !== undefined && !PLAIN.includes(format)) {
        throw new UsageError(
          `${where}: ${format} images are not known here`,
          'Convert the image: qemu-img convert -O raw.',
        );
      }
    }
    const flag = get('readonly') ?? get('read-only');
    readonly ||= flag !== undefined && isOn(where, 'read-only', flag);
    const path = get('filename');
    if (path !== undefined) return { path, readonly };
    const file = get('file');
    const next = file === undefined ? undefined : nodes.get(file);
    if (file === undefined) {
      const nested = [...at.keys()].some((key) => key.startsWith(`${prefix}file.`));
      if (!nested) throw new UsageError(`${where}: there is no file=`, ADVICE);
      prefix += 'file.';
    } else if (next === undefined) {
      if (get('node-name') === undefined) return { path: file, readonly };
      throw new UsageError(
        `${where}: file=${file} names no node`,
        `Give -blockdev with node-name=${file}, or the file as file.filename=${file}.`,
      );
    } else if (seen.has(next)) throw new UsageError(`${where}: its nodes name each other`, ADVICE);
    else {
      seen.add(next);
      [at, prefix] = [next, ''];
    }
  }
}
