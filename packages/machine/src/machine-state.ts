/** All that changes in a machine, as one list: its order is the order of reset and restore. */
import type { VirtualClock } from '@smm/bus';
import type { Q35Chipset } from '@smm/chipset-q35';
import type { Processor } from '@smm/cpu-core';
import { SmmError } from '@smm/x86-defs';
import type { LocalApic } from '@smm/xapic';
import type { Accelerator } from './accel/accelerator.ts';
import type { Driver } from './driver.ts';
import type { MachineIdentity, MachineSnapshot } from './machine-options.ts';
import type { DebugConsole } from './platform/debug-console.ts';
import type { HostPages } from './platform/host-pages.ts';
import type { TouchedPages } from './platform/touched-pages.ts';
import type { Schedule } from './scheduler.ts';
import { checkKnown } from './snapshot-shape.ts';

/** What a machine counts for its users. */
export interface Counters {
  /** SMM entries by processor. */
  smmEntries: number[];
  /** SMIs that the chipset raised. */
  chipsetSmis: number;
  /** Those of a write to APM_CNT, by the byte written. */
  smiCommands: Map<number, number>;
  /** Device accesses so far. */
  accesses: number;
}

/** The parts that have state. */
export interface StatefulParts {
  /** Virtual time. */
  readonly clock: VirtualClock;
  /** Devices. */
  readonly chipset: Q35Chipset;
  /** Turns. */
  readonly driver: Driver;
  /** The debug port's reader. */
  readonly console: DebugConsole;
  /** What is counted. */
  readonly counters: Counters;
  /** Memory. */
  readonly touched: TouchedPages;
  /** Host pages. */
  readonly pages: HostPages;
  /** Accelerator. */
  readonly accelerator: Accelerator;
  /** Local APICs. */
  readonly apics: readonly LocalApic[];
  /** Processors. */
  readonly processors: readonly Processor[];
  /** Told of memory that changed: decoded code may lie there. */
  readonly written: (hostOffset: number, sizeBytes: number) => void;
}

/** The key of a snapshot under which a row's state lies. */
type Key = Exclude<keyof MachineSnapshot, 'version' | 'machine'>;

/** Why the reset line is asserted; what every state has in common is in {@link StateRow.systemReset}. */
type ResetCause = 'reset' | 'suspend' | 'resume';

/** One row. */
interface StateRow {
  /** What it is. */
  readonly name: string;
  /** To power-on. */
  readonly powerOn: (schedule: Schedule) => void;
  /** What the reset line does, and so S3 at its begin and end; left out where it does nothing. */
  readonly systemReset?: (why: ResetCause) => void;
  /** Its part of a snapshot; left out where a row only orders. */
  readonly key?: Key;
  /** Copies it out. */
  readonly save?: () => unknown;
  /** Puts it back. */
  readonly restore: (snapshot: MachineSnapshot) => void;
}

const nothing = (): void => undefined;

function rowsOf(p: StatefulParts): StateRow[] {
  const changed = (offsets: readonly number[]): void => {
    for (const at of offsets) p.written(at, 4096);
  };
  const resetApics = (): void => {
    for (const apic of p.apics) apic.reset('power-up');
  };
  const resetProcessors = (): void => {
    p.processors.forEach((processor, index) => {
      processor.reset('power-up', index === 0);
    });
  };
  return [
    {
      name: 'time', // devices ask for it while they are reset or restored
      key: 'clock',
      powerOn: () => p.clock.restore({ version: 1, nowNs: 0, alarms: [] }),
      save: () => p.clock.save(),
      restore: ({ clock }) => p.clock.restore(clock),
    },
    {
      name: 'chipset', // it draws the address map, while the accelerator still has its old tables to give back
      key: 'chipset',
      powerOn: () => p.chipset.reset('power-on'),
      systemReset: (why) => {
        if (why === 'reset') p.chipset.reset('system');
        else if (why === 'suspend') p.chipset.suspend();
        else p.chipset.resume();
      },
      save: () => p.chipset.save(),
      restore: ({ chipset }) => p.chipset.restore(chipset),
    },
    {
      name: 'memory',
      key: 'memory',
      powerOn: () => changed(p.touched.clear()),
      save: () => p.touched.save(),
      restore: ({ memory }) => changed(p.touched.restore(memory)),
    },
    {
      name: 'host pages',
      key: 'hostPages',
      powerOn: () => p.pages.reset(),
      save: () => p.pages.save(),
      restore: ({ hostPages }) => p.pages.restore(hostPages),
    },
    {
      name: 'accelerator', // its tables lie in memory and host pages
      key: 'accelerator',
      powerOn: () => p.accelerator.reset(),
      save: () => p.accelerator.save(),
      restore: ({ accelerator }) => p.accelerator.restore(accelerator),
    },
    {
      name: 'local APICs',
      key: 'apics',
      powerOn: resetApics,
      systemReset: resetApics,
      save: () => p.apics.map((apic) => apic.save()),
      restore: ({ apics }) => {
        p.apics.forEach((apic, index) => {
          apic.restore(apics[index]!);
        });
      },
    },
    {
      name: 'processors',
      key: 'processors',
      powerOn: resetProcessors,
      systemReset: resetProcessors,
      save: () => p.processors.map((processor) => processor.save()),
      restore: ({ processors }) => {
        p.processors.forEach((processor, index) => {
          processor.restore(processors[index]!);
        });
      },
    },
    {
      name: 'driver', // the parts above wake processors while they are restored
      key: 'driver',
      powerOn: (schedule) => p.driver.reset(schedule),
      systemReset: (why) => {
        if (why === 'suspend') p.driver.stopAll();
        else p.driver.wakeFirstAlone();
      },
      save: () => p.driver.save(),
      restore: ({ driver }) => p.driver.restore(driver),
    },
    {
      name: 'console',
      key: 'console',
      powerOn: () => p.console.reset(),
      save: () => p.console.save(),
      restore: (snapshot) => p.console.restore(snapshot.console),
    },
    {
      name: 'counters',
      key: 'counters',
      powerOn: () => {
        const smmEntries = p.processors.map(() => 0);
        Object.assign(p.counters, { smmEntries, chipsetSmis: 0, smiCommands: new Map(), accesses: 0 });
      },
      save: () => {
        const { smmEntries, chipsetSmis, smiCommands, accesses } = p.counters;
        return { smmEntries: [...smmEntries], chipsetSmis, smiCommands: [...smiCommands], accesses };
      },
      restore: ({ counters }) => {
        const smiCommands = new Map(counters.smiCommands);
        Object.assign(p.counters, { ...counters, smmEntries: [...counters.smmEntries], smiCommands });
      },
    },
    {
      name: 'alarms', // devices set some while they are restored
      powerOn: nothing,
      restore: ({ clock }) => p.clock.restore(clock),
    },
  ];
}

/** Reset, save and restore of one machine. */
export class MachineState {
  readonly #parts: StatefulParts;
  readonly #identity: () => MachineIdentity;
  readonly #rows: readonly StateRow[];

  /** `identity` is asked when a snapshot is taken or put back. */
  constructor(parts: StatefulParts, identity: () => MachineIdentity) {
    this.#parts = parts;
    this.#identity = identity;
    this.#rows = rowsOf(parts);
  }

  /** To power-on. */
  powerOn(schedule: Schedule): void {
    for (const row of this.#rows) row.powerOn(schedule);
  }

  /** What the reset line does. */
  systemReset(why: ResetCause = 'reset'): void {
    for (const row of this.#rows) row.systemReset?.(why);
  }

  /** Copies everything out. */
  save(): MachineSnapshot {
    return { version: 2, machine: this.#identity(), ...this.#states() } as MachineSnapshot;
  }

  /**
   * Puts a snapshot back, or refuses it before anything is changed. Throws `SmmError`: `SNAPSHOT_VERSION` for another
   * layout, `SNAPSHOT_MACHINE` for the snapshot of another machine, `SNAPSHOT_MEMORY` for memory that this one does
   * not have; what a disk throws that was written otherwise.
   */
  restore(snapshot: MachineSnapshot): void {
    const own = { version: 2, machine: this.#identity(), ...this.#states('memory'), memory: [] };
    checkKnown('the machine', own, snapshot);
    for (const [key, value] of Object.entries(own.machine)) {
      const other = snapshot.machine[key as keyof MachineIdentity];
      if (other === value) continue;
      throw new SmmError(
        'SNAPSHOT_MACHINE',
        `the snapshot is of a machine whose ${key} is ${other}; here it is ${value}`,
        'Restore into a machine built with the same options.',
        { key, snapshot: other, machine: value },
      );
    }
    for (const key of ['processors', 'apics'] as const) {
      if (snapshot[key].length === own.machine.cpus) continue;
      throw new SmmError(
        'SNAPSHOT_MACHINE',
        `the snapshot has ${snapshot[key].length} ${key} for ${own.machine.cpus} CPUs`,
        'The snapshot is damaged: save it again.',
        { key },
      );
    }
    this.#parts.touched.check(snapshot.memory);
    try {
      for (const row of this.#rows) row.restore(snapshot);
    } catch (error) {
      // Only a disk refuses so late, for it alone cannot be put back: the chipset has undone what it did.
      this.#parts.clock.restore((own as unknown as MachineSnapshot).clock);
      throw error;
    }
  }

  #states(without?: Key): Partial<Record<Key, unknown>> {
    const states: Partial<Record<Key, unknown>> = {};
    for (const { key, save } of this.#rows) if (key !== undefined && key !== without) states[key] = save!();
    return states;
  }
}
