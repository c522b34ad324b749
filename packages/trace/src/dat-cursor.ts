/** Reads the bytes of a trace.dat file in order; a file that ends too early is an error that says where. */
import { SmmError } from '@smm/x86-defs';
import { type ByteSource, sourceOf } from './byte-source.ts';

/** Bytes in which the end of a text is looked for at once. */
const STEP = 256;

/** Reads bytes from the front; running out of them is a truncated file. */
export class Cursor {
  readonly #source: ByteSource;
  #at = 0;

  constructor(bytes: Uint8Array | ByteSource) {
    this.#source = bytes instanceof Uint8Array ? sourceOf(bytes) : bytes;
  }

  /** Goes to an offset. */
  seek(offset: number): void {
    if (offset < 0 || offset > this.#source.size) throw truncated(offset, this.#source.size);
    this.#at = offset;
  }

  /** Passes over `size` bytes. */
  skip(size: number): void {
    this.seek(this.#at + size);
  }

  /** Checks that the file has the `size` bytes from `offset`. */
  expect(offset: number, size: number): void {
    if (offset + size > this.#source.size) throw truncated(offset + size, this.#source.size);
  }

  /** The next `size` bytes, which the next read may overwrite. */
  take(size: number): Uint8Array {
    const at = this.#at;
    this.skip(size);
    const bytes = this.#source.read(at, size);
    if (bytes.length < size) throw truncated(at + size, at + bytes.length);
    return bytes;
  }

  #view(size: number): DataView {
    const { buffer, byteOffset } = this.take(size);
    return new DataView(buffer, byteOffset, size);
  }

  /** 8 bits. */
  u8(): number {
    return this.#view(1).getUint8(0);
  }

  /** 16 bits. */
  u16(): number {
    return this.#view(2).getUint16(0, true);
  }

  /** 32 bits. */
  u32(): number {
    return this.#view(4).getUint32(0, true);
  }

  /** 64 bits; rounded beyond 2^53. */
  u64(): number {
    return Number(this.#view(8).getBigUint64(0, true));
  }

  /** UTF-8 of `size` bytes. */
  text(size: number): string {
    return new TextDecoder().decode(this.take(size));
  }

  /** Text up to a zero. */
  word(): string {
    const { size } = this.#source;
    const start = this.#at;
    let end = start;
    for (;;) {
      if (end >= size) throw truncated(size + 1, size);
      const piece = this.#source.read(end, Math.min(STEP, size - end));
      const zero = piece.indexOf(0);
      if (piece.length === 0) throw truncated(size, end);
      end += zero < 0 ? piece.length : zero;
      if (zero >= 0) break;
    }
    const text = this.text(end - start);
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
