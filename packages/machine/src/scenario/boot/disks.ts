/** The disks of a boot: where they are plugged in, and in what order the firmware tries them. */
import {
  AHCI_PORTS,
  type BlockDevice,
  type Board,
  type Medium,
  type Part,
  type SataDrive,
  sataPath,
  VirtioBlk,
  VirtioRng,
  virtioBlkPath,
} from '@smm/chipset-q35';
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
  readonly bus: 'sata' | 'virtio';
  /** A disk, or a CD drive (SATA) with a disc. Default a disk. */
  readonly kind?: 'disk' | 'cd';
  /** SATA port, 0 to 5. Default the first that is free. */
  readonly port?: number;
  /** PCI device number of a virtio disk, 1 to 30. Default the first that is free. */
  readonly slot?: number;
  /** Serial number, at most 20 characters. Default as QEMU's. */
  readonly serial?: string;
  /** Model of a SATA drive, at most 40 characters. Default as QEMU's. */
  readonly model?: string;
  /** Place in the order in which the firmware tries devices, lowest first (`bootindex`). Default: not in it. */
  readonly bootIndex?: number;
}

/** A virtio entropy source. */
export interface BootRng {
  /** Its bytes follow from this, 32 bit. Default 0. */
  readonly seed?: number;
  /** PCI device number, 1 to 30. Default the first that is free. */
  readonly slot?: number;
}

/** PCI device numbers for virtio end before the ICH9's. */
const LAST_SLOT = 0x1e;

/** What a {@link BootDisk} is, for `checkOptions`. */
const DISK_SHAPE: OptionShape<BootDisk> = {
  disk: isObject as OptionShape<{ disk: BlockDevice }>['disk'],
  failed: maybe(isFunction),
  bus: isOneOf(['sata', 'virtio']),
  kind: maybe(isOneOf(['disk', 'cd'])),
  port: maybe(isWhole(0, AHCI_PORTS - 1)),
  slot: maybe(isWhole(1, LAST_SLOT)),
  serial: maybe(isText),
  model: maybe(isText),
  bootIndex: maybe(isWhole(0)),
};

/** One disk among options. */
export const isBootDisk = isShape<BootDisk>(DISK_SHAPE);

/** An entropy source among options. */
export const isBootRng = isShape<BootRng>({
  seed: maybe(isWhole(0, 0xffff_ffff)),
  slot: maybe(isWhole(1, LAST_SLOT)),
});

/** Disks with their places. */
export interface PlacedDisks {
  /** By SATA port; undefined if the board has no controller. */
  readonly sata: readonly (SataDrive | undefined)[] | undefined;
  /** Virtio functions, made when there is a board. */
  readonly parts: ((board: Board) => readonly Part[]) | undefined;
  /** OpenFirmware paths in the order of booting. */
  readonly order: readonly string[];
}

/** Gives each disk its place. Throws `SmmError` `DISK_PLACE` if two want the same, or there is no room. */
export function placeDisks(disks: readonly BootDisk[], rng?: BootRng): PlacedDisks {
  const ports = new Places('SATA port', 0, AHCI_PORTS - 1);
  const slots = new Places('PCI device number', 1, LAST_SLOT);
  const placed: { readonly disk: BootDisk; readonly at: number }[] = [];
  const given = ({ bus, port, slot }: BootDisk): number | undefined => (bus === 'sata' ? port : slot);
  for (const named of [true, false]) {
    for (const disk of disks) {
      const at = given(disk);
      if ((at !== undefined) === named)
        placed.push({ disk, at: (disk.bus === 'sata' ? ports : slots).take(at) });
    }
  }
  const rngSlot = rng && slots.take(rng.slot);
  const sata: (SataDrive | undefined)[] = new Array<undefined>(AHCI_PORTS).fill(undefined);
  for (const { disk, at } of placed) if (disk.bus === 'sata') sata[at] = sataDrive(disk);
  const virtio = placed.filter(({ disk }) => disk.bus === 'virtio');
  const order = placed
    .filter(({ disk }) => disk.bootIndex !== undefined)
    .sort((a, b) => a.disk.bootIndex! - b.disk.bootIndex!)
    .map(({ disk, at }) => (disk.bus === 'sata' ? sataPath(at) : virtioBlkPath(at)));
  const parts = ({ clock }: Board): Part[] => [
    ...virtio.map(({ disk: { disk, failed, serial }, at }) => {
      return new VirtioBlk({ disk, failed, slot: at, clock, ...(serial !== undefined && { serial }) });
    }),
    ...(rngSlot === undefined ? [] : [new VirtioRng({ ...rng, slot: rngSlot, clock })]),
  ];
  const any = virtio.length > 0 || rng !== undefined;
  return { sata: disks.length === 0 ? undefined : sata, parts: any ? parts : undefined, order };
}

function sataDrive({ disk, failed, kind = 'disk', serial, model }: BootDisk): SataDrive {
  const identity = { ...(serial !== undefined && { serial }), ...(model !== undefined && { model }) };
  return { kind, disk, failed, identity };
}

/** Numbered places, each for one. */
class Places {
  readonly #what: string;
  readonly #first: number;
  readonly #last: number;
  readonly #taken = new Set<number>();

  constructor(what: string, first: number, last: number) {
    this.#what = what;
    this.#first = first;
    this.#last = last;
  }

  /** The place wanted, or the first that is free. */
  take(wanted?: number): number {
    let at = wanted ?? this.#first;
    while (wanted === undefined && this.#taken.has(at)) at++;
    if (at > this.#last || this.#taken.has(at)) {
      throw new SmmError(
        'DISK_PLACE',
        at > this.#last ? `there is no ${this.#what} left` : `two devices are to have ${this.#what} ${at}`,
        'Give each a place of its own, or leave the places out.',
        { place: at },
      );
    }
    this.#taken.add(at);
    return at;
  }
}
