/**
 * A machine that runs cases of the tier comparison one after another, and notes everything that a guest or its
 * surroundings can notice.
 */
import type { TierName, TranslatorOptions } from '../../src/engine/engine.ts';
import { type HostRange, stateHash } from '../../src/engine/state-hash.ts';
import type { Interpreter } from '../../src/engine/wasm/interpreter.ts';
import type { Processor } from '../../src/processor.ts';
import type { RunExit } from '../../src/processor-options.ts';
import { amd64Codec } from './amd64-codec.ts';
import { ALL_RIGHTS, DEVICE, FlatMachine } from './flat-machine.ts';
import { Random } from './random.ts';
import { hookAllOver } from './tier-hooks.ts';
import * as M from './tier-map.ts';
import type { Action, Image, Step, TierCase } from './tier-program.ts';
import { furnish, launch } from './tier-surroundings.ts';

/** A way to run a case. */
export interface Variant {
  readonly name: string;
  readonly tier: TierName;
  readonly translator?: TranslatorOptions;
  /** Bytes of the engine's part. Default 2 MiB. */
  readonly cache?: number;
  /** Hooks all over. `told`: what they are told counts; `quiet`: it does not, and some of them stop the run. */
  readonly hooks?: 'told' | 'quiet';
}

/** Hashed at every slice end. All of RAM is at the end of a case. */
const OFTEN: readonly HostRange[] = [
  [M.PROGRAM, 0x3400],
  [M.COUNTERS, 0x400],
  [M.STACK - 0x100, 0x100],
  [M.STACK + 0x700, 0x100],
];
const ALL: readonly HostRange[] = [[0, M.RAM_SIZE]];

/** Order-dependent mix of numbers, 32 bit. */
function mix(hash: number, value: number): number {
  let h = Math.imul(hash ^ (value | 0), 0x85eb_ca6b);
  h ^= h >>> 13;
  return Math.imul(h, 0xc2b2_ae35) ^ Math.floor(value / 0x1_0000_0000);
}

/** Called with the world after every step; `true` stops. */
export type Watch = (record: string, step: number) => boolean;

/** Runs on wherever a hook stops. */
function runThrough(cpu: Processor, budget: number): RunExit {
  let retired = 0;
  for (;;) {
    const exit = cpu.run(budget - retired);
    retired += exit.retired;
    if (exit.reason !== 'stopped') return { reason: exit.reason, retired };
  }
}

/** One machine of one variant and number of processors, used for any number of cases. */
export class TierWorld {
  readonly machine: FlatMachine;
  readonly #pending: number[];
  /** How often a hook was told something. */
  told = 0;
  #hooked = 0;
  #demand = false;
  #rights: M.CodeRights = 'all';
  #swapped = false;
  #devices = 0;
  #deviceCount = 0;
  #walks = 0;
  readonly #walked = new Set<number>();
  #faults = 0;
  #pokes: readonly number[] = [];
  /** Events told by the observer, hashed, and their number. */
  events = 0;

  /** `interpreter`: generated code to share. */
  constructor(variant: Variant, processors: number, interpreter?: Interpreter) {
    this.machine = new FlatMachine({
      ram: M.RAM_SIZE,
      cache: variant.cache ?? 2 << 20,
      processors,
      tier: variant.tier,
      ...(variant.translator && { translator: variant.translator }),
      ...(interpreter && { interpreter }),
    });
    this.#pending = Array.from({ length: processors }, () => -1);
    this.machine.map = (page, { processor, access }) => {
      const to = this.#map(page);
      // How often a page is asked for depends on what a tier knows of it; when it first is, when it faults and when it
      // is a device do not.
      const key = processor * 0x10_0000 + (page >>> 12);
      if (!this.#walked.has(key) || to < 0 || to === DEVICE) {
        this.#walked.add(key);
        // A tracer calls what happens by the instruction at hand: KVM's exits do.
        const { insnRip } = this.machine.cpus[processor]!;
        for (const x of [
          page + access,
          Number(insnRip & 0xffff_ffffn),
          this.machine.cpus[processor]!.retiredNow(),
        ])
          this.#walks = mix(this.#walks, x);
      }
      return to;
    };
    this.machine.rights = (page) => {
      if (page === M.READ_ONLY_PAGE) return M.RIGHTS['read-only'];
      return page === M.RIGHTS_PAGE || page === M.ALIAS_PAGE ? M.RIGHTS[this.#rights] : ALL_RIGHTS;
    };
    for (const cpu of this.machine.cpus) this.#connect(cpu);
    if (variant.hooks === undefined) return;
    const quiet = variant.hooks === 'quiet';
    for (const cpu of this.machine.cpus) {
      hookAllOver(cpu, quiet, (...values) => {
        this.told++;
        if (!quiet) for (const value of values) this.#hooked = mix(this.#hooked, value);
      });
    }
  }

  #map(page: number): number {
    switch (page) {
      case M.DEVICE_PAGE:
        return DEVICE;
      case M.MISSING_PAGE:
        return -1;
      case M.DEMAND_PAGE:
        return this.#demand ? page : -1;
      case M.RIGHTS_PAGE:
      case M.ALIAS_PAGE:
        return this.#rights === 'missing' ? -1 : M.RIGHTS_PAGE;
      case M.SWAP_PAGE:
        return this.#swapped ? M.SWAPPED_PAGE : page;
      default:
        return page;
    }
  }

  #connect(cpu: Processor): void {
    const me = cpu.index;
    const codec = amd64Codec();
    const note = (...values: number[]): void => {
      for (const value of values) this.events = mix(this.events, value);
      this.#faults++;
    };
    const { memory } = cpu.ports;
    Object.assign(cpu.ports, {
      memory: {
        ...memory,
        read: (address: number, size: number) => this.#read(cpu, address, size),
        write: (address: number, size: number, value: number) => this.#write(cpu, address, size, value),
      },
      io: {
        in: (port: number, size: number) => {
          this.#seen(cpu, port, size, 0);
          return mix(this.#deviceCount, port) >>> 0;
        },
        out: (port: number, size: number, value: number) => {
          this.#seen(cpu, port, size, value);
          if (port === M.PORT) this.#out(cpu, value & 0xff);
        },
      },
      apic: {
        ...cpu.ports.apic,
        pendingVector: () => this.#pending[me]!,
        acknowledge: () => {
          const vector = this.#pending[me]!;
          this.#pending[me] = -1;
          return vector;
        },
      },
      saveState: codec,
      time: { tsc: () => BigInt(cpu.retiredNow()) },
      observer: {
        interruptDelivered: (
          _p: number,
          vector: number,
          kind: string,
          error: number | undefined,
          rip: bigint,
        ) => note(me, vector, kind.length, error ?? -1, Number(rip & 0xffff_ffffn), cpu.retiredNow()),
        smiEntered: (_p: number, smbase: number, rip: bigint, halted: boolean) =>
          note(me, smbase, Number(rip & 0xffff_ffffn), halted ? 1 : 0, cpu.retiredNow()),
        smmLeft: (_p: number, from: number, to: number, rip: bigint) =>
          note(me, from, to, Number(rip & 0xffff_ffffn), cpu.retiredNow()),
        halted: (_p: number, rip: bigint) => note(me, Number(rip & 0xffff_ffffn)),
        shutdown: (_p: number, _reason: string, rip: bigint) => note(me, Number(rip & 0xffff_ffffn)),
      },
    });
  }

  #seen(cpu: Processor, address: number, size: number, value: number): void {
    this.#deviceCount++;
    for (const x of [cpu.index, address, size, value, cpu.retiredNow(), Number(cpu.insnRip & 0xffff_ffffn)]) {
      this.#devices = mix(this.#devices, x);
    }
  }

  #read(cpu: Processor, address: number, size: number): number {
    this.#seen(cpu, address, size, -1);
    const value =
      (address & 0xff0) === M.DEV_TIME
        ? cpu.retiredNow()
        : Math.imul(this.#deviceCount, 0x9e37_79b1) ^ address;
    return size === 4 ? value >>> 0 : value & (size === 2 ? 0xffff : 0xff);
  }

  #write(cpu: Processor, address: number, size: number, value: number): void {
    this.#seen(cpu, address, size, value);
    const { cpus } = this.machine;
    const other = cpus[(cpu.index + 1) % cpus.length]!;
    switch (address & 0xff0) {
      case M.DEV_IRQ:
        this.#interrupt(cpu);
        break;
      case M.DEV_SMI:
        cpu.raiseSmi();
        break;
      case M.DEV_IRQ_OTHER:
        this.#interrupt(other);
        break;
      case M.DEV_SMI_OTHER:
        other.raiseSmi();
        break;
      case M.DEV_EXIT:
        cpu.requestExit();
        break;
      case M.DEV_SWAP:
        this.#swap();
        break;
      case M.DEV_POKE:
        this.#poke(M.RIGHTS_BYTE, value & 0xff);
        break;
      case M.DEV_NMI:
        cpu.raiseNmi();
        break;
    }
  }

  #out(cpu: Processor, value: number): void {
    switch (value) {
      case M.OUT_DEMAND_IN:
      case M.OUT_DEMAND_OUT:
        this.#demand = value === M.OUT_DEMAND_IN;
        this.#flush();
        break;
      case M.OUT_CODE_RIGHTS_ALL:
        this.#changeRights('all');
        break;
      case M.OUT_CODE_NX:
        this.#changeRights('nx');
        break;
      case M.OUT_CODE_READ_ONLY:
        this.#changeRights('read-only');
        break;
      case M.OUT_CODE_MISSING:
        this.#changeRights('missing');
        break;
      case M.OUT_SWAP:
        this.#swap();
        break;
      case M.OUT_SWAP_LAZY:
        this.#swapped = !this.#swapped;
        this.#flush(cpu);
        break;
      case M.OUT_DEMAND_OUT_LAZY:
        this.#demand = false;
        this.#flush(cpu);
        break;
    }
  }

  /** `but`: a processor that does it by itself. */
  #flush(but?: Processor): void {
    for (const cpu of this.machine.cpus) if (cpu !== but) cpu.memory.flush(undefined, true);
  }

  #changeRights(rights: M.CodeRights): void {
    this.#rights = rights;
    this.#flush();
  }

  #swap(): void {
    this.#swapped = !this.#swapped;
    this.#flush();
  }

  #interrupt(cpu: Processor): void {
    this.#pending[cpu.index] = 0x20 + (this.#deviceCount & 7);
    cpu.interruptChanged();
  }

  #poke(address: number, value: number): void {
    this.machine.ram[address] = value;
    this.machine.engine.written(address, 1);
  }

  #act(cpu: Processor, action: Action): void {
    switch (action.kind) {
      case 'irq':
        this.#interrupt(cpu);
        break;
      case 'smi':
        cpu.raiseSmi();
        break;
      case 'nmi':
        cpu.raiseNmi();
        break;
      case 'flush':
        this.#flush();
        break;
      case 'swap':
        this.#swap();
        break;
      case 'demand':
        this.#demand = false;
        this.#flush();
        break;
      case 'rights':
        this.#changeRights(action.rights);
        break;
      case 'sse': {
        const { state } = cpu;
        state.cr0 = (state.cr0 & ~8) | (action.state === 'switched' ? 8 : 0);
        state.cr4 = (state.cr4 & ~0x200) | (action.state === 'off' ? 0 : 0x200);
        cpu.modeChanged();
        break;
      }
      case 'poke': {
        const targets = this.#pokes;
        if (targets.length > 0) this.#poke(targets[action.index % targets.length]!, action.value);
      }
    }
  }

  /** Everything as at the start of a case. */
  prepare(test: TierCase, image: Image): void {
    const { machine } = this;
    const { ram } = machine;
    const random = new Random(test.seed);
    ram.fill(0);
    furnish(ram, test.bits, test.user);
    ram.set(image.bytes, M.PROGRAM);
    for (let i = 0; i < 0x400; i++) ram[M.BORDER - 0x200 + i] = random.next();
    ram.fill(0x5a, M.READ_ONLY_PAGE, M.READ_ONLY_PAGE + 0x1000);
    machine.engine.written(0, ram.length);
    this.#pokes = image.pokes;
    this.#pending.fill(-1);
    this.#walked.clear();
    this.#demand = this.#swapped = false;
    this.#rights = 'all';
    this.#devices = this.#deviceCount = this.#walks = this.#faults = this.events = this.#hooked = 0;
    for (const cpu of machine.cpus) {
      cpu.reset('power-up', true);
      launch(machine, cpu, test, image.entries[cpu.index]!);
      for (let register = 0; register < 16; register++) {
        if (register === 4) continue;
        const value = random.value();
        if (test.bits === 64) cpu.state.setGpr64(register, value);
        else if (register < 8) cpu.state.setGpr64(register, value & 0xffff_ffffn);
      }
      const vectors = new Random(~test.seed);
      for (let half = 0; half < 32; half++) cpu.state.set64(576 + half * 8, vectors.value());
      cpu.state.setGpr64(6, BigInt(M.BORDER));
      cpu.state.setGpr64(3, BigInt(random.below(8)));
      if (test.bits === 64) cpu.state.setGpr64(15, BigInt(M.DEVICE_PAGE));
    }
  }

  /** Runs a prepared case and tells of every step. Returns how many steps were done. */
  run(test: TierCase, watch: Watch): number {
    let done = 0;
    for (const step of test.steps) {
      const cpu = this.machine.cpus[step.cpu]!;
      if (step.action) this.#act(cpu, step.action);
      let record: string;
      try {
        record = this.#record(step, runThrough(cpu, step.budget), done === test.steps.length - 1);
      } catch (error) {
        watch(`threw ${error}`, done);
        return done;
      }
      if (watch(record, done++)) break;
      if (cpu.state.activity & 4) break;
    }
    return done;
  }

  #record(step: Step, { reason, retired }: RunExit, last: boolean): string {
    const cpu = this.machine.cpus[step.cpu]!;
    if (reason === 'halted') cpu.raiseNmi();
    const hash = stateHash(cpu, last ? ALL : OFTEN);
    return `${reason} ${retired} ${hash} devices ${this.#deviceCount} ${this.#devices} walks ${this.#walks} events ${this.#faults} ${this.events} hooks ${this.#hooked}`;
  }

  /** What can be read of a processor, to show a divergence. */
  describe(index: number): Record<string, string> {
    const { state } = this.machine.cpus[index]!;
    const names = ['rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi'];
    const all: Record<string, string> = {
      rip: state.rip.toString(16),
      rflags: state.rflags.toString(16),
      cr2: state.cr2.toString(16),
      activity: state.activity.toString(16),
      mode: state.mode.toString(16),
    };
    for (let r = 0; r < 16; r++) all[names[r] ?? `r${r}`] = state.gpr64(r).toString(16);
    for (let r = 0; r < 16; r++) {
      const at = state.base + 576 + r * 16;
      all[`xmm${r}`] = [...state.views.u64.subarray(at >>> 3, (at >>> 3) + 2)]
        .map((x) => x.toString(16))
        .join(':');
    }
    return all;
  }
}
