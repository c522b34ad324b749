/**
 * QEMU's ACPI processor hot-plug registers at 0CD8h: a bitmap of present processors that turns, by one write, into
 * registers behind a selector.
 *
 * Every processor is present from the start: no event is ever pending, ejecting does nothing. Source: QEMU
 * docs/specs/acpi_cpu_hotplug.rst; QEMU 7.2 measured.
 */
import type { AccessSize, IoPortSpace, PioDevice, PortHandle, Snapshottable, TxAttrs } from '@smm/bus';
import {
  checkOptions,
  ICH9_CPU_HOTPLUG_BASE,
  isListOf,
  isWhole,
  maybe,
  type OptionShape,
  wholeNumber,
} from '@smm/x86-defs';
import { processorObjects } from './acpi/cpu-objects.ts';
import type { AcpiDescription } from './acpi/description.ts';
import { requireVersion1 } from './snapshot.ts';

/** More than any machine has. */
const MOST_PROCESSORS = 0x1_0000;
/** Ports of the bitmap, until it is switched. */
export const CPU_HOTPLUG_LEGACY_PORTS = 32;
/** Ports of the selector registers. */
export const CPU_HOTPLUG_PORTS = 12;

const SELECTOR = 0x0;
const FLAGS = 0x4;
const COMMAND = 0x5;
const DATA = 0x8;
const FLAG_ENABLED = 0x01;
const CMD_NEXT_EVENT = 0;
const CMD_ARCH_ID = 3;

/** Architectural state of a {@link CpuHotplug}. */
export interface CpuHotplugState {
  /** Layout version of this object. */
  version: 1;
  /** The selector registers are in force. */
  modern: boolean;
  /** Selected processor, 32 bit. */
  selector: number;
  /** Command, 8 bit. */
  command: number;
}

/** Options of a {@link CpuHotplug}. */
export interface CpuHotplugOptions {
  /** First port; default 0CD8h. */
  readonly base?: number;
  /**
   * APIC id of each processor by index, those included that may be plugged in; default the index, and none of the
   * latter.
   */
  readonly apicIds?: readonly number[];
}

const HOTPLUG_SHAPE: OptionShape<CpuHotplugOptions> = {
  base: maybe(isWhole(0, 0x1_0000 - CPU_HOTPLUG_LEGACY_PORTS)),
  apicIds: maybe(isListOf(isWhole(0, 0xffff_ffff))),
};

/** The registers; ports count from the base. Bytes only while the bitmap is there. */
export class CpuHotplug implements PioDevice, Snapshottable<CpuHotplugState> {
  /** Name in traces. */
  readonly name = 'cpu-hotplug';
  // wiring
  readonly #base: number;
  readonly #cpuCount: number;
  readonly #apicIds: readonly number[];
  #bitmap: PortHandle | undefined;
  #selected: PortHandle | undefined;
  // architectural state
  #modern = false;
  #selector = 0;
  #command = CMD_NEXT_EVENT;

  /** Throws `SmmError` `OPTION_VALUE` for a count or options that are none. */
  constructor(cpuCount: number, options: CpuHotplugOptions = {}) {
    wholeNumber('cpuCount', cpuCount, 1, MOST_PROCESSORS);
    checkOptions('the options of CPU hot-plug', options, HOTPLUG_SHAPE);
    this.#base = options.base ?? ICH9_CPU_HOTPLUG_BASE;
    this.#cpuCount = cpuCount;
    this.#apicIds = options.apicIds ?? Array.from({ length: cpuCount }, (_, i) => i);
  }

  /** Registers the two ranges of the registers, one of them in force. */
  map(io: IoPortSpace): void {
    const place = { first: this.#base, device: this };
    this.#bitmap = io.add({ name: 'cpu-bitmap', ...place, count: CPU_HOTPLUG_LEGACY_PORTS, maxSize: 1 });
    this.#selected = io.add({ name: this.name, ...place, count: CPU_HOTPLUG_PORTS, enabled: false });
  }

  /** IN. */
  in(port: number, _size: AccessSize, _attrs: TxAttrs): number {
    const offset = port - this.#base;
    if (!this.#modern) {
      const there = this.#apicIds.slice(0, this.#cpuCount);
      return there.reduce((bits, id) => (id >>> 3 === offset ? bits | (1 << (id & 7)) : bits), 0);
    }
    const apicId = this.#apicIds[this.#selector];
    if (apicId === undefined) return 0;
    switch (offset) {
      case FLAGS:
        return this.#selector < this.#cpuCount ? FLAG_ENABLED : 0;
      case DATA:
        return this.#command === CMD_NEXT_EVENT ? this.#selector : this.#command === CMD_ARCH_ID ? apicId : 0;
      default: // also "command data 2" at 0, the high half of an id of 64 bits
        return 0;
    }
  }

  /** OUT. A byte 0 written to the start of the bitmap switches to the selector registers, until reset. */
  out(port: number, _size: AccessSize, value: number, _attrs: TxAttrs): void {
    const offset = port - this.#base;
    if (!this.#modern) {
      if (offset === 0 && value === 0) this.#setModern(true);
    } else if (offset === SELECTOR) this.#selector = value;
    else if (offset === COMMAND && value <= CMD_ARCH_ID && this.#selector < this.#apicIds.length) {
      this.#command = value; // "next processor with an event" finds none and leaves the selector
    }
  }

  /** How ACPI describes it. */
  acpi(): AcpiDescription {
    return processorObjects(this.#apicIds);
  }

  /** State after RESET. */
  reset(): void {
    this.#selector = 0;
    this.#command = CMD_NEXT_EVENT;
    this.#setModern(false);
  }

  /** Copies the state out. */
  save(): CpuHotplugState {
    return { version: 1, modern: this.#modern, selector: this.#selector, command: this.#command };
  }

  /** Puts a saved state back. Throws `SmmError` `SNAPSHOT_VERSION` for another version. */
  restore(state: CpuHotplugState): void {
    requireVersion1(this.name, state);
    this.#selector = state.selector;
    this.#command = state.command;
    this.#setModern(state.modern);
  }

  #setModern(modern: boolean): void {
    this.#modern = modern;
    this.#bitmap?.set({ enabled: !modern });
    this.#selected?.set({ enabled: modern });
  }
}
