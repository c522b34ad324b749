/**
 * The ACPI power-management I/O block at PMBASE: PM1, PM timer, general-purpose events, SMI control; and the memory
 * of being in S3, which is in the same well.
 *
 * Not here: TCO (60h on). Not modelled: SMIs in place of the SCI while SCI_EN is clear, periodic and software SMI
 * timers (enabling the latter stores a bit), a sleep button (the ICH9 has none), the power button held for 4 seconds.
 * QEMU ignores accesses of unusual width here; this model takes them all. Sources: ACPI specification, "ACPI Hardware
 * Features"; Intel 316972, "Power Management I/O Registers".
 */
import {
  type AccessSize,
  type Alarm,
  type Clock,
  type InterruptLine,
  type IoPortSpace,
  type PioDevice,
  type PortHandle,
  RegisterFile,
  type RegisterFileState,
  type RegisterSpec,
  type RegisterWrite,
  type Snapshottable,
  type TickCounter,
  type TxAttrs,
  ticksAt,
} from '@smm/bus';
import {
  ACPI_PM_TIMER_FREQUENCY,
  ICH9_GPE0_EVENTS,
  ICH9_PM1_CNT_GBL_RLS,
  ICH9_PM1_CNT_SCI_EN,
  ICH9_PM1_CNT_SLP_EN,
  ICH9_PM1_CNT_SLP_TYP_SHIFT,
  ICH9_PM1_STS_GBL,
  ICH9_PM1_STS_PWRBTN,
  ICH9_PM1_STS_RTC,
  ICH9_PM1_STS_TMROF,
  ICH9_PM1_STS_WAK,
  ICH9_PMBASE_OFS_GPE0_EN,
  ICH9_PMBASE_OFS_GPE0_STS,
  ICH9_PMBASE_OFS_PM1_CNT,
  ICH9_PMBASE_OFS_PM1_EN,
  ICH9_PMBASE_OFS_PM1_STS,
  ICH9_PMBASE_OFS_PM1_TMR,
  ICH9_PMBASE_OFS_SMI_EN,
  ICH9_PMBASE_OFS_SMI_STS,
  ICH9_PMIO_SIZE,
  ICH9_SMI_EN_BIOS_EN,
  ICH9_SMI_EN_BIOS_RLS,
  ICH9_SMI_STS_BIOS_STS,
  wholeNumber,
} from '@smm/x86-defs';
import type { ResetKind } from './part.ts';
import { requireVersion1 } from './snapshot.ts';

const NS_PER_SECOND = 1_000_000_000;
const TIMER_MASK = 0xff_ffff;
const TIMER_HALF_PERIOD = 0x80_0000;
/** Events of PM1 that raise the SCI: the enable bits that exist. */
const PM1_EVENTS = ICH9_PM1_STS_TMROF | ICH9_PM1_STS_GBL | ICH9_PM1_STS_PWRBTN | ICH9_PM1_STS_RTC;
/**
 * Bits that a system reset leaves alone, S3's included: those in the resume and RTC wells. Intel 316972, "Power Well"
 * of each register.
 */
const KEPT = [
  ['PM1_STS', 0xff00],
  ['PM1_EN', 0xff00],
  ['PM1_CNT', 7 << ICH9_PM1_CNT_SLP_TYP_SHIFT],
  ['GPE0_STS_LOW', 0xffff_ffff],
  ['GPE0_STS_HIGH', 0xffff_ffff],
  ['GPE0_EN_LOW', 0xffff_ffff],
  ['GPE0_EN_HIGH', 0xffff_ffff],
] as const;

/** Interrupt line of the SCI. */
export const SCI_IRQ = 9;

/** What ends S3. */
export type WakeCause = 'power button' | 'RTC' | 'general-purpose event';

/** Ports of the PM block. */
export interface PmBlockPorts {
  /** Virtual time, for the PM timer. */
  readonly clock: Clock;
  /** Bits of SMI_EN that a lock holds as they are: GBL_SMI_EN by GEN_PMCON_1.SMI_LOCK, TCO_EN by TCO1_CNT.TCO_LOCK. */
  readonly frozenSmiEnables: () => number;
  /** The guest set SLP_EN; `type` is SLP_TYP, 3 bit. */
  readonly sleep: (type: number) => void;
  /** Something ends the sleep that {@link PmBlock.suspend} began. Left out: nobody can sleep. */
  readonly wake?: (cause: WakeCause) => void;
  /** Raises an SMI. Left out: leads nowhere. */
  readonly smi?: () => void;
  /** The SCI, active high; may lead nowhere. */
  readonly sci?: InterruptLine;
}

/** Architectural state of a {@link PmBlock}. */
export interface PmBlockState {
  /** Layout version of this object. */
  version: 1;
  /** The stored registers. */
  registers: RegisterFileState;
  /** Half periods of the timer that the guest has acknowledged through TMROF. */
  acknowledgedHalfPeriods: number;
  /** In S3. */
  suspended: boolean;
}

/** The registers, in offset order. */
export const PM_REGISTERS: readonly RegisterSpec[] = [
  { name: 'PM1_STS', offset: ICH9_PMBASE_OFS_PM1_STS, width: 2, w1c: 0xffff },
  { name: 'PM1_EN', offset: ICH9_PMBASE_OFS_PM1_EN, width: 2, writable: 0xffff },
  {
    name: 'PM1_CNT',
    offset: ICH9_PMBASE_OFS_PM1_CNT,
    width: 4,
    writable: 0xffff & ~ICH9_PM1_CNT_SLP_EN,
  },
  { name: 'PM1_TMR', offset: ICH9_PMBASE_OFS_PM1_TMR, width: 4 },
  { name: 'GPE0_STS_LOW', offset: ICH9_PMBASE_OFS_GPE0_STS, width: 4, w1c: 0xffff_ffff },
  { name: 'GPE0_STS_HIGH', offset: ICH9_PMBASE_OFS_GPE0_STS + 4, width: 4, w1c: 0xffff_ffff },
  { name: 'GPE0_EN_LOW', offset: ICH9_PMBASE_OFS_GPE0_EN, width: 4, writable: 0xffff_ffff },
  { name: 'GPE0_EN_HIGH', offset: ICH9_PMBASE_OFS_GPE0_EN + 4, width: 4, writable: 0xffff_ffff },
  { name: 'SMI_EN', offset: ICH9_PMBASE_OFS_SMI_EN, width: 4, writable: 0xffff_ffff },
  { name: 'SMI_STS', offset: ICH9_PMBASE_OFS_SMI_STS, width: 4, w1c: ICH9_SMI_STS_BIOS_STS },
];

/** The block; `port` is taken modulo its size. */
export class PmBlock implements PioDevice, Snapshottable<PmBlockState> {
  /** Name in traces. */
  readonly name = 'ich9-pm';
  /** The PM timer. */
  readonly tickCounter: TickCounter = {
    offset: ICH9_PMBASE_OFS_PM1_TMR,
    size: 4,
    frequencyHz: ACPI_PM_TIMER_FREQUENCY,
    mask: TIMER_MASK,
  };
  // wiring
  readonly #ports: PmBlockPorts;
  readonly #registers: RegisterFile<string>;
  readonly #overflow: Alarm;
  #handle: PortHandle | undefined;
  // architectural state
  #acknowledgedHalfPeriods = 0;
  #suspended = false;

  constructor(ports: PmBlockPorts) {
    this.#ports = ports;
    this.#overflow = ports.clock.createAlarm('pm-timer', () => this.#updateSci());
    this.#registers = new RegisterFile<string>(
      'ich9-pm',
      ICH9_PMIO_SIZE,
      PM_REGISTERS,
      { read: (name, stored) => this.#read(name, stored), write: (write) => this.#write(write) },
      0xff,
    );
  }

  /** Registers the block, out of sight until it is placed. */
  map(io: IoPortSpace): void {
    const place = { first: ICH9_PMIO_SIZE, count: ICH9_PMIO_SIZE, device: this, enabled: false };
    this.#handle = io.add({ name: this.name, ...place });
  }

  /** PMBASE and ACPI_EN changed: `base` is the first port. */
  place(enabled: boolean, base: number): void {
    this.#handle?.set(enabled ? { enabled, first: base } : { enabled });
  }

  /** IN within the block. */
  in(port: number, size: AccessSize, attrs: TxAttrs): number {
    return this.#registers.read(port % ICH9_PMIO_SIZE, size, attrs);
  }

  /** OUT within the block. */
  out(port: number, size: AccessSize, value: number, attrs: TxAttrs): void {
    this.#registers.write(port % ICH9_PMIO_SIZE, size, value, attrs);
    this.#updateSci();
  }

  /** A source raises SMIs: its own bit of SMI_EN decides, as in QEMU; GBL_SMI_EN is not looked at. */
  smiEnabled(bit: number): boolean {
    return (this.#registers.get('SMI_EN') & bit) !== 0;
  }

  /** Sets or clears PM1_CNT.SCI_EN, as the APM commands for ACPI do. */
  setSciEnable(enabled: boolean): void {
    const control = this.#registers.get('PM1_CNT');
    this.#registers.set('PM1_CNT', enabled ? control | ICH9_PM1_CNT_SCI_EN : control & ~ICH9_PM1_CNT_SCI_EN);
    this.#updateSci();
  }

  /** The power button is pressed for a moment: an event for the OS, and the end of S3. */
  pressPowerButton(): void {
    this.#happened('PM1_STS', ICH9_PM1_STS_PWRBTN);
  }

  /** The RTC asserts its interrupt. */
  rtcInterrupted(): void {
    this.#happened('PM1_STS', ICH9_PM1_STS_RTC);
  }

  /** A general-purpose event, 0 to 63. */
  raiseEvent(event: number): void {
    wholeNumber('the general-purpose event', event, 0, ICH9_GPE0_EVENTS - 1);
    this.#happened(event < 32 ? 'GPE0_STS_LOW' : 'GPE0_STS_HIGH', 2 ** (event % 32));
  }

  /** In S3. */
  get suspended(): boolean {
    return this.#suspended;
  }

  /** S3 begins: from now on an event that may wakes. One that came before is {@link PmBlock.wakeCause}. */
  suspend(): void {
    this.#suspended = true;
  }

  /** S3 is over. */
  resume(): void {
    this.#suspended = false;
    this.#registers.set('PM1_STS', this.#registers.get('PM1_STS') | ICH9_PM1_STS_WAK);
  }

  /** An RTC interrupt would end S3. */
  get rtcMayWake(): boolean {
    return (this.#registers.get('PM1_EN') & ICH9_PM1_STS_RTC) !== 0;
  }

  /** Some general-purpose event would end S3. */
  get eventsMayWake(): boolean {
    return (this.#registers.get('GPE0_EN_LOW') | this.#registers.get('GPE0_EN_HIGH')) !== 0;
  }

  /** What ends S3, if it is there already. The power button does so enabled or not. */
  wakeCause(): WakeCause | undefined {
    const status = this.#registers.get('PM1_STS');
    if ((status & ICH9_PM1_STS_PWRBTN) !== 0) return 'power button';
    if ((status & ICH9_PM1_STS_RTC) !== 0 && this.rtcMayWake) return 'RTC';
    return this.#generalEvent() ? 'general-purpose event' : undefined;
  }

  /** Stored or computed value of a register by name: for debuggers and tests. */
  register(name: string): number {
    return this.#read(name, this.#registers.get(name));
  }

  /** State after RESET, which ends S3 too; the timer counts on with virtual time. */
  reset(kind: ResetKind): void {
    const kept =
      kind === 'system' ? KEPT.map(([name, bits]) => [name, this.#registers.get(name) & bits] as const) : [];
    this.#registers.reset();
    for (const [name, value] of kept) this.#registers.set(name, value);
    this.#suspended = false;
    this.#acknowledgedHalfPeriods = this.#halfPeriods();
    this.#updateSci();
  }

  /** Copies the state out. */
  save(): PmBlockState {
    return {
      version: 1,
      registers: this.#registers.save(),
      acknowledgedHalfPeriods: this.#acknowledgedHalfPeriods,
      suspended: this.#suspended,
    };
  }

  /** Puts a saved state back. Throws `SmmError` `SNAPSHOT_VERSION` for another version. */
  restore(state: PmBlockState): void {
    requireVersion1(this.name, state);
    this.#registers.restore(state.registers);
    this.#acknowledgedHalfPeriods = state.acknowledgedHalfPeriods;
    this.#suspended = state.suspended;
    this.#updateSci();
  }

  #read(name: string, stored: number): number {
    if (name === 'PM1_TMR') return this.#ticks() % (TIMER_MASK + 1);
    if (name === 'PM1_STS' && this.#halfPeriods() > this.#acknowledgedHalfPeriods)
      return stored | ICH9_PM1_STS_TMROF;
    return stored;
  }

  #write({ name, value, previous, raw }: RegisterWrite<string>): number {
    if (name === 'PM1_STS' && (raw & ICH9_PM1_STS_TMROF) !== 0)
      this.#acknowledgedHalfPeriods = this.#halfPeriods();
    if (name === 'PM1_CNT') this.#control(raw, value);
    if (name === 'SMI_EN') {
      if ((raw & ICH9_SMI_EN_BIOS_RLS) !== 0) this.#set('PM1_STS', ICH9_PM1_STS_GBL);
      const frozen = this.#ports.frozenSmiEnables();
      return ((value & ~frozen) | (previous & frozen)) >>> 0;
    }
    return value;
  }

  #control(raw: number, value: number): void {
    if ((raw & ICH9_PM1_CNT_GBL_RLS) !== 0) {
      this.#set('SMI_STS', ICH9_SMI_STS_BIOS_STS);
      if (this.smiEnabled(ICH9_SMI_EN_BIOS_EN)) this.#ports.smi?.();
    }
    if ((raw & ICH9_PM1_CNT_SLP_EN) !== 0) this.#ports.sleep((value >>> ICH9_PM1_CNT_SLP_TYP_SHIFT) & 7);
  }

  #set(register: string, bit: number): void {
    this.#registers.set(register, (this.#registers.get(register) | bit) >>> 0);
  }

  #happened(register: string, bit: number): void {
    this.#set(register, bit);
    this.#updateSci();
    const cause = this.#suspended ? this.wakeCause() : undefined;
    if (cause !== undefined) this.#ports.wake?.(cause);
  }

  #generalEvent(): boolean {
    const both = (half: string): number =>
      this.#registers.get(`GPE0_STS_${half}`) & this.#registers.get(`GPE0_EN_${half}`);
    return (both('LOW') | both('HIGH')) !== 0;
  }

  /** Drives the SCI, and sleeps until the timer's next overflow if that would raise it. */
  #updateSci(): void {
    const on = (this.#registers.get('PM1_CNT') & ICH9_PM1_CNT_SCI_EN) !== 0;
    const enabled = on ? this.#registers.get('PM1_EN') & PM1_EVENTS : 0;
    const status = this.register('PM1_STS');
    this.#ports.sci?.set((status & enabled) !== 0 || (on && this.#generalEvent()));
    if ((enabled & ~status & ICH9_PM1_STS_TMROF) === 0) this.#overflow.cancel();
    else this.#overflow.set(nsAt((this.#halfPeriods() + 1) * TIMER_HALF_PERIOD));
  }

  /** Timer ticks since power-on. */
  #ticks(): number {
    return ticksAt(this.#ports.clock.now(), ACPI_PM_TIMER_FREQUENCY);
  }

  #halfPeriods(): number {
    return Math.floor(this.#ticks() / TIMER_HALF_PERIOD);
  }
}

/** The first nanosecond at which the timer has made so many ticks. */
function nsAt(ticks: number): number {
  const seconds = Math.floor(ticks / ACPI_PM_TIMER_FREQUENCY);
  const rest = ticks - seconds * ACPI_PM_TIMER_FREQUENCY;
  return seconds * NS_PER_SECOND + Math.ceil((rest * NS_PER_SECOND) / ACPI_PM_TIMER_FREQUENCY);
}
