/**
 * The Q35 chipset, composed: every device of the platform wired to an address space, a port space and a clock.
 *
 * {@link PeripheralOptions} says which devices stand around it. Not there, and reading as absent hardware does: SATA, USB, SMBus, TCO.
 */
import type {
  Clock,
  InterruptLine,
  IoPortSpace,
  PhysicalAddressSpace,
  PortHandle,
  RegisterFileState,
  Snapshottable,
} from '@smm/bus';
import { ICH9_APM_CNT, ICH9_PMIO_SIZE, SmmError, type SmramRange, type SmramRegisters } from '@smm/x86-defs';
import { Apm, type ApmState, type SmiTarget } from './apm.ts';
import type { CivilTime } from './civil-time.ts';
import { CMOS_INDEX_PORT, CmosRtc, type CmosRtcState } from './cmos-rtc.ts';
import { Lpc } from './lpc.ts';
import { Mch, type MchOptions } from './mch.ts';
import { type Backing, Q35MemoryMap } from './memory-map.ts';
import { PCI_CONFIG_ADDRESS_PORT, PciHost, type PciHostState } from './pci-host.ts';
import type { PeripheralOptions } from './peripheral-options.ts';
import { PmBlock, type PmBlockState, SCI_IRQ } from './pm-block.ts';
import { Q35Peripherals, type Q35PeripheralsState } from './q35-peripherals.ts';
import { RTC_IRQ } from './rtc-interrupts.ts';
import {
  DEBUG_PORT,
  debugPort,
  POST_CODE_PORT,
  postCodePort,
  SYSTEM_CONTROL_PORT_A,
  SystemControlPortA,
  type SystemControlPortAState,
} from './simple-ports.ts';

/** What a {@link Q35Chipset} is given: everything it reaches. */
export interface Q35Ports {
  /** Where the memory map is drawn. */
  readonly memory: PhysicalAddressSpace;
  /** Where the port devices are registered. */
  readonly io: IoPortSpace;
  /** Virtual time. */
  readonly clock: Clock;
  /**
   * Decides which ranges are SMRAM; `topOfLowRam` is the end of RAM below 4 GiB, guest-physical. `decodeSmram` of `@smm/smram` fits.
   */
  readonly decodeSmram: (
    registers: SmramRegisters,
    options: { topOfLowRam: number },
  ) => readonly SmramRange[];
  /** Raises an SMI for one processor (by index) or for all. */
  readonly smi: (target: SmiTarget) => void;
  /** The guest asked for a reset: of the whole system, or of the processors alone. The owner calls {@link Q35Chipset.reset} for the former. */
  readonly reset: (kind: 'system' | 'cpu') => void;
  /** A byte written to the debug port 402h. */
  readonly debugOut?: (byte: number) => void;
  /** A POST code written to port 80h. */
  readonly postCode?: (code: number) => void;
  /** The guest entered a sleep state; `type` is SLP_TYP, 3 bit. Left out: throws `SmmError` `SLEEP_UNHANDLED`. */
  readonly sleep?: (type: number) => void;
}

/** What the machine consists of. */
export interface Q35Options extends MchOptions {
  /** RAM within the RAM window of the address space. */
  readonly ram: Backing;
  /** Firmware within the RAM window; it ends at 4 GiB. */
  readonly rom: Backing;
  /** Number of processors, for CMOS. */
  readonly cpuCount: number;
  /** Devices around the core: flash, fw_cfg, serial port, keyboard, hot-plug registers, interrupt controllers. Default none. */
  readonly peripherals?: PeripheralOptions;
  /** Calendar time at virtual time 0; default 2015-10-21T00:00:00. */
  readonly startTime?: CivilTime;
}

/** Architectural state of a {@link Q35Chipset}; RAM is not part of it. */
export interface Q35State {
  /** Layout version of this object. */
  version: 1;
  /** MCH configuration space. */
  mch: RegisterFileState;
  /** LPC configuration space. */
  lpc: RegisterFileState;
  /** PM I/O block. */
  pm: PmBlockState;
  /** APM ports. */
  apm: ApmState;
  /** RTC and CMOS RAM. */
  cmos: CmosRtcState;
  /** CONFIG_ADDRESS and RST_CNT. */
  pciHost: PciHostState;
  /** Port 92h. */
  portA: SystemControlPortAState;
  /** The devices around the core. */
  peripherals: Q35PeripheralsState;
}

const DEFAULT_START: CivilTime = { year: 2015, month: 10, day: 21, hour: 0, minute: 0, second: 0 };

/** The devices are public: tests, debuggers and fw_cfg reach them by name. */
export class Q35Chipset implements Snapshottable<Q35State> {
  /** Host bridge 00:00.0. */
  readonly mch: Mch;
  /** LPC bridge 00:1F.0. */
  readonly lpc: Lpc;
  /** PM I/O block. */
  readonly pm: PmBlock;
  /** Software SMI ports. */
  readonly apm: Apm;
  /** RTC and CMOS RAM. */
  readonly cmos: CmosRtc;
  /** PCI configuration; attach further functions here. */
  readonly pciHost: PciHost;
  /** Port 92h. */
  readonly portA: SystemControlPortA;
  /** The devices around the core. */
  readonly peripherals: Q35Peripherals;
  /** RAM, ROM and SMRAM in the address space. */
  readonly memoryMap: Q35MemoryMap;

  constructor(ports: Q35Ports, options: Q35Options) {
    this.pciHost = new PciHost({ reset: ports.reset });
    const map = new Q35MemoryMap(ports.memory, options.ram, options.rom, this.pciHost);
    this.memoryMap = map;
    this.mch = new Mch(
      {
        smramChanged: (registers) =>
          map.setSmram(ports.decodeSmram(registers, { topOfLowRam: map.ram.belowBytes })),
        shadowChanged: (pam) => map.setShadow(pam),
        ecamChanged: (window) => map.setEcam(window),
      },
      options,
    );
    let pmPorts: PortHandle | undefined;
    this.lpc = new Lpc({
      pmBlockChanged: (enabled, base) => pmPorts?.set(enabled ? { enabled, first: base } : { enabled }),
    });
    let rtcLine: InterruptLine | undefined; // lines come with the interrupt controllers, further down
    let sciLine: InterruptLine | undefined;
    this.pm = new PmBlock({
      clock: ports.clock,
      sci: { set: (level) => sciLine?.set(level) },
      smiLocked: () => this.lpc.smiLocked(),
      sleep: ports.sleep ?? refuseSleep,
    });
    this.apm = new Apm({
      apmcEnabled: () => this.pm.apmcEnabled(),
      setSciEnable: (enabled) => this.pm.setSciEnable(enabled),
      smi: ports.smi,
    });
    this.cmos = new CmosRtc(
      { clock: ports.clock, irq: { set: (level) => rtcLine?.set(level) } },
      { ...map.ram, cpuCount: options.cpuCount },
      options.startTime ?? DEFAULT_START,
    );
    this.portA = new SystemControlPortA({ reset: () => ports.reset('cpu') });
    this.peripherals = new Q35Peripherals(
      {
        memory: ports.memory,
        io: ports.io,
        clock: ports.clock,
        resetProcessors: () => ports.reset('cpu'),
        setBroadcast: (broadcast) => this.apm.setBroadcast(broadcast),
      },
      { rom: options.rom, ramBytes: options.ram.sizeBytes, cpuCount: options.cpuCount },
      options.peripherals ?? {},
    );
    rtcLine = this.peripherals.line(RTC_IRQ);
    sciLine = this.peripherals.line(SCI_IRQ);
    this.pciHost.attach(0, 0, this.mch);
    this.pciHost.attach(0x1f, 0, this.lpc);

    const { io } = ports;
    io.add({ name: 'cmos-rtc', first: CMOS_INDEX_PORT, count: 2, device: this.cmos, maxSize: 1 });
    io.add({
      name: 'post-code',
      first: POST_CODE_PORT,
      count: 1,
      device: postCodePort(ports.postCode ?? ignore),
    });
    io.add({ name: 'port-92', first: SYSTEM_CONTROL_PORT_A, count: 1, device: this.portA });
    io.add({ name: 'ich9-apm', first: ICH9_APM_CNT, count: 2, device: this.apm, maxSize: 1 });
    io.add({ name: 'debug-port', first: DEBUG_PORT, count: 1, device: debugPort(ports.debugOut ?? ignore) });
    pmPorts = io.add({
      name: 'ich9-pm',
      first: 0x600,
      count: ICH9_PMIO_SIZE,
      device: this.pm,
      enabled: false,
    });
    io.add({ name: 'pci-host', first: PCI_CONFIG_ADDRESS_PORT, count: 8, device: this.pciHost });
    this.reset();
  }

  /** System reset: every register to its reset value, memory map included. RAM, CMOS RAM and time stay. */
  reset(): void {
    this.mch.reset();
    this.lpc.reset();
    this.pm.reset();
    this.apm.reset();
    this.cmos.reset();
    this.pciHost.reset();
    this.portA.reset();
    this.peripherals.reset();
  }

  /** Copies the state of all devices out. */
  save(): Q35State {
    return {
      version: 1,
      mch: this.mch.save(),
      lpc: this.lpc.save(),
      pm: this.pm.save(),
      apm: this.apm.save(),
      cmos: this.cmos.save(),
      pciHost: this.pciHost.save(),
      portA: this.portA.save(),
      peripherals: this.peripherals.save(),
    };
  }

  /** Puts a saved state back and redraws the memory map. Throws `SmmError` `SNAPSHOT_VERSION` for another version. */
  restore(state: Q35State): void {
    if (state.version !== 1) {
      throw new SmmError(
        'SNAPSHOT_VERSION',
        `chipset snapshot has version ${String(state.version)}, this code reads 1`,
        'Restore with the release that saved it.',
        { version: state.version },
      );
    }
    this.mch.restore(state.mch);
    this.lpc.restore(state.lpc);
    this.pm.restore(state.pm);
    this.apm.restore(state.apm);
    this.cmos.restore(state.cmos);
    this.pciHost.restore(state.pciHost);
    this.portA.restore(state.portA);
    this.peripherals.restore(state.peripherals);
  }
}

function ignore(): void {}

function refuseSleep(type: number): void {
  throw new SmmError(
    'SLEEP_UNHANDLED',
    `the guest entered sleep type ${type}, and nobody handles it`,
    'Give the chipset a sleep port.',
    { type },
  );
}
