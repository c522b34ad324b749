/** Makes relocatable images out of assembly text. */
import { assemble } from '@smm/asm';
import { SmmError } from '@smm/x86-defs';

/** An image that can be loaded anywhere below 4 GiB. */
export interface RelocatableImage {
  /** Contents for load address 0. */
  readonly bytes: Uint8Array;
  /** Offsets of the double words to which the load address must be added, ascending. */
  readonly relocations: readonly number[];
  /** Symbols that move with the image, for load address 0. */
  readonly symbols: ReadonlyMap<string, number>;
}

/** Far enough from 0 that every relocated field differs in its top byte only. */
const PROBE = 0x1000_0000;

function dword(bytes: Uint8Array, offset: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(offset, true);
}

/**
 * Assembles `source` for two addresses; what differs is what must be relocated. Throws SmmError `FIRMWARE_IMAGE` when
 * the image is larger than `limit` bytes or a field does not move with it.
 */
export function link(
  name: string,
  source: string,
  symbols: Readonly<Record<string, number>>,
  limit: number,
): RelocatableImage {
  const at0 = assemble(source, { org: 0, symbols });
  const probe = assemble(source, { org: PROBE, symbols });
  const fail = (message: string, details: Readonly<Record<string, unknown>>): never => {
    throw new SmmError('FIRMWARE_IMAGE', `${name}: ${message}`, 'Change the source of the image.', details);
  };
  if (at0.bytes.length > limit) fail(`${at0.bytes.length} bytes, ${limit} allowed`, { limit });
  if (at0.bytes.length !== probe.bytes.length) fail('the size depends on the address', {});
  const relocations: number[] = [];
  for (let offset = 0; offset < at0.bytes.length; offset++) {
    if (at0.bytes[offset] === probe.bytes[offset]) continue;
    const field = offset - 3;
    if (field < 0 || dword(probe.bytes, field) - dword(at0.bytes, field) !== PROBE) {
      fail(`the field at ${field.toString(16)} does not move with the image`, { offset: field });
    }
    relocations.push(field);
  }
  const moving = new Map<string, number>();
  for (const [symbol, value] of at0.symbols)
    if (probe.symbols.get(symbol) !== value) moving.set(symbol, value);
  return { bytes: at0.bytes, relocations, symbols: moving };
}
