/** Reads the bytes of a trace.dat file in order; a file that ends too early is an error that says where. */
import { SmmError } from '@smm/x86-defs';

/** Reads a byte string from the front; running out of bytes is a truncated file. */
export class Cursor {
  readonly #view: DataView;
  #at = 0;

  /** All bytes. */
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Offset of the next byte. */
  get at(): number {
    return this.#at;
  }

  /** Goes to an offset. */
  seek(offset: number): void {
    if (offset < 0 || offset > this.bytes.length) throw truncated(offset, this.bytes.length);
    this.#at = offset;
  }

  /** The next `size` bytes. */
  take(size: number): Uint8Array {
    const at = this.#at;
    if (size < 0 || at + size > this.bytes.length) throw truncated(at + size, this.bytes.length);
    this.#at += size;
    return this.bytes.subarray(at, at + size);
  }

  /** 8 bits. */
  u8(): number {
    return this.take(1)[0] ?? 0;
  }

  /** 16 bits. */
  u16(): number {
    this.take(2);
    return this.#view.getUint16(this.#at - 2, true);
  }

  /** 32 bits. */
  u32(): number {
    this.take(4);
    return this.#view.getUint32(this.#at - 4, true);
  }

  /** 64 bits; rounded beyond 2^53. */
  u64(): number {
    this.take(8);
    return Number(this.#view.getBigUint64(this.#at - 8, true));
  }

  /** UTF-8 of `size` bytes. */
  text(size: number): string {
    return new TextDecoder().decode(this.take(size));
  }

  /** Text up to a zero. */
  word(): string {
    const end = this.bytes.indexOf(0, this.#at);
    if (end < 0) throw truncated(this.bytes.length + 1, this.bytes.length);
    const text = this.text(end - this.#at);
    this.#at++;
    return text;
  }
}

/** The file ends before its content does. */
export function truncated(needed: number, length: number): SmmError {
  return new SmmError(
    'TRACE_TRUNCATED',
    `The trace.dat file ends at byte ${length}, but its content goes on to byte ${needed} at least.`,
    'Copy the whole file again, or record anew: the file was cut short.',
    { needed, length },
  );
}

/** The file is no trace.dat. */
export function foreign(message: string): SmmError {
  return new SmmError(
    'TRACE_FOREIGN',
    message,
    'Give a trace.dat file of trace-cmd (version 6 or 7), recorded with `trace-cmd record -e kvm`.',
  );
}
