/**
 * A high precision event timer as QEMU's q35 has it: a 64-bit counter at 100 MHz, three comparators that can be
 * periodic, legacy replacement routing.
 *
 * Not modelled: interrupts as memory writes (FSB; not offered by the capability bit, its register stores). Source:
 * IA-PC HPET Specification 1.0a, "Register Model"; QEMU 7.2 measured.
 */
import type {
  AccessSize,
  Alarm,
  Clock,
  InterruptLine,
  IoPortSpace,
  MmioDevice,
  PhysicalAddressSpace,
  Snapshottable,
  TxAttrs,
} from '@smm/bus';
import { device, eisaId, integer, little, name } from './acpi/aml.ts';
import type { AcpiDescription } from './acpi/description.ts';
import { memory as memoryRange, resources } from './acpi/resources.ts';
import { PRIORITY } from './memory-map.ts';
import { requireVersion1 } from './snapshot.ts';

/** Where it is, guest-physical. */
export const HPET_BASE = 0xfed0_0000;
/** Bytes that it decodes. */
export const HPET_SIZE = 0x400;

/** Vendor, legacy replacement, 64-bit counter, three comparators, revision 1. */
export const HPET_CAPABILITIES = 0x8086_a201;

/** Femtoseconds of a tick: 10 ns. */
const PERIOD_FS = 10_000_000;
const TICK_NS = 10;
const TIMERS = 3;
const CFG_ENABLE = 0x1;
const CFG_LEGACY = 0x2;
const TN_LEVEL = 0x0002;
const TN_ENABLE = 0x0004;
const TN_PERIODIC = 0x0008;
/** Capabilities: periodic, 64 bit. */
const TN_CAPABILITIES = 0x0030;
const TN_SET_VALUE = 0x0040;
const TN_32BIT = 0x0100;
const TN_ROUTE_SHIFT = 9;
/** Values of the route field. */
const ROUTES = 32;
const TN_WRITABLE = 0x7f4e;
/** I/O APIC pins that a comparator can use: 2, 8, 16 to 23. */
const TN_ROUTES = 0x00ff_0104;
const MASK64 = 0xffff_ffff_ffff_ffffn;
const MASK32 = 0xffff_ffffn;
/** Further away than this (90 days) no alarm is set. */
const FARTHEST_TICKS = 1n << 49n;

/** What a {@link Hpet} is given. */
export interface HpetPorts {
  /** Virtual time. */
  readonly clock: Clock;
  /** A new input to a pin of the I/O APIC: each comparator has its own. Pins that are not there lead nowhere. */
  readonly pin: (number: number) => InterruptLine;
  /** Lines 0 and 8 in place of the 8254 and the RTC, for comparators 0 and 1 under legacy replacement. */
  readonly legacy: readonly [InterruptLine, InterruptLine];
  /** Legacy replacement was switched. */
  readonly legacyChanged: (enabled: boolean) => void;
}

/** Architectural state of one comparator. */
export interface HpetTimerState {
  /** Configuration, bits 31:0. */
  config: number;
  /** Comparator, 64 bit. */
  comparator: bigint;
  /** Period in ticks, 64 bit. */
  period: bigint;
  /** FSB route register, 64 bit. */
  fsb: bigint;
}

/** Architectural state of an {@link Hpet}. */
export interface HpetState {
  /** Layout version of this object. */
  version: 1;
  /** General configuration. */
  config: number;
  /** Interrupt status. */
  status: number;
  /** The counter minus ticks of virtual time while it runs; the counter while it stands. */
  offset: bigint;
  /** The comparators. */
  timers: HpetTimerState[];
}

/** The device. Registers take aligned dwords; other accesses read 0 and write nothing. */
export class Hpet implements MmioDevice, Snapshottable<HpetState> {
  /** Name in traces. */
  readonly name = 'hpet';
  // wiring
  readonly #ports: HpetPorts;
  readonly #alarms: readonly Alarm[];
  /** By comparator and pin. */
  readonly #pins: readonly (readonly InterruptLine[])[];
  // architectural state
  #state = initialState();

  constructor(ports: HpetPorts) {
    this.#ports = ports;
    this.#pins = Array.from({ length: TIMERS }, () => Array.from({ length: ROUTES }, (_, n) => ports.pin(n)));
    this.#alarms = Array.from({ length: TIMERS }, (_, n) =>
      ports.clock.createAlarm(`hpet-${n}`, () => this.#expire(n)),
    );
  }

  /** The main counter, 64 bit. */
  counter(): bigint {
    const { config, offset } = this.#state;
    return (config & CFG_ENABLE) !== 0 ? (offset + this.#ticks()) & MASK64 : offset;
  }

  /** Registers the block. */
  map(_io: IoPortSpace, memory: PhysicalAddressSpace): void {
    const place = { start: HPET_BASE, sizeBytes: HPET_SIZE, priority: PRIORITY.device };
    memory.add({ kind: 'mmio', name: this.name, ...place, device: this });
  }

  /** The device, and the HPET table. */
  acpi(): AcpiDescription {
    const found = resources(memoryRange(HPET_BASE, HPET_SIZE, false));
    const address = [0, 0, 0, 0, ...little(HPET_BASE, 8)];
    const body = [...little(HPET_CAPABILITIES, 4), ...address, 0, 0, 0, 0];
    return {
      system: device('HPET', name('_HID', eisaId('PNP0103')), name('_UID', integer(0)), name('_CRS', found)),
      tables: [{ signature: 'HPET', revision: 1, body }],
    };
  }

  /** Reads a dword register. */
  read(offset: number, size: AccessSize, _attrs: TxAttrs): number {
    if (size !== 4 || (offset & 3) !== 0) return 0;
    const high = (offset & 4) !== 0;
    const timer = this.#state.timers[(offset - 0x100) >> 5];
    if (offset >= 0x100 && timer !== undefined) {
      switch (offset & 0x18) {
        case 0x00:
          return high ? TN_ROUTES : timer.config;
        case 0x08:
          return half(timer.comparator, high);
        case 0x10:
          return half(timer.fsb, high);
        default:
          return 0;
      }
    }
    switch (offset) {
      case 0x000:
        return HPET_CAPABILITIES;
      case 0x004:
        return PERIOD_FS;
      case 0x010:
        return this.#state.config;
      case 0x020:
        return this.#state.status;
      case 0x0f0:
      case 0x0f4:
        return half(this.counter(), high);
      default:
        return 0;
    }
  }

  /** Writes a dword register. */
  write(offset: number, size: AccessSize, value: number, _attrs: TxAttrs): void {
    if (size !== 4 || (offset & 3) !== 0) return;
    const n = (offset - 0x100) >> 5;
    if (offset >= 0x100 && n < TIMERS) this.#writeTimer(n, offset & 0x1f, value);
    else if (offset === 0x010) this.#configure(value & (CFG_ENABLE | CFG_LEGACY));
    else if (offset === 0x020) this.#acknowledge(value);
    else if ((offset === 0x0f0 || offset === 0x0f4) && (this.#state.config & CFG_ENABLE) === 0) {
      this.#state.offset = withHalf(this.#state.offset, offset === 0x0f4, value);
    }
  }

  /** State after RESET: stopped at 0. */
  reset(): void {
    this.#configure(0);
    this.#state = initialState();
  }

  /** Copies the state out. */
  save(): HpetState {
    return structuredClone(this.#state);
  }

  /** Puts a saved state back. Throws `SmmError` `SNAPSHOT_VERSION` for another version. */
  restore(state: HpetState): void {
    requireVersion1(this.name, state);
    for (let n = 0; n < TIMERS; n++) this.#line(n).set(false); // routes may change
    this.#state = structuredClone(state);
    this.#ports.legacyChanged((this.#state.config & CFG_LEGACY) !== 0);
    for (let n = 0; n < TIMERS; n++) {
      this.#drive(n);
      this.#arm(n);
    }
  }

  #ticks(): bigint {
    return BigInt(Math.floor(this.#ports.clock.now() / TICK_NS));
  }

  #configure(config: number): void {
    const counter = this.counter();
    for (let n = 0; n < TIMERS; n++) this.#line(n).set(false); // routes may change
    this.#state.config = config;
    const runs = (config & CFG_ENABLE) !== 0;
    this.#state.offset = runs ? (counter - this.#ticks()) & MASK64 : counter;
    this.#ports.legacyChanged((config & CFG_LEGACY) !== 0);
    for (let n = 0; n < TIMERS; n++) {
      this.#drive(n);
      this.#arm(n);
    }
  }

  #acknowledge(bits: number): void {
    this.#state.status &= ~bits;
    for (let n = 0; n < TIMERS; n++) this.#drive(n);
  }

  #writeTimer(n: number, register: number, value: number): void {
    const timer = this.#state.timers[n]!;
    const high = (register & 4) !== 0;
    if (register === 0x00) {
      this.#line(n).set(false);
      timer.config = (value & TN_WRITABLE) | TN_CAPABILITIES;
      if ((value & TN_32BIT) !== 0) {
        timer.comparator &= MASK32;
        timer.period &= MASK32;
      }
      if ((timer.config & TN_LEVEL) === 0 || (timer.config & TN_ENABLE) === 0)
        this.#state.status &= ~(1 << n);
      this.#drive(n);
    } else if ((register & 0x18) === 0x08) writeComparator(timer, high, value);
    else if ((register & 0x18) === 0x10) timer.fsb = withHalf(timer.fsb, high, value);
    this.#arm(n);
  }

  /** The line that a comparator drives. */
  #line(n: number): InterruptLine {
    const legacy = (this.#state.config & CFG_LEGACY) !== 0 ? this.#ports.legacy[n] : undefined;
    const route = (this.#state.timers[n]!.config >>> TN_ROUTE_SHIFT) % ROUTES;
    return legacy ?? this.#pins[n]![route]!;
  }

  /** Level-triggered comparators hold their line while their status bit is up. */
  #drive(n: number): void {
    this.#line(n).set(((this.#state.status >>> n) & 1) !== 0);
  }

  /** Ticks until the counter meets the comparator; a full turn when they meet now. */
  #distance(timer: HpetTimerState): bigint {
    const mask = (timer.config & TN_32BIT) !== 0 ? MASK32 : MASK64;
    const distance = (timer.comparator - this.counter()) & mask;
    return distance === 0n ? mask + 1n : distance;
  }

  #arm(n: number): void {
    const alarm = this.#alarms[n]!;
    const distance = this.#distance(this.#state.timers[n]!);
    if ((this.#state.config & CFG_ENABLE) === 0 || distance > FARTHEST_TICKS) alarm.cancel();
    else alarm.set(Number(this.#ticks() + distance) * TICK_NS);
  }

  #expire(n: number): void {
    const timer = this.#state.timers[n]!;
    if ((timer.config & TN_PERIODIC) !== 0 && timer.period > 0n) {
      const mask = (timer.config & TN_32BIT) !== 0 ? MASK32 : MASK64;
      // The clock goes from instruction to instruction: periods that lie between two of them are one interrupt.
      const late = (this.counter() - timer.comparator) & mask;
      const periods = late > mask >> 1n ? 1n : 1n + late / timer.period;
      timer.comparator = (timer.comparator + periods * timer.period) & mask;
    }
    this.#arm(n);
    if ((timer.config & TN_ENABLE) === 0) return;
    if ((timer.config & TN_LEVEL) !== 0) {
      this.#state.status |= 1 << n;
      this.#drive(n);
      return;
    }
    this.#line(n).set(true);
    this.#line(n).set(false);
  }
}

function initialState(): HpetState {
  return {
    version: 1,
    config: 0,
    status: 0,
    offset: 0n,
    timers: Array.from({ length: TIMERS }, () => ({
      config: TN_CAPABILITIES,
      comparator: MASK64,
      period: 0n,
      fsb: 0n,
    })),
  };
}

/** Comparator writes: in periodic mode they set the period, and the comparator too after TN_SET_VALUE. */
function writeComparator(timer: HpetTimerState, high: boolean, value: number): void {
  const narrow = (timer.config & TN_32BIT) !== 0;
  if (narrow && high) return;
  const periodic = (timer.config & TN_PERIODIC) !== 0;
  if (!periodic || (timer.config & TN_SET_VALUE) !== 0)
    timer.comparator = withHalf(timer.comparator, high, value);
  if (periodic) timer.period = withHalf(timer.period, high, value);
  timer.config &= ~TN_SET_VALUE;
}

function half(value: bigint, high: boolean): number {
  return Number((high ? value >> 32n : value) & MASK32);
}

function withHalf(value: bigint, high: boolean, part: number): bigint {
  return high ? (value & MASK32) | (BigInt(part) << 32n) : (value & ~MASK32) | BigInt(part);
}
