/** The machine: processors, local APICs, memory and chipset under an accelerator, driven by a deterministic scheduler. */
import { type Clock, IoPortSpace, PhysicalAddressSpace, TX_DEBUG, VirtualClock } from '@smm/bus';
import type { Q35Chipset } from '@smm/chipset-q35';
import { createWindow, Engine, type Processor, type TranslationStatistics } from '@smm/cpu-core';
import { SaveStateCodec } from '@smm/smram';
import { type SaveStateLayout, SmmError } from '@smm/x86-defs';
import { ApicBus, type ApicFlavour, LocalApic } from '@smm/xapic';
import type { Accelerator } from './accelerator.ts';
import { ACT_HALTED, ACT_SHUTDOWN, ACT_WAIT_SIPI } from './activity.ts';
import { APIC_PAGE, APIC_REGION_SIZE, ApicPage } from './apic-page.ts';
import { buildChipset } from './chipset.ts';
import { DebugConsole } from './debug-console.ts';
import { GuestBus } from './guest-bus.ts';
import { HostPages } from './host-pages.ts';
import { KvmAccelerator } from './kvm/kvm.ts';
import { localApicPort } from './local-apic-port.ts';
import {
  type AttachedDevice,
  type MachineOptions,
  type MachineSnapshot,
  type MachineStop,
  NS_PER_INSTRUCTION,
  type RunLimits,
} from './machine-options.ts';
import { type MemoryPlan, planMemory } from './memory-plan.ts';
import { apicObserver, joinObservers, machineObserver } from './observers.ts';
import type { PagingFeatures } from './paging.ts';
import { Recorder } from './recorder.ts';
import { type Schedule, Scheduler } from './scheduler.ts';
import { TcgAccelerator } from './tcg.ts';
import { TouchedPages } from './touched-pages.ts';
import { TranslationWatch, type WatchedAccesses } from './translation-watch.ts';

/** A complete machine. Everything is deterministic: equal options give equal runs. */
export class Machine {
  /** How the memory is laid out. */
  readonly plan: MemoryPlan;
  /** Processors by index. */
  readonly processors: Processor[] = [];
  /** Local APICs by processor index. */
  readonly apics: LocalApic[] = [];
  /** Virtual time. */
  readonly clock: VirtualClock = new VirtualClock();
  /** Guest-physical address space. */
  readonly space: PhysicalAddressSpace;
  /** I/O ports. */
  readonly ports: IoPortSpace;
  /** Devices. */
  readonly chipset: Q35Chipset;
  /** Accelerator. */
  readonly accelerator: Accelerator;
  /** The reason of the last shutdown of a processor. */
  shutdownReason: string | undefined;
  /** Instructions of all processors so far. */
  retired = 0;
  /** Times each processor entered SMM, by index. */
  readonly smmEntries: number[] = [];
  /** SMIs that the chipset raised (each counts once, however many processors it reached). */
  chipsetSmis = 0;

  readonly #options: MachineOptions;
  readonly #buffer: ArrayBufferLike;
  readonly #engine: Engine;
  readonly #touched: TouchedPages;
  readonly #pages: HostPages;
  readonly #recorder: Recorder;
  readonly #bus: GuestBus;
  readonly #watch: TranslationWatch;
  #scheduler: Scheduler;
  readonly #attached = new Map<string, AttachedDevice>();
  /** Virtual nanoseconds per instruction. */
  readonly nsPerInstruction: number;
  readonly #console = new DebugConsole((text) => {
    const vcpu = this.#current?.index ?? 0;
    this.#recorder.emit(vcpu, { name: 'smm_debugcon', vcpu, text });
  });
  /** Processors that may have something to do, by index. */
  readonly #awake: Uint8Array;
  /** The running processor has ended its turn with PAUSE. */
  #yielded = false;
  #current: Processor | undefined;
  #turnStartNs = 0;
  #turnStartRetired = 0;
  /** Virtual time up to which the running turn's budget was computed. */
  #turnDeadline = 0;

  /** Builds the machine and powers it on. Throws `SmmError`s for options that do not fit together. */
  constructor(options: MachineOptions) {
    this.#options = options;
    this.nsPerInstruction = options.nsPerInstruction ?? NS_PER_INSTRUCTION;
    this.#awake = new Uint8Array(options.cpus);
    const plan = planMemory(
      options.cpus,
      options.memoryMiB,
      options.flash.length,
      options.model.features.has('x2apic'),
      options.decodedMiB,
    );
    this.plan = plan;
    const window = createWindow(plan.totalSize);
    this.#buffer = window.buffer;
    this.#touched = new TouchedPages(this.#buffer);
    this.#engine = new Engine({
      window,
      cacheOffset: plan.engineOffset,
      cacheSize: plan.engineSize,
      ...(options.interpreter && { interpreter: options.interpreter }),
      ...(options.translator && { translator: options.translator }),
    });
    this.#pages = new HostPages(this.#buffer, plan.hostOffset, plan.hostSize, (at) => this.#touched.mark(at));
    new Uint8Array(this.#buffer).set(options.flash, plan.romOffset);
    this.#scheduler = new Scheduler(options.schedule);
    this.#recorder = new Recorder(options.trace, () => this.#now(), options.comm);
    const unclaimed = (
      space: 'memory' | 'io',
      address: number,
      size: number,
      write: boolean,
      attrs: number,
    ): void =>
      this.#recorder.emit(attrs & 0xffff, {
        name: 'smm_unclaimed',
        vcpu: attrs & 0xffff,
        space,
        address: BigInt(address),
        write,
        size,
      });
    this.space = new PhysicalAddressSpace({
      ram: { buffer: this.#buffer, byteOffset: 0, byteLength: this.#buffer.byteLength },
      written: (at, size) => {
        this.#touched.markRange(at, size);
        this.#engine.written(at, size);
      },
      onUnclaimed: (a) => unclaimed('memory', a.gpa, a.sizeBytes, a.value !== undefined, a.attrs),
    });
    this.ports = new IoPortSpace({
      onUnclaimed: (a) => unclaimed('io', a.port, a.sizeBytes, a.value !== undefined, a.attrs),
    });
    this.#bus = new GuestBus({
      space: this.space,
      ports: this.ports,
      recorder: this.#recorder,
      syncTime: () => this.#syncTime(),
      touched: () => this.#deadlinesMoved(),
      rip: (index) => this.processors[index]!.insnRip,
      smbase: (index) => this.processors[index]!.state.smbase,
      smbaseFieldOffset: smbaseOffset(options.saveState),
    });
    this.#watch = new TranslationWatch(this.#touched, (processor) => this.#bus.savePage(processor));
    this.accelerator = this.#buildAccelerator();
    const apicBus = this.#buildApicBus();
    this.space.add({
      name: 'lapic',
      kind: 'mmio',
      start: APIC_PAGE,
      sizeBytes: APIC_REGION_SIZE,
      priority: 100,
      device: new ApicPage(this.apics, apicBus),
    });
    this.chipset = buildChipset({
      space: this.space,
      ports: this.ports,
      clock: {
        now: () => this.#now(),
        createAlarm: (name, onExpire) => this.clock.createAlarm(name, onExpire),
      },
      plan,
      cpus: options.cpus,
      smi: (processor) => this.#chipsetSmi(processor),
      debugByte: (byte) => this.#console.write(byte),
      reset: options.onReset,
      sleep: options.onSleep,
      parts: options.parts,
      peripherals: options.peripherals?.({
        interrupts: {
          deliver: (message) => {
            apicBus.deliver(message);
          },
          intr: {
            set: (level) => {
              for (const apic of this.apics) apic.setLint(0, level);
            },
          },
        },
        bytes: this.bytes,
        written: (at, size) => this.written(at, size),
      }),
    });
    this.ports.onChange(() => this.#declareCounter());
    this.space.onChange(() => {
      this.accelerator.mapChanged();
      for (const processor of this.processors) processor.memory.flush();
      this.#current?.requestExit();
    });
    for (let index = 0; index < options.cpus; index++) this.#addProcessor(index, apicBus);
    this.#declareCounter();
    this.accelerator.mapChanged();
  }

  /** Debug output so far, complete lines without their ends. */
  get log(): readonly string[] {
    return this.#console.lines;
  }

  /** Runs until a limit, until nothing can ever happen again (`idle`), or until a processor shuts down. */
  run(limits: RunLimits): MachineStop {
    const end = this.retired + limits.instructions;
    for (;;) {
      for (let turn = this.#scheduler.nextTurn(); turn !== undefined; turn = this.#scheduler.nextTurn()) {
        if (this.#awake[turn.processor] === 0) continue;
        this.#turn(turn.processor, turn.slice);
        if (this.shutdownReason !== undefined) return 'shutdown';
        if (this.retired >= end) return 'budget';
      }
      if (limits.until?.() === true) return 'asked';
      const runnable = this.runnable();
      if (runnable.length > 0) {
        this.#scheduler.startRound(runnable);
        continue;
      }
      const next = this.clock.nextExpiry();
      if (next === Number.POSITIVE_INFINITY) return 'idle';
      this.clock.advanceTo(Math.max(next, this.clock.now()));
    }
  }

  /** Processors that can execute now, by index. */
  runnable(): number[] {
    const list: number[] = [];
    for (let i = 0; i < this.#awake.length; i++) if (this.#awake[i] !== 0) list.push(i);
    return list;
  }

  /** Why a processor cannot execute, or undefined when it can. */
  idleReason(index: number): 'halted' | 'wait-for-sipi' | 'shutdown' | undefined {
    const { activity } = this.processors[index]!.state;
    if (activity & ACT_SHUTDOWN) return 'shutdown';
    if (activity & ACT_WAIT_SIPI) return 'wait-for-sipi';
    return activity & ACT_HALTED ? 'halted' : undefined;
  }

  /** System reset as the reset line does it: devices, local APICs and processors; RAM, flash and time stay. */
  systemReset(): void {
    this.chipset.reset();
    for (const device of this.#attached.values()) device.reset();
    this.apics.forEach((apic) => {
      apic.reset('power-up');
    });
    this.processors.forEach((processor, index) => {
      processor.reset('power-up', index === 0);
      processor.memory.flush(undefined, true);
      this.#awake[index] = index === 0 ? 1 : 0;
    });
    this.shutdownReason = undefined;
  }

  /** Power-on again, optionally with another schedule. The memory is kept and cleared: cheaper than a new machine. */
  reset(schedule: Schedule = this.#options.schedule): void {
    this.#scheduler = new Scheduler(schedule);
    this.clock.restore({ version: 1, nowNs: 0, alarms: [] });
    // Devices first: they change the address map, and the accelerator then still works on its old tables.
    this.chipset.reset();
    for (const device of this.#attached.values()) device.reset();
    for (const at of this.#touched.clear()) this.#engine.written(at, 4096);
    this.#pages.reset();
    this.accelerator.reset();
    this.apics.forEach((apic) => {
      apic.reset('power-up');
    });
    this.processors.forEach((processor, index) => {
      processor.reset('power-up', index === 0);
      processor.memory.flush(undefined, true);
      this.#awake[index] = index === 0 ? 1 : 0;
      this.smmEntries[index] = 0;
    });
    this.retired = 0;
    this.chipsetSmis = 0;
    this.shutdownReason = undefined;
    this.#console.reset();
    this.#setAccesses(0);
  }

  /** Copies the whole machine out. Call it between runs only. */
  save(): MachineSnapshot {
    return {
      version: 1,
      retired: this.retired,
      shutdownReason: this.shutdownReason,
      console: this.#console.save(),
      smmEntries: [...this.smmEntries],
      chipsetSmis: this.chipsetSmis,
      awake: [...this.#awake],
      accesses: this.deviceAccesses,
      scheduler: this.#scheduler.save(),
      clock: this.clock.save(),
      processors: this.processors.map((processor) => processor.save()),
      apics: this.apics.map((apic) => apic.save()),
      chipset: this.chipset.save(),
      attached: [...this.#attached].map(([name, device]) => ({ name, state: device.save() })),
      hostPages: this.#pages.save(),
      memory: this.#touched.save(),
      accelerator: this.accelerator.save(),
    };
  }

  /** Puts a snapshot of a machine with the same options back. Throws `SmmError` `SNAPSHOT_VERSION`. */
  restore(snapshot: MachineSnapshot): void {
    if (snapshot.version !== 1 || snapshot.processors.length !== this.processors.length) {
      throw new SmmError(
        'SNAPSHOT_VERSION',
        `a snapshot of version ${snapshot.version} with ${snapshot.processors.length} processors does not fit this machine`,
        'Restore into a machine built with the same options by the same release.',
        { version: snapshot.version, processors: snapshot.processors.length },
      );
    }
    // First what changes the memory map: the accelerator then gives its tables back, before the saved ones are put in place.
    this.chipset.restore(snapshot.chipset);
    for (const { name, state } of snapshot.attached) this.#attached.get(name)?.restore(state as never);
    this.retired = snapshot.retired;
    this.shutdownReason = snapshot.shutdownReason;
    this.#console.restore(snapshot.console);
    this.smmEntries.splice(0, this.smmEntries.length, ...snapshot.smmEntries);
    this.chipsetSmis = snapshot.chipsetSmis;
    this.#awake.set(snapshot.awake);
    this.#setAccesses(snapshot.accesses);
    this.#scheduler.restore(snapshot.scheduler);
    // After the devices, which change the address map while the accelerator still has its old tables.
    for (const at of this.#touched.clear()) this.#engine.written(at, 4096);
    const bytes = new Uint8Array(this.#buffer);
    for (const page of snapshot.memory) {
      bytes.set(page.bytes, page.at);
      this.#touched.mark(page.at);
      this.#engine.written(page.at, 4096);
    }
    this.#pages.restore(snapshot.hostPages);
    this.accelerator.restore(snapshot.accelerator);
    this.apics.forEach((apic, index) => {
      apic.restore(snapshot.apics[index]!);
    });
    this.processors.forEach((processor, index) => {
      processor.restore(snapshot.processors[index]!);
    });
    this.clock.restore(snapshot.clock);
  }

  /** Virtual time as devices see it: exact at the current instruction. */
  get deviceClock(): Clock {
    return {
      now: () => this.#now(),
      createAlarm: (name, onExpire) => this.clock.createAlarm(name, onExpire),
    };
  }

  /** The machine's memory, by host offset. Tell {@link Machine.written} of every change. */
  get bytes(): Uint8Array {
    return new Uint8Array(this.#buffer);
  }

  /** Host memory was changed by a device. */
  written(hostOffset: number, sizeBytes: number): void {
    this.#touched.markRange(hostOffset, sizeBytes);
    this.#engine.written(hostOffset, sizeBytes);
  }

  /** Adds a device to resets and snapshots; its ports and regions are the caller's to register. */
  attach(name: string, device: AttachedDevice): void {
    this.#attached.set(name, device);
  }

  /** Reads guest-physical memory without side effects, as a processor in or out of SMM sees it. */
  peek(gpa: number, sizeBytes: number, smm = false): Uint8Array {
    const bytes = new Uint8Array(sizeBytes);
    this.space.readBlock(gpa, bytes, TX_DEBUG | (smm ? 0x1_0000 : 0));
    return bytes;
  }

  /** What the translator has done so far; undefined where no processor is translated. */
  get translations(): TranslationStatistics | undefined {
    return this.#engine.translations;
  }

  /** Device accesses of processors so far. */
  get deviceAccesses(): number {
    return this.processors.reduce((sum, { shortcuts }) => sum + shortcuts.timeReads, this.#bus.accesses);
  }

  #setAccesses(count: number): void {
    this.#bus.accesses = count;
    for (const { shortcuts } of this.processors) shortcuts.timeReads = 0;
  }

  /** Starts to count stores and to collect read addresses: drops every TLB so that each page is asked for anew. */
  watchStores(): void {
    for (const processor of this.processors) processor.memory.flush(undefined, true);
    this.#watch.start();
  }

  /** Ends {@link watchStores}: whether any processor stored, and what each read first on every page it read. */
  watched(): WatchedAccesses {
    return this.#watch.stop();
  }

  /** Stores seen since {@link watchStores}, while it goes on watching. */
  get storesSoFar(): number {
    return this.#watch.stores;
  }

  /** Runs one processor for exactly one instruction (fewer if it cannot go on). The trace shows no preemption after it. */
  step(index: number): void {
    this.#turn(index, 1, false);
  }

  #buildAccelerator(): Accelerator {
    const { accelerator, model } = this.#options;
    const features: PagingFeatures = {
      maxPhyAddr: model.physBits,
      pages1GiB: model.features.has('pdpe1gb'),
      pse36: model.features.has('pse36'),
    };
    const common = {
      space: this.space,
      bus: this.#bus,
      buffer: this.#buffer,
      features,
      written: (at: number, size: number) => {
        this.#touched.markRange(at, size);
        this.#engine.written(at, size);
      },
    };
    if (accelerator === 'tcg') return new TcgAccelerator(common);
    return new KvmAccelerator({
      ...common,
      pages: this.#pages,
      recorder: this.#recorder,
      processor: (index) => this.processors[index]!,
      rip: (index) => this.processors[index]!.insnRip,
      options: accelerator.options,
      switches: accelerator.switches,
    });
  }

  #buildApicBus(): ApicBus {
    const { accelerator } = this.#options;
    const inKernel = accelerator !== 'tcg' && accelerator.options.kernelIrqchip;
    const flavour: ApicFlavour = inKernel ? 'kvm-2015' : 'sdm';
    return new ApicBus({
      flavour,
      ...(accelerator === 'tcg'
        ? {}
        : {
            behaviour: {
              apicIdOnInit: accelerator.switches.apicIdOnInit,
              smiFromIcr: accelerator.switches.smiFromIcr,
            },
          }),
      observer: apicObserver(this.#recorder, inKernel),
      onEoi: (vector) => this.chipset.endOfInterrupt(vector),
    });
  }

  #addProcessor(index: number, bus: ApicBus): void {
    const { model, behaviour, cpus, saveState, tier } = this.#options;
    const wake = (act: (processor: Processor) => void) => (): void => {
      this.#wake(index);
      act(this.processors[index]!);
    };
    const apic = new LocalApic({
      apicId: index,
      bus,
      clock: {
        now: () => this.#now(),
        createAlarm: (name, f) => this.clock.createAlarm(`${name}-${index}`, f),
      },
      bsp: index === 0,
      pic: { acknowledge: () => this.chipset.acknowledgeInterrupt() },
      x2apic: model.features.has('x2apic'),
      physicalAddressBits: model.physBits,
      onChange: () => {
        this.#wake(index);
        this.processors[index]?.interruptChanged();
      },
      processor: {
        smi: wake((p) => {
          this.#recorder.emit(index, { name: 'smm_smi', vcpu: index, source: this.#current?.index ?? -1 });
          p.raiseSmi();
        }),
        nmi: wake((p) => p.raiseNmi()),
        init: wake((p) => p.raiseInit()),
        sipi: (vector) => {
          this.#wake(index);
          this.processors[index]!.raiseSipi(vector);
        },
      },
    });
    this.apics.push(apic);
    const processor = this.#engine.createProcessor({
      index,
      model,
      behaviour,
      bsp: index === 0,
      ...(tier === undefined ? {} : { tier }),
      ports: {
        translator: this.#watch.translator(this.accelerator.translator),
        memory: this.accelerator.memory,
        io: this.accelerator.io,
        apic: localApicPort(apic, {
          sync: () => this.#syncTime(),
          touched: () => this.#deadlinesMoved(),
        }),
        saveState: new SaveStateCodec(saveState, { clearUnused: this.accelerator.name === 'kvm' }),
        time: {
          tsc: () => {
            this.#bus.accesses++;
            return BigInt(Math.floor(this.#now()));
          },
        },
        observer: joinObservers(
          this.accelerator.observer,
          machineObserver(this.#recorder),
          this.#options.observer,
          {
            initTaken: () => apic.reset('init'),
            smiEntered: () => {
              this.smmEntries[index]!++;
            },
            shutdown: (_index, reason) => {
              this.shutdownReason = `processor ${index}: ${reason}`;
            },
            ...(this.#options.yieldOnPause === true && {
              instruction: (_index, name) => {
                if (name === 'PAUSE') this.#yield();
              },
            }),
          },
        ),
      },
    });
    processor.topology = { apicId: index, logicalProcessors: cpus };
    this.processors.push(processor);
    processor.shortcuts.tsc = this.#options.observer?.instruction === undefined;
    this.#awake[index] = index === 0 ? 1 : 0;
    this.smmEntries.push(0);
  }

  /** Tells the processors which port shows nothing but time. Under kvm every IN is an exit that the trace shows. */
  #declareCounter(): void {
    const counter = this.accelerator.name === 'tcg' ? this.ports.tickCounter() : undefined;
    for (const { shortcuts } of this.processors) shortcuts.counter = counter;
  }

  /** A processor may have something to do from now on. */
  #wake(index: number): void {
    if (this.#awake[index] !== 0) return;
    this.#awake[index] = 1;
    if (this.#current !== undefined) this.#watchPause(this.#current);
  }

  /** PAUSE is of interest to an observer of the options, or ends the turn if another processor can use the time. */
  #watchPause({ index, shortcuts }: Processor): void {
    const { observer, yieldOnPause } = this.#options;
    shortcuts.pauseWatched =
      observer?.instruction !== undefined || (yieldOnPause === true && this.#othersAwake(index));
  }

  #othersAwake(index: number): boolean {
    for (let i = 0; i < this.#awake.length; i++) if (i !== index && this.#awake[i] !== 0) return true;
    return false;
  }

  #turn(index: number, slice: number, preemptible = true): void {
    const processor = this.processors[index]!;
    this.#turnStartNs = this.clock.now();
    this.#turnStartRetired = processor.retiredNow();
    this.#current = processor;
    this.#watchPause(processor);
    this.accelerator.turnStarts(index);
    let left = slice;
    let preempted = preemptible;
    this.#yielded = false;
    try {
      while (left > 0 && this.shutdownReason === undefined) {
        const nowNs = this.clock.now();
        this.#turnStartNs = nowNs;
        this.#turnStartRetired = processor.retiredNow();
        processor.shortcuts.setTime(nowNs, this.#turnStartRetired, this.nsPerInstruction);
        const nextAlarm = this.clock.nextExpiry();
        const untilAlarm = Math.ceil((nextAlarm - nowNs) / this.nsPerInstruction);
        const budget = Math.max(1, Math.min(left, untilAlarm));
        this.#turnDeadline = Math.min(nowNs + budget * this.nsPerInstruction, nextAlarm);
        const exit = processor.run(budget);
        const used = processor.retiredNow() - this.#turnStartRetired;
        left -= used;
        this.retired += used;
        this.clock.advanceTo(nowNs + used * this.nsPerInstruction);
        if (exit.reason === 'halted' || exit.reason === 'wait-for-sipi' || exit.reason === 'shutdown') {
          this.#awake[index] = 0;
          preempted = false;
          break;
        }
        if (this.#yielded) {
          preempted = false;
          break;
        }
        if (used === 0 && exit.reason === 'event') left--; // never spin without progress
      }
    } finally {
      this.#current = undefined;
    }
    this.accelerator.turnEnded(index, preempted);
  }

  /** Ends the running turn if another processor can use the time. */
  #yield(): void {
    const current = this.#current;
    if (current === undefined || !this.#othersAwake(current.index)) return;
    this.#yielded = true;
    current.requestExit();
  }

  /** Virtual time at the current instruction. */
  #now(): number {
    const p = this.#current;
    if (p === undefined) return this.clock.now();
    return this.#turnStartNs + (p.retiredNow() - this.#turnStartRetired) * this.nsPerInstruction;
  }

  #syncTime(): void {
    const now = this.#now();
    if (now > this.clock.now()) this.clock.advanceTo(now);
  }

  /** A device may have set an earlier alarm than the running turn was planned for. */
  #deadlinesMoved(): void {
    if (this.#current !== undefined && this.clock.nextExpiry() < this.#turnDeadline)
      this.#current.requestExit();
  }

  #chipsetSmi(target: number | 'all'): void {
    this.chipsetSmis++;
    const raise = (index: number): void => {
      this.#recorder.emit(index, { name: 'smm_smi', vcpu: index, source: -1 });
      this.#wake(index);
      this.processors[index]!.raiseSmi();
    };
    if (target === 'all') for (let index = 0; index < this.processors.length; index++) raise(index);
    else raise(target);
  }
}

/** Offset of the SMBASE field from SMBASE. */
function smbaseOffset(layout: SaveStateLayout): number {
  const field = layout.fields.find((row) => row.name === 'smbase')!;
  return field.offset + 0x8000;
}
