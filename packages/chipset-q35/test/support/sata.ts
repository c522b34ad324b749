/** A disk and a disc on SATA ports 0 and 1, here and on QEMU, and accesses that use them. Test code only. */
import type { BlockDevice, SataDrive } from '../../src/index.ts';
import { configWrite } from './model.ts';
import { read, write } from './pci-board.ts';
import type { Access } from './qemu-oracle.ts';

export const AHCI_BDF = 0xfa;
export const ABAR = 0xe000_0000;
/** Command lists of the ports, 4 KiB apart: list, then received FISes at 400h, then a table at 800h. */
export const LISTS = 0x8_0000;
export const BUFFER = 0x9_0000;

/** Contents of the disk: every dword is its own place. */
export function diskBytes(sizeBytes: number): Uint8Array {
  const words = Uint32Array.from({ length: sizeBytes / 4 }, (_, i) => i * 4 + 0x5a00_0000);
  return new Uint8Array(words.buffer);
}

/** A disk in memory that counts flushes and fails where it is told to. */
export class MemoryDisk implements BlockDevice {
  readonly readonly: boolean;
  readonly bytes: Uint8Array;
  flushes = 0;
  /** Bytes whose accesses fail. */
  bad: { from: number; to: number } | undefined;
  /** What fails throws. */
  error: Error = new Error('set an error');

  constructor(bytes: Uint8Array, readonly = false) {
    this.bytes = bytes.slice();
    this.readonly = readonly;
  }

  get sizeBytes(): number {
    return this.bytes.length;
  }

  read(at: number, into: Uint8Array): void {
    this.#check(at, into.length);
    into.set(this.bytes.subarray(at, at + into.length));
  }

  write(at: number, bytes: Uint8Array): void {
    this.#check(at, bytes.length);
    this.bytes.set(bytes, at);
  }

  flush(): void {
    this.flushes++;
  }

  reset(): void {}

  save() {
    return { version: 1, bytes: this.bytes.slice() };
  }

  restore({ bytes }: ReturnType<MemoryDisk['save']>): void {
    this.bytes.set(bytes);
  }

  #check(at: number, length: number): void {
    if (this.bad !== undefined && at < this.bad.to && at + length > this.bad.from) throw this.error;
  }
}

export function drives(disk: BlockDevice, disc: BlockDevice): SataDrive[] {
  return [
    { kind: 'disk', disk },
    { kind: 'cd', disk: disc },
  ];
}

export const portAt = (port: number): number => ABAR + 0x100 + 0x80 * port;
/** The controller is found, mastering, and its ports run. */
export const setUp = (ports: readonly number[]): Access[] => [
  ...configWrite(AHCI_BDF, 0x24, 4, ABAR),
  ...configWrite(AHCI_BDF, 0x04, 2, 6),
  ...ports.flatMap((port) => [
    ...[
      write(portAt(port), LISTS + 0x1000 * port),
      write(portAt(port) + 0x08, LISTS + 0x1000 * port + 0x400),
    ],
    ...[write(portAt(port) + 0x18, 0x16), write(portAt(port) + 0x18, 0x17)],
  ]),
];

/** A command: the bytes of its FIS from byte 2 on by name. */
export interface Command {
  readonly port?: number;
  readonly slot?: number;
  readonly command: number;
  readonly features?: number;
  readonly lba?: number;
  readonly count?: number;
  readonly device?: number;
  readonly packet?: readonly number[];
  readonly writes?: boolean;
  /** Memory, as address and bytes. Default: 64 KiB at {@link BUFFER}. */
  readonly prd?: readonly (readonly [number, number])[];
  /** CI and SACT are left to the caller. */
  readonly prepareOnly?: boolean;
  readonly queued?: boolean;
}

const bytesToDwords = (at: number, bytes: readonly number[]): Access[] =>
  Array.from({ length: Math.ceil(bytes.length / 4) }, (_, i) => {
    const [a = 0, b = 0, c = 0, d = 0] = bytes.slice(4 * i, 4 * i + 4);
    return write(at + 4 * i, (a | (b << 8) | (c << 16) | (d << 24)) >>> 0);
  });

export function issue(c: Command): Access[] {
  const { port = 0, slot = 0, lba = 0, count = 0, features = 0, device = 0x40, packet = [] } = c;
  const list = LISTS + 0x1000 * port;
  const table = list + 0x800 + 0x200 * (slot & 3);
  const prd = c.prd ?? [[BUFFER, 0x1_0000] as const];
  const flags = 5 | (packet.length > 0 ? 0x20 : 0) | (c.writes === true ? 0x40 : 0) | (prd.length << 16);
  const place = [0, 1, 2, 3, 4, 5].map((i) => Math.floor(lba / 256 ** i) & 0xff);
  const fis = [
    ...[
      0x27,
      0x80,
      c.command,
      features & 0xff,
      ...place.slice(0, 3),
      device,
      ...place.slice(3),
      features >>> 8,
    ],
    ...[count & 0xff, count >>> 8, 0, 0, 0, 0, 0, 0],
  ];
  const bit = 2 ** slot;
  return [
    ...bytesToDwords(list + 32 * slot, []),
    ...[write(list + 32 * slot, flags >>> 0), write(list + 32 * slot + 4, 0)],
    ...[write(list + 32 * slot + 8, table), write(list + 32 * slot + 12, 0)],
    ...bytesToDwords(table, fis),
    ...(packet.length > 0
      ? bytesToDwords(table + 0x40, [...packet, ...new Array<number>(16 - packet.length).fill(0)])
      : []),
    ...prd.flatMap(([gpa, bytes], i) => [
      ...[write(table + 0x80 + 16 * i, gpa), write(table + 0x84 + 16 * i, 0)],
      write(table + 0x8c + 16 * i, bytes - 1),
    ]),
    ...(c.prepareOnly === true
      ? []
      : [
          ...(c.queued === true ? [write(portAt(port) + 0x34, bit)] : []),
          write(portAt(port) + 0x38, bit),
          ...[0x34, 0x38].map((at) => ({ kind: 'until-clear', gpa: portAt(port) + at, value: bit }) as const),
        ]),
  ];
}

/** What a driver looks at afterwards; `fis` too: what was posted. */
export const observe = (port = 0): Access[] =>
  [0x10, 0x20, 0x24, 0x28, 0x30, 0x34, 0x38].map((register) => read(portAt(port) + register));
