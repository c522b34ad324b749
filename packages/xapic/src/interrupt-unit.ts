/**
 * The interrupt side of one local APIC: what arrives, what waits, what the processor takes.
 * Source: Intel SDM Vol. 3, "Handling Interrupts", "Error Handling", "Local Vector Table".
 */
import {
  APIC_DM_EXTINT,
  APIC_DM_FIXED,
  APIC_DM_INIT,
  APIC_DM_LOWEST,
  APIC_DM_NMI,
  APIC_DM_SMI,
  APIC_DM_STARTUP,
  APIC_ESR_RECVILL,
  APIC_FIRST_VECTOR,
  APIC_LVT_MASKED,
  APIC_MODE_MASK,
  APIC_SPIV_DIRECTED_EOI,
  APIC_VECTOR_MASK,
  SmmError,
} from '@smm/x86-defs';
import type { ApicMode } from './apic-base.ts';
import type { ApicRegisterFile } from './apic-register-file.ts';
import type { ApicBehaviour } from './behaviour.ts';
import { type LintPin, LintPins } from './lint-pins.ts';
import type { Acceptance, ApicMessage, ProcessorSink } from './messages.ts';
import type { InterruptAcknowledge } from './options.ts';
import {
  beginService,
  deliverableVector,
  endService,
  isLevelTriggered,
  requestVector,
} from './priorities.ts';
import { SLOT_ESR, SLOT_LVTERR, SLOT_SVR } from './slots.ts';

/** Answer of `pendingVector` while an ExtINT waits: only the 8259 knows its vector. */
export const EXTINT_PENDING = 0x100;

/** What the interrupt side needs from outside. */
export interface InterruptPorts {
  /** Switches in force. */
  readonly behaviour: ApicBehaviour;
  /** The words it works on. */
  readonly file: ApicRegisterFile;
  /** The processor. */
  readonly processor: ProcessorSink;
  /** The 8259 pair, if wired. */
  readonly pic: InterruptAcknowledge | undefined;
  /** INTR changed. */
  readonly onChange: () => void;
  /** A message arrived. */
  readonly onAccept: (message: ApicMessage) => void;
  /** EOI, with the vector that ended or -1. */
  readonly onEndOfInterrupt: (vector: number) => void;
  /** EOI of a level-triggered vector, for the I/O APICs. */
  readonly broadcastEoi: (vector: number) => void;
}

/** Saved interrupt side, beside the register words. */
export interface InterruptUnitState {
  /** Errors collected since the last write to ESR. */
  readonly pendingErrors: number;
  /** Levels of the pins LINT0 and LINT1. */
  readonly lint: readonly [boolean, boolean];
  /** An ExtINT message waits for its acknowledge cycle. */
  readonly extIntLatched: boolean;
  /** Lowest-priority messages accepted so far. */
  readonly turns: number;
}

/** Acceptance, priorities, pins, errors and the INTR line. */
export class InterruptUnit {
  readonly #ports: InterruptPorts;
  readonly #behaviour: ApicBehaviour;
  readonly #processor: ProcessorSink;
  readonly #file: ApicRegisterFile;
  readonly #words: Uint32Array;
  readonly #pins: LintPins;
  #mode: ApicMode = 'xapic';
  #pending = -1;
  #intr = false;
  #pendingErrors = 0;
  #extIntLatched = false;
  #turns = 0;

  constructor(ports: InterruptPorts) {
    this.#ports = ports;
    this.#behaviour = ports.behaviour;
    this.#processor = ports.processor;
    this.#file = ports.file;
    this.#words = ports.file.words;
    this.#pins = new LintPins(this.#words, (message) => this.accept(message));
  }

  /** The INTR line. */
  get intr(): boolean {
    return this.#intr;
  }

  /** Lowest-priority messages accepted so far. */
  get turns(): number {
    return this.#turns;
  }

  /** The operating mode changed. */
  setMode(mode: ApicMode): void {
    this.#mode = mode;
  }

  /** Forgets what waits outside the register words; the pins keep their levels. */
  reset(kind: 'power-up' | 'init'): void {
    this.#pendingErrors = 0;
    this.#extIntLatched = false;
    if (kind === 'power-up') this.#turns = 0;
  }

  /** Copies the state out. */
  save(): InterruptUnitState {
    return {
      pendingErrors: this.#pendingErrors,
      lint: [this.#pins.levels[0], this.#pins.levels[1]],
      extIntLatched: this.#extIntLatched,
      turns: this.#turns,
    };
  }

  /** Puts a saved state back. */
  restore(state: InterruptUnitState): void {
    this.#pendingErrors = state.pendingErrors;
    this.#pins.levels[0] = state.lint[0];
    this.#pins.levels[1] = state.lint[1];
    this.#extIntLatched = state.extIntLatched;
    this.#turns = state.turns;
  }

  /** Takes a message from the bus (or from its own LVT). */
  accept(message: ApicMessage): Acceptance {
    this.#ports.onAccept(message);
    switch (message.deliveryMode) {
      case APIC_DM_LOWEST:
        this.#turns++;
        return this.#request(message);
      case APIC_DM_FIXED:
        return this.#request(message);
      case APIC_DM_SMI:
        if (!this.#behaviour.smiFromIcr) return 'ignored';
        this.#processor.smi();
        return 'accepted';
      case APIC_DM_NMI:
        this.#processor.nmi();
        return 'accepted';
      case APIC_DM_INIT:
        if (message.trigger === 'level' && !message.level) return 'ignored';
        this.#processor.init();
        return 'accepted';
      case APIC_DM_STARTUP:
        this.#processor.sipi(message.vector);
        return 'accepted';
      case APIC_DM_EXTINT:
        if (!this.#behaviour.extIntMessages) return 'ignored';
        this.#extIntLatched = true;
        this.update();
        return 'accepted';
      default:
        return 'ignored';
    }
  }

  /** Drives a local interrupt pin: 0 is LINT0 (INTR of the 8259), 1 is LINT1 (NMI). True is a high level. */
  setLint(pin: LintPin, level: boolean): void {
    if (this.#mode === 'disabled') {
      // The pins are the processor's own INTR and NMI then.
      const rises = level && !this.#pins.levels[pin];
      this.#pins.levels[pin] = level;
      if (pin === 1 && rises) this.#processor.nmi();
    } else {
      this.#pins.set(pin, level);
    }
    this.update();
  }

  /** An internal source signals through its LVT entry, which may mask itself as it delivers. */
  signal(slot: number, masksItself: boolean): void {
    if (this.#mode === 'disabled' || this.#file.row(slot) === undefined) return;
    const entry = this.#words[slot]!;
    this.deliverEntry(slot, entry & APIC_MODE_MASK);
    if (masksItself) this.#words[slot] = entry | APIC_LVT_MASKED;
  }

  /** Records an error for ESR, and raises LVT Error when it is the first since ESR was last written. */
  raiseError(bit: number): void {
    if (this.#behaviour.errorStatus === 'absent') return;
    if (this.#behaviour.errorStatus === 'live') {
      this.#words[SLOT_ESR] = this.#words[SLOT_ESR]! | bit;
      return;
    }
    const armed = this.#pendingErrors === 0;
    this.#pendingErrors |= bit;
    if (armed) this.deliverEntry(SLOT_LVTERR, APIC_DM_FIXED);
  }

  /** A write to ESR: shows what was collected, and arms LVT Error again. */
  writeErrorStatus(): void {
    if (this.#behaviour.errorStatus === 'latched') this.#words[SLOT_ESR] = this.#pendingErrors;
    this.#pendingErrors = 0;
  }

  /** LVT LINT0 was written. */
  lookAtPin0(): void {
    this.#pins.look(0);
  }

  /** Highest vector that may be delivered now, `EXTINT_PENDING`, or -1. */
  pendingVector(): number {
    return this.#intr && this.extIntPending ? EXTINT_PENDING : this.#pending;
  }

  /** True while an ExtINT waits: LINT0/LINT1 in that mode, a message, or the bare INTR pin of a disabled APIC. */
  get extIntPending(): boolean {
    if (this.#mode === 'disabled') return this.#pins.levels[0];
    return this.#extIntLatched || this.#pins.extInt;
  }

  /**
   * The processor's acknowledge cycle; returns the vector, 8 bits. ExtINT first (from the `pic` port), then the highest
   * deliverable vector, which moves from IRR to ISR; with nothing left, the spurious vector, and ISR stays.
   * Throws `SmmError` `APIC_NO_PIC` when an ExtINT waits and no `pic` is wired.
   */
  acknowledge(): number {
    if (this.extIntPending) {
      const pic = this.#ports.pic;
      if (pic === undefined) {
        throw new SmmError(
          'APIC_NO_PIC',
          'local APIC: an ExtINT waits, but no 8259 is wired',
          'Give the LocalApic a `pic` port.',
        );
      }
      this.#extIntLatched = false;
      const vector = pic.acknowledge() & 0xff;
      this.update();
      return vector;
    }
    if (this.#pending < 0) return this.#words[SLOT_SVR]! & APIC_VECTOR_MASK;
    const vector = this.#pending;
    beginService(this.#words, vector);
    this.update();
    return vector;
  }

  /** Delivers what an LVT entry says, in the given mode, unless it is masked. */
  deliverEntry(slot: number, deliveryMode: number): void {
    const entry = this.#words[slot]!;
    if ((entry & APIC_LVT_MASKED) !== 0) return;
    this.accept({ deliveryMode, vector: entry & APIC_VECTOR_MASK, trigger: 'edge', level: true });
  }

  /** A write to EOI. */
  endOfInterrupt(): void {
    const vector = endService(this.#words);
    this.#ports.onEndOfInterrupt(vector);
    if (vector < 0 || !isLevelTriggered(this.#words, vector)) return;
    this.#pins.endOfInterrupt(vector);
    if ((this.#words[SLOT_SVR]! & APIC_SPIV_DIRECTED_EOI) === 0) this.#ports.broadcastEoi(vector);
  }

  /** Works INTR out again after a register changed. */
  update(): void {
    this.#pending = this.#deliverable();
    const intr = this.#pending >= 0 || this.extIntPending;
    if (intr === this.#intr) return;
    this.#intr = intr;
    this.#ports.onChange();
  }

  #request({ vector, trigger }: ApicMessage): Acceptance {
    if (this.#mode === 'disabled') return 'ignored';
    if (!this.#file.softwareEnabled && this.#behaviour.softwareDisabled !== 'collected') return 'ignored';
    if (vector < APIC_FIRST_VECTOR && this.#behaviour.illegalVectors === 'error') {
      this.raiseError(APIC_ESR_RECVILL);
      return 'ignored';
    }
    const coalesced = requestVector(this.#words, vector, trigger);
    this.update();
    return coalesced ? 'coalesced' : 'accepted';
  }

  #deliverable(): number {
    if (this.#mode === 'disabled') return -1;
    if (this.#behaviour.softwareDisabled !== 'held' && !this.#file.softwareEnabled) return -1;
    return deliverableVector(this.#words, this.#behaviour.illegalVectors === 'delivered');
  }
}
