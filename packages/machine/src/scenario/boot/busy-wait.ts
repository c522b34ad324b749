/**
 * Finds a hang in firmware that nobody here wrote: the only processor that can run repeats, interrupts aside, one loop
 * that stores nothing and touches no device or clock, and what it reads has not changed for long virtual time.
 */

import type { Machine } from '../../machine.ts';
import { findLoop } from '../relocation/endless-loop.ts';

/** A busy wait that has lasted. */
export interface BusyWait {
  /** The processor that spins. */
  readonly processor: number;
  /** Instructions in one turn of the loop. */
  readonly period: number;
  /** The lowest address in the loop, linear: the same wherever it was looked at. */
  readonly rip: number;
  /** What it reads, linear. */
  readonly reads: readonly number[];
  /** Virtual time at which it was first seen, nanoseconds. */
  readonly sinceNs: number;
}

/**
 * Virtual time for which a loop must last. The shell's countdown and a prompt poll devices, so they are never
 * candidates.
 */
export const BUSY_WAIT_NS = 2_000_000_000;
/** Times that it must be seen in that time. */
const SIGHTINGS = 4;

interface Candidate extends BusyWait {
  /** Bytes at the addresses read, as hexadecimal. */
  readonly contents: string;
  readonly sightings: number;
  /** All addresses of the loop. */
  readonly rips: ReadonlySet<number>;
}

/** Watches one machine; ask it now and then. */
export class BusyWaitDetector {
  readonly #machine: Machine;
  #candidate: Candidate | undefined;

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  /** Looks once, which runs the guest on by a few instructions. Answers when the hang is established. */
  look(): BusyWait | undefined {
    const machine = this.#machine;
    const runnable = machine.runnable().filter((id) => machine.idleReason(id) === undefined);
    const [processor] = runnable;
    if (processor === undefined || runnable.length > 1) {
      this.#candidate = undefined;
      return undefined;
    }
    const accesses = machine.deviceAccesses;
    machine.watchStores();
    const storing = (): boolean => machine.deviceAccesses !== accesses || machine.storesSoFar > 0;
    const loop = findLoop(machine, machine.processors[processor]!, storing);
    const { stores, reads } = machine.watched();
    // An interrupt in between makes this look worthless, not the wait: keep what is known.
    if (loop === undefined || stores > 0 || machine.deviceAccesses !== accesses) return undefined;
    const addresses = [...new Set(reads.get(processor) ?? [])];
    const contents = addresses.map((address) => contentsAt(machine, processor, address)).join();
    const known = this.#candidate;
    const rip = Math.min(...loop.rips);
    const same =
      known !== undefined &&
      known.processor === processor &&
      known.contents === contents &&
      known.rips.has(rip);
    this.#candidate = {
      processor,
      period: loop.period,
      rip,
      rips: loop.rips,
      reads: addresses,
      contents,
      sinceNs: same ? known.sinceNs : machine.clock.now(),
      sightings: same ? known.sightings + 1 : 1,
    };
    const { sinceNs, sightings } = this.#candidate;
    return sightings >= SIGHTINGS && machine.clock.now() - sinceNs >= BUSY_WAIT_NS
      ? this.#candidate
      : undefined;
  }
}

/** Up to eight bytes of the page, as hexadecimal; what was read last may have been unmapped since. */
function contentsAt(machine: Machine, processor: number, linear: number): string {
  if (machine.debug.physicalOf(processor, linear) === undefined) return 'unmapped';
  return hexBytes(machine.debug.readLinear(processor, linear, Math.min(8, 0x1000 - (linear & 0xfff))));
}

function hexBytes(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
