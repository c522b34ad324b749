/**
 * The machine: processors, local APICs, memory and chipset under an accelerator, driven by a deterministic scheduler.
 */
import type { IoPortSpace, PhysicalAddressSpace, VirtualClock } from '@smm/bus';
import type { Q35Chipset } from '@smm/chipset-q35';
import type { Processor, TranslationStatistics } from '@smm/cpu-core';
import { SmmError, wholeNumber } from '@smm/x86-defs';
import type { LocalApic } from '@smm/xapic';
import type { Accelerator } from './accel/accelerator.ts';
import type { WatchedAccesses } from './accel/translation-watch.ts';
import { ACT_HALTED, ACT_SHUTDOWN, ACT_WAIT_SIPI } from './activity.ts';
import { DebugPort } from './debug-port.ts';
import {
  identityOf,
  type MachineIdentity,
  type MachineOptions,
  type MachineSnapshot,
  type MachineStop,
  type RunLimits,
} from './machine-options.ts';
import { MachineState } from './machine-state.ts';
import type { MemoryPlan } from './platform/memory-plan.ts';
import type { Schedule } from './scheduler.ts';
import { Wiring } from './wiring.ts';

/**
 * A complete machine. Everything is deterministic: equal options give equal runs. Calls that run it, change it as a
 * whole or copy it out are refused inside its own devices and observers (`SmmError` `MACHINE_BUSY`), but for {@link
 * systemReset}. What a device throws comes out of the run; the machine stands then before the access that threw, and
 * the next run repeats it. Only an interrupt
 * that was acknowledged is lost if a device throws during its delivery: the local APIC already shows it in service.
 */
export class Machine {
  /** How the memory is laid out. */
  readonly plan: MemoryPlan;
  /** Processors by index. */
  readonly processors: readonly Processor[];
  /** Local APICs by processor index. */
  readonly apics: readonly LocalApic[];
  /** Virtual time. */
  readonly clock: VirtualClock;
  /** Guest-physical address space. */
  readonly space: PhysicalAddressSpace;
  /** I/O ports. */
  readonly ports: IoPortSpace;
  /** Devices. */
  readonly chipset: Q35Chipset;
  /** Accelerator. */
  readonly accelerator: Accelerator;
  /** A debugger's way to memory. */
  readonly debug: DebugPort;
  /** Virtual nanoseconds per instruction. */
  readonly nsPerInstruction: number;
  readonly #schedule: Schedule;
  readonly #parts: Wiring;
  readonly #state: MachineState;

  /** Builds the machine and powers it on. Throws `SmmError`s for options that make no sense or do not fit together. */
  constructor(options: MachineOptions) {
    const parts = new Wiring(options);
    this.#parts = parts;
    this.#schedule = options.schedule;
    this.plan = parts.plan;
    this.processors = parts.processors;
    this.apics = parts.apics;
    this.clock = parts.clock;
    this.space = parts.space;
    this.ports = parts.ports;
    this.chipset = parts.chipset;
    this.accelerator = parts.accelerator;
    this.nsPerInstruction = parts.nsPerInstruction;
    this.debug = new DebugPort({
      processors: parts.processors,
      space: parts.space,
      memory: parts.accelerator.memory,
      buffer: parts.buffer,
      written: (at, size) => parts.written(at, size),
    });
    const written = (at: number, size: number): void => parts.engine.written(at, size);
    parts.sleep = {
      suspend: () => {
        this.#state.systemReset('suspend');
        return this.chipset.devices.pm.wakeCause();
      },
      resume: () => this.#state.systemReset('resume'),
    };
    let identity: MachineIdentity | undefined;
    this.#state = new MachineState({ ...partsWithState(parts), written }, () => {
      identity ??= identityOf(options, parts.flash);
      return identity;
    });
  }

  /** Debug output so far, complete lines without their ends. */
  get log(): readonly string[] {
    return this.#parts.console.lines;
  }

  /** Instructions of all processors so far; exact inside devices, observers and hooks too. */
  get retired(): number {
    return this.#parts.driver.retiredNow();
  }

  /** The processor whose hook ended the last run or step (`stopped`), or undefined: another reason did. */
  get stoppedBy(): number | undefined {
    return this.#parts.driver.stoppedBy;
  }

  /** The reason of the last shutdown of a processor. */
  get shutdownReason(): string | undefined {
    return this.#parts.driver.shutdownReason;
  }

  /** Times each processor entered SMM, by index. */
  get smmEntries(): readonly number[] {
    return this.#parts.counters.smmEntries;
  }

  /** SMIs that the chipset raised (each counts once, however many processors it reached). */
  get chipsetSmis(): number {
    return this.#parts.counters.chipsetSmis;
  }

  /** Those of a write to APM_CNT (port B2h), by the byte written: the command to the handler. */
  get smiCommands(): ReadonlyMap<number, number> {
    return this.#parts.counters.smiCommands;
  }

  /** Device accesses of processors so far. */
  get deviceAccesses(): number {
    return this.#parts.counters.accesses;
  }

  /** What the translator has done so far; undefined where no processor is translated. */
  get translations(): TranslationStatistics | undefined {
    return this.#parts.engine.translations;
  }

  /** In S3: no processor runs until something wakes it. */
  get suspended(): boolean {
    return this.chipset.suspended;
  }

  /** Presses the power button: an event for the OS (an SCI where it wants one), and the end of S3. */
  pressPowerButton(): void {
    this.chipset.devices.pm.pressPowerButton();
  }

  /** QEMU's `system_wakeup`: ends S3, as the power button does. Throws `SmmError` `NOT_SUSPENDED` outside S3. */
  wakeUp(): void {
    if (!this.suspended) {
      throw new SmmError(
        'NOT_SUSPENDED',
        'the machine is not in S3, so it cannot be woken',
        'Ask Machine.suspended first; Machine.pressPowerButton is for a machine that runs.',
      );
    }
    this.pressPowerButton();
  }

  /**
   * Runs until a limit, until nothing can ever happen again (`idle`, or `suspended` in S3), or until a processor shuts
   * down. Where runs end leaves no trace in what the guest does. Throws `SmmError` `OPTION_VALUE` for a limit that is
   * none.
   */
  run(limits: RunLimits): MachineStop {
    return this.#parts.driver.run(limits);
  }

  /** Runs until exactly so many instructions have been executed since power-on, in the middle of a turn if need be. */
  runTo(retired: number, interrupt?: () => boolean): MachineStop {
    return this.#parts.driver.runTo(retired, interrupt);
  }

  /** Goes on with the turn that stands, or the next one, for at most `slice` instructions. `turn`: it is over. */
  runTurn(slice: number = Number.POSITIVE_INFINITY): MachineStop | 'turn' {
    return this.#parts.driver.runTurn(slice);
  }

  /**
   * Runs one processor for exactly one instruction (fewer if it cannot go on). The trace shows no preemption after
   * it.
   */
  step(index: number): void {
    wholeNumber('the processor to step', index, 0, this.processors.length - 1);
    this.#parts.driver.step(index);
  }

  /** Processors that can execute now, by index. */
  runnable(): number[] {
    return this.#parts.driver.runnable();
  }

  /** Why a processor cannot execute, or undefined when it can. */
  idleReason(index: number): 'halted' | 'wait-for-sipi' | 'shutdown' | undefined {
    const { activity } = this.processors[index]!.state;
    if (activity & ACT_SHUTDOWN) return 'shutdown';
    if (activity & ACT_WAIT_SIPI) return 'wait-for-sipi';
    return activity & ACT_HALTED ? 'halted' : undefined;
  }

  /**
   * System reset as the reset line does it: devices, local APICs and processors; RAM, flash and time stay. Inside a
   * device or an observer it happens when the running instruction is done.
   */
  systemReset(): void {
    this.#parts.driver.afterInstruction(() => this.#state.systemReset());
  }

  /**
   * Power-on again, optionally with another schedule: memory and flash are as they were then. Cheaper than a new
   * machine.
   */
  reset(schedule: Schedule = this.#schedule): void {
    this.#parts.driver.checkIdle('reset');
    this.#state.powerOn(schedule);
  }

  /** Copies the whole machine out, wherever it stands. */
  save(): MachineSnapshot {
    this.#parts.driver.checkIdle('save');
    return this.#state.save();
  }

  /**
   * Puts a snapshot of a machine with the same options back, or refuses it unchanged: see `machine-state.ts`.
   */
  restore(snapshot: MachineSnapshot): void {
    this.#parts.driver.checkIdle('restore');
    this.#state.restore(snapshot);
  }

  /** The machine's memory, by host offset. Tell {@link Machine.written} of every change. */
  get bytes(): Uint8Array {
    return new Uint8Array(this.#parts.buffer);
  }

  /** Which pages of {@link bytes} between two offsets, multiples of 4 KiB, have been written since power-on: ranges. */
  writtenRanges(from: number, to: number): [from: number, to: number][] {
    return this.#parts.touched.ranges(from, to);
  }

  /** Host memory was changed by a device. */
  written(hostOffset: number, sizeBytes: number): void {
    this.#parts.written(hostOffset, sizeBytes);
  }

  /** Short for {@link DebugPort.readPhysical}. */
  peek(gpa: number, sizeBytes: number, smm = false): Uint8Array {
    return this.debug.readPhysical(gpa, sizeBytes, smm ? 'smm' : 'normal');
  }

  /** Starts to count stores and to collect read addresses: drops every TLB so that each page is asked for anew. */
  watchStores(): void {
    for (const processor of this.processors) processor.memory.flush(undefined, true);
    this.#parts.watch.start();
  }

  /** Ends {@link watchStores}: whether any processor stored, and what each read first on every page it read. */
  watched(): WatchedAccesses {
    return this.#parts.watch.stop();
  }

  /** Stores seen since {@link watchStores}, while it goes on watching. */
  get storesSoFar(): number {
    return this.#parts.watch.stores;
  }
}

function partsWithState(parts: Wiring) {
  const { clock, chipset, driver, console, counters, touched, pages, accelerator, apics, processors } = parts;
  return { clock, chipset, driver, console, counters, touched, pages, accelerator, apics, processors };
}
