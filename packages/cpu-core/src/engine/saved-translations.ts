/**
 * What a processor remembers of translations, as bytes of a snapshot. The guest can notice it: an entry outlives the
 * tables it was made from until it is dropped, and without it a walk sets flags, or exits. 16 bytes each: linear
 * address (64-bit float), host page (32 bit), kind and rights (32 bit), little-endian.
 */
import { SmmError } from '@smm/x86-defs';
import { TLB_ADDEND, TLB_EXEC_TAG, TLB_GUARDED, TLB_WATCHED, TLB_WRITE_TAG } from './tlb.ts';

/** What a TLB entry says of a page. */
export interface CachedPage {
  /** Its host offset. */
  readonly hostPage: number;
  readonly readable: boolean;
  readonly writable: boolean;
  readonly executable: boolean;
}

/** One of them with its address. */
interface Located extends CachedPage {
  /** Linear address of the page. */
  readonly linear: number;
}

/**
 * `supervisor`, `user`: an entry of that TLB. `fetched`: a page that instructions were fetched from, `linear` is its
 * key. `large`: a large page, `hostPage` is its size.
 */
type Kind = 'supervisor' | 'user' | 'fetched' | 'large';

const KINDS: readonly Kind[] = ['supervisor', 'user', 'fetched', 'large'];
const RECORD_BYTES = 16;
const READABLE = 0x10;
const WRITABLE = 0x20;
const EXECUTABLE = 0x40;

/** For what is no entry. */
export const NO_RIGHTS = { readable: false, writable: false, executable: false } as const;

/** The entry at an index into 32-bit words; undefined for an empty one. A guarded page may be written. */
export function cachedPage(i32: Int32Array, at: number): Located | undefined {
  const readable = isTag(i32[at]!);
  const writeTag = i32[at + (TLB_WRITE_TAG >>> 2)]!;
  const executable = isTag(i32[at + (TLB_EXEC_TAG >>> 2)]!);
  const guarded = readable && i32[at + (TLB_GUARDED >>> 2)] === 1;
  const tag = readable ? at : executable ? at + (TLB_EXEC_TAG >>> 2) : at + (TLB_WRITE_TAG >>> 2);
  if (!isTag(i32[tag]!)) return undefined;
  const page = i32[tag]! & ~0xfff;
  return {
    linear: i32[tag + 1]! * 0x1_0000_0000 + (page >>> 0),
    hostPage: (page + i32[at + (TLB_ADDEND >>> 2)]!) >>> 0,
    readable,
    writable: isTag(writeTag) || guarded,
    executable,
  };
}

function isTag(low: number): boolean {
  return (low & 0xfff & ~TLB_WATCHED) === 0;
}

/** Collects records. */
export class TranslationWriter {
  readonly #records: (readonly [Kind, Located])[] = [];

  /** One more. */
  add(kind: Kind, cached: Located): void {
    this.#records.push([kind, cached]);
  }

  /** All of them. */
  bytes(): Uint8Array {
    const bytes = new Uint8Array(this.#records.length * RECORD_BYTES);
    const data = new DataView(bytes.buffer);
    this.#records.forEach(([kind, { linear, hostPage, readable, writable, executable }], i) => {
      const at = i * RECORD_BYTES;
      const rights = (readable ? READABLE : 0) | (writable ? WRITABLE : 0) | (executable ? EXECUTABLE : 0);
      data.setFloat64(at, linear, true);
      data.setUint32(at + 8, hostPage, true);
      data.setUint32(at + 12, KINDS.indexOf(kind) | rights, true);
    });
    return bytes;
  }
}

/** Reads records. Throws `SmmError` `SNAPSHOT_MEMORY` for what is none, or lies outside a memory of that size. */
export function readTranslations(
  bytes: Uint8Array,
  memoryBytes: number,
): (readonly [kind: Kind, cached: Located])[] {
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const list: (readonly [Kind, Located])[] = [];
  for (let at = 0; at < bytes.length; at += RECORD_BYTES) {
    if (at + RECORD_BYTES > bytes.length) refuse(at);
    const linear = data.getFloat64(at, true);
    const hostPage = data.getUint32(at + 8, true);
    const word = data.getUint32(at + 12, true);
    const kind = KINDS[word & 0xf];
    const sound = kind !== undefined && Number.isSafeInteger(linear) && (word & ~0x7f) === 0;
    const page = hostPage % 0x1000 === 0 && (kind === 'large' || hostPage < memoryBytes);
    const isEntry = kind === 'supervisor' || kind === 'user';
    if (!sound || !page || (isEntry ? linear % 0x1000 !== 0 || word >> 4 === 0 : word >> 4 !== 0)) refuse(at);
    const readable = (word & READABLE) !== 0;
    const writable = (word & WRITABLE) !== 0;
    const executable = (word & EXECUTABLE) !== 0;
    list.push([kind!, { linear, hostPage, readable, writable, executable }]);
  }
  return list;
}

function refuse(at: number): never {
  throw new SmmError(
    'SNAPSHOT_MEMORY',
    `byte ${at} of a processor's saved translations begins no translation of this machine's memory`,
    'The snapshot is damaged or comes from another machine: save it again.',
    { at },
  );
}
