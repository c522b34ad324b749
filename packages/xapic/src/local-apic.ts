/**
 * One local APIC, xAPIC and x2APIC.
 * Not modelled: performance, thermal and CMCI sources (their LVT entries store), delivery status (always idle), focus
 * processors, the P6 arbitration priority and remote read registers, APIC bus checksum and accept errors.
 * Source: Intel SDM Vol. 3, "Advanced Programmable Interrupt Controller (APIC)".
 */
import {
  type AccessSize,
  type Clock,
  type MmioDevice,
  type Snapshottable,
  TX_DEBUG,
  type TxAttrs,
} from '@smm/bus';
import {
  APIC_BASE_BSP,
  APIC_BASE_ENABLE,
  APIC_DEFAULT_PHYS_BASE,
  APIC_DEST_SELF,
  APIC_DM_EXTINT,
  APIC_DM_FIXED,
  APIC_DM_INIT,
  APIC_DM_LOWEST,
  APIC_DM_NMI,
  APIC_DM_SMI,
  APIC_DM_STARTUP,
  APIC_ESR_ILLREGA,
  APIC_ESR_RECVILL,
  APIC_FIRST_VECTOR,
  APIC_ICR,
  APIC_ICR2,
  APIC_ID,
  APIC_INPUT_POLARITY,
  APIC_INT_ASSERT,
  APIC_IRR,
  APIC_ISR,
  APIC_LDR,
  APIC_LVR,
  APIC_LVR_DIRECTED_EOI,
  APIC_LVT_LEVEL_TRIGGER,
  APIC_LVT_MASKED,
  APIC_LVT_REMOTE_IRR,
  APIC_LVT0,
  APIC_LVTERR,
  APIC_LVTT,
  APIC_MODE_MASK,
  APIC_SPIV,
  APIC_SPIV_APIC_ENABLED,
  APIC_SPIV_DIRECTED_EOI,
  APIC_TASKPRI,
  APIC_TMR,
  IA32_APIC_BASE,
  IA32_TSC_DEADLINE,
  SmmError,
  X2APIC_MSR_BASE,
  X2APIC_MSR_LAST,
} from '@smm/x86-defs';
import { type ApicMode, apicModeOf, hasReservedBits, isLegalTransition } from './apic-base.ts';
import type { ApicBus } from './apic-bus.ts';
import type { ApicBehaviour } from './behaviour.ts';
import type { Acceptance, ApicMessage, ProcessorSink } from './messages.ts';
import {
  APIC_REGISTER_BY_SLOT,
  APIC_REGISTERS,
  APIC_SLOTS,
  type ApicRegister,
  type ApicRegisterName,
  apicRegister,
} from './registers.ts';
import { ApicTimer, type ApicTimerState, timerDivisor, timerModeOf } from './timer.ts';
import { clearVector, highestVector, setVector, testVector } from './vector-bits.ts';

const SLOT_ID = APIC_ID >> 4;
const SLOT_TPR = APIC_TASKPRI >> 4;
const SLOT_LDR = APIC_LDR >> 4;
const SLOT_SVR = APIC_SPIV >> 4;
const SLOT_ISR = APIC_ISR >> 4;
const SLOT_TMR = APIC_TMR >> 4;
const SLOT_IRR = APIC_IRR >> 4;
const SLOT_ESR = 0x28;
const SLOT_ICR = APIC_ICR >> 4;
const SLOT_ICR2 = APIC_ICR2 >> 4;
const SLOT_LVTT = APIC_LVTT >> 4;
const SLOT_LVT0 = APIC_LVT0 >> 4;
const SLOT_LVTERR = APIC_LVTERR >> 4;

/** Ports and properties of one local APIC. */
export interface LocalApicOptions {
  /** Initial APIC id, as CPUID reports it: 0-254 for xAPIC, 32 bits for x2APIC. Unique on its bus. */
  readonly apicId: number;
  /** Where IPIs and EOI broadcasts go; also decides the flavour. */
  readonly bus: ApicBus;
  /** Virtual time for the timer. */
  readonly clock: Clock;
  /** The processor it belongs to. */
  readonly processor: ProcessorSink;
  /** Called after `intr` changed. */
  readonly onChange?: () => void;
  /** The 8259 pair, asked for its vector when an ExtINT is acknowledged. */
  readonly pic?: { acknowledge(): number };
  /** Bootstrap processor flag after power-up. Default: `apicId` is 0. */
  readonly bsp?: boolean;
  /** Version field of LVR, 8 bits. Default 14h. */
  readonly version?: number;
  /** Number of LVT entries: 6, or 7 with CMCI. Default 6. */
  readonly lvtCount?: 6 | 7;
  /** Whether SVR bit 12 (no EOI broadcast) exists, as LVR bit 24 reports. Default false. */
  readonly eoiBroadcastSuppression?: boolean;
  /** Whether the processor has x2APIC mode. Default true. */
  readonly x2apic?: boolean;
  /** Whether the timer has TSC-deadline mode. Default true. */
  readonly tscDeadline?: boolean;
  /** Width of physical addresses in bits, for the reserved bits of IA32_APIC_BASE. Default 40. */
  readonly physicalAddressBits?: number;
  /** Timer clock in hertz. Default 1 GHz, as KVM's. */
  readonly busHz?: number;
  /** Virtual nanoseconds at which this processor's TSC reaches a value. Default: a TSC of 1 GHz from power-on. */
  readonly nsOfTsc?: (tsc: bigint) => number;
}

/** Saved local APIC: architectural state only. */
export interface LocalApicState {
  /** Version of this layout. */
  readonly version: 1;
  /** The 64 register slots, 32 bits each. */
  readonly words: readonly number[];
  /** IA32_APIC_BASE. */
  readonly apicBase: number;
  /** Errors collected since the last write to ESR. */
  readonly pendingErrors: number;
  /** Levels of the pins LINT0 and LINT1. */
  readonly lint: readonly [boolean, boolean];
  /** An ExtINT message waits for its acknowledge cycle. */
  readonly extIntLatched: boolean;
  /** Arbitration id. */
  readonly arbitrationId: number;
  /** Lowest-priority messages accepted so far, for taking turns. */
  readonly turns: number;
  /** The timer. */
  readonly timer: ApicTimerState;
}

/** One local APIC. It is the memory-mapped device of its own processor only; see `mmioBase`. */
export class LocalApic implements MmioDevice, Snapshottable<LocalApicState> {
  /** Name in traces and errors. */
  readonly name = 'lapic';
  /** Initial APIC id, which CPUID reports and x2APIC mode uses. */
  readonly initialId: number;

  // Wiring.
  readonly #options: LocalApicOptions;
  readonly #bus: ApicBus;
  readonly #behaviour: ApicBehaviour;
  readonly #processor: ProcessorSink;
  readonly #masks = new Uint32Array(APIC_SLOTS);
  readonly #x2masks = new Uint32Array(APIC_SLOTS);
  readonly #rows: (ApicRegister | undefined)[] = [...APIC_REGISTER_BY_SLOT];
  readonly #timer: ApicTimer;

  // Book-keeping, derived from the state below.
  #mode: ApicMode = 'xapic';
  #pending = -1;
  #intr = false;

  // Architectural state.
  readonly #words = new Uint32Array(APIC_SLOTS);
  #apicBase = 0;
  #pendingErrors = 0;
  readonly #lint: [boolean, boolean] = [false, false];
  #extIntLatched = false;
  #arbitrationId = 0;
  #turns = 0;

  /** Registers itself on the bus; throws `SmmError` `APIC_ID_TAKEN` when the initial id is not unique there. */
  constructor(options: LocalApicOptions) {
    this.#options = options;
    this.initialId = options.apicId;
    this.#bus = options.bus;
    this.#behaviour = options.bus.behaviour;
    this.#processor = options.processor;
    this.#timer = new ApicTimer({
      clock: options.clock,
      name: `lapic${options.apicId}.timer`,
      busHz: options.busHz ?? 1e9,
      minPeriodNs: this.#behaviour.timerMinPeriodNs,
      nsOfTsc: options.nsOfTsc ?? Number,
      onExpire: () => this.#deliverLvt(SLOT_LVTT, 'edge'),
    });
    this.#expandTable();
    this.#words[SLOT_ID] = (this.initialId << 24) >>> 0;
    this.#powerUp();
    options.bus.register(this);
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
    return this.#mode === 'xapic' ? this.#apicBase - (this.#apicBase % 0x1000) : -1;
  }

  /** True while SVR's enable bit and the global enable are set. */
  get enabled(): boolean {
    return this.#mode !== 'disabled' && (this.#words[SLOT_SVR]! & APIC_SPIV_APIC_ENABLED) !== 0;
  }

  /** The INTR line into the processor: a vector can be delivered or an ExtINT waits. Cheap enough for every poll. */
  get intr(): boolean {
    return this.#intr;
  }

  /** Arbitration id, set to the id at power-up and by INIT level de-assert. */
  get arbitrationId(): number {
    return this.#arbitrationId;
  }

  /** Processor priority. */
  get ppr(): number {
    const tpr = this.#words[SLOT_TPR]! & 0xff;
    const inService = highestVector(this.#words, SLOT_ISR) & 0xf0;
    return tpr >> 4 >= inService >> 4 || highestVector(this.#words, SLOT_ISR) < 0 ? tpr : inService;
  }

  /** Lowest-priority messages accepted so far; an arbitration that takes turns picks the least. */
  get turns(): number {
    return this.#turns;
  }

  /** Logical destination register: as written, or derived from the id in x2APIC mode. */
  get ldr(): number {
    if (this.#mode !== 'x2apic') return this.#words[SLOT_LDR]!;
    return (((this.initialId >>> 4) << 16) | (1 << (this.initialId & 0xf))) >>> 0;
  }

  /** Destination format register. */
  get dfr(): number {
    return this.#words[SLOT_LDR + 1]!;
  }

  // Memory-mapped registers (xAPIC mode).

  /** Reads a register of the page. With `TX_DEBUG`: no error is recorded, nobody is told. */
  read(offset: number, size: AccessSize, attrs: TxAttrs): number {
    if (this.#mode !== 'xapic') return size === 4 ? 0xffff_ffff : (1 << (size * 8)) - 1;
    const byte = offset & 0xf;
    const dwordOnly = this.#behaviour.partialAccess === 'dword';
    if (dwordOnly ? size < 4 : byte + size > 4) return 0;
    const slot = (offset & 0xfff) >> 4;
    const row = this.#rows[slot];
    const debug = (attrs & TX_DEBUG) !== 0;
    if (row === undefined || row.access === 'none') {
      if (!debug) this.raiseError(APIC_ESR_ILLREGA);
      return 0;
    }
    if (row.access === 'wo') return 0;
    const value = this.#load(slot, row);
    if (!debug) this.#bus.observer?.access?.(this, false, slot << 4, value);
    if (dwordOnly) return value;
    return size === 4 ? value : (value >>> (byte * 8)) & ((1 << (size * 8)) - 1);
  }

  /** Writes a register of the page. With `TX_DEBUG` nothing happens. */
  write(offset: number, size: AccessSize, value: number, attrs: TxAttrs): void {
    if (this.#mode !== 'xapic' || (attrs & TX_DEBUG) !== 0 || size < 4) return;
    if (this.#behaviour.partialAccess === 'extract' && (offset & 0xf) !== 0) return;
    const slot = (offset & 0xfff) >> 4;
    if (slot === 0 && this.#behaviour.msiAtOffsetZero) {
      this.#bus.deliverMsi(this.mmioBase + offset, value);
      return;
    }
    this.#bus.observer?.access?.(this, true, slot << 4, value);
    const row = this.#rows[slot];
    if (row === undefined || row.access === 'none') {
      this.raiseError(APIC_ESR_ILLREGA);
    } else if (row.access !== 'ro') {
      this.#store(slot, row, value, this.#masks[slot]!);
    }
  }

  /** Reads a register by name (word `index` of ISR, TMR, IRR), with no side effect. */
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
    if (msr === IA32_TSC_DEADLINE) return this.#hasDeadline ? this.#timer.deadline : undefined;
    if (msr < X2APIC_MSR_BASE || msr > X2APIC_MSR_LAST || this.#mode !== 'x2apic') return undefined;
    const slot = msr - X2APIC_MSR_BASE;
    const row = this.#rows[slot];
    if (row === undefined || row.x2apic === 'none' || row.x2apic === 'wo') return undefined;
    const low = this.#load(slot, row);
    this.#bus.observer?.access?.(this, false, slot << 4, low);
    return slot === SLOT_ICR ? (BigInt(this.#words[SLOT_ICR2]!) << 32n) | BigInt(low) : BigInt(low);
  }

  /** WRMSR of the same MSRs; `value` is 64 bits unsigned. False means #GP(0) and no change. */
  writeMsr(msr: number, value: bigint): boolean {
    if (msr === IA32_APIC_BASE) return this.#writeApicBase(value);
    if (msr === IA32_TSC_DEADLINE) {
      if (!this.#hasDeadline) return false;
      this.#timer.setDeadline(value);
      return true;
    }
    if (msr < X2APIC_MSR_BASE || msr > X2APIC_MSR_LAST || this.#mode !== 'x2apic') return false;
    const slot = msr - X2APIC_MSR_BASE;
    const row = this.#rows[slot];
    if (row === undefined || row.x2apic === 'none' || row.x2apic === 'ro') return false;
    const low = Number(value & 0xffff_ffffn);
    const high = Number(value >> 32n);
    if ((low & ~this.#x2masks[slot]!) !== 0 || (high !== 0 && slot !== SLOT_ICR)) return false;
    if (slot === SLOT_ICR) {
      this.#bus.observer?.access?.(this, true, APIC_ICR2, high);
      this.#words[SLOT_ICR2] = high;
    }
    this.#bus.observer?.access?.(this, true, slot << 4, low);
    this.#store(slot, row, low, this.#x2masks[slot]!);
    return true;
  }

  /** CR8: the task priority class, 4 bits. */
  get cr8(): number {
    return (this.#words[SLOT_TPR]! >> 4) & 0xf;
  }

  /** MOV to CR8; bits 3:0 only, since the processor refuses the rest. Bits 3:0 of TPR become 0. */
  set cr8(value: number) {
    this.#words[SLOT_TPR] = (value & 0xf) << 4;
    this.#update();
  }

  // Interrupts in and out.

  /** Takes a message from the bus (or from its own LVT). */
  accept(message: ApicMessage): Acceptance {
    this.#bus.observer?.accept?.(this, message);
    switch (message.deliveryMode) {
      case APIC_DM_LOWEST:
        this.#turns++;
        return this.#request(message.vector, message.trigger);
      case APIC_DM_FIXED:
        return this.#request(message.vector, message.trigger);
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
        this.#extIntLatched = true;
        this.#update();
        return 'accepted';
      default:
        return 'ignored';
    }
  }

  /** Highest vector that may be delivered now with respect to PPR, or -1. Does not look at ExtINT. */
  pendingVector(): number {
    return this.#pending;
  }

  /** True while an ExtINT waits: LINT0/LINT1 in that mode, a message, or the bare INTR pin of a disabled APIC. */
  get extIntPending(): boolean {
    if (this.#mode === 'disabled') return this.#lint[0];
    return (
      this.#extIntLatched || this.#pinDelivers(0, APIC_DM_EXTINT) || this.#pinDelivers(1, APIC_DM_EXTINT)
    );
  }

  /**
   * The processor's acknowledge cycle; returns the vector, 8 bits. ExtINT first (from the `pic` port), then the highest
   * deliverable vector, which moves from IRR to ISR; with nothing left, the spurious vector, and ISR stays.
   * Throws `SmmError` `APIC_NO_PIC` when an ExtINT waits and no `pic` is wired.
   */
  acknowledge(): number {
    if (this.extIntPending) {
      if (this.#options.pic === undefined) {
        throw new SmmError(
          'APIC_NO_PIC',
          `local APIC ${this.initialId}: ExtINT without an 8259`,
          'Give the LocalApic a `pic` port.',
          {
            apicId: this.initialId,
          },
        );
      }
      this.#extIntLatched = false;
      const vector = this.#options.pic.acknowledge() & 0xff;
      this.#update();
      return vector;
    }
    const vector = this.#pending;
    if (vector < 0) return this.#words[SLOT_SVR]! & 0xff;
    clearVector(this.#words, SLOT_IRR, vector);
    setVector(this.#words, SLOT_ISR, vector);
    this.#update();
    return vector;
  }

  /** Drives a local interrupt pin: 0 is LINT0 (INTR of the 8259), 1 is LINT1 (NMI). True is a high level. */
  setLint(pin: 0 | 1, level: boolean): void {
    const before = this.#pinActive(pin);
    this.#lint[pin] = level;
    const rises = !before && this.#pinActive(pin);
    if (this.#mode === 'disabled') {
      if (pin === 1 && rises) this.#processor.nmi();
    } else if (rises) {
      this.#deliverPin(pin);
    }
    this.#update();
  }

  /** Records an error for ESR, and raises LVT Error when it is the first since ESR was last written. */
  raiseError(bit: number): void {
    if (this.#behaviour.errorStatus === 'absent') return;
    if (this.#behaviour.errorStatus === 'live') {
      this.#words[SLOT_ESR]! |= bit;
      return;
    }
    const armed = this.#pendingErrors === 0;
    this.#pendingErrors |= bit;
    if (armed) this.#deliverLvt(SLOT_LVTERR, 'edge');
  }

  /** INIT level de-assert: the arbitration id becomes the APIC id. */
  synchronizeArbitrationId(): void {
    this.#arbitrationId = this.id;
  }

  // Reset and snapshots.

  /** RESET or power-up, or INIT, which leaves the id (by flavour), the arbitration id, IA32_APIC_BASE and the mode. */
  reset(kind: 'power-up' | 'init'): void {
    const keepId =
      (kind === 'init' ? this.#behaviour.apicIdOnInit : this.#behaviour.apicIdOnPowerUp) === 'kept';
    if (kind === 'power-up') this.#powerUp();
    else this.#resetRegisters();
    if (!keepId) this.#words[SLOT_ID] = (this.initialId << 24) >>> 0;
    if (kind === 'power-up') this.#arbitrationId = this.id;
    this.#bus.identityChanged();
    this.#update();
  }

  /** Copies the architectural state out. */
  save(): LocalApicState {
    return {
      version: 1,
      words: Array.from(this.#words),
      apicBase: this.#apicBase,
      pendingErrors: this.#pendingErrors,
      lint: [this.#lint[0], this.#lint[1]],
      extIntLatched: this.#extIntLatched,
      arbitrationId: this.#arbitrationId,
      turns: this.#turns,
      timer: this.#timer.save(),
    };
  }

  /** Puts a saved state back. Throws `SmmError` `SNAPSHOT_VERSION` for another version. */
  restore(state: LocalApicState): void {
    if (state.version !== 1) {
      throw new SmmError(
        'SNAPSHOT_VERSION',
        `local APIC snapshot version ${state.version}`,
        'Use a snapshot of this release.',
        {
          version: state.version,
        },
      );
    }
    this.#words.set(state.words);
    this.#apicBase = state.apicBase;
    this.#mode = apicModeOf(state.apicBase)!;
    this.#pendingErrors = state.pendingErrors;
    this.#lint[0] = state.lint[0];
    this.#lint[1] = state.lint[1];
    this.#extIntLatched = state.extIntLatched;
    this.#arbitrationId = state.arbitrationId;
    this.#turns = state.turns;
    this.#timer.restore(state.timer);
    this.#bus.identityChanged();
    this.#update();
  }

  // Inside.

  get #hasDeadline(): boolean {
    return this.#options.tscDeadline ?? true;
  }

  #expandTable(): void {
    const { lvtCount = 6, eoiBroadcastSuppression = false } = this.#options;
    for (const row of APIC_REGISTERS) {
      const slot = row.offset >> 4;
      let allowed = 0xffff_ffff;
      let extra = 0;
      if (row.name === 'LVT_TIMER' && !this.#hasDeadline) allowed &= ~0x4_0000;
      if (row.name === 'SVR' && eoiBroadcastSuppression) extra = APIC_SPIV_DIRECTED_EOI;
      if (row.name === 'LVT_CMCI' && lvtCount < 7) this.#rows[slot] = undefined;
      this.#masks[slot] = ((this.#behaviour.writableBits[row.name] ?? row.mask) & allowed) | extra;
      this.#x2masks[slot] = (row.x2mask & allowed) | extra;
    }
  }

  #powerUp(): void {
    const bsp = this.#options.bsp ?? this.initialId === 0;
    this.#apicBase = APIC_DEFAULT_PHYS_BASE + APIC_BASE_ENABLE + (bsp ? APIC_BASE_BSP : 0);
    this.#mode = 'xapic';
    this.#resetRegisters();
    this.#arbitrationId = this.id;
  }

  #resetRegisters(): void {
    const { version = 0x14, lvtCount = 6, eoiBroadcastSuppression = false } = this.#options;
    const id = this.#words[SLOT_ID]!;
    for (let slot = 0; slot < APIC_SLOTS; slot++) this.#words[slot] = this.#rows[slot]?.reset ?? 0;
    this.#words[SLOT_ID] = id;
    this.#words[APIC_LVR >> 4] =
      version | ((lvtCount - 1) << 16) | (eoiBroadcastSuppression ? APIC_LVR_DIRECTED_EOI : 0);
    this.#pendingErrors = 0;
    this.#extIntLatched = false;
    this.#timer.reset();
  }

  #load(slot: number, row: ApicRegister): number {
    switch (row.computed) {
      case 'id':
        return this.#mode === 'x2apic' ? this.initialId >>> 0 : this.#words[slot]!;
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

  #store(slot: number, row: ApicRegister, value: number, mask: number): void {
    this.#words[slot] = (this.#words[slot]! & ~mask) | (value & mask);
    switch (row.effect) {
      case 'identity':
        this.#bus.identityChanged();
        break;
      case 'eoi':
        this.#endOfInterrupt();
        break;
      case 'spurious':
        this.#maskLvtWhileDisabled();
        break;
      case 'error-status':
        if (this.#behaviour.errorStatus === 'latched') this.#words[slot] = this.#pendingErrors;
        this.#pendingErrors = 0;
        break;
      case 'icr':
        this.#bus.send(
          this,
          this.#words[slot]!,
          this.#words[SLOT_ICR2]! >>> (this.#mode === 'x2apic' ? 0 : 24),
        );
        break;
      case 'self-ipi':
        this.#bus.send(this, APIC_DEST_SELF | APIC_INT_ASSERT | (value & 0xff), 0);
        break;
      case 'lvt':
        this.#maskLvtWhileDisabled();
        if (slot === SLOT_LVT0 || slot === SLOT_LVT0 + 1) this.#redeliverLevel((slot - SLOT_LVT0) as 0 | 1);
        break;
      case 'lvt-timer':
        this.#maskLvtWhileDisabled();
        this.#timer.setMode(timerModeOf(this.#words[slot]!));
        break;
      case 'initial-count':
        this.#timer.start(this.#words[slot]!);
        break;
      case 'divide':
        this.#timer.setDivisor(timerDivisor(this.#words[slot]!));
        break;
      default:
        break;
    }
    this.#update();
  }

  #writeApicBase(value: bigint): boolean {
    if (hasReservedBits(value, this.#options.physicalAddressBits ?? 40)) return false;
    const base = Number(value);
    const to = apicModeOf(base);
    if (to === undefined || !isLegalTransition(this.#mode, to)) return false;
    if (to === 'x2apic' && this.#options.x2apic === false) return false;
    const from = this.#mode;
    if (this.#behaviour.globalDisable === 'permanent' && from === 'disabled' && to !== 'disabled')
      return true;
    this.#apicBase = base;
    this.#mode = to;
    if (from !== to) {
      if (to === 'disabled' && this.#behaviour.globalDisable === 'reset') this.#resetRegisters();
      if (from === 'disabled') this.#words[SLOT_ID] = (this.initialId << 24) >>> 0;
      this.#bus.identityChanged();
      this.#update();
    }
    return true;
  }

  #request(vector: number, trigger: 'edge' | 'level'): Acceptance {
    if (this.#mode === 'disabled') return 'ignored';
    if (!this.enabled && this.#behaviour.softwareDisabled !== 'collected') return 'ignored';
    if (vector < APIC_FIRST_VECTOR && this.#behaviour.illegalVectors === 'error') {
      this.raiseError(APIC_ESR_RECVILL);
      return 'ignored';
    }
    const coalesced = testVector(this.#words, SLOT_IRR, vector);
    setVector(this.#words, SLOT_IRR, vector);
    if (trigger === 'level') setVector(this.#words, SLOT_TMR, vector);
    else clearVector(this.#words, SLOT_TMR, vector);
    this.#update();
    return coalesced ? 'coalesced' : 'accepted';
  }

  #endOfInterrupt(): void {
    const vector = highestVector(this.#words, SLOT_ISR);
    this.#bus.observer?.eoi?.(this, vector);
    if (vector < 0) return;
    clearVector(this.#words, SLOT_ISR, vector);
    if (!testVector(this.#words, SLOT_TMR, vector)) return;
    for (const pin of [0, 1] as const) {
      const lvt = this.#words[SLOT_LVT0 + pin]!;
      if ((lvt & APIC_LVT_REMOTE_IRR) !== 0 && (lvt & 0xff) === vector) {
        this.#words[SLOT_LVT0 + pin] = lvt & ~APIC_LVT_REMOTE_IRR;
        this.#redeliverLevel(pin);
      }
    }
    if ((this.#words[SLOT_SVR]! & APIC_SPIV_DIRECTED_EOI) === 0) this.#bus.broadcastEoi(vector);
  }

  #maskLvtWhileDisabled(): void {
    if (!this.#behaviour.softwareDisableMasksLvt || (this.#words[SLOT_SVR]! & APIC_SPIV_APIC_ENABLED) !== 0)
      return;
    for (const row of APIC_REGISTERS) {
      if (row.effect !== 'lvt' && row.effect !== 'lvt-timer') continue;
      if (this.#rows[row.offset >> 4] !== undefined) this.#words[row.offset >> 4]! |= APIC_LVT_MASKED;
    }
  }

  #deliverLvt(slot: number, trigger: 'edge' | 'level'): void {
    const lvt = this.#words[slot]!;
    if ((lvt & APIC_LVT_MASKED) !== 0) return;
    const pinEntry = slot === SLOT_LVT0 || slot === SLOT_LVT0 + 1;
    const deliveryMode = pinEntry ? lvt & APIC_MODE_MASK : APIC_DM_FIXED;
    const taken = this.accept({ deliveryMode, vector: lvt & 0xff, trigger, level: true });
    if (trigger === 'level' && taken !== 'ignored') this.#words[slot] = lvt | APIC_LVT_REMOTE_IRR;
  }

  #pinActive(pin: 0 | 1): boolean {
    const low = this.#mode !== 'disabled' && (this.#words[SLOT_LVT0 + pin]! & APIC_INPUT_POLARITY) !== 0;
    return this.#lint[pin] !== low;
  }

  #pinDelivers(pin: 0 | 1, deliveryMode: number): boolean {
    const lvt = this.#words[SLOT_LVT0 + pin]!;
    return (lvt & (APIC_LVT_MASKED | APIC_MODE_MASK)) === deliveryMode && this.#pinActive(pin);
  }

  #deliverPin(pin: 0 | 1): void {
    const lvt = this.#words[SLOT_LVT0 + pin]!;
    const mode = lvt & APIC_MODE_MASK;
    if (mode === APIC_DM_EXTINT) return; // a level, looked at through extIntPending
    // LINT1 is edge triggered whatever its bit 15 says; SMI, NMI and INIT always are.
    const level = pin === 0 && mode === APIC_DM_FIXED && (lvt & APIC_LVT_LEVEL_TRIGGER) !== 0;
    if (level && (lvt & APIC_LVT_REMOTE_IRR) !== 0) return;
    this.#deliverLvt(SLOT_LVT0 + pin, level ? 'level' : 'edge');
  }

  #redeliverLevel(pin: 0 | 1): void {
    const lvt = this.#words[SLOT_LVT0 + pin]!;
    if ((lvt & APIC_LVT_LEVEL_TRIGGER) !== 0 && this.#pinDelivers(pin, APIC_DM_FIXED)) this.#deliverPin(pin);
  }

  #update(): void {
    this.#pending = this.#deliverable();
    const intr = this.#pending >= 0 || this.extIntPending;
    if (intr === this.#intr) return;
    this.#intr = intr;
    this.#options.onChange?.();
  }

  #deliverable(): number {
    if (this.#mode === 'disabled') return -1;
    if (!this.enabled && this.#behaviour.softwareDisabled !== 'held') return -1;
    const vector = highestVector(this.#words, SLOT_IRR);
    if (vector < 0) return -1;
    const ppr = this.ppr;
    if (ppr === 0 && this.#behaviour.illegalVectors === 'delivered') return vector;
    return vector >> 4 > ppr >> 4 ? vector : -1;
  }
}
