/**
 * The two cascaded 8259A interrupt controllers of a PC, with the edge/level control registers of the south bridge.
 *
 * As in QEMU an edge stays latched when its line falls before it is acknowledged (the chip would answer with a spurious
 * line 7). Not modelled: MCS-80 mode, buffered mode, cascades other than slave on line 2. Sources: Intel 8259A data
 * sheet, "Operation Command Words"; Intel 316972, "Master/Slave Edge/Level Control".
 */
import {
  type AccessSize,
  type InterruptLine,
  type IoPortSpace,
  type PioDevice,
  type Snapshottable,
  TX_DEBUG,
  type TxAttrs,
} from '@smm/bus';
import { requireVersion1 } from './snapshot.ts';

/** A range of ports. */
export interface I8259PortRange {
  /** Name in traces. */
  readonly name: string;
  /** First port. */
  readonly first: number;
  /** Number of ports. */
  readonly count: number;
}

/** Ports of the controllers: master, slave, edge or level triggering. */
export const I8259_PORTS: readonly [I8259PortRange, I8259PortRange, I8259PortRange] = [
  { name: 'i8259-master', first: 0x20, count: 2 },
  { name: 'i8259-slave', first: 0xa0, count: 2 },
  { name: 'i8259-elcr', first: 0x4d0, count: 2 },
];

const CASCADE = 2;
const SPURIOUS = 7;
/** Lines whose trigger mode can be switched: not 0, 1, 2, 8, 13. */
const ELCR_WRITABLE = [0xf8, 0xde] as const;

/** Architectural state of one controller. All numbers 8 bit. */
export interface I8259ChipState {
  /** Levels of the input lines. */
  lines: number;
  /** Interrupt request register. */
  irr: number;
  /** Mask: bit per line, 1 keeps its interrupt back. */
  imr: number;
  /** In-service register. */
  isr: number;
  /** Edge/level control. */
  elcr: number;
  /** ICW1 made every line level-triggered. */
  levelTriggered: boolean;
  /** Vector of line 0. */
  base: number;
  /** Line of highest priority. */
  highest: number;
  /** The even port reads ISR instead of IRR. */
  readIsr: boolean;
  /** The next read polls. */
  poll: boolean;
  /** Special mask mode. */
  specialMask: boolean;
  /** Interrupts end by being acknowledged. */
  autoEoi: boolean;
  /** Priorities rotate then. */
  rotateOnAutoEoi: boolean;
  /** Special fully nested mode. */
  nested: boolean;
  /** Next initialization word, 0 when initialized. */
  expects: 0 | 2 | 3 | 4;
  /** ICW4 will come. */
  needsIcw4: boolean;
  /** No cascade. */
  single: boolean;
}

/** Architectural state of an {@link I8259Pair}. */
export interface I8259PairState {
  /** Layout version of this object. */
  version: 1;
  /** Lines 0 to 7. */
  master: I8259ChipState;
  /** Lines 8 to 15. */
  slave: I8259ChipState;
}

/** Both controllers. */
export class I8259Pair implements PioDevice, Snapshottable<I8259PairState> {
  /** Name in traces. */
  readonly name = 'i8259';
  // wiring
  readonly #output: InterruptLine;
  // architectural state
  #master = initialChip();
  #slave = initialChip();

  /** `output` is INTR: towards LINT0 of the local APICs, or the processor. */
  constructor(ports: { readonly output: InterruptLine }) {
    this.#output = ports.output;
  }

  /** Input line 0 to 15. Line 2 is the cascade: it goes nowhere. */
  line(number: number): InterruptLine {
    if (number === CASCADE) return { set: () => {} };
    return {
      set: (level) => {
        setLine(number < 8 ? this.#master : this.#slave, number & 7, level);
        this.#update();
      },
    };
  }

  /**
   * The processor's interrupt acknowledge cycle: gives the vector and puts its line in service. Without a request it is
   * the spurious line 7.
   */
  acknowledge(): number {
    const line = pending(this.#master, true);
    const vector = line === CASCADE ? this.#acknowledgeSlave() : this.#master.base + (line ?? SPURIOUS);
    if (line !== undefined) inService(this.#master, line);
    this.#update();
    return vector;
  }

  /** Registers the ports of both and of edge/level control. */
  map(io: IoPortSpace): void {
    for (const range of I8259_PORTS) io.add({ ...range, device: this, maxSize: 1 });
  }

  /** IN. */
  in(port: number, _size: AccessSize, attrs: TxAttrs): number {
    const chip = this.#chip(port);
    if (port >= I8259_PORTS[2].first) return chip.elcr;
    if (chip.poll && (attrs & TX_DEBUG) === 0) return this.#poll(chip);
    if ((port & 1) !== 0) return chip.imr;
    return chip.readIsr ? chip.isr : chip.irr;
  }

  /** OUT. */
  out(port: number, _size: AccessSize, value: number, _attrs: TxAttrs): void {
    const chip = this.#chip(port);
    if (port >= I8259_PORTS[2].first) {
      chip.elcr = value & ELCR_WRITABLE[port & 1 ? 1 : 0];
      chip.irr = (chip.irr & ~chip.elcr) | (chip.lines & chip.elcr);
    } else if ((port & 1) !== 0) writeOdd(chip, value);
    else if ((value & 0x10) !== 0) initialize(chip, value);
    else if ((value & 0x08) !== 0) writeOcw3(chip, value);
    else writeOcw2(chip, value);
    this.#update();
  }

  /** State after RESET. The levels of the lines are their drivers'. */
  reset(): void {
    const { lines: master } = this.#master;
    const { lines: slave } = this.#slave;
    this.#master = { ...initialChip(), lines: master };
    this.#slave = { ...initialChip(), lines: slave };
    this.#update();
  }

  /** Copies the state out. */
  save(): I8259PairState {
    return { version: 1, master: { ...this.#master }, slave: { ...this.#slave } };
  }

  /** Puts a saved state back. Throws `SmmError` `SNAPSHOT_VERSION` for another version. */
  restore(state: I8259PairState): void {
    requireVersion1(this.name, state);
    this.#master = { ...state.master };
    this.#slave = { ...state.slave };
    this.#update();
  }

  #chip(port: number): I8259ChipState {
    const slave = port >= I8259_PORTS[2].first ? (port & 1) !== 0 : port >= I8259_PORTS[1].first;
    return slave ? this.#slave : this.#master;
  }

  #acknowledgeSlave(): number {
    const line = pending(this.#slave, false);
    if (line !== undefined) inService(this.#slave, line);
    return this.#slave.base + (line ?? SPURIOUS);
  }

  #poll(chip: I8259ChipState): number {
    chip.poll = false;
    const line = pending(chip, chip === this.#master);
    if (line === undefined) return 0;
    inService(chip, line);
    this.#update();
    return 0x80 | line;
  }

  #update(): void {
    setLine(this.#master, CASCADE, pending(this.#slave, false) !== undefined);
    this.#output.set(pending(this.#master, true) !== undefined);
  }
}

function initialChip(): I8259ChipState {
  return {
    lines: 0,
    irr: 0,
    imr: 0,
    isr: 0,
    elcr: 0,
    levelTriggered: false,
    base: 0,
    highest: 0,
    readIsr: false,
    poll: false,
    specialMask: false,
    autoEoi: false,
    rotateOnAutoEoi: false,
    nested: false,
    expects: 0,
    needsIcw4: false,
    single: false,
  };
}

function isLevel(chip: I8259ChipState, line: number): boolean {
  return chip.levelTriggered || ((chip.elcr >>> line) & 1) !== 0;
}

function setLine(chip: I8259ChipState, line: number, level: boolean): void {
  const bit = 1 << line;
  const was = (chip.lines & bit) !== 0;
  chip.lines = level ? chip.lines | bit : chip.lines & ~bit;
  if (isLevel(chip, line)) chip.irr = level ? chip.irr | bit : chip.irr & ~bit;
  else if (level && !was) chip.irr |= bit;
}

/** Distance of the most urgent of `bits` from the line of highest priority; 8 for none. */
function urgency(chip: I8259ChipState, bits: number): number {
  for (let i = 0; i < 8; i++) if ((bits >>> ((chip.highest + i) & 7)) & 1) return i;
  return 8;
}

/** The line to be served next, if it is more urgent than those in service. */
function pending(chip: I8259ChipState, master: boolean): number | undefined {
  const requested = urgency(chip, chip.irr & ~chip.imr);
  let serving = chip.specialMask ? chip.isr & ~chip.imr : chip.isr;
  if (master && chip.nested) serving &= ~(1 << CASCADE);
  return requested < urgency(chip, serving) ? (chip.highest + requested) & 7 : undefined;
}

function inService(chip: I8259ChipState, line: number): void {
  if (!chip.autoEoi) chip.isr |= 1 << line;
  else if (chip.rotateOnAutoEoi) chip.highest = (line + 1) & 7;
  if (!isLevel(chip, line)) chip.irr &= ~(1 << line);
}

/** ICW1. Requests by level survive, those by edge are forgotten until the line falls and rises again. */
function initialize(chip: I8259ChipState, value: number): void {
  const { elcr, irr, lines } = chip;
  Object.assign(chip, initialChip(), { elcr, lines, irr: irr & elcr });
  chip.levelTriggered = (value & 0x08) !== 0;
  chip.single = (value & 0x02) !== 0;
  chip.needsIcw4 = (value & 0x01) !== 0;
  chip.expects = 2;
}

/** ICW2 to ICW4, or the mask. */
function writeOdd(chip: I8259ChipState, value: number): void {
  const last = chip.needsIcw4 ? 4 : 0;
  switch (chip.expects) {
    case 2:
      chip.base = value & 0xf8;
      chip.expects = chip.single ? last : 3;
      return;
    case 3:
      chip.expects = last;
      return;
    case 4:
      chip.nested = (value & 0x10) !== 0;
      chip.autoEoi = (value & 0x02) !== 0;
      chip.expects = 0;
      return;
    default:
      chip.imr = value;
  }
}

function writeOcw3(chip: I8259ChipState, value: number): void {
  if ((value & 0x04) !== 0) chip.poll = true;
  if ((value & 0x02) !== 0) chip.readIsr = (value & 0x01) !== 0;
  if ((value & 0x40) !== 0) chip.specialMask = (value & 0x20) !== 0;
}

/** Ends of interrupt and rotation. */
function writeOcw2(chip: I8259ChipState, value: number): void {
  const rotate = (value & 0x80) !== 0;
  const specific = (value & 0x40) !== 0;
  const end = (value & 0x20) !== 0;
  if (!end) {
    if (specific && rotate) chip.highest = (value + 1) & 7;
    else if (!specific) chip.rotateOnAutoEoi = rotate;
    return;
  }
  const first = urgency(chip, chip.isr);
  if (!specific && first === 8) return;
  const line = specific ? value & 7 : (chip.highest + first) & 7;
  chip.isr &= ~(1 << line);
  if (rotate) chip.highest = (line + 1) & 7;
}
