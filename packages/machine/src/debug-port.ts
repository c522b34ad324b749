/**
 * A debugger's way to memory: by the addresses that a processor uses, in SMM or outside it, without any effect on the
 * guest. No accessed or dirty bits, no TLB entries, no exits or trace events, no device read that changes the device.
 */
import { newResolution, type PhysicalAddressSpace, TX_DEBUG, TX_SMM } from '@smm/bus';
import {
  type MemoryPort,
  type Processor,
  TRANSLATED_DEVICE,
  TRANSLATED_FAULT,
  TRANSLATED_RAM,
  type TranslateResult,
} from '@smm/cpu-core';
import { EFER_LMA, SmmError, wholeNumber } from '@smm/x86-defs';

/** Which memory is meant: what processors see in SMM (SMRAM is open), or outside it. */
export type DebugView = 'smm' | 'normal';

/** What a debug port works on. */
export interface DebugPorts {
  /** Processors by index. */
  readonly processors: readonly Processor[];
  /** Guest-physical decoding. */
  readonly space: PhysicalAddressSpace;
  /** The accelerator's way to pages that are no plain RAM. */
  readonly memory: MemoryPort;
  /** The machine's memory. */
  readonly buffer: ArrayBufferLike;
  /** Told of host memory that was written. */
  readonly written: (hostOffset: number, sizeBytes: number) => void;
}

/** A piece of memory within one page. */
interface Piece {
  /** First byte, an index into what is read or written. */
  readonly from: number;
  /** Bytes. */
  readonly size: number;
  /** Linear or guest-physical address of the first byte. */
  readonly address: number;
}

/** Bytes that are copied at most at a time. */
const MOST_BYTES = 2 ** 31;

/** The debug port of one machine. */
export class DebugPort {
  readonly #p: DebugPorts;
  readonly #bytes: Uint8Array;

  constructor(ports: DebugPorts) {
    this.#p = ports;
    this.#bytes = new Uint8Array(ports.buffer);
  }

  /**
   * Guest-physical address of what `linear` means to a processor now, or undefined where its page tables map nothing.
   * Rights do not matter. Linear addresses are numbers from 0, or canonical ones as signed numbers or as bigints of
   * either sign; outside IA-32e mode they wrap at 4 GiB. `view` is the processor's own unless given.
   */
  physicalOf(cpu: number, linear: number | bigint, view?: DebugView): number | undefined {
    const processor = this.#processor(cpu);
    const at = linearOf(processor, linear);
    const { outcome, gpaPage } = processor.memory.look(at, inSmm(processor, view));
    return isMapped(outcome) ? gpaPage + (at & 0xfff) : undefined;
  }

  /**
   * Reads by linear address, see {@link physicalOf}; devices answer as far as that changes nothing. Throws `SmmError`
   * `LINEAR_UNMAPPED` where the page tables map nothing.
   */
  readLinear(cpu: number, linear: number | bigint, sizeBytes: number, view?: DebugView): Uint8Array {
    const processor = this.#processor(cpu);
    const smm = inSmm(processor, view);
    const into = new Uint8Array(checkSize(sizeBytes));
    for (const { from, size, address } of linearPieces(processor, linear, sizeBytes)) {
      const { outcome, hostPage, gpaPage, route } = this.#look(processor, address, smm);
      const offset = address & 0xfff;
      if (outcome === TRANSLATED_RAM) {
        into.set(this.#bytes.subarray(hostPage + offset, hostPage + offset + size), from);
        continue;
      }
      const attrs = processor.index | TX_DEBUG | (smm ? TX_SMM : 0);
      for (let i = 0; i < size; i++)
        into[from + i] = this.#p.memory.read(gpaPage + offset + i, 1, attrs, route);
    }
    return into;
  }

  /**
   * Writes memory by linear address, see {@link physicalOf}: RAM, and ROM and flash as if they were RAM; decoded code
   * is dropped. Throws `SmmError` `LINEAR_UNMAPPED`, or `DEBUG_NO_MEMORY` where a device or nothing lies; nothing is
   * written then.
   */
  writeLinear(cpu: number, linear: number | bigint, bytes: Uint8Array, view?: DebugView): void {
    const processor = this.#processor(cpu);
    const smm = inSmm(processor, view);
    const found = linearPieces(processor, linear, checkSize(bytes.length)).flatMap((piece) => {
      const { outcome, hostPage, gpaPage } = this.#look(processor, piece.address, smm);
      const offset = piece.address & 0xfff;
      return outcome === TRANSLATED_RAM
        ? [{ ...piece, host: hostPage + offset }]
        : this.#memoryAt({ ...piece, address: gpaPage + offset }, smm);
    });
    this.#write(found, bytes);
  }

  /**
   * Reads guest-physical memory; all-ones where nothing is. Throws `SmmError` `OPTION_VALUE` for what is no address.
   */
  readPhysical(gpa: number, sizeBytes: number, view: DebugView = 'normal'): Uint8Array {
    const bytes = new Uint8Array(checkSize(sizeBytes));
    this.#p.space.readBlock(checkPhysical(gpa), bytes, TX_DEBUG | (view === 'smm' ? TX_SMM : 0));
    return bytes;
  }

  /** Writes guest-physical memory as {@link writeLinear} does, with its errors. */
  writePhysical(gpa: number, bytes: Uint8Array, view: DebugView = 'normal'): void {
    const whole = { from: 0, size: checkSize(bytes.length), address: checkPhysical(gpa) };
    this.#write(this.#memoryAt(whole, view === 'smm'), bytes);
  }

  #processor(cpu: number): Processor {
    return this.#p.processors[wholeNumber('the processor', cpu, 0, this.#p.processors.length - 1)]!;
  }

  #look(processor: Processor, linear: number, smm: boolean): Readonly<TranslateResult> {
    const found = processor.memory.look(linear, smm);
    if (isMapped(found.outcome)) return found;
    const why =
      found.outcome === TRANSLATED_FAULT ? `page fault, error code ${found.errorCode}` : found.reason;
    throw new SmmError(
      'LINEAR_UNMAPPED',
      `CPU ${processor.index} has nothing at linear address ${hexOf(linear)} ${smm ? 'in' : 'outside'} SMM: ${why}`,
      'Ask for an address that its page tables map now, or use guest-physical ones.',
      { cpu: processor.index, linear, smm },
    );
  }

  /** Where a guest-physical piece lies in host memory. */
  #memoryAt(piece: Piece, smm: boolean): { from: number; size: number; host: number }[] {
    const found: { from: number; size: number; host: number }[] = [];
    const at = newResolution();
    for (let done = 0; done < piece.size; ) {
      const gpa = piece.address + done;
      this.#p.space.resolve(gpa, smm, at);
      if (at.kind !== 'ram') {
        throw new SmmError(
          'DEBUG_NO_MEMORY',
          `guest-physical ${hexOf(gpa)} is no memory ${smm ? 'in' : 'outside'} SMM (${at.name}): nothing was written`,
          'A debugger writes memory alone.',
          { gpa, smm },
        );
      }
      const size = Math.min(piece.size - done, at.lastAddress - gpa + 1);
      found.push({ from: piece.from + done, size, host: at.hostOffset });
      done += size;
    }
    return found;
  }

  #write(pieces: readonly { from: number; size: number; host: number }[], bytes: Uint8Array): void {
    for (const { from, size, host } of pieces) {
      this.#bytes.set(bytes.subarray(from, from + size), host);
      this.#p.written(host, size);
    }
  }
}

function isMapped(outcome: number): boolean {
  return outcome === TRANSLATED_RAM || outcome === TRANSLATED_DEVICE;
}

function inSmm(processor: Processor, view: DebugView | undefined): boolean {
  return view === undefined ? processor.state.smm : view === 'smm';
}

/** A linear address as translations take it. */
function linearOf(processor: Processor, linear: number | bigint): number {
  const value = typeof linear === 'bigint' ? Number(BigInt.asIntN(64, linear)) : linear;
  if (processor.state.efer & EFER_LMA)
    return wholeNumber('the linear address', value, -(2 ** 47), 2 ** 47 - 1);
  wholeNumber('the linear address', value, -(2 ** 47), 2 ** 48);
  return value - Math.floor(value / 2 ** 32) * 2 ** 32;
}

/** The pages of a linear range. */
function linearPieces(processor: Processor, linear: number | bigint, sizeBytes: number): Piece[] {
  const pieces: Piece[] = [];
  const start = linearOf(processor, linear);
  for (let from = 0; from < sizeBytes; ) {
    const address = linearOf(processor, start + from);
    const size = Math.min(sizeBytes - from, 0x1000 - (address & 0xfff));
    pieces.push({ from, size, address });
    from += size;
  }
  return pieces;
}

function checkSize(sizeBytes: number): number {
  return wholeNumber('the number of bytes', sizeBytes, 0, MOST_BYTES);
}

function checkPhysical(gpa: number): number {
  return wholeNumber('the guest-physical address', gpa, 0, 2 ** 64);
}

function hexOf(address: number): string {
  return `0x${BigInt.asUintN(64, BigInt(address)).toString(16)}`;
}
