/** The seam inside cpu-core between executing instructions (src/engine) and architecture around them (src/system). */
import type { Insn } from './insn.ts';
import type { TranslateResult } from './ports.ts';

/**
 * Memory by linear address, through the TLB, with page faults raised as `GuestFault`. No segmentation. Values unsigned.
 */
export interface LinearMemory {
  /** Reads 1, 2 or 4 bytes. `user`: user-mode access (false for implicit supervisor accesses). May cross pages. */
  load(linear: number, size: 1 | 2 | 4, user: boolean): number;
  /** Reads 8 bytes. */
  load64(linear: number, user: boolean): bigint;
  /** Reads 8 bytes into {@link low} and {@link high}. */
  loadWords(linear: number, user: boolean): void;
  /** Low half of what {@link loadWords} read last. */
  readonly low: number;
  /** High half of it. */
  readonly high: number;
  /** Writes 1, 2 or 4 bytes. Nothing is written if any byte faults. */
  store(linear: number, size: 1 | 2 | 4, value: number, user: boolean): void;
  /** Writes 8 bytes. */
  store64(linear: number, value: bigint, user: boolean): void;
  /** Writes 8 bytes, given as halves. */
  storeWords(linear: number, low: number, high: number, user: boolean): void;
  /** Faults as a read would, reads nothing. */
  probeRead(linear: number, size: number, user: boolean): void;
  /** Faults as a write would, writes nothing. */
  probeWrite(linear: number, size: number, user: boolean): void;
  /**
   * Host offset of `linear` if the page is plain RAM that this access may touch directly up to the page end, else -1
   * (device, ROM write, code page write). Faults as the access would. For bulk REP operations.
   */
  hostOffset(linear: number, access: number, user: boolean): number;
  /** Tells the engine that host memory changed other than by a processor's store through this interface. */
  written(hostOffset: number, length: number): void;
  /** Drops cached translations of one page (INVLPG) or all (`undefined`); global pages too when `global`. */
  flush(linear?: number, global?: boolean): void;
  /** The cached translations, as bytes: what they hold is part of the processor's state. */
  save(): Uint8Array;
  /** Puts them back. Throws `SmmError` `SNAPSHOT_MEMORY` for other bytes. */
  restore(translations: Uint8Array): void;
  /**
   * Where `linear` lies for a debugger's eye in SMM or not: by the page tables in force, whatever they permit, without
   * any effect on guest, TLB or traces.
   */
  look(linear: number, smm: boolean): Readonly<TranslateResult>;
}

/** Runs decoded instructions. Returns with ST_EXIT set; the instructions used are in the change of ST_BUDGET. */
export interface Tier {
  /** Runs until the budget in ST_BUDGET is used up or something ends it. */
  run(): void;
  /** Instructions (REP iterations) retired by this processor before the instruction now executing. */
  retiredNow(): number;
  /**
   * Fetches and decodes the instruction at RIP without executing it (debugger, traces). Undefined if it cannot be
   * fetched.
   */
  peek(): Insn | undefined;
}
