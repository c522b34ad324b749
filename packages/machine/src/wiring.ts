/** Builds a machine: makes its parts and connects them. Nothing here runs afterwards but the connections. */
import { IoPortSpace, PhysicalAddressSpace, TX_DMA, txInitiator, VirtualClock } from '@smm/bus';
import type { Q35Chipset, WakeCause } from '@smm/chipset-q35';
import { createWindow, Engine, joinObservers, type Processor } from '@smm/cpu-core';
import { SaveStateCodec } from '@smm/smram';
import type { SaveStateLayout } from '@smm/x86-defs';
import { ApicBus, LocalApic } from '@smm/xapic';
import type { Accelerator } from './accel/accelerator.ts';
import { buildAccelerator } from './accel/build.ts';
import { TranslationWatch } from './accel/translation-watch.ts';
import { Driver } from './driver.ts';
import { checkMachineOptions, type MachineOptions, NS_PER_INSTRUCTION } from './machine-options.ts';
import type { Counters } from './machine-state.ts';
import { apicObserver, machineObserver } from './observers.ts';
import { APIC_PAGE, APIC_REGION_SIZE, ApicPage } from './platform/apic-page.ts';
import { buildChipset } from './platform/chipset.ts';
import { DebugConsole } from './platform/debug-console.ts';
import { GuestBus } from './platform/guest-bus.ts';
import { HostPages } from './platform/host-pages.ts';
import { localApicPort } from './platform/local-apic-port.ts';
import { type MemoryPlan, planMemory } from './platform/memory-plan.ts';
import type { PagingFeatures } from './platform/paging.ts';
import { TouchedPages } from './platform/touched-pages.ts';
import { Recorder } from './recorder.ts';

/** What S3 does to a whole machine. */
export interface SleepChanges {
  /** To S3; answers what ends it at once, if something does. */
  readonly suspend: () => WakeCause | undefined;
  /** Back: processors start from reset. */
  readonly resume: () => void;
}

/** The parts of one machine, connected. */
export class Wiring {
  readonly plan: MemoryPlan;
  /** The flash image at power-on; a copy. */
  readonly flash: Uint8Array;
  readonly buffer: ArrayBufferLike;
  readonly processors: Processor[] = [];
  readonly apics: LocalApic[] = [];
  readonly clock: VirtualClock = new VirtualClock();
  readonly nsPerInstruction: number;
  readonly engine: Engine;
  readonly touched: TouchedPages;
  readonly pages: HostPages;
  readonly recorder: Recorder;
  readonly space: PhysicalAddressSpace;
  readonly ports: IoPortSpace;
  readonly bus: GuestBus;
  readonly watch: TranslationWatch;
  readonly driver: Driver;
  readonly console: DebugConsole;
  readonly counters: Counters;
  readonly accelerator: Accelerator;
  readonly chipset: Q35Chipset;
  /** Begins and ends S3; set by the machine, whose state they change as a whole. */
  sleep!: SleepChanges;
  readonly #options: MachineOptions;
  /** Level of INTR, from the 8259 pair to every LINT0: it is up before there are local APICs to hear of it. */
  #intr = false;

  /** Throws `SmmError`s for options that make no sense or do not fit together. */
  constructor(options: MachineOptions) {
    checkMachineOptions(options);
    this.#options = options;
    const { cpus, memoryMiB, model, decodedMiB, schedule, observer } = options;
    this.flash = options.flash.slice();
    this.plan = planMemory(cpus, memoryMiB, this.flash.length, model.features.has('x2apic'), decodedMiB);
    this.nsPerInstruction = options.nsPerInstruction ?? NS_PER_INSTRUCTION;
    const window = createWindow(this.plan.totalSize);
    this.buffer = window.buffer;
    this.touched = new TouchedPages(this.buffer, this.flash, this.plan.romOffset);
    this.engine = new Engine({
      window,
      cacheOffset: this.plan.engineOffset,
      cacheSize: this.plan.engineSize,
      ...(options.interpreter && { interpreter: options.interpreter }),
      ...(options.translator && { translator: options.translator }),
    });
    const { hostOffset, hostSize } = this.plan;
    this.pages = new HostPages(this.buffer, hostOffset, hostSize, (at) => this.touched.mark(at));
    this.driver = new Driver(
      {
        processors: this.processors,
        clock: this.clock,
        nsPerInstruction: this.nsPerInstruction,
        yieldOnPause: options.yieldOnPause === true,
        pauseObserved: observer?.instruction !== undefined,
        suspended: () => this.chipset.suspended,
        mayWake: () => this.chipset.mayWake,
      },
      schedule,
    );
    this.recorder = new Recorder(options.trace, () => this.driver.now(), options.comm);
    this.console = new DebugConsole((text) => {
      const vcpu = this.driver.current?.index ?? 0;
      this.recorder.emit(vcpu, { name: 'smm_debugcon', vcpu, text });
    });
    this.space = new PhysicalAddressSpace({
      ram: { buffer: this.buffer, byteOffset: 0, byteLength: this.buffer.byteLength },
      written: (at, size) => this.written(at, size),
      onUnclaimed: (a) => this.#unclaimed('memory', a.gpa, a.sizeBytes, a.value !== undefined, a.attrs),
    });
    this.ports = new IoPortSpace({
      onUnclaimed: (a) => this.#unclaimed('io', a.port, a.sizeBytes, a.value !== undefined, a.attrs),
    });
    this.bus = new GuestBus({
      space: this.space,
      ports: this.ports,
      recorder: this.recorder,
      syncTime: () => this.driver.syncTime(),
      touched: () => this.driver.touched(),
      rip: (index) => this.processors[index]!.insnRip,
      smbase: (index) => this.processors[index]!.state.smbase,
      smbaseFieldOffset: smbaseOffset(options.saveState),
    });
    this.counters = this.#buildCounters();
    this.watch = new TranslationWatch(this.touched, (processor) => this.bus.savePage(processor));
    this.accelerator = this.#buildAccelerator();
    this.driver.listener = this.accelerator;
    const apicBus = this.#buildApicBus();
    this.space.add({
      name: 'lapic',
      kind: 'mmio',
      start: APIC_PAGE,
      sizeBytes: APIC_REGION_SIZE,
      priority: 100,
      device: new ApicPage(this.apics, apicBus),
    });
    this.chipset = this.#buildChipset(apicBus);
    this.ports.onChange(() => this.#declareCounter());
    this.space.onChange(() => {
      this.accelerator.mapChanged();
      for (const processor of this.processors) processor.memory.flush();
      this.driver.mapChanged();
    });
    for (let index = 0; index < cpus; index++) this.#addProcessor(index, apicBus);
    for (const apic of this.apics) apic.setLint(0, this.#intr);
    this.driver.wakeFirstAlone();
    this.#declareCounter();
    this.accelerator.mapChanged();
  }

  /** Host memory was changed by something other than a processor's store. */
  written(hostOffset: number, sizeBytes: number): void {
    this.touched.markRange(hostOffset, sizeBytes);
    this.engine.written(hostOffset, sizeBytes);
    this.driver.worked(sizeBytes >>> 4);
  }

  #unclaimed(space: 'memory' | 'io', address: number, size: number, write: boolean, attrs: number): void {
    // A device's access shows in the thread of the processor that is running, as in QEMU.
    const vcpu = (attrs & TX_DMA) !== 0 ? (this.driver.current?.index ?? 0) : txInitiator(attrs);
    this.driver.worked(1);
    this.recorder.emit(vcpu, { name: 'smm_unclaimed', vcpu, space, address: BigInt(address), write, size });
  }

  #buildCounters(): Counters {
    const { bus, processors } = this;
    return {
      smmEntries: [],
      chipsetSmis: 0,
      smiCommands: new Map(),
      get accesses() {
        return processors.reduce((sum, { shortcuts }) => sum + shortcuts.timeReads, bus.accesses);
      },
      set accesses(count) {
        bus.accesses = count;
        for (const { shortcuts } of processors) shortcuts.timeReads = 0;
      },
    };
  }

  #buildAccelerator(): Accelerator {
    const { accelerator, model } = this.#options;
    const features: PagingFeatures = {
      maxPhyAddr: model.physBits,
      pages1GiB: model.features.has('pdpe1gb'),
      pse36: model.features.has('pse36'),
    };
    return buildAccelerator(accelerator, {
      space: this.space,
      bus: this.bus,
      buffer: this.buffer,
      features,
      written: (at, size) => this.written(at, size),
      pages: this.pages,
      recorder: this.recorder,
      processor: (index) => this.processors[index]!,
      apicPage: (index) => this.apics[index]!.mmioBase,
      rip: (index) => this.processors[index]!.insnRip,
    });
  }

  #buildApicBus(): ApicBus {
    const { flavour, behaviour, inKernel } = this.accelerator.apics;
    return new ApicBus({
      flavour,
      behaviour,
      observer: apicObserver(this.recorder, inKernel),
      onEoi: (vector) => this.chipset.endOfInterrupt(vector),
    });
  }

  #buildChipset(apicBus: ApicBus): Q35Chipset {
    const { cpus, onReset, onSleep, peripherals, parts } = this.#options;
    return buildChipset({
      space: this.space,
      ports: this.ports,
      clock: {
        now: () => this.driver.now(),
        createAlarm: (name, onExpire) => this.clock.createAlarm(name, onExpire),
      },
      plan: this.plan,
      cpus,
      smi: (processor, command) => this.#chipsetSmi(processor, command),
      debugByte: (byte) => {
        this.console.write(byte);
        this.#options.debug?.(byte);
      },
      apicIds: this.#options.topology?.apicIds,
      board: this.#options.board,
      reset: onReset,
      sleep: onSleep,
      suspend: () => {
        const vcpu = this.driver.current?.index ?? 0;
        this.recorder.emit(vcpu, { name: 'smm_suspend', vcpu });
        this.driver.afterInstruction(() => this.#suspend());
      },
      wake: (cause) => this.driver.afterInstruction(() => this.#resume(cause)),
      parts,
      peripherals: peripherals?.({
        interrupts: {
          deliver: (message) => {
            apicBus.deliver(message);
          },
          intr: {
            set: (level) => {
              this.#intr = level;
              for (const apic of this.apics) apic.setLint(0, level);
            },
          },
        },
        bytes: new Uint8Array(this.buffer),
        written: (at, size) => this.written(at, size),
      }),
    });
  }

  #suspend(): void {
    const cause = this.sleep.suspend();
    this.#options.onSuspend?.();
    if (cause !== undefined) this.#resume(cause);
  }

  #resume(cause: WakeCause): void {
    this.sleep.resume();
    this.recorder.emit(0, { name: 'smm_resume', vcpu: 0, cause });
    this.#options.onResume?.(cause);
  }

  #buildApic(index: number, bus: ApicBus): LocalApic {
    const { model } = this.#options;
    const wake = (act: (processor: Processor) => void) => (): void => {
      this.driver.wake(index);
      act(this.processors[index]!);
    };
    return new LocalApic({
      apicId: this.#options.topology?.apicIds[index] ?? index,
      bus,
      clock: {
        now: () => this.driver.now(),
        createAlarm: (name, f) => this.clock.createAlarm(`${name}-${index}`, f),
      },
      bsp: index === 0,
      pic: { acknowledge: () => this.chipset.acknowledgeInterrupt() },
      x2apic: model.features.has('x2apic'),
      physicalAddressBits: model.physBits,
      onChange: () => {
        this.driver.wake(index);
        this.processors[index]?.interruptChanged();
      },
      processor: {
        smi: wake((p) => {
          const source = this.driver.current?.index ?? -1;
          this.recorder.emit(index, { name: 'smm_smi', vcpu: index, source });
          p.raiseSmi();
        }),
        nmi: wake((p) => p.raiseNmi()),
        init: wake((p) => p.raiseInit()),
        sipi: (vector) => {
          this.driver.wake(index);
          this.processors[index]!.raiseSipi(vector);
        },
      },
    });
  }

  #addProcessor(index: number, bus: ApicBus): void {
    const { model, behaviour, cpus, topology, saveState, tier, observer, yieldOnPause } = this.#options;
    const apic = this.#buildApic(index, bus);
    this.apics.push(apic);
    const processor = this.engine.createProcessor({
      index,
      model,
      behaviour,
      bsp: index === 0,
      ...(tier === undefined ? {} : { tier }),
      ports: {
        pageWalker: this.watch.pageWalker(this.accelerator.pageWalker),
        memory: this.accelerator.memory,
        io: this.accelerator.io,
        apic: localApicPort(apic, {
          sync: () => this.driver.syncTime(),
          touched: () => this.driver.touched(),
        }),
        saveState: new SaveStateCodec(saveState, this.accelerator.saveStates),
        time: {
          tsc: () => {
            this.bus.accesses++;
            return BigInt(Math.floor(this.driver.now()));
          },
        },
        observer: joinObservers(this.accelerator.observer, machineObserver(this.recorder), observer, {
          initTaken: () => apic.reset('init'),
          smiEntered: () => {
            this.counters.smmEntries[index]!++;
          },
          shutdown: (_index, reason) => {
            this.driver.shutdownReason = `processor ${index}: ${reason}`;
          },
          ...(yieldOnPause === true && {
            instruction: (_index, name) => {
              if (name === 'PAUSE') this.driver.yield();
            },
          }),
        }),
      },
    });
    const { perPackage = cpus, perCore = 1, dies = 1 } = topology ?? {};
    processor.topology = {
      apicId: apic.initialId,
      logicalProcessors: perPackage,
      threadsPerCore: perCore,
      diesPerPackage: dies,
    };
    this.processors.push(processor);
    processor.shortcuts.tsc = observer?.instruction === undefined;
    this.counters.smmEntries.push(0);
  }

  /** Tells the processors which port shows nothing but time. */
  #declareCounter(): void {
    const counter = this.accelerator.hidesTimeReads ? this.ports.tickCounter() : undefined;
    for (const { shortcuts } of this.processors) shortcuts.counter = counter;
  }

  #chipsetSmi(target: number | 'all', command?: number): void {
    this.counters.chipsetSmis++;
    const { smiCommands } = this.counters;
    if (command !== undefined) smiCommands.set(command, (smiCommands.get(command) ?? 0) + 1);
    const raise = (index: number): void => {
      this.recorder.emit(index, { name: 'smm_smi', vcpu: index, source: -1 });
      this.driver.wake(index);
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
