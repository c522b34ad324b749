/**
 * One local APIC, xAPIC and x2APIC.
 * Not modelled: delivery status (always idle), focus processors, the P6 arbitration priority and remote read registers,
 * APIC bus checksum and accept errors.
 * Source: Intel SDM Vol. 3, "Advanced Programmable Interrupt Controller (APIC)".
 */

import { type AccessSize, type MmioDevice, type Snapshottable, TX_DEBUG, type TxAttrs } from '@smm/bus';
import {
  APIC_BASE_BSP,
  APIC_BASE_ENABLE,
  APIC_DEFAULT_PHYS_BASE,
  APIC_DEST_SELF,
  APIC_DM_FIXED,
  APIC_ESR_ILLREGA,
  APIC_ICR2,
  APIC_INT_ASSERT,
  APIC_PAGE_SIZE,
  APIC_VECTOR_MASK,
  checkOptions,
  IA32_APIC_BASE,
  IA32_TSC_DEADLINE,
  isFlag,
  isFunction,
  isOneOf,
  isPositive,
  isShape,
  isWhole,
  maybe,
  type OptionShape,
  refuse,
  SmmError,
  X2APIC_MSR_BASE,
  X2APIC_MSR_LAST,
} from '@smm/x86-defs';
import { type ApicMode, apicModeOf, hasReservedBits, isLegalTransition } from './apic-base.ts';
import type { ApicBus } from './apic-bus.ts';
import { ApicRegisterFile } from './apic-register-file.ts';
import type { ApicBehaviour } from './behaviour.ts';
import { InterruptUnit } from './interrupt-unit.ts';
import type { LintPin } from './lint-pins.ts';
import type { Acceptance, ApicMessage } from './messages.ts';
import type { LocalApicOptions, LocalApicState } from './options.ts';
import { processorPriority } from './priorities.ts';
import { type ApicRegister, type ApicRegisterName, apicRegister } from './registers.ts';
import { SLOT_DFR, SLOT_ICR, SLOT_ICR2, SLOT_ID, SLOT_LDR, SLOT_LVT0, SLOT_LVTT, SLOT_TPR } from './slots.ts';
import { ApicTimer, timerDivisor, timerModeOf } from './timer.ts';

/** One local APIC. It is the memory-mapped device of its own processor only, at `mmioBase`. */
export class LocalApic implements MmioDevice, Snapshottable<LocalApicState> {
  /** Name in traces and errors. */
  readonly name = 'lapic';
  /** Initial APIC id, which CPUID reports and x2APIC mode uses. */
  readonly initialId: number;

  // Wiring.
  readonly #options: LocalApicOptions;
  readonly #bus: ApicBus;
  readonly #behaviour: ApicBehaviour;

  // Book-keeping, derived from the state below.
  #mode: ApicMode = 'xapic';

  // Architectural state.
  readonly #file: ApicRegisterFile;
  readonly #words: Uint32Array;
  readonly #interrupts: InterruptUnit;
  readonly #timer: ApicTimer;
  #apicBase = 0;
  #arbitrationId = 0;

  /**
   * Registers itself on the bus. Throws `SmmError` `APIC_ID_TAKEN` when the initial id is not unique there,
   * `OPTION_VALUE` for options that make no sense.
   */
  constructor(options: LocalApicOptions) {
    checkOptions('the options of a local APIC', options, SHAPE);
    this.#options = options;
    this.initialId = options.apicId >>> 0;
    this.#bus = options.bus;
    options.bus.register(this);
    this.#behaviour = options.bus.behaviour;
    this.#file = new ApicRegisterFile(options, this.#behaviour);
    this.#words = this.#file.words;
    this.#interrupts = new InterruptUnit({
      behaviour: this.#behaviour,
      file: this.#file,
      processor: options.processor,
      pic: options.pic,
      onChange: () => options.onChange?.(),
      onAccept: (message) => this.#bus.observer?.accept?.(this.initialId, message),
      onEndOfInterrupt: (vector) => this.#bus.observer?.eoi?.(this.initialId, vector),
      broadcastEoi: (vector) => this.#bus.broadcastEoi(vector),
    });
    this.#timer = new ApicTimer({
      clock: options.clock,
      name: `lapic${options.apicId}.timer`,
      busHz: options.busHz ?? 1e9,
      minPeriodNs: this.#behaviour.timerMinPeriodNs,
      nsOfTsc: options.nsOfTsc ?? Number,
      onExpire: () => this.#interrupts.deliverEntry(SLOT_LVTT, APIC_DM_FIXED),
    });
    this.#powerUp();
  }

  /** Current APIC id: 8 bits in xAPIC mode, the initial id in x2APIC mode. */
  get id(): number {
    return this.#mode === 'x2apic' ? this.initialId : this.#words[SLOT_ID]! >>> 24;
  }

  /** Operating mode. */
  get mode(): ApicMode {
    return this.#mode;
  }

  /** Guest-physical address of the register page, or -1 while none is decoded (x2APIC mode, disabled). */
  get mmioBase(): number {
    return this.#mode === 'xapic' ? this.#apicBase - (this.#apicBase % APIC_PAGE_SIZE) : -1;
  }

  /** True while both the global enable and SVR's enable bit are set. */
  get enabled(): boolean {
    return this.#mode !== 'disabled' && this.#file.softwareEnabled;
  }

  /** Processor priority, 8 bits. */
  get ppr(): number {
    return processorPriority(this.#words);
  }

  /** Logical destination register: as written, or derived from the id in x2APIC mode. */
  get ldr(): number {
    if (this.#mode !== 'x2apic') return this.#words[SLOT_LDR]!;
    return (((this.initialId >>> 4) << 16) | (1 << (this.initialId & 0xf))) >>> 0;
  }

  /** Destination format register. */
  get dfr(): number {
    return this.#words[SLOT_DFR]!;
  }

  /** Arbitration id: the id at power-up, and again at each INIT level de-assert. */
  get arbitrationId(): number {
    return this.#arbitrationId;
  }

  // Memory-mapped registers (xAPIC mode).

  /** Reads a register of the page; all ones when no page is decoded. With `TX_DEBUG` there is no side effect. */
  read(offset: number, size: AccessSize, attrs: TxAttrs): number {
    if (this.#mode !== 'xapic') return truncate(0xffff_ffff, size);
    const byte = offset & 0xf;
    const dwordOnly = this.#behaviour.partialAccess === 'dword';
    if (dwordOnly ? size < 4 : byte + size > 4) return 0;
    const slot = (offset & 0xfff) >> 4;
    const row = this.#file.row(slot);
    const debug = (attrs & TX_DEBUG) !== 0;
    if (row === undefined || row.access === 'none') {
      if (!debug) this.raiseError(APIC_ESR_ILLREGA);
      return 0;
    }
    if (row.access === 'wo') return 0;
    const value = this.#load(slot, row);
    if (!debug) this.#bus.observer?.access?.(this.initialId, false, slot << 4, value);
    return dwordOnly ? value : truncate(value >>> (byte * 8), size);
  }

  /** Writes a register of the page; ignored when no page is decoded. With `TX_DEBUG` nothing happens. */
  write(offset: number, size: AccessSize, value: number, attrs: TxAttrs): void {
    if (this.#mode !== 'xapic' || (attrs & TX_DEBUG) !== 0 || size < 4) return;
    if (this.#behaviour.partialAccess === 'extract' && (offset & 0xf) !== 0) return;
    const slot = (offset & 0xfff) >> 4;
    if (slot === 0 && this.#behaviour.msiAtOffsetZero) {
      this.#bus.deliverMsi(this.mmioBase + offset, value);
      return;
    }
    this.#bus.observer?.access?.(this.initialId, true, slot << 4, value);
    const row = this.#file.row(slot);
    if (row === undefined || row.access === 'none') this.raiseError(APIC_ESR_ILLREGA);
    else if (row.access !== 'ro') this.#store(slot, row, value);
  }

  /** Reads a register by name (word `index` of ISR, TMR, IRR), with no side effect, in any mode. */
  readRegister(name: ApicRegisterName, index = 0): number {
    const row = apicRegister(name);
    return this.#load((row.offset >> 4) + index, row);
  }

  /** Writes a register by name, as software does in xAPIC mode. */
  writeRegister(name: ApicRegisterName, value: number): void {
    this.write(apicRegister(name).offset, 4, value, 0);
  }

  // MSRs and CR8.

  /** RDMSR of IA32_APIC_BASE, IA32_TSC_DEADLINE or 800h-8FFh. Undefined means #GP(0). */
  readMsr(msr: number): bigint | undefined {
    if (msr === IA32_APIC_BASE) return BigInt(this.#apicBase);
    if (msr === IA32_TSC_DEADLINE)
      return this.#options.tscDeadline === false ? undefined : this.#timer.deadline;
    if (msr < X2APIC_MSR_BASE || msr > X2APIC_MSR_LAST || this.#mode !== 'x2apic') return undefined;
    const slot = msr - X2APIC_MSR_BASE;
    const row = this.#file.row(slot);
    if (row === undefined || row.x2apic === 'none' || row.x2apic === 'wo') return undefined;
    const low = this.#load(slot, row);
    this.#bus.observer?.access?.(this.initialId, false, slot << 4, low);
    if (slot !== SLOT_ICR) return BigInt(low);
    const high = this.#words[SLOT_ICR2]!;
    this.#bus.observer?.access?.(this.initialId, false, APIC_ICR2, high);
    return (BigInt(high) << 32n) | BigInt(low);
  }

  /** WRMSR of the same MSRs; `value` is 64 bits unsigned. False means #GP(0) and no change. */
  writeMsr(msr: number, value: bigint): boolean {
    if (msr === IA32_APIC_BASE) return this.#writeApicBase(value);
    if (msr === IA32_TSC_DEADLINE) {
      if (this.#options.tscDeadline === false) return false;
      this.#timer.setDeadline(value);
      return true;
    }
    if (msr < X2APIC_MSR_BASE || msr > X2APIC_MSR_LAST || this.#mode !== 'x2apic') return false;
    const slot = msr - X2APIC_MSR_BASE;
    const row = this.#file.row(slot);
    if (row === undefined || row.x2apic === 'none' || row.x2apic === 'ro') return false;
    const low = Number(value & 0xffff_ffffn);
    const high = Number(value >> 32n);
    if ((low & ~this.#file.x2mask(slot)) !== 0 || (high !== 0 && slot !== SLOT_ICR)) return false;
    if (slot === SLOT_ICR) {
      this.#bus.observer?.access?.(this.initialId, true, APIC_ICR2, high);
      this.#words[SLOT_ICR2] = high;
    }
    this.#bus.observer?.access?.(this.initialId, true, slot << 4, low);
    this.#store(slot, row, low);
    return true;
  }

  /** CR8: the task priority class, 4 bits. */
  get cr8(): number {
    return (this.#words[SLOT_TPR]! >> 4) & 0xf;
  }

  /** MOV to CR8; 4 bits, since the processor refuses the rest. Bits 3:0 of TPR become 0. */
  set cr8(value: number) {
    this.#words[SLOT_TPR] = (value & 0xf) << 4;
    this.#interrupts.update();
  }

  // Interrupts.

  /** Takes a message from the bus. */
  accept(message: ApicMessage): Acceptance {
    return this.#interrupts.accept(message);
  }

  /** Drives a local interrupt pin: 0 is LINT0 (INTR of the 8259), 1 is LINT1 (NMI). True is a high level. */
  setLint(pin: LintPin, level: boolean): void {
    this.#interrupts.setLint(pin, level);
  }

  /** An internal source signals through its LVT entry. Performance monitoring masks its entry as it delivers. */
  signal(source: 'LVT_CMCI' | 'LVT_THERMAL' | 'LVT_PERF'): void {
    this.#interrupts.signal(apicRegister(source).offset >> 4, source === 'LVT_PERF');
  }

  /** Records an error for ESR, and raises LVT Error when it is the first since ESR was last written. */
  raiseError(bit: number): void {
    this.#interrupts.raiseError(bit);
  }

  /** INIT level de-assert: the arbitration id becomes the APIC id. */
  synchronizeArbitrationId(): void {
    this.#arbitrationId = this.id;
  }

  /** The INTR line into the processor: a vector can be delivered or an ExtINT waits. Cheap: poll it freely. */
  get intr(): boolean {
    return this.#interrupts.intr;
  }

  /** Highest vector that may be delivered now with respect to PPR, `EXTINT_PENDING` while an ExtINT waits, or -1. */
  pendingVector(): number {
    return this.#interrupts.pendingVector();
  }

  /** True while an ExtINT waits: LINT0/LINT1 in that mode, a message, or the bare INTR pin of a disabled APIC. */
  get extIntPending(): boolean {
    return this.#interrupts.extIntPending;
  }

  /** Lowest-priority messages accepted so far; an arbitration that takes turns picks the least. */
  get turns(): number {
    return this.#interrupts.turns;
  }

  /**
   * The processor's acknowledge cycle; returns the vector, 8 bits. ExtINT first (from the `pic` port), then the highest
   * deliverable vector, which moves from IRR to ISR; with nothing left, the spurious vector, and ISR stays.
   * Throws `SmmError` `APIC_NO_PIC` when an ExtINT waits and no `pic` is wired.
   */
  acknowledge(): number {
    return this.#interrupts.acknowledge();
  }

  // Reset and snapshots.

  /** RESET, or INIT, which leaves the id (by flavour), the arbitration id, IA32_APIC_BASE and so the mode. */
  reset(kind: 'power-up' | 'init'): void {
    const behaviour = this.#behaviour;
    const id = kind === 'init' ? behaviour.apicIdOnInit : behaviour.apicIdOnPowerUp;
    if (id === 'reset') this.#file.setInitialId();
    if (kind === 'power-up') this.#powerUp();
    else this.#resetRegisters('init');
    this.#bus.identityChanged();
    this.#interrupts.update();
  }

  /** Copies the architectural state out. */
  save(): LocalApicState {
    return {
      version: 1,
      words: Array.from(this.#words),
      apicBase: this.#apicBase,
      arbitrationId: this.#arbitrationId,
      interrupts: this.#interrupts.save(),
      timer: this.#timer.save(),
    };
  }

  /** Puts a saved state back. Throws `SmmError` `SNAPSHOT_VERSION` for another version. */
  restore(state: LocalApicState): void {
    const mode = state.version === 1 ? apicModeOf(state.apicBase) : undefined;
    if (mode === undefined) {
      throw new SmmError(
        'SNAPSHOT_VERSION',
        `not a version 1 local APIC snapshot (version ${state.version}, base 0x${state.apicBase.toString(16)})`,
        'Use a snapshot saved by this release.',
        { version: state.version },
      );
    }
    this.#words.set(state.words);
    this.#apicBase = state.apicBase;
    this.#setMode(mode);
    this.#arbitrationId = state.arbitrationId;
    this.#interrupts.restore(state.interrupts);
    this.#timer.restore(state.timer);
    this.#bus.identityChanged();
    this.#interrupts.update();
  }

  // Inside.

  #powerUp(): void {
    const bsp = this.#options.bsp ?? this.initialId === 0;
    this.#apicBase = APIC_DEFAULT_PHYS_BASE + APIC_BASE_ENABLE + (bsp ? APIC_BASE_BSP : 0);
    this.#setMode('xapic');
    this.#resetRegisters('power-up');
    this.synchronizeArbitrationId();
  }

  #setMode(mode: ApicMode): void {
    this.#mode = mode;
    this.#interrupts.setMode(mode);
  }

  #resetRegisters(kind: 'power-up' | 'init'): void {
    this.#file.reset();
    this.#timer.reset();
    this.#interrupts.reset(kind);
  }

  #load(slot: number, row: ApicRegister): number {
    switch (row.computed) {
      case 'id':
        return this.#mode === 'x2apic' ? this.initialId : this.#words[slot]!;
      case 'ldr':
        return this.ldr;
      case 'ppr':
        return this.ppr;
      case 'current-count':
        return this.#timer.currentCount();
      default:
        return this.#words[slot]!;
    }
  }

  #store(slot: number, row: ApicRegister, value: number): void {
    const x2apic = this.#mode === 'x2apic';
    this.#file.store(slot, value, x2apic);
    const stored = this.#words[slot]!;
    switch (row.effect) {
      case 'identity':
        this.#bus.identityChanged();
        return;
      case 'eoi':
        this.#interrupts.endOfInterrupt();
        break;
      case 'spurious':
        this.#file.maskLvtWhileDisabled();
        break;
      case 'error-status':
        this.#interrupts.writeErrorStatus();
        return;
      case 'icr':
        this.#bus.send(this, stored, this.#words[SLOT_ICR2]! >>> (x2apic ? 0 : 24));
        return;
      case 'self-ipi':
        this.#bus.send(this, APIC_DEST_SELF | APIC_INT_ASSERT | (value & APIC_VECTOR_MASK), 0);
        return;
      case 'lvt':
        this.#file.maskLvtWhileDisabled();
        if (slot === SLOT_LVT0) this.#interrupts.lookAtPin0();
        break;
      case 'lvt-timer':
        this.#file.maskLvtWhileDisabled();
        this.#timer.setMode(timerModeOf(stored));
        return;
      case 'initial-count':
        this.#timer.start(stored);
        return;
      case 'divide':
        this.#timer.setDivisor(timerDivisor(stored));
        return;
      default:
        break;
    }
    this.#interrupts.update();
  }

  #writeApicBase(value: bigint): boolean {
    if (hasReservedBits(value, this.#options.physicalAddressBits ?? 40)) return false;
    const base = Number(value);
    const from = this.#mode;
    const to = apicModeOf(base);
    if (to === undefined || !isLegalTransition(from, to)) return false;
    if (to === 'x2apic' && this.#options.x2apic === false) return false;
    const permanent = this.#behaviour.globalDisable === 'permanent';
    if (permanent && from === 'disabled' && to !== 'disabled') return true;
    this.#apicBase = base;
    if (from === to) return true;
    this.#setMode(to);
    if (to === 'disabled' && this.#behaviour.globalDisable === 'reset') this.#resetRegisters('init');
    if (from === 'disabled') this.#file.setInitialId();
    this.#bus.identityChanged();
    this.#interrupts.update();
    return true;
  }
}

function truncate(value: number, size: AccessSize): number {
  return size === 4 ? value : value & ((1 << (size * 8)) - 1);
}

const SHAPE: OptionShape<LocalApicOptions> = {
  apicId: isWhole(0, 0xffff_ffff),
  bus: (option, value) => {
    const bus = value as Partial<ApicBus> | null | undefined;
    if (typeof bus?.deliver !== 'function') refuse(option, value, 'an ApicBus');
  },
  clock: isShape<LocalApicOptions['clock']>({ now: isFunction, createAlarm: isFunction }),
  processor: isShape<LocalApicOptions['processor']>({
    smi: isFunction,
    nmi: isFunction,
    init: isFunction,
    sipi: isFunction,
  }),
  onChange: maybe(isFunction),
  pic: maybe(isShape<NonNullable<LocalApicOptions['pic']>>({ acknowledge: isFunction })),
  bsp: maybe(isFlag),
  version: maybe(isWhole(0, 0xff)),
  lvtCount: maybe(isOneOf([6, 7])),
  eoiBroadcastSuppression: maybe(isFlag),
  x2apic: maybe(isFlag),
  tscDeadline: maybe(isFlag),
  physicalAddressBits: maybe(isWhole(32, 52)),
  busHz: maybe(isPositive),
  nsOfTsc: maybe(isFunction),
};
