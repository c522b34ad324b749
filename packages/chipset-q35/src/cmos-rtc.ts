/**
 * The MC146818 real-time clock and its 128 bytes of CMOS RAM, ports 70h and 71h.
 *
 * Time follows the virtual clock from a given start. Not modelled: RTC interrupts and their flags (enabling one is an error), the alarm, 12-hour mode, the second bank at 72h.
 * Sources: Motorola MC146818 data sheet, "Register Description"; the fill of the RAM is QEMU 7.2's q35 (measured).
 */
import type { AccessSize, Clock, PioDevice, Snapshottable, TxAttrs } from '@smm/bus';
import { UnmodelledError } from '@smm/x86-defs';
import { type CivilTime, civilFromSeconds, secondsFromCivil } from './civil-time.ts';

/** First of the two ports. */
export const CMOS_INDEX_PORT = 0x70;
/** Index of the shutdown status byte. */
export const CMOS_SHUTDOWN_STATUS = 0x0f;

const REG_A = 0x0a;
const REG_B = 0x0b;
const REG_C = 0x0c;
const REG_D = 0x0d;
const REG_A_UIP = 0x80;
const REG_B_SET = 0x80;
const REG_B_INTERRUPTS = 0x70;
const REG_B_BINARY = 0x04;
const REG_B_24H = 0x02;
const REG_D_VALID = 0x80;
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
  // architectural state
  #index = 0;
  #bytes = new Uint8Array(128);
  #secondsAtZero: number;

  /** `start` is the calendar time at virtual time 0. */
  constructor(ports: { readonly clock: Clock }, contents: CmosContents, start: CivilTime) {
    this.#clock = ports.clock;
    this.#secondsAtZero = secondsFromCivil(start);
    this.#bytes[REG_A] = 0x26;
    this.#bytes[REG_B] = REG_B_24H;
    this.#bytes[REG_D] = REG_D_VALID;
    for (const [index, value] of cmosFill(contents)) this.#bytes[index] = value;
  }

  /** IN: the selected byte from 71h, all-ones from 70h. */
  in(port: number, _size: AccessSize, _attrs: TxAttrs): number {
    return port === CMOS_INDEX_PORT ? 0xff : this.readByte(this.#index);
  }

  /** OUT: selects or writes a byte. Throws `UnmodelledError` `RTC_INTERRUPT` when the guest enables an RTC interrupt, `RTC_12H` for 12-hour mode. */
  out(port: number, _size: AccessSize, value: number, _attrs: TxAttrs): void {
    if (port === CMOS_INDEX_PORT) this.#index = value & 0x7f;
    else this.#write(this.#index, value);
  }

  /** A byte as the guest would read it: for firmware set-up checks and debuggers. */
  readByte(index: number): number {
    if (this.#isTime(index) && !this.#stopped()) return this.#timeByte(index);
    const stored = this.#bytes[index]!;
    if (index !== REG_A || this.#stopped()) return stored;
    const untilNext = NS_PER_SECOND - (this.#clock.now() % NS_PER_SECOND);
    return untilNext <= UPDATE_NS ? stored | REG_A_UIP : stored;
  }

  /** Sets a byte from outside, as a battery-backed value would have been: the shutdown status, for example. */
  setByte(index: number, value: number): void {
    this.#bytes[index] = value;
  }

  /** RESET keeps time and RAM, and clears the interrupt enables. */
  reset(): void {
    this.#bytes[REG_B]! &= ~REG_B_INTERRUPTS;
  }

  /** Copies the state out. */
  save(): CmosRtcState {
    return { version: 1, index: this.#index, bytes: this.#bytes.slice(), secondsAtZero: this.#secondsAtZero };
  }

  /** Puts a saved state back. */
  restore(state: CmosRtcState): void {
    this.#index = state.index;
    this.#bytes.set(state.bytes);
    this.#secondsAtZero = state.secondsAtZero;
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
    if ((value & REG_B_INTERRUPTS) !== 0) {
      throw new UnmodelledError(
        'RTC_INTERRUPT',
        `the guest enabled RTC interrupts (register B = 0x${value.toString(16)})`,
        'RTC interrupts need the interrupt controllers, which this chipset does not have yet.',
        { value },
      );
    }
    if ((value & REG_B_24H) === 0) {
      throw new UnmodelledError(
        'RTC_12H',
        `the guest selected 12-hour mode (register B = 0x${value.toString(16)})`,
        'Only 24-hour mode is modelled.',
        { value },
      );
    }
    const wasStopped = this.#stopped();
    if (!wasStopped && (value & REG_B_SET) !== 0) this.#latchTime();
    this.#bytes[REG_B] = value;
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
        return this.#code(t.hour);
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
      hour: field(4),
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
}
