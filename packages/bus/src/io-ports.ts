/** The 64 KiB I/O port space. */
import { SmmError } from '@smm/x86-defs';
import type { PioDevice, TickCounter } from './device.ts';
import { type AccessSize, TX_DEBUG, type TxAttrs } from './transaction.ts';

/** Number of ports. */
export const IO_PORT_COUNT = 0x1_0000;

/** A range of ports that one device answers. */
export interface PortRange {
  /** Unique name for errors. */
  readonly name: string;
  /** First port. */
  readonly first: number;
  /** Number of ports, at least 1. */
  readonly count: number;
  /** Gets the accesses. */
  readonly device: PioDevice;
  /** Widest access the device takes, bytes; wider ones are split. Default 4. */
  readonly maxSize?: AccessSize;
  /** Where ranges overlap the highest priority wins; default 0. Equal priorities may not overlap when added. */
  readonly priority?: number;
  /** A disabled range is registered but not mapped; default true. */
  readonly enabled?: boolean;
}

/** The owner's grip on a registered port range. */
export interface PortHandle {
  /** The range as it is now. */
  readonly range: PortRange;
  /**
   * Moves or switches the range. Guests do this through chipset registers, so an overlap is no error: the later
   * registration wins.
   */
  set(change: { readonly first?: number; readonly enabled?: boolean }): void;
  /** Takes the range out for good. */
  remove(): void;
}

/** A {@link TickCounter} and the port that it is at. */
export interface PortCounter extends TickCounter {
  /** First port. */
  readonly port: number;
}

/** An IN or OUT that no device answered. */
export interface UnclaimedPortAccess {
  /** Port number. */
  readonly port: number;
  /** Width of the access. */
  readonly sizeBytes: AccessSize;
  /** The value of a dropped OUT; undefined for IN. */
  readonly value: number | undefined;
  /** Who asked. */
  readonly attrs: TxAttrs;
}

/**
 * Routes IN and OUT. Splitting rule: an access goes to a device whole if all its ports belong to that device's range
 * and it is no wider than the range's `maxSize`; otherwise it is split into halves, low half first, and the rule
 * applies to each half. A byte nobody answers reads FFh, writes to it are dropped, and both are reported as bytes (or
 * whole, when no port of the access has a device). The access wraps at port FFFFh.
 */
export class IoPortSpace {
  // wiring
  readonly #onUnclaimed: ((access: UnclaimedPortAccess) => void) | undefined;
  // state: derived from registrations
  #slots: { range: PortRange }[] = [];
  #owner: Uint16Array = new Uint16Array(IO_PORT_COUNT);
  #table: readonly PortRange[] = [];
  #onChange: () => void = () => {};

  constructor(ports: { readonly onUnclaimed?: (access: UnclaimedPortAccess) => void } = {}) {
    this.#onUnclaimed = ports.onUnclaimed;
  }

  /**
   * Registers a range. Throws `SmmError` `BUS_RANGE` for a range outside the 64 KiB, `BUS_NAME` for a name that is
   * taken, `BUS_OVERLAP` for enabled ranges of equal priority that share ports (all of them in `details.conflicts`).
   */
  add(range: PortRange): PortHandle {
    checkRange(range);
    if (this.#slots.some((slot) => slot.range.name === range.name)) {
      throw new SmmError(
        'BUS_NAME',
        `a port range named ${range.name} exists already`,
        'Give each range its own name.',
        { name: range.name },
      );
    }
    const conflicts = this.#slots
      .map((slot) => slot.range)
      .filter(
        (old) =>
          (old.enabled ?? true) &&
          (range.enabled ?? true) &&
          (old.priority ?? 0) === (range.priority ?? 0) &&
          old.first < range.first + range.count &&
          range.first < old.first + old.count,
      );
    if (conflicts.length > 0) {
      throw new SmmError(
        'BUS_OVERLAP',
        `port ranges overlap: ${conflicts.map((old) => `${describe(old)} and ${describe(range)}`).join('; ')}`,
        'Move one of them, or give them different priorities.',
        { conflicts: conflicts.map((old) => ({ a: old.name, b: range.name })) },
      );
    }
    const slot = { range };
    this.#slots.push(slot);
    this.#rebuild();
    const space = this;
    return {
      get range() {
        return slot.range;
      },
      set(change) {
        const next = { ...slot.range, ...change };
        checkRange(next);
        slot.range = next;
        space.#rebuild();
      },
      remove() {
        space.#slots = space.#slots.filter((other) => other !== slot);
        space.#rebuild();
      },
    };
  }

  /** Calls back after each change of who answers which ports; one listener. */
  onChange(listener: () => void): void {
    this.#onChange = listener;
  }

  /** The first register that shows nothing but time, where an access of its whole width reaches it. */
  tickCounter(): PortCounter | undefined {
    for (const range of this.#table) {
      const counter = range.device.tickCounter;
      if (counter === undefined) continue;
      const port = range.first + counter.offset;
      if (port + counter.size <= IO_PORT_COUNT && this.#ownerOf(port, counter.size) === range)
        return { ...counter, port };
    }
    return undefined;
  }

  /** IN: `size` bytes, little-endian, unsigned. */
  in(port: number, size: AccessSize, attrs: TxAttrs): number {
    const owner = this.#ownerOf(port, size);
    if (owner !== undefined) return truncate(owner.device.in(port, size, attrs), size);
    if (size === 1 || this.#allUnclaimed(port, size)) {
      this.#report({ port, sizeBytes: size, value: undefined, attrs });
      return truncate(0xffff_ffff, size);
    }
    const half = (size >>> 1) as AccessSize;
    const low = this.in(port, half, attrs);
    const high = this.in((port + half) & 0xffff, half, attrs);
    return low + high * 2 ** (8 * half);
  }

  /** OUT: `size` bytes, little-endian; higher bits of `value` are ignored. */
  out(port: number, size: AccessSize, value: number, attrs: TxAttrs): void {
    const owner = this.#ownerOf(port, size);
    if (owner !== undefined) owner.device.out(port, size, truncate(value, size), attrs);
    else if (size === 1 || this.#allUnclaimed(port, size)) {
      this.#report({ port, sizeBytes: size, value: truncate(value, size), attrs });
    } else {
      const half = (size >>> 1) as AccessSize;
      this.out(port, half, value, attrs);
      this.out((port + half) & 0xffff, half, value >>> (8 * half), attrs);
    }
  }

  /** The range that answers a port, or undefined. */
  rangeAt(port: number): PortRange | undefined {
    return this.#table[this.#owner[port & 0xffff]! - 1];
  }

  #ownerOf(port: number, size: AccessSize): PortRange | undefined {
    const index = this.#owner[port]!;
    if (index === 0) return undefined;
    for (let i = 1; i < size; i++) if (this.#owner[(port + i) & 0xffff] !== index) return undefined;
    const range = this.#table[index - 1]!;
    return size <= (range.maxSize ?? 4) || size === 1 ? range : undefined;
  }

  #allUnclaimed(port: number, size: AccessSize): boolean {
    for (let i = 0; i < size; i++) if (this.#owner[(port + i) & 0xffff] !== 0) return false;
    return true;
  }

  #rebuild(): void {
    const ordered = this.#slots
      .map((slot) => slot.range)
      .filter((range) => range.enabled ?? true)
      .sort((a, b) => (a.priority ?? 0) - (b.priority ?? 0)); // stable: later registrations stay later
    this.#table = ordered;
    this.#owner = new Uint16Array(IO_PORT_COUNT);
    ordered.forEach((range, i) => {
      this.#owner.fill(i + 1, range.first, range.first + range.count);
    });
    this.#onChange();
  }

  #report(access: UnclaimedPortAccess): void {
    if ((access.attrs & TX_DEBUG) === 0) this.#onUnclaimed?.(access);
  }
}

function checkRange(range: PortRange): void {
  const { first, count } = range;
  const whole = Number.isInteger(first) && Number.isInteger(count);
  if (!whole || first < 0 || count < 1 || first + count > IO_PORT_COUNT) {
    throw new SmmError(
      'BUS_RANGE',
      `${describe(range)} is not within ports 0 to 0xffff`,
      'Check first and count of the port range.',
      { range: range.name, first, count },
    );
  }
}

function describe(range: PortRange): string {
  return `${range.name} at ports 0x${range.first.toString(16)}..0x${(range.first + range.count - 1).toString(16)}`;
}

function truncate(value: number, size: AccessSize): number {
  return size === 4 ? value >>> 0 : value & (size === 2 ? 0xffff : 0xff);
}
