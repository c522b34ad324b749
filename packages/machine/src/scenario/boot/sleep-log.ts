/** The times that a guest spends in S3: when, what woke it, and where its processors' SMBASEs are set again. */
import type { WakeCause } from '@smm/chipset-q35';

/** One time in S3. */
export interface BootSleep {
  /** When it began, virtual nanoseconds. */
  readonly fromNs: number;
  /** When it ended; undefined: it has not. */
  readonly toNs: number | undefined;
  /** What ended it. */
  readonly wokenBy: WakeCause | undefined;
  /** The SMBASE that each processor got after it, by index, guest-physical; those that got none are not there. */
  readonly relocated: ReadonlyMap<number, number>;
}

/** Writes them down. */
export class SleepLog {
  readonly #sleeps: {
    readonly fromNs: number;
    toNs: number | undefined;
    wokenBy: WakeCause | undefined;
    readonly relocated: Map<number, number>;
  }[] = [];

  /** SMBASEs since the last one, until the guest is reset. */
  #relocated: Map<number, number> | undefined;

  /** In order. */
  get sleeps(): readonly BootSleep[] {
    return this.#sleeps.map((sleep) => ({ ...sleep, relocated: new Map(sleep.relocated) }));
  }

  /** S3 begins. */
  begun(ns: number): void {
    this.#sleeps.push({ fromNs: ns, toNs: undefined, wokenBy: undefined, relocated: new Map() });
  }

  /** It ends. */
  ended(ns: number, cause: WakeCause): void {
    const last = this.#sleeps.at(-1);
    if (last === undefined) return; // a snapshot taken in S3 was put back
    last.toNs = ns;
    last.wokenBy = cause;
    this.#relocated = last.relocated;
  }

  /** The guest was reset: what comes belongs to no sleep. */
  restarted(): void {
    this.#relocated = undefined;
  }

  /** A processor left SMM. */
  leftSmm(processor: number, from: number, to: number): void {
    if (from !== to) this.#relocated?.set(processor, to);
  }
}
