/** What goes into the assembler and what comes out. */

/** Settings of `assemble`. */
export interface AssembleOptions {
  /** Mode at the start of the source; 16 if absent, as nasm's flat binary output has it. */
  readonly bits?: 16 | 32 | 64;
  /** Linear address of the first byte; 0 if absent. An `org` line overrides it. */
  readonly org?: number | bigint;
  /** Symbols from outside: plain numbers, as if by `equ`. */
  readonly symbols?: Readonly<Record<string, number | bigint>>;
}

/** What one source line became. */
export interface ListingLine {
  /** Line number, 1-based. */
  readonly line: number;
  /** Address of the first byte (with `org`). */
  readonly address: number;
  /** Offset of the first byte in the output. */
  readonly offset: number;
  /** Bytes of this line. */
  readonly bytes: Uint8Array;
  /** The line as written. */
  readonly text: string;
}

/** Result of `assemble`. */
export interface AssembledProgram {
  /** The output, byte for byte what `nasm -f bin` writes. */
  readonly bytes: Uint8Array;
  /** Addresses of labels (with `org`) and values of equ; local labels are named `label.local`. */
  readonly symbols: ReadonlyMap<string, number>;
  /** One entry for each line that is not empty. */
  readonly listing: readonly ListingLine[];
}
