/**
 * The TCO watchdog of the ICH9, at PMBASE + 60h: a timer in steps of 0.6 s that raises an SMI when it runs out, and
 * resets the system when that happens twice without a reload, unless GCS.NO_REBOOT is set; and two mailboxes between
 * OS and SMM. After a reset the timer stands until TCO_RLD or TCO1_CNT is written, as in QEMU.
 *
 * Not modelled: interrupts by TCO_DAT_OUT, NMI2SMI, intruder detection, SMI_STS.TCO_STS, the No Reboot strap
 * (NO_REBOOT is set by reset and software can clear it). SMIs go to processor 0, as in QEMU. Sources: Intel 316972,
 * "TCO I/O Registers"; QEMU 7.2 measured.
 */
import {
  type AccessSize,
  type Alarm,
  type Clock,
  type IoPortSpace,
  type PioDevice,
  type PortHandle,
  RegisterFile,
  type RegisterFileState,
  type RegisterSpec,
  type RegisterWrite,
  type TxAttrs,
} from '@smm/bus';
import { ICH9_PMBASE_OFS_TCO, ICH9_TCO_SIZE } from '@smm/x86-defs';
import type { SmiTarget } from './apm.ts';
import type { Part, ResetKind } from './part.ts';
import { requireVersion1 } from './snapshot.ts';

/** The timer's step, nanoseconds. */
const TICK_NS = 600_000_000;
const TIMER_MASK = 0x3ff;
/** Presets below this do not start the timer. */
const SHORTEST_PRESET = 2;
const STS1_SW_TCO_SMI = 0x02;
const STS1_TCO_INT = 0x04;
const STS1_TIMEOUT = 0x08;
const STS2_SECOND_TO = 0x02;
const STS2_BOOT = 0x04;
const CNT1_TMR_HLT = 0x0800;
const CNT1_LOCK = 0x1000;
/** Survive a system reset: they are in the resume well. */
const KEPT = ['TCO2_STS', 'TCO_MESSAGE1', 'TCO_MESSAGE2', 'TCO_WDCNT'] as const;

const REGISTERS: readonly RegisterSpec[] = [
  { name: 'TCO_RLD', offset: 0x00, width: 2 },
  { name: 'TCO_DAT_IN', offset: 0x02, width: 1, writable: 0xff },
  { name: 'TCO_DAT_OUT', offset: 0x03, width: 1, writable: 0xff },
  { name: 'TCO1_STS', offset: 0x04, width: 2, w1c: STS1_SW_TCO_SMI | STS1_TCO_INT | STS1_TIMEOUT },
  { name: 'TCO2_STS', offset: 0x06, width: 2, w1c: STS2_SECOND_TO | STS2_BOOT },
  { name: 'TCO1_CNT', offset: 0x08, width: 2, writable: 0xfeff },
  { name: 'TCO2_CNT', offset: 0x0a, width: 2, reset: 0x0008, writable: 0xffff },
  { name: 'TCO_MESSAGE1', offset: 0x0c, width: 1, writable: 0xff },
  { name: 'TCO_MESSAGE2', offset: 0x0d, width: 1, writable: 0xff },
  { name: 'TCO_WDCNT', offset: 0x0e, width: 1, writable: 0xff },
  { name: 'SW_IRQ_GEN', offset: 0x10, width: 1, reset: 0x03, writable: 0xff },
  { name: 'TCO_TMR', offset: 0x12, width: 2, reset: 0x0004, writable: TIMER_MASK },
];

/** What a {@link Tco} is given. */
export interface TcoPorts {
  /** Virtual time. */
  readonly clock: Clock;
  /** SMI_EN.TCO_EN. */
  readonly smiEnabled: () => boolean;
  /** GCS.NO_REBOOT. */
  readonly noReboot: () => boolean;
  /** Raises an SMI. */
  readonly smi: (target: SmiTarget) => void;
  /** Resets the system. */
  readonly reset: () => void;
}

/** Architectural state of a {@link Tco}. */
export interface TcoState {
  /** Layout version of this object. */
  version: 1;
  /** The stored registers. */
  registers: RegisterFileState;
  /** When the timer runs out, virtual nanoseconds; null while it stands. */
  expiresNs: number | null;
  /** It has run out since the last reload. */
  ranOut: boolean;
}

/** The watchdog. */
export class Tco implements Part, PioDevice {
  readonly name = 'tco';
  // wiring
  readonly #ports: TcoPorts;
  readonly #alarm: Alarm;
  readonly #registers: RegisterFile<string>;
  #handle: PortHandle | undefined;
  // architectural state
  #expiresNs: number | null = null;
  #ranOut = false;

  constructor(ports: TcoPorts) {
    this.#ports = ports;
    this.#alarm = ports.clock.createAlarm('tco', () => this.#expire());
    this.#registers = new RegisterFile<string>('tco', ICH9_TCO_SIZE, REGISTERS, {
      read: (name, stored) => (name === 'TCO_RLD' ? this.#left(stored) : stored),
      write: (write) => this.#write(write),
    });
  }

  map(io: IoPortSpace): void {
    this.#handle = io.add({ name: this.name, first: 0, count: ICH9_TCO_SIZE, device: this, enabled: false });
  }

  /** PMBASE and ACPI_EN changed: `base` is the first port of the PM block. */
  place(enabled: boolean, base: number): void {
    this.#handle?.set(enabled ? { enabled, first: base + ICH9_PMBASE_OFS_TCO } : { enabled });
  }

  /** SMI_EN.TCO_EN is frozen until reset. */
  locked(): boolean {
    return (this.#registers.get('TCO1_CNT') & CNT1_LOCK) !== 0;
  }

  /** It will run out if nobody reloads it. */
  get running(): boolean {
    return this.#expiresNs !== null;
  }

  in(port: number, size: AccessSize, attrs: TxAttrs): number {
    return this.#registers.read(port % ICH9_TCO_SIZE, size, attrs);
  }

  out(port: number, size: AccessSize, value: number, attrs: TxAttrs): void {
    this.#registers.write(port % ICH9_TCO_SIZE, size, value, attrs);
  }

  reset(kind: ResetKind): void {
    const kept = kind === 'system' ? KEPT.map((name) => [name, this.#registers.get(name)] as const) : [];
    this.#registers.reset();
    for (const [name, value] of kept) this.#registers.set(name, value);
    this.#ranOut = false;
    this.#arm(null);
  }

  save(): TcoState {
    const registers = this.#registers.save();
    return { version: 1, registers, expiresNs: this.#expiresNs, ranOut: this.#ranOut };
  }

  restore(state: TcoState): void {
    requireVersion1(this.name, state);
    this.#registers.restore(state.registers);
    this.#ranOut = state.ranOut;
    this.#arm(state.expiresNs);
  }

  #write({ name, value, previous, raw }: RegisterWrite<string>): number {
    switch (name) {
      case 'TCO_RLD':
        this.#ranOut = false;
        return this.#start(this.#registers.get('TCO1_CNT')) ?? raw;
      case 'TCO_DAT_IN':
        this.#status(STS1_SW_TCO_SMI);
        this.#smi();
        return value;
      case 'TCO_DAT_OUT':
        this.#status(STS1_TCO_INT);
        return value;
      case 'TCO1_CNT': {
        const control = value | (previous & CNT1_LOCK);
        const preset = this.#start(control);
        if (preset === undefined) this.#arm(null);
        else this.#registers.set('TCO_RLD', preset);
        return control;
      }
      default:
        return value;
    }
  }

  /** Starts the timer anew if TCO1_CNT and the preset let it, and gives the preset. */
  #start(control: number): number | undefined {
    const preset = this.#registers.get('TCO_TMR');
    if ((control & CNT1_TMR_HLT) !== 0 || preset < SHORTEST_PRESET) return undefined;
    this.#arm(this.#ports.clock.now() + preset * TICK_NS);
    return preset;
  }

  #arm(expiresNs: number | null): void {
    this.#expiresNs = expiresNs;
    if (expiresNs === null) this.#alarm.cancel();
    else this.#alarm.set(expiresNs);
  }

  /** Whole steps until the timer runs out. */
  #left(stored: number): number {
    if (this.#expiresNs === null) return stored;
    return Math.max(0, Math.floor((this.#expiresNs - this.#ports.clock.now()) / TICK_NS));
  }

  #expire(): void {
    this.#status(STS1_TIMEOUT);
    this.#arm(null);
    const second = this.#ranOut;
    this.#ranOut = !second;
    if (second) {
      const status = this.#registers.get('TCO2_STS');
      this.#registers.set('TCO2_STS', status | STS2_SECOND_TO | STS2_BOOT);
      if (!this.#ports.noReboot()) {
        this.#registers.set('TCO_RLD', 0);
        this.#ports.reset();
        return;
      }
    }
    this.#smi();
    const preset = this.#start(this.#registers.get('TCO1_CNT'));
    this.#registers.set('TCO_RLD', preset ?? 0);
  }

  #status(bit: number): void {
    this.#registers.set('TCO1_STS', this.#registers.get('TCO1_STS') | bit);
  }

  #smi(): void {
    if (this.#ports.smiEnabled()) this.#ports.smi(0);
  }
}
