/** As much of protocol buffers' wire format as a trace writer needs. Source: "Encoding", protobuf.dev. */
import { ByteWriter } from './byte-writer.ts';

const WIRE = { VARINT: 0, BYTES: 2 } as const;

/** Writes one message. Field numbers are those of the message's definition. */
export class ProtoWriter {
  readonly #out = new ByteWriter();

  #varint(value: bigint): void {
    let rest = BigInt.asUintN(64, value);
    while (rest > 0x7fn) {
      this.#out.u8(Number(rest & 0x7fn) | 0x80);
      rest >>= 7n;
    }
    this.#out.u8(Number(rest));
  }

  #key(field: number, wire: number): void {
    this.#varint(BigInt(field * 8 + wire));
  }

  /** An integer, enumeration or boolean; negative ones as 64-bit two's complement. */
  varint(field: number, value: bigint | number | boolean): this {
    this.#key(field, WIRE.VARINT);
    this.#varint(BigInt(value));
    return this;
  }

  /** A string as UTF-8. */
  string(field: number, value: string): this {
    return this.bytes(field, new TextEncoder().encode(value));
  }

  /** A field of bytes, a string or a message: its length, then these. */
  bytes(field: number, value: Uint8Array): this {
    this.#key(field, WIRE.BYTES);
    this.#varint(BigInt(value.length));
    this.#out.bytes(value);
    return this;
  }

  /** A message inside this one. */
  message(field: number, value: ProtoWriter): this {
    return this.bytes(field, value.finish());
  }

  /** The bytes written so far. */
  finish(): Uint8Array {
    return this.#out.finish();
  }
}
