/**
 * MSI-X: a table of messages in a memory range of the function, each with its own address, datum and mask.
 * The table takes aligned dwords; other accesses read 0 and write nothing. Source: PCI Local Bus Specification,
 * "MSI-X Capability and Table Structures"; QEMU 7.2 measured.
 */

import type { AccessSize, MmioDevice, RegisterSpec } from '@smm/bus';
import { checkOptions, isWhole, type OptionShape } from '@smm/x86-defs';
import type { PartState } from './part.ts';
import type { CapabilityHost, PciCapability } from './pci-capabilities.ts';
import { requireVersion1 } from './snapshot.ts';

/** Capability id. */
export const PCI_CAP_ID_MSIX = 0x11;

const ENABLE = 0x8000;
const MASK_ALL = 0x4000;
const ENTRY_BYTES = 16;
/** Vector control: masked. */
const VECTOR_MASKED = 1;

/** What an {@link Msix} is like. */
export interface MsixOptions {
  /** Where in configuration space. */
  readonly offset: number;
  /** Entries of the table, 1 to 2048. */
  readonly vectors: number;
  /** Base address register of the range with both. */
  readonly bar: number;
  /** Where in that range the table starts, bytes, a multiple of 8. */
  readonly tableOffset: number;
  /** Where in that range the pending bits start, bytes, a multiple of 8. */
  readonly pbaOffset: number;
}

const MSIX_SHAPE: OptionShape<MsixOptions> = {
  offset: isWhole(0x40, 0xfc),
  vectors: isWhole(1, 2048),
  bar: isWhole(0, 5),
  tableOffset: isWhole(0, 0xffff_fff8),
  pbaOffset: isWhole(0, 0xffff_fff8),
};

/** Architectural state of an {@link Msix} outside configuration space. */
export interface MsixState {
  /** Layout version of this object. */
  version: 1;
  /** The table, four dwords an entry. */
  table: number[];
  /** Pending bits. */
  pending: number[];
}

/** The capability, and the device behind its range: offsets count from the start of that. */
export class Msix implements PciCapability, MmioDevice {
  readonly name = 'msix';
  readonly id = PCI_CAP_ID_MSIX;
  readonly offset: number;
  readonly rows: readonly RegisterSpec[];
  // wiring
  readonly #options: MsixOptions;
  #host: CapabilityHost | undefined;
  // architectural state
  readonly #table: Uint32Array;
  readonly #pending: Uint32Array;

  /** Throws `SmmError` `OPTION_VALUE` for what no capability can be. */
  constructor(options: MsixOptions) {
    checkOptions('the options of MSI-X', options, MSIX_SHAPE);
    const { offset, vectors, bar, tableOffset, pbaOffset } = options;
    this.#options = options;
    this.offset = offset;
    this.#table = new Uint32Array((vectors * ENTRY_BYTES) / 4);
    this.#pending = new Uint32Array(2 * Math.ceil(vectors / 64));
    this.rows = [
      {
        name: 'MSIX_CONTROL',
        offset: offset + 2,
        width: 2,
        reset: vectors - 1,
        writable: ENABLE | MASK_ALL,
      },
      { name: 'MSIX_TABLE', offset: offset + 4, width: 4, reset: tableOffset + bar },
      { name: 'MSIX_PBA', offset: offset + 8, width: 4, reset: pbaOffset + bar },
    ];
    this.reset();
  }

  /** Software has enabled it. */
  get enabled(): boolean {
    return (this.#control() & ENABLE) !== 0;
  }

  get replacesIntx(): boolean {
    return this.enabled;
  }

  attach(host: CapabilityHost): void {
    this.#host = host;
  }

  /** Sends the message of a vector, or notes it while that or all are masked. Vectors beyond the table are none. */
  raise(vector: number): void {
    if (vector >= this.#options.vectors) return;
    const at = vector * 4;
    if (this.#masked(vector)) this.#pending[vector >>> 5]! |= 1 << (vector & 31);
    else this.#host?.send(this.#table[at + 1]!, this.#table[at]! & ~3, this.#table[at + 2]!);
  }

  read(offset: number, size: AccessSize): number {
    const at = this.#locate(offset, size);
    return at === undefined ? 0 : at.words[at.index]!;
  }

  write(offset: number, size: AccessSize, value: number): void {
    const at = this.#locate(offset, size);
    if (at?.words !== this.#table) return;
    this.#table[at.index] = value;
    this.#release(at.index >>> 2);
  }

  /** Vectors that are no longer masked send what is pending. */
  applied(): void {
    for (let v = 0; v < this.#options.vectors; v++) this.#release(v);
  }

  /** Every vector masked, nothing pending. */
  reset(): void {
    this.#table.forEach((_, i) => {
      this.#table[i] = (i & 3) === 3 ? VECTOR_MASKED : 0;
    });
    this.#pending.fill(0);
  }

  save(): MsixState {
    return { version: 1, table: [...this.#table], pending: [...this.#pending] };
  }

  restore(state: MsixState & PartState): void {
    requireVersion1(this.name, state);
    this.#table.set(state.table);
    this.#pending.set(state.pending);
  }

  #control(): number {
    return this.#host?.get('MSIX_CONTROL') ?? 0;
  }

  #masked(vector: number): boolean {
    return (
      (this.#control() & (ENABLE | MASK_ALL)) !== ENABLE ||
      (this.#table[vector * 4 + 3]! & VECTOR_MASKED) !== 0
    );
  }

  #release(vector: number): void {
    const bit = 1 << (vector & 31);
    if ((this.#pending[vector >>> 5]! & bit) === 0 || this.#masked(vector)) return;
    this.#pending[vector >>> 5]! &= ~bit;
    this.raise(vector);
  }

  #locate(offset: number, size: AccessSize): { words: Uint32Array; index: number } | undefined {
    if (size !== 4 || offset % 4 !== 0) return undefined;
    const { tableOffset, pbaOffset } = this.#options;
    const inTable = (offset - tableOffset) / 4;
    if (inTable >= 0 && inTable < this.#table.length) return { words: this.#table, index: inTable };
    const inPba = (offset - pbaOffset) / 4;
    if (inPba >= 0 && inPba < this.#pending.length) return { words: this.#pending, index: inPba };
    return undefined;
  }
}
