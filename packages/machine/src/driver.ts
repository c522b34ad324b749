/**
 * Drives the processors: whose turn it is, for how long, and what time that makes it. A turn is data, so that a run
 * can stop, be saved and go on at any instruction without anybody noticing.
 */
import type { VirtualClock } from '@smm/bus';
import type { Processor, RunExit } from '@smm/cpu-core';
import { countOrInfinity, SmmError } from '@smm/x86-defs';
import type { MachineStop, RunLimits } from './machine-options.ts';
import { type Schedule, Scheduler, type SchedulerState } from './scheduler.ts';

/** What a driver drives. */
export interface DriverPorts {
  /** Processors by index; the list may grow until the first run. */
  readonly processors: readonly Processor[];
  /** Virtual time. */
  readonly clock: VirtualClock;
  /** Virtual nanoseconds per instruction. */
  readonly nsPerInstruction: number;
  /** A processor that executes PAUSE while others can run ends its turn. */
  readonly yieldOnPause: boolean;
  /** Somebody wants to hear of every PAUSE. */
  readonly pauseObserved: boolean;
  /** The machine is in S3: no processor runs, whatever reaches it. */
  readonly suspended: () => boolean;
  /** Time alone may end S3. */
  readonly mayWake: () => boolean;
}

/** Who is told of turns: an accelerator. */
export interface TurnListener {
  /** A turn of this processor begins. */
  turnStarts(processor: number): void;
  /** Its turn is over; `preempted` when it could have gone on. */
  turnEnded(processor: number, preempted: boolean): void;
}

/** A turn that has begun. */
export interface Turn {
  /** Whose it is. */
  processor: number;
  /** Instructions that it has left. */
  left: number;
  /** The processor could go on when nothing is left. */
  preempted: boolean;
}

/** What a snapshot holds of a `Driver`. */
export interface DriverState {
  /** Layout version of this object. */
  readonly version: 2;
  /** Instructions of all processors. */
  readonly retired: number;
  /** Why a processor shut down, or null. */
  readonly shutdownReason: string | null;
  /** By processor, 1 for those that may have something to do. */
  readonly awake: readonly number[];
  /** The round. */
  readonly scheduler: SchedulerState;
  /** The turn that has begun, or null. */
  readonly turn: Readonly<Turn> | null;
  /** Virtual time that the instructions have reached, nanoseconds. */
  readonly reachedNs: number;
  /** A device has thrown: the alarms up to that time have not all been heard. */
  readonly behind: boolean;
}

/** Work between two questions whether to interrupt, about a millisecond; an instruction of generated code is 1. */
const WORK_BETWEEN_QUESTIONS = 50_000;
/** Work of what leaves generated code: device accesses, time that passes while all processors rest. */
const WORK_OF_AN_ACCESS = 200;
/** Alarms in a row that wake nobody, after which a run ends: whoever runs the machine may have waited for ever. */
const ALARMS_ASLEEP = 1_000_000;
/** Work of drawing the address map anew. */
const WORK_OF_A_MAP = 10_000;

/** The driver of one machine. */
export class Driver {
  /** Instructions of all processors so far. */
  retired = 0;
  /** The reason of the last shutdown of a processor. */
  shutdownReason: string | undefined;
  /** The processor whose hook stopped the last run. */
  stoppedBy: number | undefined;
  /** Told of turns; set by the wiring. */
  listener!: TurnListener;
  readonly #p: DriverPorts;
  readonly #clock: VirtualClock;
  readonly #nsPerInstruction: number;
  readonly #awake: number[] = [];
  #scheduler: Scheduler;
  #turn: Turn | undefined;
  /** An object for the next turn. */
  #spare: Turn | undefined;
  #reachedNs = 0;
  #behind = false;
  // book-keeping of what runs right now
  #current: Processor | undefined;
  #busy = false;
  #startNs = 0;
  #startRetired = 0;
  /** Instructions of all processors when the piece began that runs right now. */
  #retiredBefore = 0;
  /** Virtual time up to which nothing but the processor's own turn ends its run. */
  #deadlineNs = 0;
  #yielded = false;
  /** The model, not a question whether to interrupt, asked the processor to stop. */
  #exitAsked = false;
  #later: (() => void) | undefined;
  #interrupt: (() => boolean) | undefined;
  #work = 0;

  /** Throws `SmmError` `SCHEDULE` for a schedule that makes no sense. */
  constructor(ports: DriverPorts, schedule: Schedule) {
    this.#p = ports;
    this.#clock = ports.clock;
    this.#nsPerInstruction = ports.nsPerInstruction;
    this.#scheduler = new Scheduler(schedule);
  }

  /** The processor that executes right now, inside its devices and observers. */
  get current(): Processor | undefined {
    return this.#current;
  }

  /** Instructions of all processors, exact inside devices, observers and hooks too. */
  retiredNow(): number {
    const p = this.#current;
    return p === undefined ? this.retired : this.#retiredBefore + p.retiredNow() - this.#startRetired;
  }

  /** Virtual time at the current instruction, nanoseconds. */
  now(): number {
    const p = this.#current;
    if (p === undefined) return this.#clock.now();
    return this.#startNs + (p.retiredNow() - this.#startRetired) * this.#nsPerInstruction;
  }

  /** Brings the clock up to the current instruction. */
  syncTime(): void {
    const p = this.#current;
    if (p === undefined) return;
    const now = this.#startNs + (p.retiredNow() - this.#startRetired) * this.#nsPerInstruction;
    if (now > this.#clock.now()) this.#clock.advanceTo(now);
  }

  /** See `Machine.run`. */
  run({ instructions, until, interrupt }: RunLimits): MachineStop {
    countOrInfinity('the number of instructions to run', instructions);
    return this.#drive(this.retired + instructions, false, until, interrupt);
  }

  /** See `Machine.runTo`. */
  runTo(retired: number, interrupt?: () => boolean): MachineStop {
    countOrInfinity('the instruction to run to', retired);
    if (retired < this.retired) {
      throw new SmmError(
        'RUN_BACKWARDS',
        `the machine has executed ${this.retired} instructions and cannot run to ${retired}`,
        'Restore a snapshot from before that instruction, then run to it.',
        { retired: this.retired, wanted: retired },
      );
    }
    return retired === this.retired ? 'budget' : this.#drive(retired, true, undefined, interrupt);
  }

  /** See `Machine.runTurn`. */
  runTurn(slice: number): MachineStop | 'turn' {
    countOrInfinity('the slice of a turn', slice, 1);
    this.checkIdle('runTurn');
    this.stoppedBy = undefined;
    for (let alarms = 0; alarms < ALARMS_ASLEEP; alarms++) {
      const turn = this.#turnToTake();
      if (turn !== undefined) {
        const ended = this.#advance(turn, slice);
        if (this.stoppedBy !== undefined) return 'stopped';
        return this.shutdownReason !== undefined ? 'shutdown' : ended ? 'turn' : 'budget';
      }
      const end = this.#nextRound();
      if (end !== undefined) return end;
    }
    return 'asleep';
  }

  /** Runs one processor for exactly one instruction (fewer if it cannot go on), beside the turn that stands. */
  step(index: number): void {
    this.checkIdle('step');
    if (this.#p.suspended()) return;
    const standing = this.#turn;
    const interrupt = this.#interrupt;
    this.#interrupt = undefined;
    this.stoppedBy = undefined;
    try {
      const turn = this.#begin(index, 1);
      turn.preempted = false;
      // A hook that stops before the instruction has been told of it then: it does not stop there twice.
      if (!this.#advance(turn, 1)) this.#advance(turn, 1);
    } finally {
      this.#turn = standing;
      this.#interrupt = interrupt;
    }
  }

  /** Processors that can execute now, by index. */
  runnable(): number[] {
    const list: number[] = [];
    for (let i = 0; i < this.#awake.length; i++) if (this.#awake[i] !== 0) list.push(i);
    return list;
  }

  /** A processor may have something to do from now on. */
  wake(index: number): void {
    if (this.#awake[index] === 1 || this.#p.suspended()) return;
    this.#awake[index] = 1;
    if (this.#current !== undefined) this.#watchPause(this.#current);
  }

  /** Only the first processor runs; the turn that stood is void. As after a reset. */
  wakeFirstAlone(): void {
    this.stopAll();
    this.#awake[0] = 1;
  }

  /** No processor runs; the turn that stood is void. As in S3. */
  stopAll(): void {
    this.#turn = undefined;
    this.shutdownReason = undefined;
    for (let i = 0; i < this.#p.processors.length; i++) this.#awake[i] = 0;
  }

  /** Ends the running turn if another processor can use the time. */
  yield(): void {
    const current = this.#current;
    if (current === undefined || !this.#othersAwake(current.index)) return;
    this.#yielded = true;
    this.#requestExit();
  }

  /** A device was touched: it may have set an earlier alarm than the run was planned for. */
  touched(): void {
    if (this.#current === undefined) return;
    if (this.#clock.nextExpiry() < this.#deadlineNs) this.#requestExit();
    this.worked(WORK_OF_AN_ACCESS);
  }

  /** The address map changed. */
  mapChanged(): void {
    this.#requestExit();
    this.worked(WORK_OF_A_MAP);
  }

  /** Something took host time; see {@link WORK_OF_AN_ACCESS}. Changes nothing that a guest can see. */
  worked(work: number): void {
    this.#work += work;
    if (this.#interrupt !== undefined && this.#work >= WORK_BETWEEN_QUESTIONS) this.#current?.requestExit();
  }

  /** Whether the machine runs right now, so that whoever asks stands inside a device or observer. */
  get busy(): boolean {
    return this.#busy;
  }

  /** Does something between two instructions: at once, or when the running one is done; its turn is over then. */
  afterInstruction(action: () => void): void {
    if (!this.#busy) {
      action();
      return;
    }
    this.#later = action;
    this.#requestExit();
  }

  /** Throws `SmmError` `MACHINE_BUSY` inside devices and observers. `call` is what was called. */
  checkIdle(call: string): void {
    if (!this.#busy) return;
    throw new SmmError(
      'MACHINE_BUSY',
      `Machine.${call} was called from a device or an observer while the machine runs`,
      'Note what is wanted, end the run by its until or interrupt, and call it then.',
      { call },
    );
  }

  /** Power-on, with a schedule. */
  reset(schedule: Schedule): void {
    this.#scheduler = new Scheduler(schedule);
    this.retired = 0;
    this.#reachedNs = 0;
    this.#behind = false;
    this.wakeFirstAlone();
  }

  /** Copies the state out. */
  save(): DriverState {
    return {
      version: 2,
      retired: this.retired,
      shutdownReason: this.shutdownReason ?? null,
      awake: [...this.#awake],
      scheduler: this.#scheduler.save(),
      turn: this.#turn === undefined ? null : { ...this.#turn },
      reachedNs: this.#reachedNs,
      behind: this.#behind,
    };
  }

  /** Puts a saved state back. */
  restore(state: DriverState): void {
    this.retired = state.retired;
    this.shutdownReason = state.shutdownReason ?? undefined;
    this.#awake.splice(0, this.#awake.length, ...state.awake);
    this.#scheduler.restore(state.scheduler);
    this.#turn = state.turn === null ? undefined : { ...state.turn };
    this.#reachedNs = state.reachedNs;
    this.#behind = state.behind;
  }

  #drive(
    end: number,
    exactly: boolean,
    until: (() => boolean) | undefined,
    interrupt: (() => boolean) | undefined,
  ): MachineStop {
    this.checkIdle('run');
    this.#interrupt = interrupt;
    let asleepAt = -1;
    let alarms = 0;
    this.stoppedBy = undefined;
    try {
      for (;;) {
        for (let turn = this.#turnToTake(); turn !== undefined; turn = this.#turnToTake()) {
          const most = exactly ? end - this.retired : Number.POSITIVE_INFINITY;
          const ended = this.#advance(turn, most);
          if (this.shutdownReason !== undefined) return 'shutdown';
          if (this.stoppedBy !== undefined) return 'stopped';
          if (this.retired >= end && (ended || exactly)) return 'budget';
          if (!ended) return 'interrupted';
        }
        if (until?.() === true) return 'asked';
        const nothing = this.#nextRound();
        if (nothing !== undefined) return nothing;
        if (asleepAt !== this.retired) alarms = 0;
        asleepAt = this.retired;
        if (++alarms > ALARMS_ASLEEP) return 'asleep';
        if (this.#isInterrupted()) return 'interrupted';
      }
    } finally {
      this.#interrupt = undefined;
    }
  }

  /** The turn that stands, or the next one of the round. */
  #turnToTake(): Turn | undefined {
    if (this.#turn !== undefined) return this.#turn;
    const scheduler = this.#scheduler;
    for (let dealt = scheduler.deal(); dealt >= 0; dealt = scheduler.deal()) {
      if (this.#awake[dealt] === 1) return this.#begin(dealt, scheduler.slice);
    }
    return undefined;
  }

  #begin(processor: number, slice: number): Turn {
    const turn = this.#spare ?? { processor, left: slice, preempted: true };
    this.#spare = undefined;
    turn.processor = processor;
    turn.left = slice;
    turn.preempted = true;
    this.#turn = turn;
    this.listener.turnStarts(processor);
    return turn;
  }

  /** Starts a round, or lets time pass to the next alarm where nobody can run. Answers where nothing ever happens. */
  #nextRound(): 'idle' | 'suspended' | undefined {
    const runnable = this.runnable();
    if (runnable.length > 0) {
      this.#scheduler.startRound(runnable);
      return undefined;
    }
    const clock = this.#clock;
    const next = clock.nextExpiry();
    const suspended = this.#p.suspended();
    if (next === Number.POSITIVE_INFINITY || (suspended && !this.#p.mayWake()))
      return suspended ? 'suspended' : 'idle';
    this.#work += WORK_OF_AN_ACCESS;
    this.#busy = true;
    try {
      clock.advanceTo(Math.max(next, clock.now()));
    } finally {
      this.#busy = false;
    }
    this.#doLater();
    return undefined;
  }

  /** Runs a turn on for at most `most` instructions. True when it is over, false when it was cut. */
  #advance(turn: Turn, most: number): boolean {
    const processor = this.#p.processors[turn.processor]!;
    this.#current = processor;
    this.#busy = true;
    this.#watchPause(processor);
    try {
      if (this.#behind) this.#catchUp();
      for (let allowed = most; turn.left > 0 && this.shutdownReason === undefined; ) {
        if (allowed <= 0 || this.#isInterrupted()) return false;
        const before = this.retired;
        this.#runPiece(processor, turn, allowed);
        allowed -= this.retired - before;
        this.#clock.advanceTo(this.#reachedNs);
        this.#behind = false;
        if (this.#later !== undefined) turn.left = 0;
        else if (this.stoppedBy !== undefined && turn.left > 0) return false;
      }
    } finally {
      this.#current = undefined;
      this.#busy = false;
    }
    this.#turn = undefined;
    this.#spare = turn;
    this.listener.turnEnded(turn.processor, turn.preempted);
    this.#doLater();
    return true;
  }

  /**
   * Runs a processor until its turn, the time to the next alarm or `most` instructions are used up, or until it
   * stops. Whatever a device throws on the way, the instructions that were executed count.
   */
  #runPiece(processor: Processor, turn: Turn, most: number): void {
    const clock = this.#clock;
    const nsPerInstruction = this.#nsPerInstruction;
    const nowNs = clock.now();
    this.#startNs = nowNs;
    this.#startRetired = processor.retiredNow();
    this.#retiredBefore = this.retired;
    processor.shortcuts.setTime(nowNs, this.#startRetired, nsPerInstruction);
    const nextAlarm = clock.nextExpiry();
    const planned = Math.max(1, Math.min(turn.left, Math.ceil((nextAlarm - nowNs) / nsPerInstruction)));
    this.#deadlineNs = Math.min(nowNs + planned * nsPerInstruction, nextAlarm);
    const pieces = this.#interrupt === undefined ? Number.POSITIVE_INFINITY : WORK_BETWEEN_QUESTIONS;
    this.#yielded = false;
    this.#exitAsked = false;
    let exit: RunExit | undefined;
    let used = 0;
    try {
      exit = processor.run(Math.min(planned, most, pieces));
    } finally {
      used = processor.retiredNow() - this.#startRetired;
      turn.left -= used;
      this.retired += used;
      this.#work += used + WORK_OF_AN_ACCESS;
      this.#reachedNs = nowNs + used * nsPerInstruction;
      this.#behind = true;
    }
    if (exit.reason === 'stopped') this.stoppedBy = processor.index;
    const rests = exit.reason === 'halted' || exit.reason === 'wait-for-sipi' || exit.reason === 'shutdown';
    if (rests) this.#awake[processor.index] = 0;
    if (rests || this.#yielded) {
      turn.left = 0;
      turn.preempted = false;
    } else if (used === 0 && this.#exitAsked) turn.left--; // never spin without progress
  }

  /** Lets the clock reach what has been executed. */
  #catchUp(): void {
    const clock = this.#clock;
    clock.advanceTo(Math.max(this.#reachedNs, clock.now()));
    this.#behind = false;
  }

  #doLater(): void {
    const later = this.#later;
    this.#later = undefined;
    later?.();
  }

  #isInterrupted(): boolean {
    if (this.#interrupt === undefined || this.#work < WORK_BETWEEN_QUESTIONS) return false;
    this.#work = 0;
    return this.#interrupt();
  }

  #requestExit(): void {
    this.#exitAsked = true;
    this.#current?.requestExit();
  }

  /** PAUSE is of interest to an observer, or ends the turn if another processor can use the time. */
  #watchPause({ index, shortcuts }: Processor): void {
    const { pauseObserved, yieldOnPause } = this.#p;
    shortcuts.pauseWatched = pauseObserved || (yieldOnPause && this.#othersAwake(index));
  }

  #othersAwake(index: number): boolean {
    for (let i = 0; i < this.#awake.length; i++) if (i !== index && this.#awake[i] !== 0) return true;
    return false;
  }
}
