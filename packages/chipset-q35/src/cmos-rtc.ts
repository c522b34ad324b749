/**
 * The MC146818 real-time clock and its 128 bytes of CMOS RAM, ports 70h and 71h.
 *
 * Time follows the virtual clock from a given start. All of it, interrupt enables and flags included, is in the RTC
 * well: a system reset and S3 leave it alone. Not modelled: divider settings that stop or reset the clock,
 * daylight saving, the square wave, the second bank at 72h. Sources: Motorola MC146818 data sheet, "Register
 * Description"; Intel 316972, "RTC Registers"; the fill of the RAM is QEMU 7.2's q35 (measured).
 */
import {
  type AccessSize,
  type Clock,
  type InterruptLine,
  type IoPortSpace,
  type PioDevice,
  type Snapshottable,
  TX_DEBUG,
  type TxAttrs,
} from '@smm/bus';
import { device, eisaId, name } from './acpi/aml.ts';
import type { AcpiDescription } from './acpi/description.ts';
import { irq, ports, resources } from './acpi/resources.ts';
import { type CivilTime, civilFromSeconds, secondsFromCivil } from './civil-time.ts';
import type { ResetKind } from './part.ts';
import { RTC_IRQ, RTC_UPDATE, RtcInterrupts } from './rtc-interrupts.ts';
import { requireVersion1 } from './snapshot.ts';

/** First of the two ports. */
export const CMOS_INDEX_PORT = 0x70;
/** Index of the shutdown status byte. */
export const CMOS_SHUTDOWN_STATUS = 0x0f;
/** {@link CMOS_SHUTDOWN_STATUS} after S3: QEMU's way of telling its firmware to resume. */
const CMOS_RESUME = 0xfe;

const REG_A = 0x0a;
const REG_B = 0x0b;
const REG_C = 0x0c;
const REG_D = 0x0d;
const REG_A_UIP = 0x80;
/** Rate selection, bits 3:0 of register A. */
const REG_A_RATE = 0x0f;
const REG_B_SET = 0x80;
const REG_B_INTERRUPTS = 0x70;
const REG_B_BINARY = 0x04;
const REG_B_24H = 0x02;
const REG_D_VALID = 0x80;
const HOUR_PM = 0x80;
/** Alarm bytes from here on match always. */
const ALARM_ANY = 0xc0;
const CENTURY = 0x32;
const CENTURY_PS2 = 0x37;
const NS_PER_SECOND = 1_000_000_000;
/** The update-in-progress bit is up for so long before each second. */
const UPDATE_NS = 244_000;

/** What firmware finds in CMOS RAM about the machine. */
export interface CmosContents {
  /** RAM below 4 GiB, bytes. */
  readonly belowBytes: number;
  /** RAM above 4 GiB, bytes. */
  readonly aboveBytes: number;
  /** Number of processors. */
  readonly cpuCount: number;
}

/** Architectural state of a {@link CmosRtc}. */
export interface CmosRtcState {
  /** Layout version of this object. */
  version: 1;
  /** Selected index, 7 bit. */
  index: number;
  /** The 128 bytes; time registers are current only while SET stops the clock. */
  bytes: Uint8Array;
  /** Calendar seconds since 1970 at virtual time 0; with SET, where the clock stood. */
  secondsAtZero: number;
  /** Interrupt flags, and the virtual time up to which they are worked out. */
  interrupts: {
    /** Register C. */
    flags: number;
    /** Virtual time in nanoseconds. */
    collectedNs: number;
  };
}

/** The bytes that describe memory and processors, by index. */
export function cmosFill(contents: CmosContents): ReadonlyMap<number, number> {
  const fill = new Map<number, number>();
  const word = (index: number, value: number) => {
    fill.set(index, value & 0xff);
    fill.set(index + 1, (value >>> 8) & 0xff);
  };
  const kib = 1024;
  const mib = 1024 * kib;
  const above = (start: number) => Math.max(contents.belowBytes - start, 0);
  const extendedKib = Math.min(Math.floor(above(mib) / kib), 0xffff);
  word(0x15, 640); // conventional memory in KiB
  word(0x17, extendedKib); // above 1 MiB in KiB
  word(0x30, extendedKib);
  word(0x34, Math.min(Math.floor(above(16 * mib) / (64 * kib)), 0xffff)); // above 16 MiB in 64 KiB units
  const highUnits = Math.floor(contents.aboveBytes / (64 * kib));
  word(0x5b, highUnits & 0xffff);
  fill.set(0x5d, Math.floor(highUnits / 0x1_0000) & 0xff);
  fill.set(0x5f, (contents.cpuCount - 1) & 0xff);
  fill.set(0x14, 0x02); // equipment: x87 present
  return fill;
}

/** The device. Port 70h is write-only (bit 7, the NMI mask, is not modelled). */
export class CmosRtc implements PioDevice, Snapshottable<CmosRtcState> {
  /** Name in traces. */
  readonly name = 'cmos-rtc';
  // wiring
  readonly #clock: Clock;
  readonly #interrupts: RtcInterrupts;
  /** What the battery has kept at power-on. */
  readonly #initial = new Uint8Array(128);
  readonly #startSeconds: number;
  // architectural state
  #index = 0;
  #bytes = new Uint8Array(128);
  #secondsAtZero: number;

  /** `start` is the calendar time at virtual time 0. */
  constructor(
    ports: {
      /** Virtual time. */
      readonly clock: Clock;
      /** Interrupt line 8; left out: leads nowhere. */
      readonly irq?: InterruptLine;
      /** The interrupt is asserted: for the PM block. Default: nobody is told. */
      readonly interrupted?: () => void;
      /** The machine is in S3. Default: never. */
      readonly suspended?: () => boolean;
    },
    contents: CmosContents,
    start: CivilTime,
  ) {
    this.#clock = ports.clock;
    this.#interrupts = new RtcInterrupts(ports.clock, ports.irq ?? { set: () => {} }, {
      enabled: () => this.#bytes[REG_B]! & REG_B_INTERRUPTS,
      periodClocks: () => periodClocks(this.#bytes[REG_A]! & REG_A_RATE),
      running: () => !this.#stopped(),
      alarmAt: (second) => this.#alarmAt(second),
      suspended: () => ports.suspended?.() === true,
      asserted: () => ports.interrupted?.(),
    });
    this.#startSeconds = secondsFromCivil(start);
    this.#secondsAtZero = this.#startSeconds;
    this.#initial[REG_A] = 0x26;
    this.#initial[REG_B] = REG_B_24H;
    this.#initial[REG_D] = REG_D_VALID;
    for (const [index, value] of cmosFill(contents)) this.#initial[index] = value;
    this.#bytes.set(this.#initial);
  }

  /** Registers both ports. */
  map(io: IoPortSpace): void {
    io.add({ name: this.name, first: CMOS_INDEX_PORT, count: 2, device: this, maxSize: 1 });
  }

  /** The RTC as a device behind the LPC bridge. */
  acpi(): AcpiDescription {
    const found = resources(ports(CMOS_INDEX_PORT, 8), irq(RTC_IRQ));
    return { isa: device('RTC', name('_HID', eisaId('PNP0B00')), name('_CRS', found)) };
  }

  /** IN: the selected byte from 71h, all-ones from 70h. */
  in(port: number, _size: AccessSize, attrs: TxAttrs): number {
    if (port === CMOS_INDEX_PORT) return 0xff;
    if (this.#index === REG_C && (attrs & TX_DEBUG) === 0) return this.#interrupts.take();
    return this.readByte(this.#index);
  }

  /** OUT: selects or writes a byte. */
  out(port: number, _size: AccessSize, value: number, _attrs: TxAttrs): void {
    if (port === CMOS_INDEX_PORT) this.#index = value & 0x7f;
    else {
      this.#interrupts.collect();
      this.#write(this.#index, value);
      this.#interrupts.update();
    }
  }

  /** A byte as the guest would read it: for firmware set-up checks and debuggers. */
  readByte(index: number): number {
    if (index === REG_C) return this.#interrupts.peek();
    if (this.#isTime(index) && !this.#stopped()) return this.#timeByte(index);
    const stored = this.#bytes[index]!;
    if (index !== REG_A || this.#stopped()) return stored;
    const untilNext = NS_PER_SECOND - (this.#clock.now() % NS_PER_SECOND);
    return untilNext <= UPDATE_NS ? stored | REG_A_UIP : stored;
  }

  /**
   * Sets a byte from outside, as a battery-backed value would have been: the shutdown status, for example. The next
   * power-on finds it too.
   */
  setByte(index: number, value: number): void {
    this.#initial[index] = value;
    this.#bytes[index] = value;
  }

  /** S3 has begun: firmware finds the shutdown status afterwards. */
  suspend(): void {
    this.#bytes[CMOS_SHUTDOWN_STATUS] = CMOS_RESUME;
    this.#interrupts.update();
  }

  /** S3 is over. */
  resume(): void {
    this.#interrupts.update();
  }

  /** The interrupt will be asserted at some time, if nobody does anything. */
  get willInterrupt(): boolean {
    return this.#interrupts.armed;
  }

  /** Power-on undoes what the guest wrote; a system reset changes nothing. */
  reset(kind: ResetKind): void {
    if (kind === 'system') return;
    this.#index = 0;
    this.#bytes.set(this.#initial);
    this.#secondsAtZero = this.#startSeconds;
    this.#interrupts.reset();
  }

  /** Copies the state out. */
  save(): CmosRtcState {
    return {
      version: 1,
      index: this.#index,
      bytes: this.#bytes.slice(),
      secondsAtZero: this.#secondsAtZero,
      interrupts: this.#interrupts.save(),
    };
  }

  /** Puts a saved state back. Throws `SmmError` `SNAPSHOT_VERSION` for another version. */
  restore(state: CmosRtcState): void {
    requireVersion1(this.name, state);
    this.#index = state.index;
    this.#bytes.set(state.bytes);
    this.#secondsAtZero = state.secondsAtZero;
    this.#interrupts.restore(state.interrupts);
  }

  #write(index: number, value: number): void {
    if (index === REG_C || index === REG_D) return;
    if (index === REG_A) {
      this.#bytes[REG_A] = value & ~REG_A_UIP;
    } else if (index === REG_B) {
      this.#writeB(value);
    } else if (this.#isTime(index)) {
      if (this.#stopped()) this.#bytes[index] = value;
      else {
        this.#latchTime();
        this.#bytes[index] = value;
        this.#startFromBytes();
      }
    } else this.#bytes[index] = value;
  }

  #writeB(value: number): void {
    const wasStopped = this.#stopped();
    if (!wasStopped && (value & REG_B_SET) !== 0) this.#latchTime();
    // Stopping the clock takes the update interrupt away.
    this.#bytes[REG_B] = (value & REG_B_SET) !== 0 ? value & ~RTC_UPDATE : value;
    if (wasStopped && (value & REG_B_SET) === 0) this.#startFromBytes();
  }

  #stopped(): boolean {
    return (this.#bytes[REG_B]! & REG_B_SET) !== 0;
  }

  #isTime(index: number): boolean {
    return (
      index === CENTURY || index === CENTURY_PS2 || (index <= 9 && index !== 1 && index !== 3 && index !== 5)
    );
  }

  #timeByte(index: number): number {
    const t = civilFromSeconds(this.#secondsAtZero + Math.floor(this.#clock.now() / NS_PER_SECOND));
    switch (index) {
      case 0:
        return this.#code(t.second);
      case 2:
        return this.#code(t.minute);
      case 4:
        return this.#hourCode(t.hour);
      case 6:
        return this.#code(t.dayOfWeek);
      case 7:
        return this.#code(t.day);
      case 8:
        return this.#code(t.month);
      case 9:
        return this.#code(t.year % 100);
      default:
        return this.#code(Math.floor(t.year / 100));
    }
  }

  #latchTime(): void {
    for (const index of [0, 2, 4, 6, 7, 8, 9, CENTURY, CENTURY_PS2])
      this.#bytes[index] = this.#timeByte(index);
  }

  #startFromBytes(): void {
    const field = (index: number) => this.#decode(this.#bytes[index]!);
    const seconds = secondsFromCivil({
      year: field(CENTURY) * 100 + field(9),
      month: field(8),
      day: field(7),
      hour: this.#hour(this.#bytes[4]!),
      minute: field(2),
      second: field(0),
    });
    this.#secondsAtZero = seconds - Math.floor(this.#clock.now() / NS_PER_SECOND);
  }

  #code(value: number): number {
    if ((this.#bytes[REG_B]! & REG_B_BINARY) !== 0) return value;
    return (Math.floor(value / 10) << 4) | (value % 10);
  }

  #decode(byte: number): number {
    return (this.#bytes[REG_B]! & REG_B_BINARY) !== 0 ? byte : (byte >>> 4) * 10 + (byte & 0xf);
  }

  #hourCode(hour: number): number {
    if ((this.#bytes[REG_B]! & REG_B_24H) !== 0) return this.#code(hour);
    return this.#code(hour % 12 === 0 ? 12 : hour % 12) | (hour >= 12 ? HOUR_PM : 0);
  }

  #hour(byte: number): number {
    if ((this.#bytes[REG_B]! & REG_B_24H) !== 0) return this.#decode(byte);
    return (this.#decode(byte & ~HOUR_PM) % 12) + ((byte & HOUR_PM) !== 0 ? 12 : 0);
  }

  #alarmAt(virtualSecond: number): boolean {
    const time = this.#secondsAtZero + virtualSecond;
    const matches = (index: number, decode: (byte: number) => number, now: number) => {
      const byte = this.#bytes[index]!;
      return byte >= ALARM_ANY || decode(byte) === now;
    };
    const plain = (byte: number) => this.#decode(byte);
    return (
      matches(1, plain, time % 60) &&
      matches(3, plain, Math.floor(time / 60) % 60) &&
      matches(5, (byte) => this.#hour(byte), Math.floor(time / 3600) % 24)
    );
  }
}

/** Crystal clocks in a period of the periodic interrupt: 32768 Hz crystal, "Periodic Interrupt Rate". */
function periodClocks(rate: number): number {
  if (rate === 0) return 0;
  return rate < 3 ? 1 << (rate + 6) : 1 << (rate - 1);
}
