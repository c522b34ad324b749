/**
 * The APM ports B2h and B3h: the software SMI. Sources: Intel 316972, "Advanced Power Management Control Port"; QEMU
 * 7.2 measured (commands 2 and 3 belong to its ACPI tables and raise no SMI).
 */
import {
  type AccessSize,
  type IoPortSpace,
  type PioDevice,
  type Snapshottable,
  type TxAttrs,
  txInitiator,
} from '@smm/bus';
import { ICH9_APM_CNT, ICH9_APM_CNT_ACPI_DISABLE, ICH9_APM_CNT_ACPI_ENABLE } from '@smm/x86-defs';
import { requireVersion1 } from './snapshot.ts';

/** Who gets an SMI: one processor by index, or all of them. */
export type SmiTarget = number | 'all';

/** Ports of the APM device. */
export interface ApmPorts {
  /** SMI_EN.APMC_EN. */
  readonly apmcEnabled: () => boolean;
  /** Sets PM1_CNT.SCI_EN. */
  readonly setSciEnable: (enabled: boolean) => void;
  /** Raises an SMI at once; `command` is what was written to APM_CNT, for whoever counts. */
  readonly smi: (target: SmiTarget, command: number) => void;
}

/** Architectural state of an {@link Apm}. */
export interface ApmState {
  /** Layout version of this object. */
  version: 1;
  /** APM_CNT, 8 bit. */
  control: number;
  /** APM_STS, 8 bit. */
  status: number;
  /** Broadcast was negotiated. */
  broadcast: boolean;
}

/** The two ports. Byte accesses only: the bus splits wider ones, control first. */
export class Apm implements PioDevice, Snapshottable<ApmState> {
  /** Name in traces. */
  readonly name = 'ich9-apm';
  // wiring
  readonly #ports: ApmPorts;
  // architectural state
  #control = 0;
  #status = 0;
  #broadcast = false;

  constructor(ports: ApmPorts) {
    this.#ports = ports;
  }

  /** Registers both ports. */
  map(io: IoPortSpace): void {
    io.add({ name: this.name, first: ICH9_APM_CNT, count: 2, device: this, maxSize: 1 });
  }

  /** IN. */
  in(port: number, _size: AccessSize, _attrs: TxAttrs): number {
    return port === ICH9_APM_CNT ? this.#control : this.#status;
  }

  /** OUT; a write to APM_CNT may raise an SMI for the writing processor, or for all when broadcast was negotiated. */
  out(port: number, _size: AccessSize, value: number, attrs: TxAttrs): void {
    if (port !== ICH9_APM_CNT) {
      this.#status = value;
      return;
    }
    this.#control = value;
    if (value === ICH9_APM_CNT_ACPI_ENABLE) this.#ports.setSciEnable(true);
    else if (value === ICH9_APM_CNT_ACPI_DISABLE) this.#ports.setSciEnable(false);
    else if (this.#ports.apmcEnabled()) this.#ports.smi(this.#broadcast ? 'all' : txInitiator(attrs), value);
  }

  /** Switches broadcast, as the fw_cfg negotiation `etc/smi/requested-features` bit 0 does. Reset switches it off. */
  setBroadcast(broadcast: boolean): void {
    this.#broadcast = broadcast;
  }

  /** State after RESET. */
  reset(): void {
    this.#control = 0;
    this.#status = 0;
    this.#broadcast = false;
  }

  /** Copies the state out. */
  save(): ApmState {
    return { version: 1, control: this.#control, status: this.#status, broadcast: this.#broadcast };
  }

  /** Puts a saved state back. Throws `SmmError` `SNAPSHOT_VERSION` for another version. */
  restore(state: ApmState): void {
    requireVersion1(this.name, state);
    this.#control = state.control;
    this.#status = state.status;
    this.#broadcast = state.broadcast;
  }
}
