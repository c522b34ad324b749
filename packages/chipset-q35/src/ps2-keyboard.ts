/**
 * A PS/2 keyboard with 104 keys: commands, scan code sets 1 and 2, a 16-byte output queue. It answers without delay.
 *
 * Not modelled: scan code set 3 (refused with FEh), typematic repeat (the host repeats), per-key make/break settings
 * (accepted, without effect). Sources: IBM PS/2 Hardware Interface Technical Reference, "Keyboards (101- and 102-Key)",
 * "Commands from the System"; answers compared with QEMU 7.2.
 */
import type { Snapshottable } from '@smm/bus';
import { type KeyName, PS2_SET2_CODES, PS2_TRANSLATION } from './ps2-keys.ts';
import { requireVersion1 } from './snapshot.ts';

const QUEUE_SIZE = 16;
const ACK = 0xfa;
const RESEND = 0xfe;
const POWER_ON_OK = 0xaa;
const ECHO = 0xee;
const BREAK = 0xf0;
const EXTENDED = 0xe0;
const CMD_SET_LEDS = 0xed;
const CMD_SCAN_CODE_SET = 0xf0;
const CMD_IDENTIFY = 0xf2;
const CMD_TYPEMATIC = 0xf3;
const CMD_ENABLE = 0xf4;
const CMD_DEFAULT_DISABLE = 0xf5;
const CMD_DEFAULT = 0xf6;
const CMD_RESEND = 0xfe;
const CMD_RESET = 0xff;
/** Set 2 sequences of the two keys that have no single code. */
const SPECIAL: Record<'PrintScreen' | 'Pause', { make: number[]; release: number[] }> = {
  PrintScreen: { make: [0xe0, 0x12, 0xe0, 0x7c], release: [0xe0, 0xf0, 0x7c, 0xe0, 0xf0, 0x12] },
  Pause: { make: [0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77], release: [] },
};

/** What a {@link Ps2Keyboard} is given. */
export interface Ps2KeyboardPorts {
  /** The queue became non-empty, or empty: the controller looks at it. */
  readonly changed: () => void;
  /** The guest set the lights: bit 0 Scroll Lock, 1 Num Lock, 2 Caps Lock. */
  readonly leds?: (bits: number) => void;
}

/** Architectural state of a {@link Ps2Keyboard}. */
export interface Ps2KeyboardState {
  /** Layout version of this object. */
  version: 1;
  /** Bytes to be sent, oldest first. */
  queue: number[];
  /** Command that waits for its argument, -1 for none. */
  command: number;
  /** Keys are reported. */
  scanning: boolean;
  /** Scan code set, 1 or 2. */
  set: number;
  /** Lights as last set, 3 bit. */
  leds: number;
  /** Last byte sent, for the resend command. */
  last: number;
}

/** The device. A byte on its wire is what the controller sees before translation. */
export class Ps2Keyboard implements Snapshottable<Ps2KeyboardState> {
  // wiring
  readonly #ports: Ps2KeyboardPorts;
  // architectural state
  #state: Ps2KeyboardState = initialState();

  constructor(ports: Ps2KeyboardPorts) {
    this.#ports = ports;
  }

  /** Bytes wait to be taken. */
  get pending(): boolean {
    return this.#state.queue.length > 0;
  }

  /** Takes the next byte; 0 when there is none. */
  take(): number {
    const byte = this.#state.queue.shift();
    if (byte === undefined) return 0;
    this.#state.last = byte;
    return byte;
  }

  /**
   * A key goes down or up. Returns false, and reports nothing, when the keyboard is disabled or has no room for the
   * whole sequence.
   */
  key(name: KeyName, down: boolean): boolean {
    const sequence = set2Sequence(name, down);
    const bytes = this.#state.set === 1 ? translate(sequence) : sequence;
    if (!this.#state.scanning || this.#state.queue.length + bytes.length > QUEUE_SIZE) return false;
    this.#send(...bytes);
    return true;
  }

  /** The system sends a byte: a command or its argument. */
  write(byte: number): void {
    const { command } = this.#state;
    this.#state.command = -1;
    if (command === -1) this.#command(byte);
    else this.#argument(command, byte);
  }

  /** Power-on state, without the self-test byte. */
  reset(): void {
    this.#state = initialState();
    this.#ports.changed();
  }

  /** Copies the state out. */
  save(): Ps2KeyboardState {
    return structuredClone(this.#state);
  }

  /** Puts a saved state back. Throws `SmmError` `SNAPSHOT_VERSION` for another version. */
  restore(state: Ps2KeyboardState): void {
    requireVersion1('ps2-keyboard', state);
    this.#state = structuredClone(state);
    this.#ports.changed();
  }

  #command(byte: number): void {
    switch (byte) {
      case 0x00: // no command by the book; QEMU acknowledges it
        this.#send(ACK);
        return;
      case ECHO:
        this.#send(ECHO);
        return;
      case CMD_IDENTIFY:
        this.#send(ACK, 0xab, 0x83);
        return;
      case CMD_SET_LEDS:
      case CMD_SCAN_CODE_SET:
      case CMD_TYPEMATIC:
        this.#state.command = byte;
        this.#send(ACK);
        return;
      case CMD_ENABLE:
        this.#state.scanning = true;
        this.#send(ACK);
        return;
      case CMD_DEFAULT_DISABLE:
      case CMD_DEFAULT:
        this.#defaults();
        this.#state.scanning = byte === CMD_DEFAULT;
        this.#send(ACK);
        return;
      case CMD_RESEND:
        this.#send(this.#state.last);
        return;
      case CMD_RESET:
        this.#defaults();
        this.#send(ACK, POWER_ON_OK);
        return;
      default:
        this.#send(byte >= 0xf7 && byte <= 0xfa ? ACK : RESEND); // F7h to FAh: settings for all keys
    }
  }

  #argument(command: number, byte: number): void {
    if (command === CMD_SET_LEDS) {
      this.#state.leds = byte & 7;
      this.#ports.leds?.(this.#state.leds);
      this.#send(ACK);
    } else if (command === CMD_TYPEMATIC) this.#send(ACK);
    else if (byte === 0) this.#send(ACK, this.#state.set);
    else if (byte === 1 || byte === 2) {
      this.#state.set = byte;
      this.#send(ACK);
    } else this.#send(RESEND);
  }

  #defaults(): void {
    this.#state = { ...initialState(), leds: this.#state.leds, last: this.#state.last };
  }

  /** Queues bytes; those for which there is no room are lost. */
  #send(...bytes: number[]): void {
    this.#state.queue.push(...bytes.slice(0, Math.max(0, QUEUE_SIZE - this.#state.queue.length)));
    this.#ports.changed();
  }
}

function initialState(): Ps2KeyboardState {
  return { version: 1, queue: [], command: -1, scanning: true, set: 2, leds: 0, last: 0 };
}

function set2Sequence(name: KeyName, down: boolean): number[] {
  if (name === 'PrintScreen' || name === 'Pause') return down ? SPECIAL[name].make : SPECIAL[name].release;
  const code = PS2_SET2_CODES[name];
  const prefix = code > 0xff ? [EXTENDED] : [];
  return [...prefix, ...(down ? [] : [BREAK]), code & 0xff];
}

/** Set 1 for set 2 bytes: a break prefix becomes bit 7 of what follows. */
function translate(bytes: readonly number[]): number[] {
  const result: number[] = [];
  let released = 0;
  for (const byte of bytes) {
    if (byte === BREAK) released = 0x80;
    else {
      result.push(PS2_TRANSLATION[byte]! | (byte < EXTENDED ? released : 0));
      if (byte < EXTENDED) released = 0;
    }
  }
  return result;
}
