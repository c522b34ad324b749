/** Boots firmware that nobody here wrote: flash images in, serial text out, and a verdict. */
import { SLP_TYP_S4, SLP_TYP_S5, type Uart16550 } from '@smm/chipset-q35';
import { RFLAGS_IF, UnmodelledError, wholeNumber } from '@smm/x86-defs';
import { Machine } from '../../machine.ts';
import { countsOf, cpuCore } from '../report.ts';
import { isCut, Looks } from '../run.ts';
import { type BootOptions, reservedFor, resolveBoot, smbiosProcessors } from './boot-options.ts';
import { type BusyWait, BusyWaitDetector } from './busy-wait.ts';
import { placeDisks } from './disks.ts';
import { isUefi } from './firmware-volumes.ts';
import { FirmwareWatch } from './firmware-watch.ts';
import { type LastWord, LastWords } from './last-words.ts';
import { LostDetector } from './lost.ts';
import type { ModuleLocation } from './module-map.ts';
import { type PhaseTracker, SHELL_BANNER } from './phase.ts';
import { type BootPlatformOptions, bootPlatform } from './platform.ts';
import type { BootCpuReport, BootOutcome, BootReport, BootStuck } from './report.ts';
import { SleepLog } from './sleep-log.ts';
import { firmwareAddress } from './whereabouts.ts';

/** Why {@link Boot.run} returned. */
export type BootStop =
  | 'budget'
  | 'interrupted'
  | 'stopped'
  | 'idle'
  | 'suspended'
  | 'shutdown'
  | 'stuck'
  | 'lost'
  | 'reset'
  | 'powered-off';

/** Instructions between two looks for a hang, unless the options say otherwise. */
const LOOK_EVERY = 8_000_000;
/** Instructions in which a module of the firmware, or anything on the serial port, must have been seen. */
const FIRST_SIGN = 100_000_000;
const VECTOR_DOUBLE_FAULT = 8;
/** Virtual time without an instruction after which processors that take no interrupts are asleep for ever. */
const ASLEEP_NS = 1_000_000_000;
/** The same for processors that would take one. */
const ASLEEP_LISTENING_NS = 600_000_000_000;
/** Characters of a text to wait for. */
const LONGEST_TEXT = 4096;
/** SLP_TYPs that turn the machine off. */
const OFF: readonly number[] = [SLP_TYP_S4, SLP_TYP_S5];

/** Tells SeaBIOS to show its texts on COM1 and to take keys there, as QEMU's -nographic does. */
const SERIAL_CONSOLE = { name: 'etc/sercon-port', data: Uint8Array.of(0xf8, 0x03) };
/** No chip for variables. */
const NO_FLASH = new Uint8Array(0);

/** A machine with firmware in flash. */
export class Boot {
  /** The machine. */
  readonly machine: Machine;
  /** The hang, once it is established. */
  busyWait: BusyWait | undefined;
  /** Who executes what is no code, in words, once that is established. */
  lost: string | undefined;
  /** Bytes that the guest has sent over the serial port. */
  printed = 0;
  /** The times that the guest spent in S3. */
  readonly sleeps: SleepLog = new SleepLog();

  readonly #options: BootOptions;
  readonly #watch: FirmwareWatch;
  readonly #detector: BusyWaitDetector;
  readonly #delivered = new Map<string, number>();
  readonly #watchers: SerialWatcher[] = [];
  readonly #lostDetector: LostDetector;
  readonly #looks: Looks;
  #banner = new SerialWatcher(SHELL_BANNER);
  readonly #onSerial = new LastWords();
  readonly #onDebug = new LastWords();
  #idle = false;
  /** Instructions and virtual time when an instruction was last seen to retire. */
  #active = { retired: -1, ns: 0 };
  /** Processor that took a double fault which has not been looked at. */
  #doubleFaulted: number | undefined;
  #resetAsked = false;
  #offAsked = false;
  /** The last run was interrupted, perhaps in the middle of a turn. */
  #cut = false;

  /** Throws `SmmError` `FLASH_SIZE` for images that cannot be flash, and what `Machine` throws. */
  constructor(options: BootOptions) {
    const config = resolveBoot(options);
    this.#options = options;
    const { code, vars = NO_FLASH, kernel } = options;
    const fwCfgFiles = options.fwCfgFiles ?? [];
    const console =
      !isUefi(code) &&
      options.serialConsole !== false &&
      !fwCfgFiles.some(({ name }) => name === SERIAL_CONSOLE.name);
    const flash = new Uint8Array(vars.length + code.length);
    flash.set(vars);
    flash.set(code, vars.length);
    const { sata, parts, order } = placeDisks(options.disks ?? [], options.rng);
    const platform: BootPlatformOptions = {
      sata,
      varsSize: vars.length,
      secureFlash: options.secureFlash ?? true,
      fwCfg: {
        ...(options.sleepStates && { sleepStates: options.sleepStates }),
        files: [...(console ? [SERIAL_CONSOLE] : []), ...fwCfgFiles],
        ...(kernel && { kernel }),
        boot: { ...options.boot, order: [...order, ...(options.boot?.order ?? [])] },
        reserved: reservedFor(config.machine.model),
        acpi: options.acpi ?? true,
        ...(options.acpiTables && { acpiTables: options.acpiTables }),
        smbios: {
          processors: smbiosProcessors(config.machine.model, config.machine.cpus, options.topology),
          ...(options.smbios && { texts: options.smbios }),
        },
      },
      smiFeatures: options.smiFeatures ?? (options.smiFeatures === null ? 0 : 7),
      keyboard: options.keyboard ?? true,
      transmit: (byte) => {
        for (const watcher of this.#watchers) watcher.see(byte);
        this.printed++;
        this.#banner.see(byte);
        this.#onSerial.see(byte);
        if (this.#banner.found) {
          this.phases.see('shell', this.machine.chipsetSmis);
          this.#onSerial.forget();
        }
        options.serial?.(byte);
      },
      roomAgain: () => options.roomAgain?.(),
      varsWritten: () => options.varsWritten?.(),
    };
    this.machine = new Machine({
      ...config.machine,
      flash,
      ...(options.topology !== undefined && { topology: options.topology }),
      board: {
        ...(options.extTsegMb !== undefined && { extTsegMb: options.extTsegMb }),
        ...(options.startTime !== undefined && { startTime: options.startTime }),
      },
      debug: (byte) => {
        this.#onDebug.see(byte);
        options.debug?.(byte);
      },
      comm: 'qemu-system-x86',
      yieldOnPause: true,
      onReset: () => {
        this.#resetAsked = true;
      },
      onSleep: (type) => {
        if (!OFF.includes(type)) refuseSleep(type);
        this.#offAsked = true;
      },
      onSuspend: () => this.sleeps.begun(this.machine.clock.now()),
      onResume: (cause) => {
        this.sleeps.ended(this.machine.clock.now(), cause);
        this.#startAnew();
      },
      observer: {
        interruptDelivered: (processor, vector, kind) => {
          if (vector === VECTOR_DOUBLE_FAULT && kind === 'exception') this.#doubleFaulted ??= processor;
          const key = `${kind} ${vector}`;
          this.#delivered.set(key, (this.#delivered.get(key) ?? 0) + 1);
        },
        smmLeft: (processor, from, to) => this.sleeps.leftSmm(processor, from, to),
      },
      peripherals: (offered) => bootPlatform(platform, offered),
      ...(parts && { parts }),
    });
    this.#watch = new FirmwareWatch(this.machine);
    this.#detector = new BusyWaitDetector(this.machine);
    this.#lostDetector = new LostDetector(this.machine);
    const { lookEvery = LOOK_EVERY } = options;
    this.#looks = new Looks(this.machine, () => lookEvery);
  }

  /** COM1: bytes for the guest go into {@link Uart16550.receive}. */
  get serial(): Uart16550 {
    return this.machine.chipset.devices.serial!;
  }

  /**
   * Runs for up to `instructions` of all processors, or until `until` says so. `stuck` and `lost` are answered once:
   * calling again goes on. `reset`: the guest asked for a reset; {@link Boot.restart} does it. `interrupted`:
   * `interrupt` said so, as for `Machine.run`; `stopped`: a hook did.
   */
  run(instructions: number, until?: () => boolean, interrupt?: () => boolean): BootStop {
    const { machine } = this;
    const end = machine.retired + instructions;
    if (instructions <= 0 && !this.#cut) return 'budget';
    do {
      const stop = this.#looks.run(end, {
        until: () => {
          this.#watch.follow(this.printed > 0 || this.machine.log.length > 0);
          if (this.#resetAsked || this.#offAsked || this.#sleepsForEver()) return true;
          if (this.#doubleFaulted !== undefined && this.lost === undefined) return true;
          return until?.() === true;
        },
        ...(interrupt && { interrupt }),
      });
      this.#cut = isCut(stop);
      if (isCut(stop)) return stop;
      if (stop !== 'shutdown' && this.#afterDoubleFault()) return 'lost';
      if (this.#idle) {
        this.#idle = false;
        return 'idle';
      }
      if (this.#offAsked) return 'powered-off';
      if (this.#resetAsked) return 'reset';
      if (stop === 'asked') return 'budget';
      if (stop === 'shutdown' || stop === 'idle' || stop === 'suspended') return stop;
      if (stop === 'asleep' && machine.suspended) return 'suspended';
      if (!this.#looks.due) continue;
      const verdict = this.#look();
      this.#looks.taken();
      if (verdict !== undefined) return verdict;
    } while (machine.retired < end);
    return 'budget';
  }

  /**
   * Does the system reset that the guest asked for, or that follows a triple fault: everything but RAM contents, flash
   * contents and time.
   */
  restart(): void {
    this.#resetAsked = false;
    this.#offAsked = false;
    this.sleeps.restarted();
    this.#startAnew();
    this.machine.systemReset();
  }

  /** What was known of the firmware that ran is no longer true. */
  #startAnew(): void {
    this.busyWait = undefined;
    this.lost = undefined;
    this.#doubleFaulted = undefined;
    this.#watch.restart();
    this.#banner = new SerialWatcher(SHELL_BANNER);
    this.#onSerial.forget();
    this.#onDebug.forget();
  }

  /** What the firmware said last, if it goes no further by itself. */
  get lastWord(): LastWord | undefined {
    return this.#onSerial.word ?? this.#onDebug.word;
  }

  /** A file of this GUID is in a firmware volume in memory. */
  hasFile(guid: string): boolean {
    return this.#watch.hasFile(guid);
  }

  /**
   * A question that is answered with true once the guest has sent `text` over the serial port after this call. Throws
   * `SmmError` `OPTION_VALUE` for a text without characters.
   */
  watchSerial(text: string): () => boolean {
    wholeNumber('the length of the text to wait for', text.length, 1, LONGEST_TEXT);
    const watcher = new SerialWatcher(text);
    this.#watchers.push(watcher);
    return () => watcher.found;
  }

  /** The variable store as it is now; a copy. */
  vars(): Uint8Array {
    const { romOffset } = this.machine.plan;
    return this.machine.bytes.slice(romOffset, romOffset + (this.#options.vars?.length ?? 0));
  }

  /** Where the firmware is. */
  get phases(): PhaseTracker {
    return this.#watch.phases;
  }

  /** The firmware module at a linear address, by the volumes and images that are in memory. */
  moduleAt(address: number): ModuleLocation | undefined {
    return this.#watch.moduleAt(address);
  }

  /** Module that the boot processor is in, as far as known without a new look at memory. */
  moduleNow(): ModuleLocation | undefined {
    return this.#watch.moduleNow();
  }

  /** What each processor does. */
  cpus(): BootCpuReport[] {
    return this.machine.processors.map((_, id) => ({
      ...cpuCore(this.machine, id),
      idle: this.machine.idleReason(id),
      module: this.#moduleOf(id),
    }));
  }

  #moduleOf(id: number): ModuleLocation | undefined {
    const at = firmwareAddress(this.machine, id);
    return at === undefined ? undefined : this.moduleAt(at);
  }

  /** The hang with its module, once it is established. */
  stuck(): BootStuck | undefined {
    const { busyWait } = this;
    return (
      busyWait && { ...busyWait, module: this.#moduleOf(busyWait.processor) && this.moduleAt(busyWait.rip) }
    );
  }

  /** Everything that is known now, under the given verdict. */
  report(outcome: BootOutcome, summary: string, resets = 0): BootReport {
    const { machine, phases } = this;
    phases.see(undefined, machine.chipsetSmis);
    return {
      outcome,
      summary,
      phase: phases.phase,
      cpus: this.cpus(),
      stuck: this.stuck(),
      smis: machine.chipsetSmis,
      smisByCommand: new Map(machine.smiCommands),
      smisByPhase: new Map(phases.smis),
      delivered: new Map(this.#delivered),
      debugLines: machine.log,
      resets,
      sleeps: this.sleeps.sleeps,
      ...countsOf(machine),
    };
  }

  #look(): 'stuck' | 'lost' | undefined {
    if (this.busyWait === undefined && !this.#osMayGoOn()) {
      this.busyWait = this.#detector.look();
      if (this.busyWait !== undefined) return 'stuck';
    }
    if (this.lost === undefined) {
      this.lost = this.#lostDetector.look() ?? this.#signOfLife();
      if (this.lost !== undefined) return 'lost';
    }
    return undefined;
  }

  /** An operating system runs, and a loop that waits can be interrupted: what waits is its own matter. */
  #osMayGoOn(): boolean {
    const { machine, phases } = this;
    return (
      phases.phase === 'OS' &&
      machine.runnable().every((id) => {
        const { smm, rflags } = machine.processors[id]!.state;
        return !smm && (rflags & RFLAGS_IF) !== 0;
      })
    );
  }

  /**
   * Nothing has executed for long virtual time although timers go on: no interrupt comes through. Time alone says
   * nothing: it may have passed at once, up to an alarm that has just woken somebody.
   */
  #sleepsForEver(): boolean {
    const { machine } = this;
    const ns = machine.clock.now();
    const runs = machine.processors.some((_, id) => machine.idleReason(id) === undefined);
    if (runs || machine.suspended || machine.retired !== this.#active.retired) {
      this.#active = { retired: machine.retired, ns };
      return false;
    }
    if (ns - this.#active.ns < ASLEEP_NS) return false;
    if (machine.runnable().length > 0 || machine.chipset.devices.tco.running) return false;
    const deaf = machine.processors.every(({ state }) => (state.rflags & RFLAGS_IF) === 0);
    const listensInVain = this.phases.phase !== 'OS' && ns - this.#active.ns >= ASLEEP_LISTENING_NS;
    this.#idle = deaf || listensInVain;
    return this.#idle;
  }

  /** A double fault that no code of the firmware handles. */
  #afterDoubleFault(): boolean {
    const id = this.#doubleFaulted;
    this.#doubleFaulted = undefined;
    if (id === undefined || this.lost !== undefined || this.phases.phase === 'OS') return false;
    const { rip } = this.machine.processors[id]!.state;
    if (this.#moduleOf(id) !== undefined) return false;
    this.lost = `CPU ${id} took a double fault and went on at 0x${rip.toString(16)}, where no module of the firmware is`;
    return true;
  }

  /** Garbage can run for ever; firmware runs a module of its own soon, or says something. */
  #signOfLife(): string | undefined {
    if (this.printed > 0 || this.phases.phase !== 'reset' || this.machine.retired < FIRST_SIGN)
      return undefined;
    return `after ${this.machine.retired} instructions no module of a firmware volume has run and nothing was printed: this is not firmware, or not for this processor`;
  }
}

/** Waits for a text in a stream of bytes. */
class SerialWatcher {
  found = false;
  readonly #text: string;
  #tail = '';

  constructor(text: string) {
    this.#text = text;
  }

  see(byte: number): void {
    if (this.found) return;
    this.#tail = (this.#tail + String.fromCharCode(byte)).slice(-this.#text.length);
    this.found = this.#tail === this.#text;
  }
}

function refuseSleep(type: number): never {
  throw new UnmodelledError(
    'SLEEP_STATE',
    `the guest asked for sleep type ${type}`,
    "Only S3, S4 and S5 of QEMU's tables are modelled (SLP_TYP 1, 2 and 0): use those tables.",
    { type },
  );
}
