/** One processor: its state, its event lines and the loop that alternates between events and instructions. */
import {
  CR0_PE,
  countOrInfinity,
  EFER_LMA,
  RFLAGS_IF,
  RFLAGS_RF,
  RFLAGS_TF,
  RFLAGS_VM,
  SEG_ATTR_DPL_SHIFT,
  SEG_SS,
  SmmError,
} from '@smm/x86-defs';
import { GuestFault, VECTOR_SHUTDOWN } from './fault.ts';
import type { Hooks } from './hooks.ts';
import { Insn } from './insn.ts';
import * as L from './layout.ts';
import { type ProcessorBehaviour, SDM_BEHAVIOUR } from './ports.ts';
import type { ProcessorOptions, ProcessorPorts, RunExit } from './processor-options.ts';
import { type Registers, registersOf } from './registers.ts';
import { Shortcuts } from './shortcuts.ts';
import type { CpuState } from './state.ts';
import { initBlocked, takeEvent } from './system/events.ts';
import { deliverEvent } from './system/exceptions.ts';
import { computeMode } from './system/mode.ts';
import type { CpuModel, CpuTopology } from './system/models.ts';
import { eferBits } from './system/msr-table.ts';
import { resetRegisters } from './system/reset.ts';
import { SaveRoom } from './system/smm.ts';
import {
  type ProcessorSnapshot,
  repeatingState,
  restoreProcessor,
  saveProcessor,
} from './system/snapshot.ts';
import { validCr4Bits } from './system/system-registers.ts';
import type { LinearMemory, Tier } from './tier.ts';

/**
 * Events taken in a row that cost no time: what is pending at once at most. More come from gates that leave
 * interrupts on.
 */
const EVENTS_AT_ONCE = 32;

const IDLE = L.ACT_HALTED | L.ACT_WAIT_SIPI | L.ACT_SHUTDOWN;
const PENDING = L.ACT_SMI_PENDING | L.ACT_NMI_PENDING | L.ACT_INIT_PENDING | L.ACT_DEBUG_TRAP;
const SHADOWS = L.ACT_SHADOW_STI | L.ACT_SHADOW_MOVSS;
/** Initiator attribute of accesses made in SMM: the value of `@smm/bus` TX_SMM. */
const TX_SMM = 0x1_0000;

/** An x86 processor. Made by `Engine.createProcessor`, which gives it its memory and its tier. */
export class Processor {
  /** Processor index, 0-based. */
  readonly index: number;
  /**
   * The state page: registers as they are stored. After changing segments, control registers or RFLAGS.VM here, call
   * {@link modeChanged}; {@link registers} does so by itself.
   */
  readonly state: CpuState;
  /** What it reaches outside itself, by way of its hooks. */
  ports: ProcessorPorts;
  /** What it was given as ports. @internal */
  readonly ownPorts: ProcessorPorts;
  /** Functions that are told what happens here. Set by the engine. */
  hooks!: Hooks;
  /** What it may do without asking them. */
  readonly shortcuts: Shortcuts;
  /** Switches in force. */
  readonly behaviour: ProcessorBehaviour;
  /** CPUID model. */
  readonly model: CpuModel;
  /** What encodings ask for and the model has: see `decode`. */
  readonly available: Readonly<Uint8Array>;
  /** Bits of CR4 that the model has. */
  readonly cr4Bits: number;
  /** Bits of EFER that the model has. */
  readonly eferBits: number;
  /** What CPUID says about this processor's place. Set before the first instruction; APIC id = index by default. */
  topology: CpuTopology;
  /** Memory by linear address. Set by the engine. */
  memory!: LinearMemory;
  /** Executes instructions. Set by the engine. */
  tier!: Tier;
  /** Called by {@link modeChanged} after ST_MODE is computed. Set by the engine: chooses the TLB. */
  onModeChanged: (() => void) | undefined;
  /** The guest fault in flight: filled and thrown by {@link fault}. */
  readonly pendingFault: GuestFault = new GuestFault();
  /** Where states pass through on their way into SMM and back. @internal */
  readonly saveRoom: SaveRoom = new SaveRoom();
  /** See {@link insnRip}. */
  #insnRip: bigint | undefined;
  /** The instruction whose helper runs. */
  insn: Insn = new Insn();

  #registers: Registers | undefined;
  /** Bits of the mode word that are not computed. */
  #setBits: number;
  #running = false;
  /** Inside the tier: the budget in the state page is what is left of a run. */
  #inTier = false;
  #exitRequested = false;
  #softwareInterrupt = false;
  /** Instructions retired up to and with the last STI whose shadow nothing has waited for. */
  #stiRetired = -1;

  constructor(options: ProcessorOptions) {
    this.index = options.index;
    this.state = options.state;
    this.ports = options.ports;
    this.ownPorts = options.ports;
    this.model = options.model;
    this.cr4Bits = validCr4Bits(options.model);
    this.eferBits = eferBits(options.model);
    this.available = options.available;
    this.#setBits = options.instructionSet << L.MODE_SET_SHIFT;
    this.shortcuts = new Shortcuts(options.state, options.model.features.has('tsc'));
    this.behaviour = { ...SDM_BEHAVIOUR, ...options.behaviour };
    this.topology = { apicId: options.index, logicalProcessors: 1 };
  }

  /** Registers by name, to read and to write between instructions: `registers.rax`, `registers.get('cs.base')`. */
  get registers(): Registers {
    this.#registers ??= registersOf(this);
    return this.#registers;
  }

  /** RIP of the instruction that is being executed or fetched. */
  get insnRip(): bigint {
    return this.#insnRip ?? this.state.rip;
  }
  /** For an instruction that has moved RIP on. Undefined: RIP is on it. */
  set insnRip(rip: bigint | undefined) {
    this.#insnRip = rip;
  }

  /**
   * Raises a guest exception from a helper: never returns. `errorCode` -1 for none; `cr2` is the linear address of
   * a #PF.
   */
  fault(vector: number, errorCode = -1, cr2 = 0): never {
    const fault = this.pendingFault;
    fault.vector = vector;
    fault.errorCode = errorCode;
    fault.cr2 = cr2;
    throw fault;
  }

  /** Abandons the instruction and shuts the processor down (`TRANSLATED_SHUTDOWN`): never returns. */
  faultShutdown(reason: string): never {
    this.pendingFault.vector = VECTOR_SHUTDOWN;
    this.pendingFault.reason = reason;
    throw this.pendingFault;
  }

  /** Initiator attributes of this processor's accesses: its index, and the SMM bit. */
  attrs(): number {
    return this.index | (this.state.smm ? TX_SMM : 0);
  }

  /** Current privilege level, 0..3. */
  get cpl(): number {
    const s = this.state;
    if (!(s.cr0 & CR0_PE)) return 0;
    if (s.eflags & RFLAGS_VM) return 3;
    return (s.segAttr(SEG_SS) >> SEG_ATTR_DPL_SHIFT) & 3;
  }

  /** EFER.LMA is set. */
  get longMode(): boolean {
    return (this.state.efer & EFER_LMA) !== 0;
  }

  /** Runs 64-bit code (EFER.LMA and CS.L). */
  get code64(): boolean {
    return (this.state.mode & L.MODE_CODE_MASK) === 2;
  }

  /** Recomputes the mode word; the engine then chooses TLB and blocks by it. */
  modeChanged(): void {
    this.state.mode = computeMode(this.state, this.cpl) | this.#setBits;
    this.onModeChanged?.();
  }

  /** Sets or clears a bit of the mode word that is not computed. @internal */
  setModeBit(bit: number, on: boolean): void {
    const bits = on ? this.#setBits | bit : this.#setBits & ~bit;
    if (bits === this.#setBits) return;
    this.#setBits = bits;
    this.modeChanged();
  }

  /** Puts ports in front of its own; undefined: nothing is in front of them. @internal */
  interpose(ports: Pick<ProcessorPorts, 'io' | 'observer'> | undefined): void {
    this.ports = ports === undefined ? this.ownPorts : Object.assign(Object.create(this.ownPorts), ports);
  }

  /** Inside {@link run}. */
  get running(): boolean {
    return this.#running;
  }

  /** Drops cached translations, global ones too: control registers or SMM changed what addresses mean. */
  flushAll(): void {
    this.memory.flush(undefined, true);
  }

  /** Asks the tier to stop after the current instruction so that {@link run} looks at events and flags again. */
  recheckEvents(): void {
    this.state.set32(L.ST_EXIT_REQUEST, 1);
  }

  /** As {@link recheckEvents}, if an interrupt could be taken now that RFLAGS.IF or the task priority changed. */
  recheckInterrupts(): void {
    const s = this.state;
    if (s.eflags & RFLAGS_TF) this.recheckEvents();
    else if (s.eflags & RFLAGS_IF && this.ports.apic.pendingVector() >= 0) this.recheckEvents();
  }

  /**
   * Told by STI: events wait for one more instruction. While nothing can be pending the shadow only matters if the run
   * ends right here, and whatever becomes pending later ends the tier's run by itself.
   */
  beginStiShadow(): void {
    const s = this.state;
    const urgent = s.activity & PENDING || s.eflags & RFLAGS_TF || this.ports.apic.pendingVector() >= 0;
    if (urgent || !this.#inTier) {
      s.activity |= L.ACT_SHADOW_STI;
      this.recheckEvents();
    } else this.#stiRetired = this.retiredNow() + 1;
  }

  /** Told by software-interrupt delivery: no single-step trap follows this instruction. */
  noteSoftwareInterrupt(): void {
    this.#softwareInterrupt = true;
  }

  /** Latches an SMI (one deep). */
  raiseSmi(): void {
    const s = this.state;
    if (s.activity & L.ACT_SMI_LOST_NEXT) {
      s.activity &= ~L.ACT_SMI_LOST_NEXT;
      if (s.activity & L.ACT_WAIT_SIPI) return;
    }
    s.activity |= L.ACT_SMI_PENDING;
    this.recheckEvents();
  }

  /** Latches an NMI (one deep). */
  raiseNmi(): void {
    this.state.activity |= L.ACT_NMI_PENDING;
    this.recheckEvents();
  }

  /** Latches an INIT. */
  raiseInit(): void {
    this.state.activity |= L.ACT_INIT_PENDING;
    this.recheckEvents();
  }

  /**
   * Start-up IPI: heard in wait-for-SIPI (or when an INIT is about to lead there), else dropped. `vector` is the page.
   */
  raiseSipi(vector: number): void {
    const s = this.state;
    const initOnItsWay = s.activity & L.ACT_INIT_PENDING && !initBlocked(this) && !(s.activity & L.ACT_BSP);
    if (!(s.activity & L.ACT_WAIT_SIPI) && !initOnItsWay) return;
    s.sipiVector = vector & 0xff;
    s.activity |= L.ACT_SIPI_PENDING;
    this.recheckEvents();
  }

  /** The local APIC's pending vector may have changed. */
  interruptChanged(): void {
    this.recheckEvents();
  }

  /** Ends {@link run} after the current instruction with reason `event`. Without effect while not running. */
  requestExit(): void {
    if (!this.#running) return;
    this.#exitRequested = true;
    this.recheckEvents();
  }

  /** Instructions retired since power-up, REP iterations counted, as of the instruction now executing. */
  retiredNow(): number {
    return this.#inTier
      ? this.tier.retiredNow()
      : this.state.views.f64[(this.state.base + L.ST_RETIRED) >>> 3]!;
  }

  /**
   * Sets the state after power-up (RESET) or INIT. Intel SDM Vol. 3, "Processor State After Reset" and
   * "MP Initialization Protocol": a processor that is not the bootstrap processor waits for a SIPI.
   */
  reset(kind: 'power-up' | 'init', bsp: boolean): void {
    resetRegisters(this, kind, bsp);
    this.modeChanged();
    this.flushAll();
    this.hooks.forget();
    this.recheckEvents();
  }

  /** Stops executing until RESET, INIT, NMI or SMI. Intel SDM Vol. 3, "Double Fault Exception". */
  enterShutdown(reason: string): void {
    const s = this.state;
    s.activity |= L.ACT_SHUTDOWN;
    this.recheckEvents();
    this.ports.observer?.shutdown?.(this.index, reason, s.rip);
  }

  /** Everything that {@link restore} needs: registers, latches, counters. */
  save(): ProcessorSnapshot {
    return saveProcessor(this.state, this.memory.save());
  }

  /**
   * All architectural state but for counters that grow by themselves, as bytes: a processor that comes back to equal
   * bytes, while nothing around it changes, repeats what it did.
   */
  repeatingState(): Uint8Array {
    return repeatingState(this.state);
  }

  /**
   * Puts a snapshot back. Throws `SmmError` `SNAPSHOT_VERSION` for one of another version, `SNAPSHOT_MEMORY` for
   * translations to memory that there is not.
   */
  restore(snapshot: ProcessorSnapshot): void {
    restoreProcessor(this.state, snapshot);
    this.modeChanged();
    this.flushAll();
    this.memory.restore(snapshot.translations);
    this.hooks.forget();
  }

  /**
   * Runs up to `budget` instructions (REP iterations count). Events are taken between instructions; an event that
   * becomes possible with the last instruction of the budget is taken at the start of the next call.
   * What retires nothing takes time too, so that every run ends: a fault on the first instruction of a fault's
   * handler, and each 32 events in a row, count as an instruction. When a port throws, the
   * instruction that asked it has not happened: the next call executes it anew. Throws `SmmError` `OPTION_VALUE` for
   * a budget that is no count, `CPU_REENTERED` when called from inside a run.
   */
  run(budget: number): RunExit {
    countOrInfinity('the budget of Processor.run', budget);
    if (this.#running) {
      throw new SmmError(
        'CPU_REENTERED',
        `processor ${this.index} was asked to run while it runs`,
        'Call requestExit from ports and observers, and run again when run has returned.',
        { processor: this.index },
      );
    }
    this.#running = true;
    this.#exitRequested = false;
    this.hooks.stopping = false;
    let retired = 0;
    try {
      for (;;) {
        if (this.#exitRequested) return { reason: this.hooks.stopping ? 'stopped' : 'event', retired };
        if (this.state.activity & IDLE) {
          this.state.set32(L.ST_EXIT_REQUEST, 0);
          retired += this.#takeEvents();
          const idle = this.#idleReason();
          if (idle) return { reason: idle, retired };
        }
        if (retired >= budget) return { reason: 'budget', retired };
        this.state.set32(L.ST_EXIT_REQUEST, 0);
        const waited = this.#takeEvents();
        retired += waited;
        if (waited > 0 || this.state.activity & IDLE || this.#exitRequested) continue;
        retired += this.#execute(budget - retired);
      }
    } finally {
      this.#running = false;
    }
  }

  #idleReason(): RunExit['reason'] | undefined {
    const act = this.state.activity;
    if (act & L.ACT_SHUTDOWN) return 'shutdown';
    if (act & L.ACT_WAIT_SIPI) return 'wait-for-sipi';
    return act & L.ACT_HALTED ? 'halted' : undefined;
  }

  /**
   * Runs the tier once: one instruction where a shadow or TF ends after it, else all that is left. Returns the number
   * retired.
   */
  #execute(left: number): number {
    const s = this.state;
    const before = s.eflags;
    const stepping = (before & RFLAGS_TF) !== 0;
    if (before & RFLAGS_RF) s.eflags = before & ~RFLAGS_RF;
    const held = s.activity & (SHADOWS | L.ACT_FAULT_DELIVERED);
    s.activity &= ~held;
    const shadow = held & SHADOWS;
    const chunk = stepping || shadow ? 1 : Math.min(left, 0x3fff_ffff);
    this.#softwareInterrupt = false;
    s.set32(L.ST_BUDGET, chunk);
    this.#inTier = true;
    let used = 0;
    try {
      this.tier.run();
    } catch (error) {
      // The instruction has not happened: what was taken from the state for it comes back.
      if ((s.get32(L.ST_BUDGET) | 0) === chunk) {
        s.activity |= held;
        s.eflags |= before & RFLAGS_RF;
      }
      throw error;
    } finally {
      this.#inTier = false;
      used = chunk - (s.get32(L.ST_BUDGET) | 0);
      if (this.#count(used) === this.#stiRetired) s.activity |= L.ACT_SHADOW_STI;
      this.#stiRetired = -1;
    }
    const exit = s.get32(L.ST_EXIT);
    if (exit === L.EXIT_FAULT) {
      this.#deliverPendingFault();
      s.activity |= L.ACT_FAULT_DELIVERED;
      if (used === 0 && held & L.ACT_FAULT_DELIVERED) {
        this.#count(1);
        return 1;
      }
    } else if (exit === L.EXIT_ERROR) {
      throw new SmmError(
        'CPU_TIER_ERROR',
        `processor ${this.index}: the tier left with EXIT_ERROR but threw nothing`,
        'Report this: the engine must rethrow the error that made it stop.',
        { rip: s.rip },
      );
    } else if (used === 0) {
      s.activity |= held;
      s.set32(L.ST_EFLAGS, s.get32(L.ST_EFLAGS) | (before & RFLAGS_RF));
    }
    if (stepping && used > 0 && !this.#softwareInterrupt && !(s.activity & L.ACT_SHADOW_MOVSS)) {
      s.activity |= L.ACT_DEBUG_TRAP;
    }
    return used;
  }

  /** Counts instructions as retired. Returns how many have been since power-up. */
  #count(instructions: number): number {
    const { views, base } = this.state;
    const total = views.f64[(base + L.ST_RETIRED) >>> 3]! + instructions;
    views.f64[(base + L.ST_RETIRED) >>> 3] = total;
    return total;
  }

  #deliverPendingFault(): void {
    const { vector, errorCode, cr2, reason } = this.pendingFault;
    if (vector === VECTOR_SHUTDOWN) this.enterShutdown(reason);
    else deliverEvent(this, vector, 'exception', errorCode, cr2);
  }

  /**
   * Takes what is pending. Returns the time that it took, in instructions: 0, or 1 if there were so many that the run
   * must get on.
   */
  #takeEvents(): 0 | 1 {
    for (let taken = 0; taken < EVENTS_AT_ONCE; taken++) {
      this.insnRip = this.state.rip;
      if (!takeEvent(this)) return 0;
    }
    this.#count(1);
    return 1;
  }
}
