/**
 * The ACPI power-management I/O block at PMBASE: PM1, PM timer, GPE0, SMI control.
 *
 * The SCI is the PM timer's alone: nothing else sets status bits yet. Not here: TCO (60h on). Not modelled: periodic
 * and software SMI timers; enabling the latter stores a bit only. QEMU ignores accesses of unusual width here; this
 * model takes them all. Sources: ACPI specification, "ACPI Hardware Features"; Intel 316972, "Power Management I/O
 * Registers".
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
  ICH9_PM1_CNT_SCI_EN,
  ICH9_PM1_CNT_SLP_EN,
  ICH9_PM1_CNT_SLP_TYP_SHIFT,
  ICH9_PM1_STS_TMROF,
  ICH9_PMBASE_OFS_PM1_CNT,
  ICH9_PMBASE_OFS_PM1_EN,
  ICH9_PMBASE_OFS_PM1_STS,
  ICH9_PMBASE_OFS_PM1_TMR,
  ICH9_PMBASE_OFS_SMI_EN,
  ICH9_PMBASE_OFS_SMI_STS,
  ICH9_PMIO_SIZE,
} from '@smm/x86-defs';
import { requireVersion1 } from './snapshot.ts';

const NS_PER_SECOND = 1_000_000_000;
const TIMER_MASK = 0xff_ffff;
const TIMER_HALF_PERIOD = 0x80_0000;

/** Interrupt line of the SCI. */
export const SCI_IRQ = 9;

/** Ports of the PM block. */
export interface PmBlockPorts {
  /** Virtual time, for the PM timer. */
  readonly clock: Clock;
  /** Bits of SMI_EN that a lock holds as they are: GBL_SMI_EN by GEN_PMCON_1.SMI_LOCK, TCO_EN by TCO1_CNT.TCO_LOCK. */
  readonly frozenSmiEnables: () => number;
  /** The guest set SLP_EN; `type` is SLP_TYP, 3 bit. */
  readonly sleep: (type: number) => void;
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
  { name: 'GPE0_STS_LOW', offset: 0x20, width: 4, w1c: 0xffff_ffff },
  { name: 'GPE0_STS_HIGH', offset: 0x24, width: 4, w1c: 0xffff_ffff },
  { name: 'GPE0_EN_LOW', offset: 0x28, width: 4, writable: 0xffff_ffff },
  { name: 'GPE0_EN_HIGH', offset: 0x2c, width: 4, writable: 0xffff_ffff },
  { name: 'SMI_EN', offset: ICH9_PMBASE_OFS_SMI_EN, width: 4, writable: 0xffff_ffff },
  { name: 'SMI_STS', offset: ICH9_PMBASE_OFS_SMI_STS, width: 4 },
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

  /** Stored or computed value of a register by name: for debuggers and tests. */
  register(name: string): number {
    return this.#read(name, this.#registers.get(name));
  }

  /** State after RESET; the timer counts on with virtual time. */
  reset(): void {
    this.#registers.reset();
    this.#acknowledgedHalfPeriods = this.#halfPeriods();
    this.#updateSci();
  }

  /** Copies the state out. */
  save(): PmBlockState {
    return {
      version: 1,
      registers: this.#registers.save(),
      acknowledgedHalfPeriods: this.#acknowledgedHalfPeriods,
    };
  }

  /** Puts a saved state back. Throws `SmmError` `SNAPSHOT_VERSION` for another version. */
  restore(state: PmBlockState): void {
    requireVersion1(this.name, state);
    this.#registers.restore(state.registers);
    this.#acknowledgedHalfPeriods = state.acknowledgedHalfPeriods;
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
    if (name === 'PM1_CNT' && (raw & ICH9_PM1_CNT_SLP_EN) !== 0) {
      this.#ports.sleep((value >>> ICH9_PM1_CNT_SLP_TYP_SHIFT) & 7);
    }
    if (name === 'SMI_EN') {
      const frozen = this.#ports.frozenSmiEnables();
      return ((value & ~frozen) | (previous & frozen)) >>> 0;
    }
    return value;
  }

  /** Drives the SCI, and sleeps until the timer's next overflow if that would raise it. */
  #updateSci(): void {
    const on = (this.#registers.get('PM1_CNT') & ICH9_PM1_CNT_SCI_EN) !== 0;
    const enabled = on ? this.#registers.get('PM1_EN') : 0;
    const status = this.register('PM1_STS');
    this.#ports.sci?.set((status & enabled) !== 0);
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
