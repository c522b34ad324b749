/**
 * The 8042 keyboard controller of an AT: ports 60h and 64h, translation, A20 and processor reset. Its mouse port is
 * empty.
 *
 * Not modelled: the input buffer (commands end at once), the key lock, the internal RAM beyond its command byte. Where
 * QEMU and IBM differ (status bit 3 stays 1, DDh and DFh switch A20), this is QEMU 7.2 as measured. Source: IBM PS/2
 * Hardware Interface Technical Reference, "Keyboard and Auxiliary Device Controller".
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
import { device, eisaId, integer, name } from './acpi/aml.ts';
import type { AcpiDescription } from './acpi/description.ts';
import { irq, ports, resources } from './acpi/resources.ts';
import { Ps2Keyboard, type Ps2KeyboardState } from './ps2-keyboard.ts';
import { PS2_TRANSLATION } from './ps2-keys.ts';
import { requireVersion1 } from './snapshot.ts';

/** Data port. */
export const I8042_DATA_PORT = 0x60;
/** Status and command port. */
export const I8042_COMMAND_PORT = 0x64;
/** Interrupt line of the keyboard. */
export const KEYBOARD_IRQ = 1;
/** Interrupt line of the mouse. */
export const MOUSE_IRQ = 12;

const STATUS_OUTPUT_FULL = 0x01;
const STATUS_SELF_TEST_OK = 0x04;
const STATUS_COMMAND = 0x08;
const STATUS_UNLOCKED = 0x10;
const STATUS_FROM_MOUSE = 0x20;
const STATUS_TIMEOUT = 0x40;
const MODE_KEYBOARD_INTERRUPT = 0x01;
const MODE_MOUSE_INTERRUPT = 0x02;
const MODE_KEYBOARD_OFF = 0x10;
const MODE_MOUSE_OFF = 0x20;
const MODE_TRANSLATE = 0x40;
const OUTPUT_NO_RESET = 0x01;
const OUTPUT_A20 = 0x02;
const OUTPUT_BUFFER_FULL = 0x10;
const OUTPUT_MOUSE_BUFFER_FULL = 0x20;
const OUTPUT_UNUSED = 0xcc;
const RESEND = 0xfe;
const BREAK = 0xf0;

const WRITE_MODE = 0x60;
const WRITE_OUTPUT_PORT = 0xd1;
const WRITE_KEYBOARD_BUFFER = 0xd2;
const WRITE_MOUSE_BUFFER = 0xd3;
const WRITE_MOUSE = 0xd4;

/** What an {@link I8042} is given. */
export interface I8042Ports {
  /** Interrupt line 1. */
  readonly keyboardIrq: InterruptLine;
  /** Interrupt line 12. */
  readonly mouseIrq: InterruptLine;
  /** The guest drives the reset line of the processors. */
  readonly reset: () => void;
  /** The guest switches the A20 gate. */
  readonly a20?: (enabled: boolean) => void;
  /** The guest set the keyboard's lights: bit 0 Scroll Lock, 1 Num Lock, 2 Caps Lock. */
  readonly leds?: (bits: number) => void;
}

/** Architectural state of an {@link I8042}. */
export interface I8042State {
  /** Layout version of this object. */
  version: 1;
  /** Status register. */
  status: number;
  /** Command byte. */
  mode: number;
  /** Output port. */
  outputPort: number;
  /** Command that waits for its data byte, 0 for none. */
  command: number;
  /** Output buffer. */
  data: number;
  /** A controller answer waits for the output buffer: byte, and whether it counts as the mouse's; none is null. */
  answer: {
    /** The byte. */
    byte: number;
    /** It is shown as the mouse's. */
    mouse: boolean;
    /** It is shown with the timeout bit. */
    timeout: boolean;
  } | null;
  /** Translation saw a break prefix. */
  released: boolean;
  /** The keyboard. */
  keyboard: Ps2KeyboardState;
}

type Registers = Omit<I8042State, 'version' | 'keyboard'>;

/** The controller with its keyboard. */
export class I8042 implements PioDevice, Snapshottable<I8042State> {
  /** Name in traces. */
  readonly name = 'i8042';
  /** The keyboard: `key()` presses and releases. */
  readonly keyboard: Ps2Keyboard;
  // wiring
  readonly #ports: I8042Ports;
  // architectural state
  #state: Registers = initialState();

  constructor(ports: I8042Ports) {
    this.#ports = ports;
    this.keyboard = new Ps2Keyboard({
      changed: () => this.#fill(),
      ...(ports.leds === undefined ? {} : { leds: ports.leds }),
    });
  }

  /** Registers both ports. */
  map(io: IoPortSpace): void {
    io.add({ name: 'i8042-data', first: I8042_DATA_PORT, count: 1, device: this });
    io.add({ name: 'i8042-command', first: I8042_COMMAND_PORT, count: 1, device: this });
  }

  /** The keyboard; there is no mouse. */
  acpi(): AcpiDescription {
    const found = resources(ports(I8042_DATA_PORT, 1), ports(I8042_COMMAND_PORT, 1), irq(KEYBOARD_IRQ));
    const isa = device(
      'KBD',
      name('_HID', eisaId('PNP0303')),
      name('_STA', integer(0xf)),
      name('_CRS', found),
    );
    return { isa, bootArchitecture: 2 };
  }

  /** IN: the output buffer at 60h, status at 64h. */
  in(port: number, _size: AccessSize, attrs: TxAttrs): number {
    if (port !== I8042_DATA_PORT) return this.#state.status;
    const { data } = this.#state;
    if ((attrs & TX_DEBUG) === 0 && (this.#state.status & STATUS_OUTPUT_FULL) !== 0) {
      this.#state.status &= ~(STATUS_OUTPUT_FULL | STATUS_FROM_MOUSE | STATUS_TIMEOUT);
      this.#state.outputPort &= ~(OUTPUT_BUFFER_FULL | OUTPUT_MOUSE_BUFFER_FULL);
      this.#fill();
    }
    return data;
  }

  /** OUT: data for a command or for the keyboard at 60h, a command at 64h. */
  out(port: number, _size: AccessSize, value: number, _attrs: TxAttrs): void {
    if (port === I8042_DATA_PORT) this.#writeData(value);
    else this.#command(value);
    this.#fill();
  }

  /** State after RESET, keyboard included. */
  reset(): void {
    this.#state = initialState();
    this.keyboard.reset();
  }

  /** Copies the state out. */
  save(): I8042State {
    return { version: 1, ...structuredClone(this.#state), keyboard: this.keyboard.save() };
  }

  /** Puts a saved state back. Throws `SmmError` `SNAPSHOT_VERSION` for another version. */
  restore(state: I8042State): void {
    requireVersion1(this.name, state);
    const { version: _version, keyboard, ...registers } = structuredClone(state);
    this.#state = registers;
    this.keyboard.restore(keyboard);
  }

  #command(command: number): void {
    const s = this.#state;
    switch (command) {
      case 0x20:
        this.#answer(s.mode);
        return;
      case WRITE_MODE:
      case WRITE_OUTPUT_PORT:
      case WRITE_KEYBOARD_BUFFER:
      case WRITE_MOUSE_BUFFER:
      case WRITE_MOUSE:
        s.command = command;
        return;
      case 0xa7:
        s.mode |= MODE_MOUSE_OFF;
        return;
      case 0xa8:
        s.mode &= ~MODE_MOUSE_OFF;
        return;
      case 0xa9: // mouse port test, keyboard port test: lines fine
      case 0xab:
        this.#answer(0x00);
        return;
      case 0xaa:
        s.status |= STATUS_SELF_TEST_OK;
        this.#answer(0x55);
        return;
      case 0xad:
        s.mode |= MODE_KEYBOARD_OFF;
        return;
      case 0xae:
        s.mode &= ~MODE_KEYBOARD_OFF;
        return;
      case 0xc0:
        this.#answer(0x80); // input port: keyboard not locked
        return;
      case 0xd0:
        this.#answer(s.outputPort);
        return;
      case 0xdd:
        this.#setOutputPort(s.outputPort & ~OUTPUT_A20);
        return;
      case 0xdf:
        this.#setOutputPort(s.outputPort | OUTPUT_A20);
        return;
      default: // F0h to FFh pulse output port bits 3:0 that are 0; bit 0 is the reset line
        if (command >= 0xf0 && (command & 1) === 0) this.#ports.reset();
    }
  }

  #writeData(value: number): void {
    const { command } = this.#state;
    this.#state.command = 0;
    switch (command) {
      case WRITE_MODE:
        this.#state.mode = value;
        return;
      case WRITE_OUTPUT_PORT:
        this.#setOutputPort(value);
        return;
      case WRITE_KEYBOARD_BUFFER:
        this.#answer(value);
        return;
      case WRITE_MOUSE_BUFFER:
        this.#answer(value, true);
        return;
      case WRITE_MOUSE: // nobody acknowledges
        this.#state.mode &= ~MODE_MOUSE_OFF;
        this.#answer(RESEND, true, true);
        return;
      default:
        this.#state.mode &= ~MODE_KEYBOARD_OFF;
        this.keyboard.write(value);
    }
  }

  #setOutputPort(value: number): void {
    this.#state.outputPort = value;
    this.#ports.a20?.((value & OUTPUT_A20) !== 0);
    if ((value & OUTPUT_NO_RESET) === 0) this.#ports.reset();
  }

  #answer(byte: number, mouse = false, timeout = false): void {
    this.#state.answer = { byte, mouse, timeout };
  }

  /**
   * Moves the next byte into the free output buffer: the controller's first, then the keyboard's. Drives the interrupt
   * lines.
   */
  #fill(): void {
    const s = this.#state;
    while ((s.status & STATUS_OUTPUT_FULL) === 0) {
      if (s.answer !== null) {
        const { byte, mouse, timeout } = s.answer;
        s.answer = null;
        this.#present(byte, (mouse ? STATUS_FROM_MOUSE : 0) | (timeout ? STATUS_TIMEOUT : 0));
      } else if ((s.mode & MODE_KEYBOARD_OFF) === 0 && this.keyboard.pending)
        this.#fromKeyboard(this.keyboard.take());
      else break;
    }
    const full = (s.status & STATUS_OUTPUT_FULL) !== 0;
    const mouse = (s.status & STATUS_FROM_MOUSE) !== 0;
    const keyboardOn = (s.mode & (MODE_KEYBOARD_INTERRUPT | MODE_KEYBOARD_OFF)) === MODE_KEYBOARD_INTERRUPT;
    this.#ports.keyboardIrq.set(full && !mouse && keyboardOn);
    this.#ports.mouseIrq.set(full && mouse && (s.mode & MODE_MOUSE_INTERRUPT) !== 0);
  }

  #fromKeyboard(byte: number): void {
    if ((this.#state.mode & MODE_TRANSLATE) === 0) {
      this.#present(byte, 0);
    } else if (byte === BREAK) {
      this.#state.released = true;
    } else {
      const prefix = byte >= 0xe0;
      this.#present(PS2_TRANSLATION[byte]! | (this.#state.released && !prefix ? 0x80 : 0), 0);
      if (!prefix) this.#state.released = false;
    }
  }

  #present(byte: number, flags: number): void {
    this.#state.data = byte;
    this.#state.status |= STATUS_OUTPUT_FULL | flags;
    this.#state.outputPort &= ~(OUTPUT_BUFFER_FULL | OUTPUT_MOUSE_BUFFER_FULL);
    this.#state.outputPort |=
      OUTPUT_BUFFER_FULL | ((flags & STATUS_FROM_MOUSE) !== 0 ? OUTPUT_MOUSE_BUFFER_FULL : 0);
  }
}

function initialState(): Registers {
  return {
    status: STATUS_COMMAND | STATUS_UNLOCKED,
    mode: MODE_KEYBOARD_INTERRUPT | MODE_MOUSE_INTERRUPT,
    outputPort: OUTPUT_NO_RESET | OUTPUT_A20 | OUTPUT_UNUSED,
    command: 0,
    data: 0,
    answer: null,
    released: false,
  };
}
