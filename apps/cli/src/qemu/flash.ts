/** Which files are the two flash chips, by `-drive`, `-pflash`, `-blockdev` and `-machine pflash0=`. */

import type { ImageFormat } from '@smm/block';
import { wholeNumber } from '../qemu-values.ts';
import { UsageError } from '../usage-error.ts';
import { type KeyValues, keyValues } from './keyval.ts';
import { imageNode, type Nodes, namedNodes } from './nodes.ts';

/** A flash chip's file. */
export interface PflashDrive {
  /** 0 is the code, 1 the variables. */
  readonly unit: number;
  /** The file. */
  readonly path: string;
  /** Format of the file; undefined: found out by looking. */
  readonly format?: ImageFormat | undefined;
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
  const nodes = namedNodes(drives, blockdevs);
  for (const text of drives) {
    const values = keyValues('-drive', text, 'file');
    if (values.get('if') === 'pflash') {
      const given = values.get('unit') ?? values.get('index');
      const unit = given === undefined ? freeUnit(found) : wholeNumber('-drive unit=', given);
      if (unit >= UNITS) throw new UsageError(`-drive ${text}: there is no flash unit ${unit}`, ADVICE);
      found.push({ unit, ...imageOf(`-drive ${text}`, values, nodes) });
    }
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

const FORMATS: readonly string[] = ['raw', 'qcow2'] satisfies readonly ImageFormat[];

/**
 * The file of a chip, and its format: undefined where `-drive` says nothing, for it is found out then; what `-blockdev`
 * names without a format is a file's bytes as they are.
 */
function imageOf(where: string, node: KeyValues, nodes: Nodes): Omit<PflashDrive, 'unit'> {
  const { path, format, readonly } = imageNode(where, node, nodes, ADVICE);
  if (format !== undefined && !FORMATS.includes(format)) {
    throw new UsageError(
      `${where}: ${format} images are not known here`,
      'Convert the image: qemu-img convert -O raw.',
    );
  }
  const bare = node.has('node-name') ? 'raw' : undefined;
  return { path, readonly, format: (format as ImageFormat | undefined) ?? bare };
}
