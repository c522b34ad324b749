/** The disks of a boot: where they are plugged in, and in what order the firmware tries them. */
import { AHCI_PORTS, type BlockDevice, type Medium, type SataDrive, sataPath } from '@smm/chipset-q35';
import {
  isFunction,
  isObject,
  isOneOf,
  isShape,
  isText,
  isWhole,
  maybe,
  type OptionShape,
  SmmError,
} from '@smm/x86-defs';

/** A disk or CD drive with what is in it. `DirectDisk` and `OverlayDisk` of `@smm/block` are media. */
export interface BootDisk extends Medium {
  /** The controller. */
  readonly bus: 'sata';
  /** A disk, or a CD drive with a disc. Default a disk. */
  readonly kind?: 'disk' | 'cd';
  /** SATA port, 0 to 5. Default the first that is free. */
  readonly port?: number;
  /** Serial number, at most 20 characters. Default as QEMU's. */
  readonly serial?: string;
  /** Model, at most 40 characters. Default as QEMU's. */
  readonly model?: string;
  /** Place in the order in which the firmware tries devices, lowest first (`bootindex`). Default: not in it. */
  readonly bootIndex?: number;
}

/** What a {@link BootDisk} is, for `checkOptions`. */
export const DISK_SHAPE: OptionShape<BootDisk> = {
  disk: isObject as OptionShape<{ disk: BlockDevice }>['disk'],
  failed: maybe(isFunction),
  bus: isOneOf(['sata']),
  kind: maybe(isOneOf(['disk', 'cd'])),
  port: maybe(isWhole(0, AHCI_PORTS - 1)),
  serial: maybe(isText),
  model: maybe(isText),
  bootIndex: maybe(isWhole(0)),
};

/** One disk among options. */
export const isBootDisk = isShape<BootDisk>(DISK_SHAPE);

/** Disks with their places. */
export interface PlacedDisks {
  /** By SATA port; undefined if the board has no controller. */
  readonly sata: readonly (SataDrive | undefined)[] | undefined;
  /** OpenFirmware paths in the order of booting. */
  readonly order: readonly string[];
}

/** Gives each disk its place. Throws `SmmError` `DISK_PLACE` if two want the same, or there is no room. */
export function placeDisks(disks: readonly BootDisk[]): PlacedDisks {
  const sata: (SataDrive | undefined)[] = new Array<undefined>(AHCI_PORTS).fill(undefined);
  const order: { index: number; path: string }[] = [];
  const inOrder = [
    ...disks.filter(({ port }) => port !== undefined),
    ...disks.filter(({ port }) => port === undefined),
  ];
  for (const { disk, failed, kind = 'disk', port, serial, model, bootIndex } of inOrder) {
    const at = port ?? sata.indexOf(undefined);
    if (at < 0 || sata[at] !== undefined) {
      throw new SmmError(
        'DISK_PLACE',
        at < 0
          ? `there are more disks than SATA ports, ${AHCI_PORTS}`
          : `two disks are to be on SATA port ${at}`,
        'Give each disk a port of its own, or leave the ports out.',
        { port: at },
      );
    }
    const identity = { ...(serial !== undefined && { serial }), ...(model !== undefined && { model }) };
    sata[at] = { kind, disk, failed, identity };
    if (bootIndex !== undefined) order.push({ index: bootIndex, path: sataPath(at) });
  }
  order.sort((a, b) => a.index - b.index);
  return { sata: disks.length === 0 ? undefined : sata, order: order.map(({ path }) => path) };
}
