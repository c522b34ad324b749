/** Which disks there are, by `-drive`, `-blockdev`, `-device`, `-hda` and `-cdrom`, and where they are plugged in. */
import { wholeNumber } from '../qemu-values.ts';
import { UsageError } from '../usage-error.ts';
import { type KeyValues, keyValues } from './keyval.ts';
import { type ImageNode, imageNode, namedNodes } from './nodes.ts';

/** A disk. */
export interface DiskSetting {
  /** As the user wrote it, for messages. */
  readonly where: string;
  /** The controller. */
  readonly bus: 'sata' | 'virtio';
  /** SATA port. */
  readonly port: number;
  /** What kind of drive. */
  readonly kind: 'disk' | 'cd';
  /** The image. */
  readonly image: ImageNode;
  /** Place in the order of booting; undefined: none. */
  readonly bootIndex: number | undefined;
  /** Serial number and model. */
  readonly serial: string | undefined;
  readonly model: string | undefined;
  /** PCI device number of a virtio disk. */
  readonly slot: number | undefined;
}

/** What the options say about disks. */
export interface DiskOptions {
  /** Values of `-drive`. */
  readonly drives: readonly string[];
  /** Values of `-blockdev`. */
  readonly blockdevs: readonly string[];
  /** Values of `-device` that are disks. */
  readonly devices: readonly string[];
}

/** Drivers of `-device` that are disks. */
export const DISK_DRIVERS: readonly string[] = ['ide-hd', 'ide-cd', 'virtio-blk-pci', 'virtio-blk'];

/** Drivers of `-device` that are entropy sources. */
export const RNG_DRIVERS: readonly string[] = ['virtio-rng-pci', 'virtio-rng'];

const PORTS = 6;
const ADVICE = 'Write -drive if=none,id=d,format=raw,file=IMAGE -device ide-hd,drive=d.';
/** Members of `-device` that act or do not matter. */
const KNOWN = new Set(
  `driver drive id bus unit bootindex serial model ver addr wwn write-cache rotation_rate logical_block_size
   physical_block_size share-rw num-queues queue-size disable-legacy disable-modern iothread config-wce romfile`.split(
    /\s+/,
  ),
);

/** The disks in the order in which they are named. Throws `UsageError`. */
export function diskSettings({ drives, blockdevs, devices }: DiskOptions): DiskSetting[] {
  const nodes = namedNodes(drives, blockdevs);
  const disks: DiskSetting[] = [];
  const taken = new Set<number>();
  const place = (where: string, wanted: string | undefined): number => {
    let port = wanted === undefined ? 0 : wholeNumber(`${where}: index`, wanted);
    while (wanted === undefined && taken.has(port)) port++;
    if (port >= PORTS)
      throw new UsageError(`${where}: there is no SATA port ${port}`, `Ports are 0 to ${PORTS - 1}.`);
    if (taken.has(port))
      throw new UsageError(`${where}: SATA port ${port} has a drive`, 'Name another port.');
    taken.add(port);
    return port;
  };
  const none = { bootIndex: undefined, serial: undefined, model: undefined, slot: undefined };
  const ide = drives.map((text) => ({ text, values: keyValues('-drive', text, 'file') }));
  // Drives that name their port come first.
  for (const named of [true, false]) {
    for (const { text, values } of ide) {
      const kind = values.get('if') ?? 'ide';
      const wanted = values.get('index') ?? values.get('bus') ?? values.get('unit');
      if (!['ide', 'virtio'].includes(kind) || (wanted !== undefined) !== named) continue;
      const where = `-drive ${text}`;
      const image = imageNode(where, values, nodes, ADVICE);
      const serial = values.get('serial');
      if (kind === 'virtio')
        disks.push({ where, bus: 'virtio', port: 0, kind: 'disk', image, ...none, serial });
      else {
        const port = place(where, wanted);
        disks.push({ where, bus: 'sata', port, kind: mediaOf(where, values), image, ...none, serial });
      }
    }
  }
  const used = new Set<string>();
  for (const text of devices) {
    const where = `-device ${text}`;
    const values = keyValues('-device', text, 'driver');
    for (const key of values.keys())
      if (!KNOWN.has(key)) throw new UsageError(`${where}: ${key}= is not known here`, 'Leave it out.');
    const id = values.get('drive');
    const node = id === undefined ? undefined : nodes.get(id);
    if (id === undefined) throw new UsageError(`${where}: there is no drive=`, ADVICE);
    if (node === undefined)
      throw new UsageError(`${where}: there is no drive ${id}`, `Give -drive if=none,id=${id},file=IMAGE.`);
    if (used.has(id))
      throw new UsageError(`${where}: drive ${id} is used by another device`, 'Give it its own.');
    used.add(id);
    const image = imageNode(where, node, nodes, ADVICE);
    const index = values.get('bootindex');
    const common = {
      where,
      image,
      bootIndex: index === undefined ? undefined : wholeNumber(`${where}: bootindex`, index),
      serial: values.get('serial') ?? node.get('serial'),
      model: values.get('model'),
      slot: undefined,
    };
    const driver = values.get('driver')!;
    if (driver.startsWith('virtio')) {
      disks.push({
        ...common,
        bus: 'virtio',
        port: 0,
        kind: 'disk',
        slot: slotOf(where, values.get('addr')),
      });
    } else {
      const kind = driver === 'ide-cd' ? 'cd' : 'disk';
      disks.push({ ...common, bus: 'sata', port: place(where, busOf(where, values.get('bus'))), kind });
    }
  }
  return disks;
}

/** Nodes that a disk uses, by name. */
export function drivesUsed({ devices }: Pick<DiskOptions, 'devices'>): Set<string> {
  return new Set(devices.flatMap((text) => keyValues('-device', text, 'driver').get('drive') ?? []));
}

function mediaOf(where: string, values: KeyValues): 'disk' | 'cd' {
  const media = values.get('media') ?? 'disk';
  if (media === 'disk') return 'disk';
  if (media === 'cdrom') return 'cd';
  throw new UsageError(`${where}: media=${media} is not known`, 'Write media=disk or media=cdrom.');
}

/** `ide.N` is port N. */
function busOf(where: string, bus: string | undefined): string | undefined {
  if (bus === undefined) return undefined;
  const [, port] = /^(?:ide|ahci0?|sata)\.(\d+)$/.exec(bus) ?? [];
  if (port !== undefined) return port;
  throw new UsageError(`${where}: there is no bus ${bus}`, `Write bus=ide.0 to bus=ide.${PORTS - 1}.`);
}

/** `addr=` of a PCI device: its number, hexadecimal as in QEMU. */
export function slotOf(where: string, addr: string | undefined): number | undefined {
  if (addr === undefined) return undefined;
  const [, device = ''] = /^(?:0x)?([0-9a-f]{1,2})(?:\.0)?$/i.exec(addr) ?? [];
  const slot = Number.parseInt(device, 16);
  if (slot >= 1 && slot < 31) return slot;
  throw new UsageError(`${where}: addr=${addr} is no free PCI device number`, 'Write addr=1 to addr=1e.');
}
