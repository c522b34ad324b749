/** The one port of this package: bytes at any place. Files, images inside files and overlays all are this. */

/**
 * Bytes that can be read and written at any place: a file, an image in a file, a piece of memory. Calls return when
 * they are done, so that a guest's course does not depend on how fast the host is. They throw an `SmmError` for what
 * the host cannot do; then nothing is known of the bytes that were to be written.
 */
export interface ByteStore {
  /** Size in bytes. A file grows when something is written behind its end; a disk does not. */
  readonly sizeBytes: number;
  /** Nothing can be written. */
  readonly readonly: boolean;
  /** Fills `into` from byte `at` on. Behind the end there are zeros. */
  read(at: number, into: Uint8Array): void;
  /** Writes `bytes` from byte `at` on. The bytes are not kept: they may change after the call. */
  write(at: number, bytes: Uint8Array): void;
  /** Returns when everything written before is where it outlasts a loss of power. */
  flush(): void;
}

/** Bytes in memory; grows as a file does. */
export class MemoryStore implements ByteStore {
  readonly readonly: boolean = false;
  #bytes: Uint8Array;
  #sizeBytes: number;

  /** Begins with these bytes, which are copied. */
  constructor(bytes: Uint8Array = new Uint8Array(0)) {
    this.#bytes = new Uint8Array(bytes); // slice of a Buffer is a view
    this.#sizeBytes = bytes.length;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** What it holds; a copy. */
  get bytes(): Uint8Array {
    return this.#bytes.slice(0, this.#sizeBytes);
  }

  read(at: number, into: Uint8Array): void {
    const there = this.#bytes.subarray(
      Math.min(at, this.#sizeBytes),
      Math.min(at + into.length, this.#sizeBytes),
    );
    into.set(there);
    into.fill(0, there.length);
  }

  write(at: number, bytes: Uint8Array): void {
    const end = at + bytes.length;
    if (end > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(end, 2 * this.#bytes.length));
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes.set(bytes, at);
    this.#sizeBytes = Math.max(this.#sizeBytes, end);
  }

  flush(): void {}
}
