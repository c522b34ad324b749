/**
 * A processor's hooks: functions that are told what it executes, accesses and takes. Without any, nothing of this
 * costs anything. They see and stop; what the guest does is the same with them and without, in every tier.
 */
import { checkOptions, isFlag, isFunction, isWhole, maybe, type OptionShape, refuse } from '@smm/x86-defs';
import { HookedAddresses, type HookedRange, linearRange } from './hooked-addresses.ts';
import { joinObservers } from './observers.ts';
import type { IoPort, ProcessorObserver } from './ports.ts';
import type { Processor } from './processor.ts';

/** Takes a hook out again. */
export type Unhook = () => void;

/** Linear addresses; all of them if `at` is left out. */
export interface LinearRange {
  /** First address: a number, or a bigint of either sign. */
  readonly at?: number | bigint;
  /** Bytes. Default 1. */
  readonly size?: number;
}

/** Linear addresses, and which accesses to them are meant. */
export interface MemoryRange extends LinearRange {
  /** Tell reads. Default true. */
  readonly reads?: boolean;
  /** Tell writes. Default true. */
  readonly writes?: boolean;
}

/** Ports; all of them if `at` is left out. */
export interface PortRange {
  /** First port. */
  readonly at?: number;
  /** Ports. Default 1. */
  readonly size?: number;
}

/** An access that has been made. */
export interface HookedAccess {
  /** It wrote. */
  readonly write: boolean;
  /** Linear address, from 0 or canonical and signed; or port. */
  readonly at: number;
  /** Bytes. */
  readonly size: 1 | 2 | 4 | 8;
  /** What was read or written, unsigned. */
  readonly value: bigint;
}

/** Told before an instruction begins. `linear`: address of its first byte. */
export type CodeHook = (cpu: Processor, linear: number) => void;
/** Told after an access. */
export type AccessHook = (cpu: Processor, access: HookedAccess) => void;

/** How hooks reach the engine. */
export interface HookPorts {
  /** Code is hooked, or not any more. `changed`: the range that came or went. */
  readonly code: (hooks: CodeHooks | undefined, changed: HookedRange, added: boolean) => void;
  /** Memory is hooked, or not any more. Called again when ranges change. */
  readonly memory: (hooks: MemoryHooks | undefined) => void;
}

interface Hooked<H> {
  readonly range: HookedRange;
  readonly hook: H;
}

const LINEAR_SHAPE: OptionShape<LinearRange> = {
  at: maybe((option, value) => {
    if (typeof value !== 'number' && typeof value !== 'bigint')
      refuse(option, value, 'a linear address, a number or a bigint');
  }),
  size: maybe(isWhole(1)),
};
const MEMORY_SHAPE: OptionShape<MemoryRange> = {
  ...LINEAR_SHAPE,
  reads: maybe(isFlag),
  writes: maybe(isFlag),
};
const PORT_SHAPE: OptionShape<PortRange> = {
  at: maybe(isWhole(0, 0xffff)),
  size: maybe(isWhole(1, 0x1_0000)),
};

/** The code hooks of a processor, for whoever executes. */
export class CodeHooks {
  readonly addresses: HookedAddresses = new HookedAddresses();
  readonly list = new Set<Hooked<CodeHook>>();
  /** The instruction that was told last, and when: it is not told again when a run goes on with it. */
  #told = Number.NaN;
  #toldAt = -1;

  /** Tells that an instruction is about to begin. True: it is not to begin now. */
  before(cpu: Processor, linear: number): boolean {
    if (!this.addresses.has(linear)) return false;
    const now = cpu.retiredNow();
    if (this.#told === linear && this.#toldAt === now) return false;
    const { rip, mode } = cpu.state;
    for (const { range, hook } of this.list)
      if (range.first <= linear && linear <= range.last) hook(cpu, linear);
    this.#told = linear;
    this.#toldAt = now;
    return cpu.hooks.stopping || cpu.state.rip !== rip || cpu.state.mode !== mode;
  }

  /** The instruction told last has iterations left: going on is no new beginning. */
  repeats(cpu: Processor): void {
    this.#toldAt = cpu.retiredNow();
  }

  /** Another state was put in: whatever comes begins anew. */
  forget(): void {
    this.#told = Number.NaN;
  }
}

/** The memory hooks of a processor, for whoever accesses. */
export class MemoryHooks {
  readonly addresses: HookedAddresses = new HookedAddresses();
  readonly list = new Set<Hooked<{ tell: AccessHook; reads: boolean; writes: boolean }>>();
  readonly #cpu: Processor;

  constructor(cpu: Processor) {
    this.#cpu = cpu;
  }

  /** Some address of the page, given by its first, is hooked. */
  hasPage(page: number): boolean {
    return this.addresses.overlaps(page, page + 0xfff);
  }

  /** An access touches what is hooked. */
  overlaps(linear: number, size: number): boolean {
    return this.addresses.overlaps(linear, linear + size - 1);
  }

  /** An access was made. */
  tell(write: boolean, at: number, size: 1 | 2 | 4 | 8, low: number, high = 0): void {
    if (!this.overlaps(at, size)) return;
    const value = (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
    for (const { range, hook } of this.list) {
      if (!(write ? hook.writes : hook.reads)) continue;
      if (range.first < at + size && range.last >= at) hook.tell(this.#cpu, { write, at, size, value });
    }
  }
}

/** The hooks of one processor: `cpu.hooks`. Each method answers a function that takes the hook out again. */
export class Hooks {
  readonly #cpu: Processor;
  readonly #ports: HookPorts;
  #code: CodeHooks | undefined;
  #memory: MemoryHooks | undefined;
  readonly #io = new Set<Hooked<AccessHook>>();
  readonly #observers = new Set<ProcessorObserver>();
  /** {@link stop} was called in this run. @internal */
  stopping = false;

  /** Made by the engine. @internal */
  constructor(cpu: Processor, ports: HookPorts) {
    this.#cpu = cpu;
    this.#ports = ports;
  }

  /**
   * Tells `hook` before each instruction that begins in a range and can be fetched: it has not happened, and registers
   * may be read and written. A repeated string instruction is told once, and again when it goes on after an interrupt.
   */
  code(range: LinearRange, hook: CodeHook): Unhook {
    checkOptions('the range of a code hook', range, LINEAR_SHAPE);
    isFunction('a code hook', hook);
    const entry = { range: linearRange(range.at, range.size), hook };
    this.#code ??= new CodeHooks();
    const hooks = this.#code;
    hooks.list.add(entry);
    hooks.addresses.add(entry.range);
    this.#ports.code(hooks, entry.range, true);
    return () => {
      if (!hooks.list.delete(entry)) return;
      hooks.addresses.delete(entry.range);
      this.#ports.code(hooks.addresses.empty ? undefined : hooks, entry.range, false);
    };
  }

  /**
   * A breakpoint: the run ends with `stopped` before the instruction at a linear address, if `when` is left out or
   * says true. The next run begins with that instruction. No guest memory changes.
   */
  breakpoint(at: number | bigint, when?: (cpu: Processor) => boolean): Unhook {
    maybe(isFunction)('the condition of a breakpoint', when);
    return this.code({ at }, (cpu) => {
      if (when === undefined || when(cpu)) this.stop();
    });
  }

  /**
   * Tells `hook` of data accesses by linear address, after each: RAM and devices, instructions and the delivery of
   * events; not instruction fetches, page walks and SMM's save states, which are not by linear address. What is wider
   * than 8 bytes comes in pieces.
   */
  memory(range: MemoryRange, hook: AccessHook): Unhook {
    checkOptions('the range of a memory hook', range, MEMORY_SHAPE);
    isFunction('a memory hook', hook);
    const { reads = true, writes = true } = range;
    const entry = { range: linearRange(range.at, range.size), hook: { tell: hook, reads, writes } };
    this.#memory ??= new MemoryHooks(this.#cpu);
    const hooks = this.#memory;
    hooks.list.add(entry);
    hooks.addresses.add(entry.range);
    this.#ports.memory(hooks);
    return () => {
      if (!hooks.list.delete(entry)) return;
      hooks.addresses.delete(entry.range);
      this.#ports.memory(hooks.addresses.empty ? undefined : hooks);
    };
  }

  /** Tells `hook` of IN, OUT, INS and OUTS, after each access. One wider than a port touches the ports behind it. */
  port(range: PortRange, hook: AccessHook): Unhook {
    checkOptions('the range of a port hook', range, PORT_SHAPE);
    isFunction('a port hook', hook);
    const first = range.at ?? 0;
    const last = range.at === undefined ? 0xffff : first + (range.size ?? 1) - 1;
    return this.#added(this.#io, { range: { first, last }, hook });
  }

  /**
   * Tells an observer beside the processor's own: exceptions and interrupts (`interruptDelivered`), MSRs (`msr`),
   * control registers, SMI and RSM (`smiEntered`, `rsmStarting`, `smmLeft`), and whatever else it has methods for.
   */
  observe(observer: ProcessorObserver): Unhook {
    return this.#added(this.#observers, observer);
  }

  /**
   * Ends the run with `stopped`: called by a code hook before its instruction, by any other hook after the instruction
   * at hand. The next run goes on as if nothing had been. Without effect while the processor does not run.
   */
  stop(): void {
    this.#cpu.requestExit();
    this.stopping = this.#cpu.running;
  }

  /** Another state was put in. @internal */
  forget(): void {
    this.#code?.forget();
  }

  #added<T>(set: Set<T>, one: T): Unhook {
    set.add(one);
    this.#join();
    return () => {
      if (set.delete(one)) this.#join();
    };
  }

  /** Puts what is hooked between the processor and its ports. */
  #join(): void {
    const cpu = this.#cpu;
    const observers = [...this.#observers];
    const instructions = observers.some(({ instruction }) => instruction !== undefined);
    cpu.shortcuts.hear({ ports: this.#io.size > 0, instructions });
    if (this.#io.size === 0 && observers.length === 0) {
      cpu.interpose(undefined);
      return;
    }
    const { io, observer } = cpu.ownPorts;
    cpu.interpose({
      io: this.#io.size === 0 ? io : this.#hookedIo(io),
      observer: joinObservers(observer, ...observers),
    });
  }

  #hookedIo(io: IoPort): IoPort {
    const tell = (write: boolean, at: number, size: 1 | 2 | 4, value: number): void => {
      for (const { range, hook } of this.#io) {
        if (range.first < at + size && range.last >= at)
          hook(this.#cpu, { write, at, size, value: BigInt(value >>> 0) & ((1n << BigInt(8 * size)) - 1n) });
      }
    };
    return {
      in: (port, size, attrs) => {
        const value = io.in(port, size, attrs);
        tell(false, port, size, value);
        return value;
      },
      out: (port, size, value, attrs) => {
        io.out(port, size, value, attrs);
        tell(true, port, size, value);
      },
    };
  }
}
