/**
 * What a processor may do by itself instead of asking its surroundings: read virtual time, and let PAUSE pass. Their
 * owner says so, and keeps it true.
 */
import * as L from './layout.ts';
import type { TimeCounter } from './ports.ts';
import type { CpuState } from './state.ts';

/**
 * Permissions that generated code looks up in the state page. Without any, everything goes the long way, to the same
 * result. They are no part of the processor's state: snapshots do not hold them.
 */
export class Shortcuts {
  readonly #state: CpuState;
  readonly #hasTsc: boolean;
  #counter: TimeCounter | undefined;
  #tsc = false;
  #pauseWatched = true;
  #heard = { ports: false, instructions: false };

  /** `hasTsc`: the model has RDTSC. */
  constructor(state: CpuState, hasTsc: boolean) {
    this.#state = state;
    this.#hasTsc = hasTsc;
    this.#apply();
  }

  /**
   * Virtual nanoseconds `ns` had passed when the processor had retired `retired` instructions; each takes
   * `nsPerInstruction`. Valid until the next call.
   */
  setTime(ns: number, retired: number, nsPerInstruction: number): void {
    const { f64 } = this.#state.views;
    const at = this.#state.base >>> 3;
    f64[at + (L.ST_TIME_NS >>> 3)] = ns;
    f64[at + (L.ST_TIME_RETIRED >>> 3)] = retired;
    f64[at + (L.ST_TIME_RATE >>> 3)] = nsPerInstruction;
  }

  /** The counter that IN may compute; undefined for none. */
  set counter(counter: TimeCounter | undefined) {
    this.#counter = counter;
    this.#apply();
  }

  /**
   * RDTSC may compute the counter, as whole nanoseconds: nobody wants to hear of it, and {@link setTime} is kept true.
   */
  set tsc(allowed: boolean) {
    this.#tsc = allowed;
    this.#apply();
  }

  /** PAUSE is told to the observer. Initially true. */
  set pauseWatched(watched: boolean) {
    this.#pauseWatched = watched;
    this.#state.set32(L.ST_PAUSE_WATCHED, watched || this.#heard.instructions ? 1 : 0);
  }

  /** A hook wants to hear of every port access, or of every instruction that observers are told of: no shortcuts. */
  hear(heard: { readonly ports: boolean; readonly instructions: boolean }): void {
    this.#heard = { ...heard };
    this.#apply();
  }

  #apply(): void {
    const s = this.#state;
    const { ports, instructions } = this.#heard;
    const counter = ports ? undefined : this.#counter;
    s.set32(L.ST_TIME_PORT, counter === undefined ? 0 : counter.port + counter.size * 0x1_0000);
    if (counter !== undefined) {
      s.views.f64[(s.base + L.ST_TIME_FREQUENCY) >>> 3] = counter.frequencyHz;
      s.set32(L.ST_TIME_MASK, counter.mask);
    }
    s.set32(L.ST_TIME_TSC, this.#tsc && this.#hasTsc && !instructions ? 1 : 0);
    s.set32(L.ST_PAUSE_WATCHED, this.#pauseWatched || instructions ? 1 : 0);
  }

  /** How often time was read without asking, since this was last set. */
  get timeReads(): number {
    return this.#state.getNumber(L.ST_TIME_READS);
  }
  /** Sets that count. */
  set timeReads(count: number) {
    this.#state.setNumber(L.ST_TIME_READS, count);
  }
}
