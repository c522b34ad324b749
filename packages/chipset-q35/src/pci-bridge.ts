/**
 * A PCI-to-PCI bridge, or with `express` a root port, and the functions behind it: a part of parts, which maps, resets,
 * saves and restores them.
 *
 * It passes a memory range on when all of it lies in one window. ISA and VGA enables and the discard timers are stored
 * bits; errors are not kept; a root port has no link, hot-plug or interrupt of its own. Sources: PCI-to-PCI Bridge
 * Architecture Specification 1.2, "Configuration Space", "Interrupt Support"; PCI Express Base Specification, "Type 1
 * Configuration Space Header"; QEMU 7.2 measured.
 */
import type { InterruptLine, IoPortSpace, PhysicalAddressSpace, RegisterSpec, RegisterWrite } from '@smm/bus';
import { physicalAddress } from '@smm/bus';
import {
  checkOptions,
  isFlag,
  isListOf,
  isNumber,
  isObject,
  isShape,
  isText,
  isWhole,
  maybe,
  type OptionShape,
  refuse,
  SmmError,
} from '@smm/x86-defs';
import type { PartState, ResetKind } from './part.ts';
import { PCI_COMMAND_IO, PCI_COMMAND_MEMORY } from './pci-bars.ts';
import { PciBus } from './pci-bus.ts';
import { capabilityRegisters, type PciCapability } from './pci-capabilities.ts';
import { PCI_COMMAND_MASTER } from './pci-device.ts';
import { type PciBusPorts, PciFunction, type PciIdentity, type PciPlace, pciHeader } from './pci-function.ts';
import { requireVersion1 } from './snapshot.ts';

const HEADER_BRIDGE = 0x01;
const CLASS_PCI_BRIDGE = 0x06_0400;
const STATUS_CAPABILITIES = 0x0010;
/** STATUS of a conventional bridge: 66 MHz, fast back-to-back. */
const STATUS_CONVENTIONAL = 0x00a0;
const STATUS_W1C = 0xf900;
/** BRIDGE_CONTROL: functions behind are held in reset. */
export const PCI_BRIDGE_CTL_BUS_RESET = 0x0040;
/** Without discard timers and fast back-to-back, which root ports do not have. */
const EXPRESS_CONTROL = 0x005f;
const CONVENTIONAL_CONTROL = 0x0bff;
const CONVENTIONAL_CONTROL_W1C = 0x0400;
/** Memory windows have bits 31:20 of their bounds; prefetchable ones say in bit 0 that they are 64 bit wide. */
const WINDOW_MASK = 0xfff0;
const WINDOW_64 = 0x0001;

/** What a {@link PciBridge} is like. */
export interface PciBridgeOptions extends Omit<PciIdentity, 'classCode' | 'subsystem'> {
  /** Short name for traces and snapshots. */
  readonly name: string;
  /** Where on the bus above. */
  readonly place: PciPlace;
  /** Functions on the bus behind, with their places there. Bridges may be among them. */
  readonly behind: readonly PciFunction[];
  /** A root port: what is of conventional PCI alone is 0, and reset closes its windows. Default false. */
  readonly express?: boolean;
  /** Interrupt pin that INTERRUPT_PIN names, 0 to 4; default 0, none. The bridge itself asks for no interrupts. */
  readonly interruptPin?: 0 | 1 | 2 | 3 | 4;
  /** Capabilities that are registers alone. */
  readonly capabilities?: readonly Pick<PciCapability, 'id' | 'offset' | 'rows'>[];
}

/** A capability that is registers alone. */
type BridgeCapability = Pick<PciCapability, 'id' | 'offset' | 'rows'>;

/** What a bridge has beside its identity. */
const BRIDGE_SHAPE: OptionShape<
  Omit<PciBridgeOptions, 'vendorId' | 'deviceId' | 'revision' | 'multifunction'>
> = {
  name: isText,
  place: isShape<PciPlace>({ device: isNumber, function: isNumber }),
  behind: isListOf((option, value) => {
    if (!(value instanceof PciFunction)) refuse(option, value, 'a PCI function');
  }),
  express: maybe(isFlag),
  interruptPin: maybe(isWhole(0, 4)),
  capabilities: maybe(
    isListOf(
      isShape<BridgeCapability>({
        id: isWhole(0, 0xff),
        offset: isWhole(0x40, 0xfc),
        rows: isListOf(isObject),
      }),
    ),
  ),
};

/** Architectural state of a {@link PciBridge}. */
export interface PciBridgeState extends PartState {
  /** Layout version of this object. */
  version: 1;
  /** Configuration space. */
  config: PartState;
  /** The functions behind, in the order of the option. */
  behind: {
    /** Which function: a snapshot with other names is refused. */
    name: string;
    /** What it saved. */
    state: PartState;
  }[];
}

/** The bridge. Being in the chipset's list of parts puts it on bus 0; what is behind it is not in the list. */
export class PciBridge extends PciFunction {
  // wiring
  readonly #behind: readonly PciFunction[];
  readonly #bus: PciBus;
  /** BRIDGE_CONTROL was written so that reset begins: the whole access first, then the reset. */
  #resetAsked = false;

  /**
   * Throws `SmmError` `OPTION_VALUE` for what no bridge can be, `PCI_SLOT` when two functions behind have one place or
   * one has none.
   */
  constructor(options: PciBridgeOptions) {
    checkOptions('the options of a PCI bridge', options, BRIDGE_SHAPE);
    super(options.name, options.place, registers(options));
    this.#behind = options.behind;
    this.#bus = new PciBus(options.name);
    for (const pciFunction of options.behind) this.#bus.attach(pciFunction);
  }

  /** Registers the ranges of the functions behind. */
  override map(io: IoPortSpace, memory: PhysicalAddressSpace): void {
    for (const pciFunction of this.#behind) pciFunction.map?.(io, memory);
  }

  /** Pin n of device d behind is pin (n + d) modulo 4 of the bridge's own device. */
  override connect(above: PciBusPorts): void {
    for (const pciFunction of this.#behind) {
      const { device } = pciFunction.place;
      pciFunction.connect({
        intx: (pin): InterruptLine => above.intx(((pin - 1 + device) % 4) + 1),
        busNumber: () => this.config.get('SECONDARY_BUS'),
        mayMaster: () => this.#command(PCI_COMMAND_MASTER) && above.mayMaster(),
        decodes: (space, start, sizeBytes) =>
          this.#passes(space, start, sizeBytes) && above.decodes(space, start, sizeBytes),
      });
    }
  }

  override route(busNumber: number, deviceFunction: number): PciFunction | undefined {
    const secondary = this.config.get('SECONDARY_BUS');
    if (busNumber < secondary || busNumber > this.config.get('SUBORDINATE_BUS')) return undefined;
    if ((this.config.get('BRIDGE_CONTROL') & PCI_BRIDGE_CTL_BUS_RESET) !== 0) return undefined;
    return this.#bus.route(secondary, busNumber, deviceFunction);
  }

  override reset(kind: ResetKind): void {
    super.reset(kind);
    for (const pciFunction of this.#behind) pciFunction.reset(kind);
  }

  override save(): PciBridgeState {
    const behind = this.#behind.map((pciFunction) => ({ name: pciFunction.name, state: pciFunction.save() }));
    return { version: 1, config: super.save(), behind };
  }

  /** Throws `SmmError` `SNAPSHOT_DEVICES` when other functions were behind it, and what they throw. */
  override restore(state: PciBridgeState): void {
    requireVersion1(this.name, state);
    const saved = state.behind.map(({ name }) => name).join(', ');
    const here = this.#behind.map(({ name }) => name).join(', ');
    if (saved !== here) {
      throw new SmmError(
        'SNAPSHOT_DEVICES',
        `the snapshot has ${saved || 'nothing'} behind ${this.name}, this machine ${here || 'nothing'}`,
        'Restore into a machine with the same options.',
        { saved, here },
      );
    }
    super.restore(state.config);
    this.#behind.forEach((pciFunction, i) => {
      pciFunction.restore(state.behind[i]!.state);
    });
  }

  protected override configWrite({ name, value, previous }: RegisterWrite<string>): number {
    if (name === 'BRIDGE_CONTROL' && (value & ~previous & PCI_BRIDGE_CTL_BUS_RESET) !== 0)
      this.#resetAsked = true;
    return value;
  }

  /** A secondary bus reset is a hot reset of what is behind; then windows and COMMAND say what is reached. */
  protected override applied(): void {
    const reset = this.#resetAsked;
    this.#resetAsked = false;
    for (const pciFunction of this.#behind) {
      if (reset) pciFunction.reset('system');
      pciFunction.busChanged();
    }
  }

  #command(bit: number): boolean {
    return (this.config.get('COMMAND') & bit) !== 0;
  }

  #passes(space: 'io' | 'memory', start: number, sizeBytes: number): boolean {
    const { config } = this;
    const last = start + sizeBytes - 1;
    if (space === 'io') {
      const [base, limit] = [
        (config.get('IO_BASE') & 0xf0) << 8,
        ((config.get('IO_LIMIT') & 0xf0) << 8) | 0xfff,
      ];
      return this.#command(PCI_COMMAND_IO) && start >= base && last <= limit;
    }
    if (!this.#command(PCI_COMMAND_MEMORY)) return false;
    const bound = (name: string, upper = 0): number =>
      physicalAddress(upper, (config.get(name) & WINDOW_MASK) * 0x1_0000);
    const inside = (base: number, limit: number): boolean => start >= base && last <= limit + 0xf_ffff;
    return (
      inside(bound('MEMORY_BASE'), bound('MEMORY_LIMIT')) ||
      inside(
        bound('PREF_MEMORY_BASE', config.get('PREF_BASE_UPPER32')),
        bound('PREF_MEMORY_LIMIT', config.get('PREF_LIMIT_UPPER32')),
      )
    );
  }
}

function registers(options: PciBridgeOptions): RegisterSpec[] {
  const { capabilities = [], express = false, interruptPin = 0 } = options;
  const conventional = express ? 0 : STATUS_CONVENTIONAL;
  const status = conventional | (capabilities.length > 0 ? STATUS_CAPABILITIES : 0);
  const header = pciHeader({ ...options, classCode: CLASS_PCI_BRIDGE })
    .filter(({ name }) => !name.startsWith('SUBSYSTEM'))
    .map((row) => {
      if (row.name === 'STATUS') return { ...row, reset: status };
      return row.name === 'HEADER_TYPE' ? { ...row, reset: (row.reset ?? 0) | HEADER_BRIDGE } : row;
    });
  const bound = (name: string, offset: number, width: 1 | 2, type = 0): RegisterSpec => {
    const writable = width === 1 ? 0xf0 : WINDOW_MASK;
    return { name, offset, width, writable, reset: type | (express && name.endsWith('BASE') ? writable : 0) };
  };
  return [
    ...header,
    { name: 'PRIMARY_BUS', offset: 0x18, width: 1, writable: 0xff },
    { name: 'SECONDARY_BUS', offset: 0x19, width: 1, writable: 0xff },
    { name: 'SUBORDINATE_BUS', offset: 0x1a, width: 1, writable: 0xff },
    { name: 'SECONDARY_LATENCY', offset: 0x1b, width: 1, writable: express ? 0 : 0xff },
    bound('IO_BASE', 0x1c, 1),
    bound('IO_LIMIT', 0x1d, 1),
    { name: 'SECONDARY_STATUS', offset: 0x1e, width: 2, reset: conventional, w1c: STATUS_W1C },
    bound('MEMORY_BASE', 0x20, 2),
    bound('MEMORY_LIMIT', 0x22, 2),
    bound('PREF_MEMORY_BASE', 0x24, 2, WINDOW_64),
    bound('PREF_MEMORY_LIMIT', 0x26, 2, WINDOW_64),
    { name: 'PREF_BASE_UPPER32', offset: 0x28, width: 4, writable: 0xffff_ffff },
    { name: 'PREF_LIMIT_UPPER32', offset: 0x2c, width: 4, writable: 0xffff_ffff },
    { name: 'INTERRUPT_PIN', offset: 0x3d, width: 1, reset: interruptPin },
    {
      name: 'BRIDGE_CONTROL',
      offset: 0x3e,
      width: 2,
      writable: express ? EXPRESS_CONTROL : CONVENTIONAL_CONTROL,
      w1c: express ? 0 : CONVENTIONAL_CONTROL_W1C,
    },
    ...(capabilities.length > 0 ? capabilityRegisters(capabilities) : []),
  ];
}
