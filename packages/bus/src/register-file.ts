/**
 * A block of device registers driven by one table: widths, resets and writable bits as data, access splitting done
 * once.
 */
import { SmmError } from '@smm/x86-defs';
import type { Snapshottable } from './device.ts';
import type { AccessSize, TxAttrs } from './transaction.ts';

/** One row of a register table. Bits in none of the masks are read-only. */
export interface RegisterSpec<N extends string = string> {
  /** Name as the data sheet or edk2 spells it. */
  readonly name: N;
  /** Offset of the lowest byte. */
  readonly offset: number;
  /** Width in bytes. */
  readonly width: AccessSize;
  /** Value after reset; default 0. */
  readonly reset?: number;
  /** Bits that software can write; default none. */
  readonly writable?: number;
  /** Bits that writing 1 clears and writing 0 keeps; default none. */
  readonly w1c?: number;
}

/**
 * How a device takes part in accesses to its {@link RegisterFile}. Both see whole registers, whatever the width of the
 * access.
 */
export interface RegisterHooks<N extends string> {
  /** Supplies a register's current value for a read; default is the stored one. `stored` is unsigned. */
  readonly read?: (name: N, stored: number, attrs: TxAttrs) => number;
  /**
   * Decides what is stored: gets the value with masks and W1C applied, the previous value, and the raw bytes written in
   * place (bytes that the access did not cover are 0 in both `raw` and `rawMask`). Returns the value to store. Called
   * in offset order, once per register that the access touches.
   */
  readonly write?: (write: RegisterWrite<N>) => number;
}

/** One register's part of a write. All values unsigned and register-wide. */
export interface RegisterWrite<N extends string> {
  /** Which register. */
  readonly name: N;
  /** Result of the table's masks. */
  readonly value: number;
  /** Stored value before the write. */
  readonly previous: number;
  /** The bits written, before any mask. */
  readonly raw: number;
  /** Ones in the bytes that the access covered. */
  readonly rawMask: number;
  /** Who wrote. */
  readonly attrs: TxAttrs;
}

/** Architectural state of a {@link RegisterFile}. */
export interface RegisterFileState {
  /** Layout version of this object. */
  version: 1;
  /** Every byte of the block. */
  bytes: Uint8Array;
}

/**
 * Registers in one little-endian block. Partial, wide, unaligned and straddling accesses are split by register here, so
 * hooks see whole registers. Bytes without a register read the fill value and ignore writes.
 */
export class RegisterFile<N extends string = string> implements Snapshottable<RegisterFileState> {
  /** The table, in offset order. */
  readonly specs: readonly RegisterSpec<N>[];
  // wiring
  readonly #name: string;
  readonly #hooks: RegisterHooks<N>;
  readonly #byName = new Map<N, RegisterSpec<N>>();
  readonly #owner: (RegisterSpec<N> | undefined)[];
  readonly #fill: number;
  // architectural state
  readonly #bytes: Uint8Array;

  /**
   * `sizeBytes` is the size of the block, `fill` what bytes without a register read (default 0).
   * Throws `SmmError` `REGISTER_TABLE` when rows overlap, stick out of the block or share a name.
   */
  constructor(
    name: string,
    sizeBytes: number,
    specs: readonly RegisterSpec<N>[],
    hooks: RegisterHooks<N> = {},
    fill = 0,
  ) {
    this.#name = name;
    this.#hooks = hooks;
    this.#fill = fill;
    this.#bytes = new Uint8Array(sizeBytes);
    this.#owner = new Array<RegisterSpec<N> | undefined>(sizeBytes).fill(undefined);
    this.specs = [...specs].sort((a, b) => a.offset - b.offset);
    for (const spec of this.specs) {
      const other = this.#owner.slice(spec.offset, spec.offset + spec.width).find((o) => o !== undefined);
      if (other !== undefined || this.#byName.has(spec.name) || spec.offset + spec.width > sizeBytes) {
        throw new SmmError(
          'REGISTER_TABLE',
          `register ${spec.name} of ${name} overlaps ${other?.name ?? 'the end of the block'} or repeats a name`,
          'Give each register its own name and bytes inside the block.',
          { block: name, register: spec.name, other: other?.name },
        );
      }
      this.#byName.set(spec.name, spec);
      this.#owner.fill(spec, spec.offset, spec.offset + spec.width);
    }
    this.reset();
  }

  /** Puts every register to its reset value, without hooks. */
  reset(): void {
    this.#bytes.fill(this.#fill);
    for (const spec of this.specs) this.#store(spec, spec.reset ?? 0);
  }

  /** The stored value of a register, unsigned; no hook runs. */
  get(name: N): number {
    return this.#load(this.spec(name));
  }

  /** Stores a value, masks and hooks bypassed: for the device itself. */
  set(name: N, value: number): void {
    this.#store(this.spec(name), value);
  }

  /** A register's row. Throws `SmmError` `REGISTER_NAME` when the block has none of that name. */
  spec(name: N): RegisterSpec<N> {
    const spec = this.#byName.get(name);
    if (spec === undefined) {
      throw new SmmError(
        'REGISTER_NAME',
        `${this.#name} has no register ${name}`,
        `Use one of ${this.specs.map((s) => s.name).join(', ')}.`,
        { block: this.#name, register: name },
      );
    }
    return spec;
  }

  /** Reads `size` bytes at `offset`. Bytes past the end of the block read the fill value. */
  read(offset: number, size: AccessSize, attrs: TxAttrs = 0): number {
    const only = this.#owner[offset];
    if (only !== undefined && only.offset === offset && only.width === size) {
      const stored = this.#load(only);
      return this.#hooks.read === undefined ? stored : this.#hooks.read(only.name, stored, attrs) >>> 0;
    }
    let value = 0;
    for (let i = 0; i < size; ) {
      const spec = this.#owner[offset + i];
      if (spec === undefined) {
        value += this.#fill * 2 ** (8 * i);
        i++;
        continue;
      }
      const stored = this.#load(spec);
      const whole =
        this.#hooks.read === undefined ? stored : this.#hooks.read(spec.name, stored, attrs) >>> 0;
      const skip = offset + i - spec.offset;
      const count = Math.min(size - i, spec.width - skip);
      value += (Math.floor(whole / 2 ** (8 * skip)) % 2 ** (8 * count)) * 2 ** (8 * i);
      i += count;
    }
    return value;
  }

  /** Writes `size` bytes at `offset`; higher bits of `value` are ignored. */
  write(offset: number, size: AccessSize, value: number, attrs: TxAttrs = 0): void {
    for (let i = 0; i < size; ) {
      const spec = this.#owner[offset + i];
      if (spec === undefined) {
        i++;
        continue;
      }
      const skip = offset + i - spec.offset;
      const count = Math.min(size - i, spec.width - skip);
      const rawMask = (byteMask(count) << (8 * skip)) >>> 0;
      const raw = (((value >>> (8 * i)) << (8 * skip)) & rawMask) >>> 0;
      const previous = this.#load(spec);
      const writable = (spec.writable ?? 0) & rawMask;
      const cleared = raw & (spec.w1c ?? 0);
      const merged = (((previous & ~writable) | (raw & writable)) & ~cleared) >>> 0;
      const write = this.#hooks.write;
      this.#store(
        spec,
        write === undefined
          ? merged
          : write({ name: spec.name, value: merged, previous, raw, rawMask, attrs }),
      );
      i += count;
    }
  }

  /** Copies the block out. */
  save(): RegisterFileState {
    return { version: 1, bytes: this.#bytes.slice() };
  }

  /** Puts a saved block back, without hooks. Throws `SmmError` `SNAPSHOT_VERSION` for another version or size. */
  restore(state: RegisterFileState): void {
    if (state.version !== 1 || state.bytes.length !== this.#bytes.length) {
      throw new SmmError(
        'SNAPSHOT_VERSION',
        `snapshot of ${this.#name} has version ${String(state.version)} and ${state.bytes.length} bytes, not 1 and ${this.#bytes.length}`,
        'Restore with the release that saved it.',
        { block: this.#name, version: state.version, sizeBytes: state.bytes.length },
      );
    }
    this.#bytes.set(state.bytes);
  }

  #load(spec: RegisterSpec<N>): number {
    let value = 0;
    for (let i = spec.width - 1; i >= 0; i--) value = value * 256 + this.#bytes[spec.offset + i]!;
    return value;
  }

  #store(spec: RegisterSpec<N>, value: number): void {
    for (let i = 0; i < spec.width; i++) this.#bytes[spec.offset + i] = value >>> (8 * i);
  }
}

function byteMask(count: number): number {
  return count === 4 ? 0xffff_ffff : (1 << (8 * count)) - 1;
}
