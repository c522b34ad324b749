/**
 * The 8254 interval timer of a PC, and the bits of port 61h that belong to it.
 *
 * Counts follow virtual time; a new count takes effect at once (the chip waits for the end of the period in modes 2 and
 * 3). Channel 0 drives interrupt line 0, channel 2 is gated by port 61h, channel 1 counts for itself. Not modelled: the
 * speaker's sound. Sources: Intel 8254 data sheet, "Mode Definitions", "Read-Back Command"; Intel 316972, "NMI_SC".
 */
import {
  type AccessSize,
  type Alarm,
  type Clock,
  type InterruptLine,
  type IoPortSpace,
  type PioDevice,
  type Snapshottable,
  TX_DEBUG,
  type TxAttrs,
} from '@smm/bus';
import { requireVersion1 } from './snapshot.ts';

/** First of the four ports. */
export const I8254_PORT = 0x40;
/** NMI status and control: gate and output of channel 2. */
export const NMI_STATUS_PORT = 0x61;
/** Input clock in Hz. */
export const I8254_FREQUENCY = 1_193_182;

const NS_PER_SECOND = 1_000_000_000;
/** The refresh bit of port 61h toggles so often. */
const REFRESH_NS = 15_085;

/** Architectural state of one counter. */
export interface I8254CounterState {
  /** Mode 0 to 5. */
  mode: number;
  /** Bytes of an access: 1 low, 2 high, 3 low then high. */
  access: number;
  /** Counts in decimal. */
  bcd: boolean;
  /** Period in clocks, 1 to 65536. */
  count: number;
  /** Virtual time at which counting began; null when it has not, or stands. */
  startNs: number | null;
  /** Clocks counted before the gate stopped it. */
  elapsed: number;
  /** Gate input. */
  gate: boolean;
  /** Bytes still to be read of latched values. */
  latched: number[];
  /** The low byte that waits for its high byte, null for none. */
  firstByte: number | null;
  /** The next unlatched read gives the high byte. */
  readHigh: boolean;
  /** A mode was set, but no count since. */
  nullCount: boolean;
}

/** Architectural state of an {@link I8254}. */
export interface I8254State {
  /** Layout version of this object. */
  version: 1;
  /** The three counters. */
  counters: I8254CounterState[];
  /** Bits 3:1 of port 61h as written. */
  control: number;
}

/** The timer. */
export class I8254 implements PioDevice, Snapshottable<I8254State> {
  /** Name in traces. */
  readonly name = 'i8254';
  // wiring
  readonly #clock: Clock;
  readonly #irq: InterruptLine;
  readonly #edge: Alarm;
  // architectural state
  #counters = initialCounters();
  #control = 0;

  constructor(ports: {
    /** Virtual time. */
    readonly clock: Clock;
    /** Output of channel 0. */
    readonly irq: InterruptLine;
  }) {
    this.#clock = ports.clock;
    this.#irq = ports.irq;
    this.#edge = ports.clock.createAlarm('i8254-channel-0', () => this.#drive());
  }

  /** Output of a channel. */
  output(channel: number): boolean {
    const counter = this.#counters[channel]!;
    return outputAt(counter, this.#ticks(counter));
  }

  /** Registers the counters and port 61h. */
  map(io: IoPortSpace): void {
    io.add({ name: this.name, first: I8254_PORT, count: 4, device: this, maxSize: 1 });
    io.add({ name: 'nmi-status', first: NMI_STATUS_PORT, count: 1, device: this });
  }

  /** IN: counters at 40h to 42h, port 61h; the control word cannot be read. */
  in(port: number, _size: AccessSize, attrs: TxAttrs): number {
    if (port === NMI_STATUS_PORT) return this.#readNmiStatus();
    const counter = this.#counters[port & 3];
    if (counter === undefined) return 0xff;
    const debug = (attrs & TX_DEBUG) !== 0;
    const latched = debug ? counter.latched[0] : counter.latched.shift();
    if (latched !== undefined) return latched;
    const count = this.#reading(counter);
    const high = counter.access === 2 || (counter.access === 3 && counter.readHigh);
    if (counter.access === 3 && !debug) counter.readHigh = !counter.readHigh;
    return high ? count >>> 8 : count & 0xff;
  }

  /** OUT: counters, control word at 43h, port 61h. */
  out(port: number, _size: AccessSize, value: number, _attrs: TxAttrs): void {
    if (port === NMI_STATUS_PORT) this.#writeNmiControl(value);
    else if ((port & 3) === 3) this.#writeControl(value);
    else this.#writeCounter(this.#counters[port & 3]!, value);
    this.#drive();
  }

  /** State after RESET, as QEMU's BIOS-less machine has it: mode 3 with the longest period. */
  reset(): void {
    this.#counters = initialCounters();
    this.#control = 0;
    for (const counter of this.#counters) if (counter.gate) counter.startNs = this.#clock.now();
    this.#drive();
  }

  /** Copies the state out. */
  save(): I8254State {
    return { version: 1, counters: structuredClone(this.#counters), control: this.#control };
  }

  /** Puts a saved state back. Throws `SmmError` `SNAPSHOT_VERSION` for another version. */
  restore(state: I8254State): void {
    requireVersion1(this.name, state);
    this.#counters = structuredClone(state.counters);
    this.#control = state.control;
    this.#drive();
  }

  #readNmiStatus(): number {
    const refresh = (Math.floor(this.#clock.now() / REFRESH_NS) & 1) << 4;
    const gate = this.#counters[2]!.gate ? 1 : 0;
    return (this.output(2) ? 0x20 : 0) | refresh | this.#control | gate;
  }

  #writeNmiControl(value: number): void {
    this.#control = value & 0x0e;
    this.#setGate(this.#counters[2]!, (value & 1) !== 0);
  }

  #writeControl(value: number): void {
    const select = value >>> 6;
    if (select === 3) {
      this.#counters.forEach((counter, i) => {
        if (((value >>> (i + 1)) & 1) === 0) return;
        if ((value & 0x20) === 0) this.#latchCount(counter);
        if ((value & 0x10) === 0) this.#latchStatus(counter);
      });
      return;
    }
    const counter = this.#counters[select]!;
    const access = (value >>> 4) & 3;
    if (access === 0) {
      this.#latchCount(counter);
      return;
    }
    const mode = (value >>> 1) & 7;
    Object.assign(counter, {
      mode: mode > 5 ? mode - 4 : mode,
      access,
      bcd: (value & 1) !== 0,
      startNs: null,
      elapsed: 0,
      latched: [],
      firstByte: null,
      readHigh: false,
      nullCount: true,
    });
  }

  #writeCounter(counter: I8254CounterState, value: number): void {
    if (counter.access === 3 && counter.firstByte === null) {
      counter.firstByte = value;
      return;
    }
    const written = counter.access === 1 ? value : (value << 8) | (counter.firstByte ?? 0);
    counter.firstByte = null;
    counter.nullCount = false;
    const count = counter.bcd ? fromBcd(written) : written;
    counter.count = count === 0 ? (counter.bcd ? 10_000 : 0x1_0000) : count;
    counter.elapsed = 0;
    const triggered = counter.mode === 1 || counter.mode === 5;
    counter.startNs = triggered || !counter.gate ? null : this.#clock.now();
  }

  #latchCount(counter: I8254CounterState): void {
    if (counter.latched.length > 0) return;
    const count = this.#reading(counter);
    if ((counter.access & 1) !== 0) counter.latched.push(count & 0xff);
    if ((counter.access & 2) !== 0) counter.latched.push(count >>> 8);
  }

  #latchStatus(counter: I8254CounterState): void {
    const out = outputAt(counter, this.#ticks(counter)) ? 0x80 : 0;
    const { nullCount, access, mode, bcd } = counter;
    counter.latched.unshift(out | (nullCount ? 0x40 : 0) | (access << 4) | (mode << 1) | (bcd ? 1 : 0));
  }

  #setGate(counter: I8254CounterState, gate: boolean): void {
    const rises = gate && !counter.gate;
    const falls = !gate && counter.gate;
    const { mode } = counter;
    if (falls && mode !== 1 && mode !== 5) {
      counter.elapsed = this.#ticks(counter) ?? 0;
      counter.startNs = null;
    }
    counter.gate = gate;
    if (!rises || counter.nullCount) return;
    if (mode !== 0 && mode !== 4) counter.elapsed = 0;
    counter.startNs = this.#clock.now();
  }

  /** Clocks counted so far, undefined before counting. */
  #ticks(counter: I8254CounterState): number | undefined {
    if (counter.startNs === null) return counter.elapsed > 0 ? counter.elapsed : undefined;
    return counter.elapsed + ticksIn(this.#clock.now() - counter.startNs);
  }

  /** What the counting element shows, 16 bit. */
  #reading(counter: I8254CounterState): number {
    const { mode, count, bcd } = counter;
    const ticks = this.#ticks(counter) ?? 0;
    let value: number;
    if (mode === 3) value = count - ((2 * ticks) % count);
    else if (mode === 2) value = count - (ticks % count);
    else value = count - ticks;
    if (!bcd) return value & 0xffff;
    return toBcd(((value % 10_000) + 10_000) % 10_000);
  }

  /** Drives line 0, and sleeps until its next change. */
  #drive(): void {
    const counter = this.#counters[0]!;
    const ticks = this.#ticks(counter);
    this.#irq.set(outputAt(counter, ticks));
    const next = ticks === undefined || counter.startNs === null ? undefined : nextChange(counter, ticks);
    if (next === undefined) this.#edge.cancel();
    else this.#edge.set(counter.startNs! + nsFor(next - counter.elapsed));
  }
}

function initialCounters(): I8254CounterState[] {
  return [0, 1, 2].map((channel) => ({
    mode: 3,
    access: 3,
    bcd: false,
    count: 0x1_0000,
    startNs: channel === 2 ? null : 0,
    elapsed: 0,
    gate: channel !== 2,
    latched: [],
    firstByte: null,
    readHigh: false,
    nullCount: false,
  }));
}

/** Output after so many clocks, undefined: not counting yet. */
function outputAt({ mode, count, gate }: I8254CounterState, ticks: number | undefined): boolean {
  if (ticks === undefined) return mode !== 0;
  switch (mode) {
    case 0:
      return ticks >= count;
    case 1:
      return ticks >= count;
    case 2:
      return !gate || ticks % count !== count - 1;
    case 3:
      return !gate || ticks % count < (count + 1) >>> 1;
    default:
      return ticks !== count;
  }
}

/** Clocks at the next change of the output, undefined when it stays. */
function nextChange({ mode, count }: I8254CounterState, ticks: number): number | undefined {
  const base = ticks - (ticks % count);
  switch (mode) {
    case 2:
      return ticks % count === count - 1 ? ticks + 1 : base + count - 1;
    case 3: {
      const half = base + ((count + 1) >>> 1);
      return ticks < half ? half : base + count;
    }
    case 0:
    case 1:
      return ticks < count ? count : undefined;
    default:
      return ticks < count ? count : ticks === count ? count + 1 : undefined;
  }
}

/** Whole clocks in a time. Exact: nanoseconds times frequency would not fit a double. */
function ticksIn(ns: number): number {
  const seconds = Math.floor(ns / NS_PER_SECOND);
  const rest = ns - seconds * NS_PER_SECOND;
  return seconds * I8254_FREQUENCY + Math.floor((rest * I8254_FREQUENCY) / NS_PER_SECOND);
}

/** The first nanosecond at which so many clocks have passed. */
function nsFor(ticks: number): number {
  const seconds = Math.floor(ticks / I8254_FREQUENCY);
  const rest = ticks - seconds * I8254_FREQUENCY;
  return seconds * NS_PER_SECOND + Math.ceil((rest * NS_PER_SECOND) / I8254_FREQUENCY);
}

function fromBcd(value: number): number {
  return [12, 8, 4, 0].reduce((sum, shift) => sum * 10 + ((value >>> shift) & 0xf), 0);
}

function toBcd(value: number): number {
  return Number.parseInt(String(value), 16);
}
