/**
 * A 16550A serial port as PCs wire it: FIFOs, interrupts by priority, loop-back, modem inputs of a connected, ready
 * terminal.
 *
 * A byte leaves the moment it is written, so the transmitter is always empty; reception keeps real FIFO depth, overrun
 * and time-out. OUT2 gates the interrupt, as on PC boards. Not modelled: DMA pins, parity and framing of the line,
 * sending a break (the bit is stored). Sources: National PC16550D data sheet, "Register Descriptions", "FIFO Interrupt
 * Mode Operation"; reset values QEMU 7.2 measured.
 */
import type {
  AccessSize,
  Alarm,
  Clock,
  InterruptLine,
  IoPortSpace,
  PioDevice,
  Snapshottable,
  TxAttrs,
} from '@smm/bus';
import { TX_DEBUG } from '@smm/bus';
import { device, eisaId, integer, name } from './acpi/aml.ts';
import type { AcpiDescription } from './acpi/description.ts';
import { irq, ports, resources } from './acpi/resources.ts';
import { requireVersion1 } from './snapshot.ts';

/** First of the eight ports of COM1; its interrupt is line 4. */
export const COM1_PORT = 0x3f8;
/** Interrupt line of COM1. */
export const COM1_IRQ = 4;
/** Bytes in the receiver FIFO. */
const UART_FIFO_SIZE = 16;

const RBR_THR = 0;
const IER = 1;
const IIR_FCR = 2;
const LCR = 3;
const MCR = 4;
const LSR = 5;
const MSR = 6;

const IER_RDI = 0x01;
const IER_THRI = 0x02;
const IER_RLSI = 0x04;
const IER_MSI = 0x08;
const IIR_NO_INTERRUPT = 0x01;
const IIR_MODEM = 0x00;
const IIR_TRANSMITTER_EMPTY = 0x02;
const IIR_RECEIVED_DATA = 0x04;
const IIR_LINE_STATUS = 0x06;
const IIR_TIMEOUT = 0x0c;
const IIR_FIFOS_ENABLED = 0xc0;
const FCR_ENABLE = 0x01;
const FCR_CLEAR_RECEIVER = 0x02;
const FCR_CLEAR_TRANSMITTER = 0x04;
const FCR_STORED = 0xc9;
const LCR_DLAB = 0x80;
const MCR_WRITABLE = 0x1f;
const MCR_OUT2 = 0x08;
const MCR_LOOP = 0x10;
const LSR_DATA_READY = 0x01;
const LSR_OVERRUN = 0x02;
const LSR_ERRORS = 0x1e;
const LSR_TRANSMITTER_IDLE = 0x60;
/** CTS, DSR and DCD: somebody is there. */
const MODEM_CONNECTED = 0xb0;
const MODEM_RI = 0x40;
const TRIGGER_LEVELS = [1, 4, 8, 14] as const;
/** Input clock divided by 16: bits a second at divisor 1. */
const BASE_RATE = 115_200;
const RESET_DIVISOR = 0x0c;

/** What a {@link Uart16550} is given. */
export interface UartPorts {
  /** Virtual time, for the receiver time-out. */
  readonly clock: Clock;
  /** The interrupt output, behind the OUT2 gate. */
  readonly irq: InterruptLine;
  /** A byte leaves the port. */
  readonly transmit: (byte: number) => void;
  /** The guest took a byte, so that there is room for more: a good moment for {@link Uart16550.receive}. */
  readonly roomAgain?: () => void;
}

/** Architectural state of a {@link Uart16550}. All numbers are register values, 8 bit unless said otherwise. */
export interface UartState {
  /** Layout version of this object. */
  version: 1;
  /** Interrupt enable. */
  ier: number;
  /** FIFO control, as stored. */
  fcr: number;
  /** Line control. */
  lcr: number;
  /** Modem control. */
  mcr: number;
  /** Line status. */
  lsr: number;
  /** Modem status. */
  msr: number;
  /** Scratch register, which nothing looks at. */
  scr: number;
  /** Baud-rate divisor, 16 bit. */
  divisor: number;
  /** Received bytes, oldest first: at most 16, at most one without FIFOs. */
  received: number[];
  /** Last byte taken without FIFOs: what the empty receiver buffer reads then. */
  lastReceived: number;
  /** The transmitter-empty interrupt is pending. */
  transmitterPending: boolean;
  /** The receiver time-out interrupt is pending. */
  timeoutPending: boolean;
}

/** The device. Register values are what the data sheet says for addresses 0 to 7. */
export class Uart16550 implements PioDevice, Snapshottable<UartState> {
  /** Name in traces, such as `com1`. */
  readonly name: string;
  // wiring
  readonly #ports: UartPorts;
  readonly #timeout: Alarm;
  // architectural state
  #state: UartState = initialState();

  constructor(ports: UartPorts, name = 'com1') {
    this.name = name;
    this.#ports = ports;
    this.#timeout = ports.clock.createAlarm(`${name}-timeout`, () => {
      this.#state.timeoutPending = true;
      this.#update();
    });
  }

  /** Bytes that {@link Uart16550.receive} takes without an overrun. */
  get room(): number {
    return (this.#fifos() ? UART_FIFO_SIZE : 1) - this.#state.received.length;
  }

  /**
   * A byte arrives on the line. Without room it is lost (or, without FIFOs, replaces the old one) and the guest sees an
   * overrun. In loop-back the line is cut: it is lost.
   */
  receive(byte: number): void {
    if ((this.#state.mcr & MCR_LOOP) === 0) this.#arrive(byte);
  }

  /** Registers the ports of COM1. */
  map(io: IoPortSpace): void {
    io.add({ name: this.name, first: COM1_PORT, count: 8, device: this, maxSize: 1 });
  }

  /** COM1. */
  acpi(): AcpiDescription {
    const found = resources(ports(COM1_PORT, 8), irq(COM1_IRQ));
    const identity = [name('_HID', eisaId('PNP0501')), name('_UID', integer(1)), name('_STA', integer(0xf))];
    return { isa: device('COM1', ...identity, name('_CRS', found)) };
  }

  /** IN. `port` counts modulo 8. */
  in(port: number, _size: AccessSize, attrs: TxAttrs): number {
    const s = this.#state;
    const debug = (attrs & TX_DEBUG) !== 0;
    const dlab = (s.lcr & LCR_DLAB) !== 0;
    switch (port & 7) {
      case RBR_THR:
        if (dlab) return s.divisor & 0xff;
        return debug ? (s.received[0] ?? (this.#fifos() ? 0 : s.lastReceived)) : this.#take();
      case IER:
        return dlab ? s.divisor >>> 8 : s.ier;
      case IIR_FCR:
        return this.#readIir(debug);
      case LCR:
        return s.lcr;
      case MCR:
        return s.mcr;
      case LSR:
        return this.#clearOnRead('lsr', LSR_ERRORS, debug);
      case MSR:
        return this.#clearOnRead('msr', 0x0f, debug);
      default:
        return s.scr;
    }
  }

  /** OUT. `port` counts modulo 8; the status registers ignore writes. */
  out(port: number, _size: AccessSize, value: number, _attrs: TxAttrs): void {
    const s = this.#state;
    const dlab = (s.lcr & LCR_DLAB) !== 0;
    switch (port & 7) {
      case RBR_THR:
        if (dlab) s.divisor = (s.divisor & 0xff00) | value;
        else this.#transmit(value);
        break;
      case IER:
        if (dlab) s.divisor = (value << 8) | (s.divisor & 0xff);
        else this.#writeIer(value & 0x0f);
        break;
      case IIR_FCR:
        this.#writeFcr(value);
        break;
      case LCR:
        s.lcr = value;
        break;
      case MCR:
        s.mcr = value & MCR_WRITABLE;
        this.#modemInputs();
        break;
      case LSR:
      case MSR:
        break;
      default:
        s.scr = value;
    }
    this.#update();
  }

  /** State after RESET. */
  reset(): void {
    this.#timeout.cancel();
    this.#state = initialState();
    this.#update();
  }

  /** Copies the state out; a running time-out is in the clock's snapshot. */
  save(): UartState {
    return structuredClone(this.#state);
  }

  /** Puts a saved state back. Throws `SmmError` `SNAPSHOT_VERSION` for another version. */
  restore(state: UartState): void {
    requireVersion1(this.name, state);
    this.#state = structuredClone(state);
    this.#update();
  }

  #fifos(): boolean {
    return (this.#state.fcr & FCR_ENABLE) !== 0;
  }

  #arrive(byte: number): void {
    const s = this.#state;
    if (this.room > 0) s.received.push(byte);
    else {
      s.lsr |= LSR_OVERRUN;
      if (!this.#fifos()) s.received[0] = byte;
    }
    if (!this.#fifos()) s.lastReceived = byte;
    s.lsr |= LSR_DATA_READY;
    this.#startTimeout();
    this.#update();
  }

  #take(): number {
    const s = this.#state;
    const byte = s.received.shift();
    s.timeoutPending = false;
    if (s.received.length === 0) s.lsr &= ~LSR_DATA_READY;
    this.#startTimeout();
    this.#update();
    if (byte === undefined) return this.#fifos() ? 0 : s.lastReceived;
    this.#ports.roomAgain?.();
    return byte;
  }

  /** Four character times without a byte moving in or out, and bytes in the FIFO: time-out. */
  #startTimeout(): void {
    const { received, lcr, divisor } = this.#state;
    if (!this.#fifos() || received.length === 0) {
      this.#timeout.cancel();
      return;
    }
    const bits = 1 + 5 + (lcr & 3) + ((lcr & 8) >>> 3) + 1 + ((lcr & 4) >>> 2);
    const nsPerBit = (1_000_000_000 * Math.max(divisor, 1)) / BASE_RATE;
    this.#timeout.set(this.#ports.clock.now() + Math.round(4 * bits * nsPerBit));
  }

  #transmit(byte: number): void {
    const s = this.#state;
    if ((s.mcr & MCR_LOOP) !== 0) this.#arrive(byte);
    else this.#ports.transmit(byte);
    s.transmitterPending = true;
  }

  #writeIer(value: number): void {
    const s = this.#state;
    // Enabling the transmitter interrupt while the transmitter is empty, which it always is, raises it.
    if (((s.ier ^ value) & IER_THRI) !== 0) s.transmitterPending = (value & IER_THRI) !== 0;
    s.ier = value;
  }

  #writeFcr(value: number): void {
    const s = this.#state;
    const changed = ((value ^ s.fcr) & FCR_ENABLE) !== 0;
    if (changed || (value & FCR_CLEAR_RECEIVER) !== 0) {
      s.received = [];
      s.lsr &= ~LSR_DATA_READY;
      s.timeoutPending = false;
      this.#timeout.cancel();
    }
    if (changed || (value & FCR_CLEAR_TRANSMITTER) !== 0) s.transmitterPending = true;
    s.fcr = (value & FCR_ENABLE) !== 0 ? value & FCR_STORED : 0;
  }

  #readIir(debug: boolean): number {
    const source = this.#source();
    if (source === IIR_TRANSMITTER_EMPTY && !debug) {
      this.#state.transmitterPending = false;
      this.#update();
    }
    return source | (this.#fifos() ? IIR_FIFOS_ENABLED : 0);
  }

  #clearOnRead(register: 'lsr' | 'msr', bits: number, debug: boolean): number {
    const value = this.#state[register];
    if (!debug) {
      this.#state[register] &= ~bits;
      this.#update();
    }
    return value;
  }

  /** Modem inputs: the outputs in loop-back, a connected terminal otherwise. Changes set the delta bits. */
  #modemInputs(): void {
    const s = this.#state;
    const looped = ((s.mcr & 0x0c) << 4) | ((s.mcr & 2) << 3) | ((s.mcr & 1) << 5);
    const inputs = (s.mcr & MCR_LOOP) !== 0 ? looped : MODEM_CONNECTED;
    const previous = s.msr & 0xf0;
    const fellRi = (previous & ~inputs & MODEM_RI) !== 0 ? 0x04 : 0;
    const changed = ((previous ^ inputs) & ~MODEM_RI) >>> 4;
    s.msr = inputs | (s.msr & 0x0f) | changed | fellRi;
  }

  /** The pending interrupt of highest priority, as IIR bits 3:0. */
  #source(): number {
    const { ier, lsr, msr, fcr, received, timeoutPending, transmitterPending } = this.#state;
    if ((ier & IER_RLSI) !== 0 && (lsr & LSR_ERRORS) !== 0) return IIR_LINE_STATUS;
    if ((ier & IER_RDI) !== 0) {
      if (timeoutPending) return IIR_TIMEOUT;
      const level = this.#fifos() ? TRIGGER_LEVELS[(fcr >>> 6) as 0 | 1 | 2 | 3] : 1;
      if (received.length >= level) return IIR_RECEIVED_DATA;
    }
    if ((ier & IER_THRI) !== 0 && transmitterPending) return IIR_TRANSMITTER_EMPTY;
    if ((ier & IER_MSI) !== 0 && (msr & 0x0f) !== 0) return IIR_MODEM;
    return IIR_NO_INTERRUPT;
  }

  #update(): void {
    const gate = (this.#state.mcr & (MCR_OUT2 | MCR_LOOP)) === MCR_OUT2;
    this.#ports.irq.set(gate && this.#source() !== IIR_NO_INTERRUPT);
  }
}

function initialState(): UartState {
  return {
    version: 1,
    ier: 0,
    fcr: 0,
    lcr: 0,
    mcr: MCR_OUT2, // QEMU; the data sheet has 0
    lsr: LSR_TRANSMITTER_IDLE,
    msr: MODEM_CONNECTED,
    scr: 0,
    divisor: RESET_DIVISOR,
    received: [],
    lastReceived: 0,
    transmitterPending: false,
    timeoutPending: false,
  };
}
