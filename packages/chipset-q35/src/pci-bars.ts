/**
 * Base address registers: which addresses a PCI function answers, as the guest places and switches them.
 *
 * An I/O range that wraps or ends beyond FFFFh, a memory range at 0, at the very end of 32 bits or beyond the address
 * space is not decoded, which is what sizing by all-ones leaves for a moment; QEMU does the same. Not modelled:
 * expansion ROMs. Source: PCI Local Bus Specification, "Base Addresses".
 */
import {
  IO_PORT_COUNT,
  type IoPortSpace,
  type MmioDevice,
  PHYSICAL_ADDRESS_LIMIT,
  type PhysicalAddressSpace,
  type PortHandle,
  physicalAddress,
  type RegionHandle,
  type RegisterFile,
  type RegisterSpec,
} from '@smm/bus';
import { SmmError } from '@smm/x86-defs';
import { PRIORITY } from './memory-map.ts';
import type { PciBusPorts } from './pci-function.ts';

/** COMMAND: I/O ranges are decoded. */
export const PCI_COMMAND_IO = 0x0001;
/** COMMAND: memory ranges are decoded. */
export const PCI_COMMAND_MEMORY = 0x0002;

/** BAR bit 0: an I/O range. */
const BAR_IO = 0x1;
/** BAR bits 2:1: 64 bit wide. */
const BAR_64 = 0x4;
/** BAR bit 3: reads have no side effects. */
const BAR_PREFETCHABLE = 0x8;
const BAR_FIRST = 0x10;
const BAR_COUNT = 6;
/** I/O ranges of a function lie above the board's own, as in QEMU. */
const IO_PRIORITY = 1;

/** One range of a function. */
export interface PciBar {
  /** Register, 0 to 5; a 64-bit one takes the next too. */
  readonly index: number;
  /** Ports, or memory that can be placed below 4 GiB, or anywhere. */
  readonly kind: 'io' | 'memory32' | 'memory64';
  /** Reads have no side effects. Memory only; default false. */
  readonly prefetchable?: boolean;
  /** Bytes or ports: a power of two, at least 4 (ports, at most 256) or 16 (memory). */
  readonly sizeBytes: number;
  /** What answers, by offset in the range. */
  readonly device: MmioDevice;
}

/** The registers of ranges, for a configuration space. Throws `SmmError` `PCI_BAR` for ranges that cannot be. */
export function barRegisters(bars: readonly PciBar[]): RegisterSpec[] {
  const taken = new Set<number>();
  return bars.flatMap((bar) => {
    const { index, kind, sizeBytes, prefetchable = false } = bar;
    const wide = kind === 'memory64';
    const [least, most] = kind === 'io' ? [4, 256] : [16, wide ? 2 ** 51 : 2 ** 31];
    const registers = wide ? [index, index + 1] : [index];
    const fits = registers.every((i) => Number.isInteger(i) && i >= 0 && i < BAR_COUNT && !taken.has(i));
    if (!fits || !(sizeBytes >= least && sizeBytes <= most) || !Number.isInteger(Math.log2(sizeBytes))) {
      throw new SmmError(
        'PCI_BAR',
        `base address register ${index} cannot be ${sizeBytes} bytes of ${kind}`,
        `Use a power of two from ${least} to ${most}, and free registers 0 to 5 (two for memory64).`,
        { index, kind, sizeBytes },
      );
    }
    for (const i of registers) taken.add(i);
    const type = kind === 'io' ? BAR_IO : (wide ? BAR_64 : 0) | (prefetchable ? BAR_PREFETCHABLE : 0);
    const low: RegisterSpec = {
      name: `BAR${index}`,
      offset: BAR_FIRST + 4 * index,
      width: 4,
      reset: type,
      writable: Math.max(2 ** 32 - sizeBytes, 0),
    };
    if (!wide) return [low];
    const high = { name: `BAR${index + 1}`, offset: low.offset + 4, width: 4 } as const;
    return [low, { ...high, writable: 2 ** 32 - Math.max(Math.floor(sizeBytes / 2 ** 32), 1) }];
  });
}

/** The ranges of one function in the address spaces. */
export class PciBars {
  readonly #bars: readonly PciBar[];
  readonly #moves: ((command: number, config: RegisterFile, decodes: PciBusPorts['decodes']) => void)[] = [];
  #memory: PhysicalAddressSpace | undefined;

  constructor(bars: readonly PciBar[]) {
    this.#bars = bars;
  }

  /** Registers the ranges, none of them decoded yet. `name` is the function's. */
  map(name: string, io: IoPortSpace, memory: PhysicalAddressSpace): void {
    this.#memory = memory;
    for (const bar of this.#bars) {
      const own = `${name}-bar${bar.index}`;
      if (bar.kind === 'io') {
        const handle = io.add({ name: own, ...ioRange(bar), enabled: false, priority: IO_PRIORITY });
        this.#moves.push((...where) => moveIo(bar, handle, ...where));
      } else {
        const { sizeBytes, device } = bar;
        const place = { start: 0, sizeBytes, priority: PRIORITY.bar, enabled: false };
        const handle = memory.add({ kind: 'mmio', name: own, ...place, device });
        this.#moves.push((...where) => moveMemory(bar, handle, ...where));
      }
    }
  }

  /** Puts the ranges where COMMAND and the registers say, as far as the bridges above pass accesses on. */
  apply(config: RegisterFile, decodes: PciBusPorts['decodes']): void {
    const command = config.get('COMMAND');
    this.#memory?.update(() => {
      for (const move of this.#moves) move(command, config, decodes);
    });
  }
}

function ioRange({ sizeBytes, device }: PciBar) {
  return {
    first: 0,
    count: sizeBytes,
    device: {
      name: device.name,
      in: (port: number, size: 1 | 2 | 4, attrs: number) => device.read(port % sizeBytes, size, attrs),
      out: (port: number, size: 1 | 2 | 4, value: number, attrs: number) =>
        device.write(port % sizeBytes, size, value, attrs),
    },
  };
}

function moveIo(
  bar: PciBar,
  handle: PortHandle,
  command: number,
  config: RegisterFile,
  decodes: PciBusPorts['decodes'],
): void {
  const first = (config.get(`BAR${bar.index}`) & ~3) >>> 0;
  const placed = (command & PCI_COMMAND_IO) !== 0 && first !== 0 && first + bar.sizeBytes <= IO_PORT_COUNT;
  const enabled = placed && decodes('io', first, bar.sizeBytes);
  const { range } = handle;
  if (range.enabled === enabled && (!enabled || range.first === first)) return;
  handle.set(enabled ? { enabled, first } : { enabled });
}

function moveMemory(
  bar: PciBar,
  handle: RegionHandle,
  command: number,
  config: RegisterFile,
  decodes: PciBusPorts['decodes'],
): void {
  const wide = bar.kind === 'memory64';
  const low = (config.get(`BAR${bar.index}`) & ~0xf) >>> 0;
  const start = wide ? physicalAddress(config.get(`BAR${bar.index + 1}`), low) : low;
  const end = start + bar.sizeBytes;
  const limit = wide ? PHYSICAL_ADDRESS_LIMIT : 2 ** 32 - 1;
  const placed = (command & PCI_COMMAND_MEMORY) !== 0 && start !== 0 && end <= limit;
  const enabled = placed && decodes('memory', start, bar.sizeBytes);
  handle.set(enabled ? { enabled, start } : { enabled });
}
