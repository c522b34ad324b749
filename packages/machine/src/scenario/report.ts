/** What the reports of all scenarios have in common. */
import type { Machine } from '../machine.ts';

/** A processor at the end of a run. */
export interface CpuCore {
  /** Processor index, equal to its initial APIC id. */
  readonly id: number;
  /** SMBASE, guest-physical. */
  readonly smbase: number;
  /** In SMM. */
  readonly smm: boolean;
  /** RIP; linear only with a flat CS. */
  readonly rip: bigint;
  /** Times it entered SMM. */
  readonly smmEntries: number;
}

/** A run's end. */
export interface RunReport<Outcome extends string> {
  /** One word. */
  readonly outcome: Outcome;
  /** One sentence without its full stop. */
  readonly summary: string;
  /** Instructions of all processors. */
  readonly instructions: number;
  /** Virtual nanoseconds. */
  readonly virtualNs: number;
  /** VM exits by reason number; empty under `tcg`. */
  readonly exits: ReadonlyMap<number, number>;
}

/** A processor as it is now. */
export function cpuCore(machine: Machine, id: number): CpuCore {
  const { smbase, smm, rip } = machine.processors[id]!.state;
  return { id, smbase, smm, rip, smmEntries: machine.smmEntries[id]! };
}

/** What a machine has counted so far. */
export function countsOf(machine: Machine): Pick<RunReport<string>, 'instructions' | 'virtualNs' | 'exits'> {
  return {
    instructions: machine.retired,
    virtualNs: machine.clock.now(),
    exits: new Map(machine.accelerator.exitCounts),
  };
}
