/**
 * The Q35 chipset: a list of parts on an address space, a port space and a clock. `q35-parts.ts` says which there are.
 *
 * `PeripheralOptions` says which devices stand around its core. Not there, and reading as absent hardware does: SATA,
 * USB, SMBus.
 */
import type { Snapshottable } from '@smm/bus';
import { isListOf, isObject, SmmError } from '@smm/x86-defs';
import type { Q35MemoryMap } from './memory-map.ts';
import type { Board, Part, PartState, ResetKind } from './part.ts';
import { PciFunction } from './pci-function.ts';
import type { Q35Options, Q35Ports } from './q35-options.ts';
import { type Q35Parts, q35Parts } from './q35-parts.ts';

/** Architectural state of a {@link Q35Chipset}; RAM is not part of it. */
export interface Q35State {
  /** Layout version of this object. */
  version: 2;
  /** State of each part, in the order of the list. */
  parts: {
    /** Name of the part. */
    name: string;
    /** What its `save` gave. */
    state: PartState;
  }[];
}

/** The chipset. */
export class Q35Chipset implements Snapshottable<Q35State> {
  /** The parts in order: those of the board, then those of the options. */
  readonly parts: readonly Part[];
  /** The board's own devices by what they are: for tests, debuggers, and who feeds them input. */
  readonly devices: Q35Parts['parts'];
  /** RAM, ROM and SMRAM in the address space. */
  readonly memoryMap: Q35MemoryMap;
  readonly #lines: Q35Parts['lines'];

  /** Builds, maps and resets. Throws `SmmError` `PART_NAME` for two parts of one name, and what the parts throw. */
  constructor(ports: Q35Ports, options: Q35Options) {
    const { parts, lines, memoryMap } = q35Parts(ports, options, () =>
      this.parts.flatMap((part) => part.acpi?.() ?? []),
    );
    this.devices = parts;
    this.memoryMap = memoryMap;
    this.#lines = lines;
    const board: Board = {
      clock: ports.clock,
      irq: (line) => lines.isa(line),
      pin: (pin) => lines.pin(pin),
      smi: ports.smi,
      raiseEvent: (event) => parts.pm.raiseEvent(event),
      reset: ports.reset,
    };
    const own: readonly (Part | undefined)[] = Object.values(parts);
    const further = options.parts?.(board) ?? [];
    isListOf(isObject)('what parts gives', further);
    this.parts = [...own.filter((part) => part !== undefined), ...further];
    const names = new Set<string>();
    for (const part of this.parts) {
      if (names.has(part.name)) throw nameTaken(part.name);
      names.add(part.name);
      part.map?.(ports.io, ports.memory);
      if (part instanceof PciFunction) parts.pciHost.attach(part);
    }
    this.reset('power-on');
  }

  /** Interrupt acknowledge cycle of the 8259 pair: the vector. Throws `SmmError` `NO_8259` when there is none. */
  acknowledgeInterrupt(): number {
    const { pic } = this.devices;
    if (pic !== undefined) return pic.acknowledge();
    throw new SmmError(
      'NO_8259',
      'a processor acknowledges an external interrupt, and there is no interrupt controller',
      'Give the chipset `interrupts`, or do not raise its INTR.',
    );
  }

  /** EOI broadcast of a local APIC. */
  endOfInterrupt(vector: number): void {
    this.devices.ioapic?.endOfInterrupt(vector);
  }

  /**
   * Every register to its reset value, memory map included; RAM and virtual time are the owner's. A system reset keeps
   * CMOS RAM, the calendar and the watchdog's resume well; after power-on all of it is as it was when built.
   */
  reset(kind: ResetKind = 'system'): void {
    const all = (): void => {
      for (const part of this.parts) part.reset(kind);
    };
    if (kind === 'power-on') this.#lines.poweringOn(all);
    else all();
  }

  /** In S3. */
  get suspended(): boolean {
    return this.devices.pm.suspended;
  }

  /**
   * S3 begins: all that is not in the resume well or fed by a battery loses its power, and so its state; RAM and the
   * processors are the owner's. Something may end it at once: ask `devices.pm.wakeCause`.
   */
  suspend(): void {
    this.reset('system');
    this.devices.pm.suspend();
    this.devices.cmos.suspend();
  }

  /** S3 is over: every register is as after a system reset, and PM1_STS tells of the wake. */
  resume(): void {
    this.reset('system');
    this.devices.pm.resume();
    this.devices.cmos.resume();
  }

  /** Time alone may end S3: the RTC's alarm is armed and enabled, or some general-purpose event is enabled. */
  get mayWake(): boolean {
    const { pm, cmos } = this.devices;
    return (pm.rtcMayWake && cmos.willInterrupt) || pm.eventsMayWake;
  }

  /** Copies the state of all parts out. */
  save(): Q35State {
    return { version: 2, parts: this.parts.map((part) => ({ name: part.name, state: part.save() })) };
  }

  /**
   * Puts a saved state back and redraws the memory map. Throws `SmmError` `SNAPSHOT_VERSION` when the chipset or a
   * part has another version, `SNAPSHOT_DEVICES` when the parts are not these in this order; then nothing has changed.
   */
  restore(state: Q35State): void {
    if (state.version !== 2) {
      throw new SmmError(
        'SNAPSHOT_VERSION',
        `chipset snapshot has version ${String(state.version)}, this code reads 2`,
        'Restore with the release that saved it.',
        { version: state.version },
      );
    }
    const saved = state.parts.map(({ name }) => name);
    const here = this.parts.map(({ name }) => name);
    if (saved.join() !== here.join()) {
      throw new SmmError(
        'SNAPSHOT_DEVICES',
        `the snapshot is of a machine with ${differences(saved, here)}`,
        'Restore into a machine with the same options.',
        { saved, here },
      );
    }
    const before = this.save();
    try {
      this.#put(state);
    } catch (error) {
      this.#put(before);
      throw error;
    }
  }

  #put(state: Q35State): void {
    this.#lines.quietly(() => {
      this.parts.forEach((part, i) => {
        part.restore(state.parts[i]!.state);
      });
    });
  }
}

function nameTaken(name: string): SmmError {
  return new SmmError('PART_NAME', `two parts are named ${name}`, 'Give each part its own name.', { name });
}

/** What a snapshot has and lacks, in words. */
function differences(saved: readonly string[], here: readonly string[]): string {
  const more = saved.filter((name) => !here.includes(name));
  const less = here.filter((name) => !saved.includes(name));
  const words = [
    ...(more.length > 0 ? [`${more.join(', ')}, which this one lacks`] : []),
    ...(less.length > 0 ? [`no ${less.join(', ')}, which this one has`] : []),
  ];
  return words.join(', and ') || 'the same parts in another order';
}
