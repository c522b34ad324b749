/**
 * The q35 system memory map, drawn into a physical address space: RAM, ROM and its shadow, SMRAM, ECAM. In address
 * order:
 *
 * | range | what |
 * | --- | --- |
 * | 0 to top of low RAM | RAM |
 * | A0000h-BFFFFh | compatible SMRAM inside, graphics range outside SMM |
 * | C0000h-DFFFFh | expansion ROMs: none, all-ones (QEMU reads 0); RAM where PAM says so |
 * | E0000h-FFFFFh | copy of the ROM's last 128 KB; RAM where PAM says so |
 * | 30000h-4FFFFh | SMRAM at the default SMBASE, once locked |
 * | end of low RAM | TSEG, once enabled |
 * | PCIEXBAR | ECAM |
 * | up to 4 GiB | the ROM |
 * | 4 GiB on | the rest of RAM |
 *
 * SMRAM lies above every window that software can move (PCIEXBAR, flash, shadow): in SMM its RAM is seen, outside SMM
 * nothing. A PAM setting that writes RAM and reads ROM loses the writes, as in QEMU. Sources: Intel 316966, "System
 * Address Map", "Programmable Attribute Map"; QEMU 7.2 measured.
 */
import type { MmioDevice, PhysicalAddressSpace, RegionHandle } from '@smm/bus';
import { MCH_PAM_RE, MCH_PAM_WE, SmmError, type SmramRange } from '@smm/x86-defs';
import type { EcamWindow } from './mch.ts';

const GIB4 = 2 ** 32;
const LEGACY_ROM_START = 0xe_0000;
const LEGACY_ROM_SIZE = 0x2_0000;
const PAM_SEGMENT_SIZE = 0x4000;
/** From this much RAM on, QEMU splits it at 2 GiB. */
const SPLIT_FROM = 0xb000_0000;
const LOW_RAM_WHEN_SPLIT = 0x8000_0000;

/**
 * Priorities of overlapping regions; `device` is that of the fixed registers of parts, `bar` that of PCI ranges, which
 * are below everything else, as in QEMU. Nothing a guest can move lies above SMRAM.
 */
export const PRIORITY = { bar: -1, ram: 0, rom: 1, shadow: 2, device: 2, ecam: 3, smram: 4 } as const;

/** How RAM is split around the hole below 4 GiB. Bytes. */
export interface RamLayout {
  /** RAM from address 0 on: the top of low RAM. */
  readonly belowBytes: number;
  /** RAM from 4 GiB on. */
  readonly aboveBytes: number;
}

/**
 * QEMU's rule for q35: below B0000000h bytes all RAM is low; from there on 2 GiB are low and the rest lies above 4 GiB.
 */
export function q35RamLayout(ramBytes: number): RamLayout {
  return ramBytes >= SPLIT_FROM
    ? { belowBytes: LOW_RAM_WHEN_SPLIT, aboveBytes: ramBytes - LOW_RAM_WHEN_SPLIT }
    : { belowBytes: ramBytes, aboveBytes: 0 };
}

/** Bytes of the RAM window that hold something. */
export interface Backing {
  /** Where they start in the RAM window. */
  readonly hostOffset: number;
  /** How many there are. */
  readonly sizeBytes: number;
}

/** The regions of one machine. The MCH tells it what changed. */
export class Q35MemoryMap {
  /** How RAM is split. */
  readonly ram: RamLayout;
  // wiring
  readonly #space: PhysicalAddressSpace;
  readonly #shadow: readonly RegionHandle[];
  readonly #ecam: RegionHandle;
  /** By range: the RAM that a processor in SMM sees, above every window, and what hides it from everybody else. */
  readonly #smram: ReadonlyMap<SmramRange['name'], { inside: RegionHandle; outside: RegionHandle }>;
  /** Where RAM starts in the RAM window, bytes. */
  readonly #ramOffset: number;

  /**
   * Maps RAM and ROM. The ROM must be a multiple of 4 KiB, at most 16 MiB (`SmmError` `ROM_SIZE`), RAM at least 1 MiB
   * and a multiple of 4 KiB (`RAM_SIZE`).
   */
  constructor(space: PhysicalAddressSpace, ram: Backing, rom: Backing, ecam: MmioDevice) {
    checkSizes(ram, rom);
    this.#space = space;
    this.ram = q35RamLayout(ram.sizeBytes);
    const legacySize = Math.min(rom.sizeBytes, LEGACY_ROM_SIZE);
    const legacyStart = LEGACY_ROM_START + LEGACY_ROM_SIZE - legacySize;
    space.addAll([
      { kind: 'ram', name: 'ram-low', start: 0, sizeBytes: this.ram.belowBytes, hostOffset: ram.hostOffset },
      ...(this.ram.aboveBytes > 0
        ? [
            {
              kind: 'ram' as const,
              name: 'ram-high',
              start: GIB4,
              sizeBytes: this.ram.aboveBytes,
              hostOffset: ram.hostOffset + this.ram.belowBytes,
            },
          ]
        : []),
      {
        kind: 'hole',
        name: 'expansion-roms',
        start: 0xc_0000,
        sizeBytes: legacyStart - 0xc_0000,
        priority: PRIORITY.rom,
      },
      {
        kind: 'ram',
        name: 'rom-legacy',
        start: legacyStart,
        sizeBytes: legacySize,
        hostOffset: rom.hostOffset + rom.sizeBytes - legacySize,
        readonly: true,
        priority: PRIORITY.rom,
      },
      {
        kind: 'ram',
        name: 'rom',
        start: GIB4 - rom.sizeBytes,
        sizeBytes: rom.sizeBytes,
        hostOffset: rom.hostOffset,
        readonly: true,
        priority: PRIORITY.rom,
      },
    ]);
    this.#shadow = pamSegments().map(({ start, sizeBytes }) =>
      space.add({
        kind: 'ram',
        name: `shadow-${start.toString(16)}`,
        start,
        sizeBytes,
        hostOffset: ram.hostOffset + start,
        priority: PRIORITY.shadow,
        enabled: false,
      }),
    );
    this.#ecam = space.add({
      kind: 'mmio',
      name: 'ecam',
      start: 0xb000_0000,
      sizeBytes: 0x1000_0000,
      device: ecam,
      priority: PRIORITY.ecam,
      enabled: false,
    });
    const names: readonly SmramRange['name'][] = ['compatible', 'high', 'tseg', 'default-smbase'];
    const placement = { start: 0, sizeBytes: 1, priority: PRIORITY.smram, enabled: false } as const;
    this.#ramOffset = ram.hostOffset;
    this.#smram = new Map(
      names.map((name) => [
        name,
        {
          inside: space.add({
            ...placement,
            kind: 'ram',
            name: `smram-${name}-ram`,
            hostOffset: ram.hostOffset,
            visible: 'smm-only',
          }),
          outside: space.add({ ...placement, kind: 'hole', name: `smram-${name}`, visible: 'normal-only' }),
        },
      ]),
    );
  }

  /** Applies SMRAM decoding. Ranges of a name not in the list are ordinary. */
  setSmram(ranges: readonly SmramRange[]): void {
    this.#space.update(() => {
      for (const [name, { inside, outside }] of this.#smram) {
        const range = ranges.find((r) => r.name === name);
        // A guest may put TSEG where there is no RAM, in whole or in part: nobody finds any there.
        const backed = range?.inSmm === true ? this.ram.belowBytes - range.ramStart : 0;
        inside.set(
          range !== undefined && backed > 0
            ? {
                enabled: true,
                start: range.start,
                sizeBytes: Math.min(range.sizeBytes, backed),
                hostOffset: this.#ramOffset + range.ramStart,
                visible: range.outside === 'ram' ? 'always' : 'smm-only',
              }
            : { enabled: false },
        );
        // Where high SMRAM would be there is nothing to hide.
        const hidden = range !== undefined && (range.outside !== 'ram' || !range.inSmm) && name !== 'high';
        outside.set(
          hidden
            ? {
                enabled: true,
                start: range.start,
                sizeBytes: range.sizeBytes,
                visible: range.inSmm ? 'normal-only' : 'always',
              }
            : { enabled: false },
        );
      }
    });
  }

  /** Applies the seven PAM registers. */
  setShadow(pam: Uint8Array): void {
    this.#space.update(() => {
      pamSegments().forEach(({ register, shift }, i) => {
        const attributes = pam[register]! >>> shift;
        this.#shadow[i]!.set({
          enabled: (attributes & MCH_PAM_RE) !== 0,
          readonly: (attributes & MCH_PAM_WE) === 0,
        });
      });
    });
  }

  /** Applies PCIEXBAR. */
  setEcam(window: EcamWindow): void {
    this.#ecam.set(
      window.enabled
        ? { enabled: true, start: window.start, sizeBytes: window.sizeBytes }
        : { enabled: false },
    );
  }
}

/** The 13 segments of shadow control: which register and nibble rules which range. */
function pamSegments(): { register: number; shift: number; start: number; sizeBytes: number }[] {
  const segments = [{ register: 0, shift: 4, start: 0xf_0000, sizeBytes: 0x1_0000 }];
  for (let i = 0; i < 12; i++) {
    segments.push({
      register: 1 + (i >>> 1),
      shift: (i & 1) * 4,
      start: 0xc_0000 + i * PAM_SEGMENT_SIZE,
      sizeBytes: PAM_SEGMENT_SIZE,
    });
  }
  return segments;
}

function checkSizes(ram: Backing, rom: Backing): void {
  const romFits = rom.sizeBytes >= 0x1000 && rom.sizeBytes <= 0x100_0000 && rom.sizeBytes % 0x1000 === 0;
  if (!romFits) {
    throw new SmmError(
      'ROM_SIZE',
      `a ROM of ${rom.sizeBytes} bytes cannot be mapped below 4 GiB`,
      'Give a firmware image of 4 KiB to 16 MiB, a multiple of 4 KiB.',
      { sizeBytes: rom.sizeBytes },
    );
  }
  if (ram.sizeBytes < 0x10_0000 || ram.sizeBytes % 0x1000 !== 0) {
    throw new SmmError(
      'RAM_SIZE',
      `${ram.sizeBytes} bytes of RAM cannot be laid out`,
      'Give at least 1 MiB, a multiple of 4 KiB.',
      { sizeBytes: ram.sizeBytes },
    );
  }
}
