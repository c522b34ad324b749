/**
 * A PCI function with ranges, interrupts and bus-master DMA: what devices derive from.
 *
 * Registers outside the header and the capabilities read 0. A power-on, a system reset and a function-level reset are
 * the same here, and so is a hot reset: no register is sticky. Sources: PCI Local Bus Specification, "Configuration
 * Space Organization", "Interrupt Pins".
 */
import {
  type InterruptLine,
  type IoPortSpace,
  type PhysicalAddressSpace,
  physicalAddress,
  type RegisterSpec,
  type RegisterWrite,
  TX_DMA,
} from '@smm/bus';
import {
  checkOptions,
  isListOf,
  isNumber,
  isObject,
  isShape,
  isText,
  isWhole,
  maybe,
  type OptionShape,
} from '@smm/x86-defs';
import type { PartState, ResetKind } from './part.ts';
import { barRegisters, type PciBar, PciBars } from './pci-bars.ts';
import { capabilityRegisters, type PciCapability } from './pci-capabilities.ts';
import {
  type PciBusPorts,
  PciFunction,
  type PciIdentity,
  type PciPlace,
  pciHeader,
  ROOT_BUS,
} from './pci-function.ts';
import { requireVersion1 } from './snapshot.ts';

/** COMMAND: the function may be a bus master. */
export const PCI_COMMAND_MASTER = 0x0004;
/** COMMAND: the interrupt pin stays low. */
export const PCI_COMMAND_INTX_DISABLE = 0x0400;
/** STATUS: the function asks for an interrupt by its pin, disabled or not. */
export const PCI_STATUS_INTERRUPT = 0x0008;
/** STATUS: there are capabilities. */
const STATUS_CAPABILITIES = 0x0010;

/** What a {@link PciDevice} is like. */
export interface PciDeviceOptions extends PciIdentity {
  /** Short name for traces, snapshots and regions. */
  readonly name: string;
  /** Where on its bus. */
  readonly place: PciPlace;
  /** Its ranges. */
  readonly bars?: readonly PciBar[];
  /** Interrupt pin: 1 (INTA) to 4 (INTD), default none. */
  readonly interruptPin?: 1 | 2 | 3 | 4;
  /** Capabilities in the order of the list. */
  readonly capabilities?: readonly PciCapability[];
  /** Registers of its own; one with the name of the header's takes that one's place. */
  readonly registers?: readonly RegisterSpec[];
}

/** What a device has beside its identity. */
const DEVICE_SHAPE: OptionShape<Omit<PciDeviceOptions, keyof PciIdentity>> = {
  name: isText,
  place: isShape<PciPlace>({ device: isNumber, function: isNumber }),
  bars: maybe(isListOf(isObject)),
  interruptPin: maybe(isWhole(1, 4)),
  capabilities: maybe(isListOf(isObject)),
  registers: maybe(isListOf(isObject)),
};

/** Architectural state of a {@link PciDevice}; derived devices add theirs. */
export interface PciDeviceState extends PartState {
  /** Layout version of this object. */
  version: 1;
  /** Configuration space. */
  config: PartState;
  /** The device asks for an interrupt by its pin. */
  intx: boolean;
  /**
   * What capabilities hold outside configuration space, in the order of the list; those that hold nothing are not in
   * it.
   */
  capabilities: PartState[];
}

/** The function. Being in the chipset's list of parts puts it on the bus. */
export abstract class PciDevice extends PciFunction {
  // wiring
  readonly #bars: PciBars;
  readonly #capabilities: readonly PciCapability[];
  readonly #pin: number;
  #memory: PhysicalAddressSpace | undefined;
  #line: InterruptLine | undefined;
  #bus: Omit<PciBusPorts, 'intx'> = ROOT_BUS;
  // architectural state
  #intx = false;

  /** Throws `SmmError` `OPTION_VALUE`, `PCI_BAR` or `PCI_CAPABILITY` for what no function can be. */
  protected constructor(options: PciDeviceOptions) {
    checkOptions('the options of a PCI device', options, DEVICE_SHAPE);
    super(options.name, options.place, registers(options));
    this.#bars = new PciBars(options.bars ?? []);
    this.#capabilities = options.capabilities ?? [];
    this.#pin = options.interruptPin ?? 0;
    for (const capability of this.#capabilities) {
      capability.attach?.({
        get: (name) => this.config.get(name),
        set: (name, value) => this.config.set(name, value),
        send: (high, low, data) => this.#send(physicalAddress(high, low), data),
        reset: () => this.reset('system'),
      });
    }
  }

  /** Registers the ranges. */
  override map(io: IoPortSpace, memory: PhysicalAddressSpace): void {
    this.#memory = memory;
    this.#bars.map(this.name, io, memory);
  }

  override connect(bus: PciBusPorts): void {
    this.#bus = bus;
    if (this.#pin !== 0) this.#line = bus.intx(this.#pin);
  }

  override reset(kind: ResetKind): void {
    this.#intx = false;
    for (const capability of this.#capabilities) capability.reset?.();
    super.reset(kind);
  }

  override save(): PciDeviceState {
    return {
      version: 1,
      config: super.save(),
      intx: this.#intx,
      capabilities: this.#capabilities.flatMap((capability) => capability.save?.() ?? []),
    };
  }

  override restore(state: PciDeviceState): void {
    requireVersion1(this.name, state);
    this.#intx = state.intx;
    const holding = this.#capabilities.filter((capability) => capability.save !== undefined);
    holding.forEach((capability, i) => {
      capability.restore?.(state.capabilities[i]!);
    });
    super.restore(state.config);
  }

  /**
   * Asks for an interrupt by the pin, or no longer. The line is up unless COMMAND disables it or messages replace it.
   */
  protected setIntx(level: boolean): void {
    this.#intx = level;
    this.#driveIntx();
  }

  /**
   * Reads memory as a bus master, from guest-physical `gpa`. Without leave (COMMAND) the data are all-ones and the
   * answer is false. Lengths cannot be trusted to a guest: the caller bounds them.
   */
  protected dmaRead(gpa: number, into: Uint8Array): boolean {
    if (!this.#mayMaster()) {
      into.fill(0xff);
      return false;
    }
    this.#memory?.readBlock(gpa, into, this.#attrs());
    return true;
  }

  /** Writes memory as a bus master. False, and nothing written, without leave. */
  protected dmaWrite(gpa: number, bytes: Uint8Array): boolean {
    if (!this.#mayMaster()) return false;
    this.#memory?.writeBlock(gpa, bytes, this.#attrs());
    return true;
  }

  protected override configWrite(write: RegisterWrite<string>): number {
    let { value } = write;
    for (const capability of this.#capabilities)
      value = capability.configWrite?.({ ...write, value }) ?? value;
    return value;
  }

  protected override applied(): void {
    this.#bars.apply(this.config, this.#bus.decodes);
    this.#driveIntx();
    for (const capability of this.#capabilities) capability.applied?.();
  }

  #mayMaster(): boolean {
    return (this.config.get('COMMAND') & PCI_COMMAND_MASTER) !== 0 && this.#bus.mayMaster();
  }

  /** Attributes of its transactions: the initiator is the requester id, bus, device and function. */
  #attrs(): number {
    return TX_DMA | (this.#bus.busNumber() << 8) | (this.place.device << 3) | this.place.function;
  }

  #send(gpa: number, data: number): void {
    if (this.#mayMaster()) this.#memory?.write(gpa, 4, data, this.#attrs());
  }

  #driveIntx(): void {
    const replaced = this.#capabilities.some((capability) => capability.replacesIntx === true);
    const asks = this.#intx && !replaced;
    const status = this.config.get('STATUS') & ~PCI_STATUS_INTERRUPT;
    this.config.set('STATUS', asks ? status | PCI_STATUS_INTERRUPT : status);
    this.#line?.set(asks && (this.config.get('COMMAND') & PCI_COMMAND_INTX_DISABLE) === 0);
  }
}

function registers(options: PciDeviceOptions): RegisterSpec[] {
  const { bars = [], capabilities = [], interruptPin = 0, registers: own = [] } = options;
  const list = capabilities.length > 0;
  const header = pciHeader(options).map((row) =>
    row.name === 'STATUS' && list ? { ...row, reset: STATUS_CAPABILITIES } : row,
  );
  return [
    ...header.filter(({ name }) => !own.some((row) => row.name === name)),
    ...own,
    ...barRegisters(bars),
    ...(list ? capabilityRegisters(capabilities) : []),
    { name: 'INTERRUPT_PIN', offset: 0x3d, width: 1, reset: interruptPin },
  ];
}
