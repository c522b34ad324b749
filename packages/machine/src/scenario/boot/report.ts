/** What became of a boot: one word, what each processor does, and what it is stuck on. */
import type { CpuCore, RunReport } from '../report.ts';
import type { ModuleLocation } from './module-map.ts';
import type { BootPhase } from './phase.ts';
import type { BootSleep } from './sleep-log.ts';

/**
 * One word for a boot. `shell`, `relocated`, `text`: what was asked for. `prompt`: the firmware's boot manager or a
 * menu waits for a key; `unbootable`: the firmware says that it found nothing to boot. `stuck`: one processor waits for
 * ever ({@link BootStuck}); `idle`: every processor is halted and nothing is pending; `suspended`: in S3, and nothing
 * will wake it; `lost`: a processor executes memory that holds no code; `shutdown`: a triple fault or its like;
 * `powered-off`: the guest turned itself off; `reset`: it asked for a reset that was not wanted; `unmodelled`: it did
 * what is not modelled; `budget`: neither within the instructions or the time given; `left`: whoever ran it had enough.
 */
export type BootOutcome =
  | 'shell'
  | 'prompt'
  | 'unbootable'
  | 'relocated'
  | 'text'
  | 'stuck'
  | 'idle'
  | 'suspended'
  | 'lost'
  | 'shutdown'
  | 'powered-off'
  | 'reset'
  | 'unmodelled'
  | 'budget'
  | 'left';

/** A processor at the end of a boot. */
export interface BootCpuReport extends CpuCore {
  /** Why it does not execute, or undefined. */
  readonly idle: 'halted' | 'wait-for-sipi' | 'shutdown' | undefined;
  /** Firmware module that RIP is in. */
  readonly module: ModuleLocation | undefined;
}

/** A busy wait in words and numbers. */
export interface BootStuck {
  /** The processor that spins. */
  readonly processor: number;
  /** The lowest instruction of the loop, linear address. */
  readonly rip: number;
  /** Its module. */
  readonly module: ModuleLocation | undefined;
  /** Instructions in one turn of the loop. */
  readonly period: number;
  /** Addresses that the loop reads, linear. */
  readonly reads: readonly number[];
  /** Virtual time since when, nanoseconds. */
  readonly sinceNs: number;
}

/** The whole answer. */
export interface BootReport extends RunReport<BootOutcome> {
  /** Phase at the end. */
  readonly phase: BootPhase;
  /** By index. */
  readonly cpus: readonly BootCpuReport[];
  /** Present when stuck. */
  readonly stuck: BootStuck | undefined;
  /** SMIs that the chipset raised (writes to the APM port). */
  readonly smis: number;
  /** Those of a write to APM_CNT, by the byte written. */
  readonly smisByCommand: ReadonlyMap<number, number>;
  /** All by phase; the phase is sampled every 100,000 instructions. */
  readonly smisByPhase: ReadonlyMap<BootPhase, number>;
  /** Exceptions and interrupts delivered, `exception 14` or `interrupt 32` and how often. */
  readonly delivered: ReadonlyMap<string, number>;
  /** Lines on the debug port 402h. */
  readonly debugLines: readonly string[];
  /** Resets that the guest asked for and got. */
  readonly resets: number;
  /** The times that it spent in S3, in order. */
  readonly sleeps: readonly BootSleep[];
}

/** `PiSmmCpuDxeSmm+0x3259`, or the bare address. */
export function placeOf(address: number, module: ModuleLocation | undefined): string {
  return module === undefined ? hex(address) : `${module.name}+${hex(module.offset)}`;
}

/** `CPU 0 spins in PiSmmCpuDxeSmm+0x3259, reading 0xffeb0d1, since 35.3 virtual seconds`. */
export function stuckSentence({ processor, rip, module, reads, sinceNs }: BootStuck, nowNs: number): string {
  const what = reads.length === 0 ? 'which reads nothing' : `reading ${reads.map(hex).join(', ')}`;
  const [since, lasting] = [sinceNs, nowNs - sinceNs].map((ns) => (ns / 1e9).toFixed(1));
  return `CPU ${processor} spins in ${placeOf(rip, module)}, ${what}, where nothing changes, since virtual second ${since} (for ${lasting} s)`;
}

/** What a processor does, in a few words; the one that is stuck is where its loop is. */
export function activityOf({ id, idle, smm, rip, module }: BootCpuReport, stuck?: BootStuck): string {
  if (stuck?.processor === id) return `spins${smm ? ' in SMM' : ''} at ${placeOf(stuck.rip, stuck.module)}`;
  const where = placeOf(Number(BigInt.asUintN(64, rip)), module);
  if (idle === 'wait-for-sipi') return 'waits for a start-up IPI';
  if (idle === 'shutdown') return `shut down at ${where}`;
  return `${idle === 'halted' ? 'halted' : 'runs'}${smm ? ' in SMM' : ''} at ${where}`;
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
