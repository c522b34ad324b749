/** What became of a relocation: one word, what each processor does, and the proof when it hangs. */
import type { CpuCore, RunReport } from '../report.ts';

/**
 * One word for a run. `relocated`: every CPU has its planned SMBASE, whatever the first normal SMI then loses
 * ({@link RelocationReport.firstSmi}); `ended`: a ROM of the user's ran until every CPU halted, and nothing says what
 * SMBASEs it planned; `wrong-smbase`: the firmware believes that it is done and a CPU has another SMBASE, whatever that
 * leads to; `stuck`: nothing will ever go on; `budget-exhausted`: given up, because the budget is used up or a CPU runs
 * where the firmware has no code.
 */
export type RelocationOutcome =
  | 'relocated'
  | 'ended'
  | 'stuck'
  | 'shutdown'
  | 'wrong-smbase'
  | 'budget-exhausted';

/** What a processor is doing at the end. */
export type CpuActivity = 'running' | 'spinning' | 'halted' | 'wait-for-sipi' | 'shutdown';

/** A processor at the end of a run. */
export interface CpuReport extends CpuCore {
  /** SMBASE that the firmware planned, guest-physical; undefined for a ROM whose debug log says nothing of it. */
  readonly planned: number | undefined;
  /** What it does. */
  readonly state: CpuActivity;
  /** What it waits for, in words; undefined when for nothing. */
  readonly waitingOn: string | undefined;
}

/** Why a run will never go on. */
export interface LoopProof {
  /** Processors that spin, with the period of each in instructions and the addresses they read (linear). */
  readonly loops: readonly {
    /** Processor. */
    readonly id: number;
    /** Length of the loop in instructions. */
    readonly period: number;
    /** Linear addresses that it reads. */
    readonly reads: readonly number[];
  }[];
  /** One sentence. */
  readonly sentence: string;
}

/** The whole answer. */
export interface RelocationReport extends RunReport<RelocationOutcome> {
  /** By index. */
  readonly cpus: readonly CpuReport[];
  /** CPUs that checked in at the first normal SMI, as the firmware counted them; undefined if it did not get there. */
  readonly firstSmi:
    | {
        /** Processors that entered it at their own SMBASE. */
        readonly entered: number;
        /** All processors. */
        readonly of: number;
      }
    | undefined;
  /** Debug log, one entry per line. */
  readonly log: readonly string[];
  /** Present when the run hangs in a proven endless loop. */
  readonly proof: LoopProof | undefined;
  /** Why a processor shut down. */
  readonly shutdown: string | undefined;
  /** Remarks for the reader. */
  readonly notes: readonly string[];
}
