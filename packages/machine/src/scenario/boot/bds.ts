/**
 * Tells whether boot device selection (BDS) has begun: the DXE core has called the BDS Architectural Protocol, whose
 * function never returns, so that the stack of the boot processor holds a return address into it ever after. Sources:
 * UEFI Platform Initialization Specification volume 2, "BDS Architectural Protocol"; edk2's DxeCore for its database of
 * protocols.
 */
import { Fields, type MemoryRegion } from './guest-memory.ts';
import type { LoadedImage } from './module-map.ts';

const BDS_ARCHITECTURAL_PROTOCOL = '665e3ff6-46cc-11d4-9a38-0090273fc14d';
const PROTOCOL_ENTRY = 0x6574_7270; // prte
/** Protocols that are looked at, so that damaged lists end. */
const MOST_PROTOCOLS = 4096;
/** Bytes of stack that are looked at. */
const STACK_BYTES = 0x1_0000;
/** Bytes of the protocol's function at most. */
const LONGEST_FUNCTION = 0x1000;

/** Watches one machine's RAM; ask it now and then. */
export class BdsWatch {
  readonly #ram: MemoryRegion;
  readonly #words: Uint32Array;
  readonly #imageAt: (address: number) => LoadedImage | undefined;
  /** Address of the list of protocols in the DXE core's data. */
  #list: number | undefined;
  #function: readonly [from: number, to: number] | undefined;

  /**
   * @param ram - RAM below 4 GiB
   * @param imageAt - the image that an address belongs to
   */
  constructor(ram: MemoryRegion, imageAt: (address: number) => LoadedImage | undefined) {
    this.#ram = ram;
    this.#words = new Uint32Array(ram.bytes.buffer, ram.bytes.byteOffset, ram.bytes.length >>> 2);
    this.#imageAt = imageAt;
  }

  /**
   * BDS has begun.
   * @param core - the DXE core
   * @param rsp - stack pointer of the boot processor outside SMM, guest-physical
   */
  begun(core: LoadedImage, rsp: number): boolean {
    const fields = new Fields(this.#ram, core.header.is64 ? 8 : 4);
    this.#list ??= findProtocols(fields, core);
    if (this.#list === undefined) return false;
    this.#function ??= this.#findFunction(fields, this.#list);
    if (this.#function === undefined) return false;
    const [from, to] = this.#function;
    const first = (rsp - this.#ram.start) >>> 2;
    for (const word of this.#words.subarray(first, first + STACK_BYTES / 4))
      if (word > from && word < to && isBehindCall(fields, word)) return true;
    return false;
  }

  /** Where the protocol's function is; it ends before the entry point of its module, which has returned. */
  #findFunction(fields: Fields, list: number): [from: number, to: number] | undefined {
    const from = interfaceFunction(fields, list, BDS_ARCHITECTURAL_PROTOCOL);
    const image = from === undefined ? undefined : this.#imageAt(from);
    if (from === undefined || image === undefined) return undefined;
    const entry = image.base + image.header.entryPoint;
    return [from, Math.min(from + LONGEST_FUNCTION, entry > from ? entry : Number.POSITIVE_INFINITY)];
  }
}

/** A call ends before this address: E8 with a 32-bit offset, or FF /2 with up to five bytes behind its ModRM. */
function isBehindCall(fields: Fields, address: number): boolean {
  const byte = (back: number): number => fields.u32(address - back) & 0xff;
  return (
    byte(5) === 0xe8 || [2, 3, 6, 7].some((back) => byte(back) === 0xff && (byte(back - 1) & 0x38) === 0x10)
  );
}

/** The head of the list of all protocols: two pointers to records of protocols in the data of the DXE core. */
function findProtocols(fields: Fields, { base, header }: LoadedImage): number | undefined {
  const { width } = fields;
  const isRecord = (link: number): boolean => link !== 0 && fields.u32(link - width) === PROTOCOL_ENTRY;
  for (let at = base; at < base + header.sizeOfImage; at += width)
    if (isRecord(fields.pointer(at)) && isRecord(fields.pointer(at + width))) return at;
  return undefined;
}

/**
 * The first member of the first interface of a protocol. A record of a protocol has signature, link, GUID, list of
 * interfaces; one of an interface, from its link in that list on: link, protocol, interface.
 */
function interfaceFunction(fields: Fields, list: number, guid: string): number | undefined {
  const { width } = fields;
  let link = fields.pointer(list);
  for (let n = 0; n < MOST_PROTOCOLS && link !== list && link !== 0; n++, link = fields.pointer(link)) {
    if (fields.guid(link + 2 * width) !== guid) continue;
    const head = link + 2 * width + 16;
    const first = fields.pointer(head);
    if (first === head || first === 0) return undefined;
    return fields.pointer(fields.pointer(first + 3 * width)) || undefined;
  }
  return undefined;
}
