/**
 * Which host pages hold code that has been decoded, and the blocks on them. Such a page has no write tag in any TLB, so that every
 * store to it comes by here; a store to a 64-byte line with code drops the blocks that touch the line.
 */
import type { Views } from '../state.ts';
import type { Core } from './core.ts';
import { TLB_ADDEND, TLB_ENTRY_SIZE, TLB_SIZE, TLB_WRITE_TAG } from './tlb.ts';

const LINE_SHIFT = 6;
/** No TLB holds a write tag. */
const NO_ENTRY = 0;
/** Several TLB entries may: all are searched. */
const MANY_ENTRIES = -1;

/** A decoded block, as TypeScript keeps it beside its records. */
export interface Block {
  /** Host offset of its header in the op cache. */
  readonly host: number;
  /** RIP of its first instruction. */
  readonly rip: bigint;
  /** Low and high half of it, signed. */
  readonly ripLow: number;
  readonly ripHigh: number;
  /** Mode word it was decoded for. */
  readonly mode: number;
  /** CS limit it was decoded under. */
  readonly limit: number;
  /** Host offset of its first byte. */
  readonly start: number;
  /** Bytes on the first page. */
  readonly length: number;
  /** Bytes of its last instruction that lie on another page. */
  readonly tail: number;
  /** Host offset of that page, or -1. */
  readonly tailPage: number;
  /** Host offsets of the link words that lead here. */
  readonly incoming: number[];
  /** Dropped: never to be entered again. */
  dead: boolean;
}

interface CodePage {
  /** Bit per 64-byte line that holds code, in two words. */
  readonly lines: Uint32Array;
  readonly blocks: Set<Block>;
  /** Blocks by offset in the page. */
  readonly byOffset: Map<number, Block[]>;
}

/** The code pages of an engine. */
export class CodePages {
  readonly #views: Views;
  readonly #cores: Core[];
  readonly #pages = new Map<number, CodePage>();
  /** Per host page: the TLB entry that may hold a write tag for it; NO_ENTRY, or MANY_ENTRIES if there were several. */
  readonly #tagged: Int32Array;
  /** Per host page: it has been made writable for a processor since this was last cleared. For snapshots. */
  readonly touched: Uint8Array;
  readonly #isCode: Uint8Array;
  /** Called for every dropped block. */
  onDrop: (block: Block) => void = () => {};

  constructor(views: Views, cores: Core[]) {
    this.#views = views;
    this.#cores = cores;
    const pages = views.u8.length >>> 12;
    this.#tagged = new Int32Array(pages);
    this.#isCode = new Uint8Array(pages);
    this.touched = new Uint8Array(pages);
  }

  /** The page of this host offset holds decoded code. */
  isCode(host: number): boolean {
    return this.#isCode[host >>> 12] === 1;
  }

  /** The page of `host` can now be written: by the TLB entry at host offset `entry` without coming by here, unless that is 0. */
  noteWritable(host: number, entry: number): void {
    const number = host >>> 12;
    this.touched[number] = 1;
    if (entry === 0) return;
    const before = this.#tagged[number]!;
    if (before === NO_ENTRY) this.#tagged[number] = entry;
    else if (before !== (entry | 0)) this.#tagged[number] = MANY_ENTRIES;
  }

  /** A live block that starts here, or undefined. The RIP comes in signed halves. */
  find(start: number, ripLow: number, ripHigh: number, mode: number, limit: number): Block | undefined {
    const list = this.#pages.get(start >>> 12)?.byOffset.get(start & 0xfff);
    if (list === undefined) return undefined;
    for (const b of list) {
      if (b.ripLow === ripLow && b.mode === mode && b.ripHigh === ripHigh && b.limit === limit) return b;
    }
    return undefined;
  }

  /** Makes a block known. */
  add(block: Block): void {
    const page = this.#register(block, block.start, block.length);
    const offset = block.start & 0xfff;
    const list = page.byOffset.get(offset);
    if (list) list.push(block);
    else page.byOffset.set(offset, [block]);
    if (block.tail) this.#register(block, block.tailPage, block.tail);
  }

  #register(block: Block, host: number, length: number): CodePage {
    const number = host >>> 12;
    let page = this.#pages.get(number);
    if (!page) {
      page = { lines: new Uint32Array(2), blocks: new Set(), byOffset: new Map() };
      this.#pages.set(number, page);
      this.#isCode[number] = 1;
      if (this.#tagged[number] !== NO_ENTRY) this.#dropWriteTags(number);
    }
    page.blocks.add(block);
    const last = ((host & 0xfff) + length - 1) >>> LINE_SHIFT;
    for (let line = (host & 0xfff) >>> LINE_SHIFT; line <= last; line++) {
      page.lines[line >>> 5]! |= 1 << (line & 31);
    }
    return page;
  }

  #dropWriteTags(number: number): void {
    const only = this.#tagged[number]!;
    this.#tagged[number] = NO_ENTRY;
    if (only !== MANY_ENTRIES) {
      this.#dropWriteTag(number, only >>> 0);
      return;
    }
    for (const core of this.#cores) {
      const end = core.tlb + 2 * TLB_SIZE;
      for (let entry = core.tlb; entry < end; entry += TLB_ENTRY_SIZE) this.#dropWriteTag(number, entry);
    }
  }

  #dropWriteTag(number: number, entry: number): void {
    const { i32 } = this.#views;
    const at = entry >>> 2;
    const tag = i32[at + (TLB_WRITE_TAG >>> 2)]!;
    if (tag & 0xfff) return; // empty
    const host = (tag + i32[at + (TLB_ADDEND >>> 2)]!) >>> 0;
    if (host >>> 12 !== number) return;
    i32[at + (TLB_WRITE_TAG >>> 2)] = -1;
    i32[at + (TLB_WRITE_TAG >>> 2) + 1] = -1;
  }

  /** True if a write would drop something: for accesses that lie within one page. */
  hits(host: number, length: number): boolean {
    const page = this.#pages.get(host >>> 12);
    if (!page) return false;
    const first = (host & 0xfff) >>> LINE_SHIFT;
    const last = ((host & 0xfff) + length - 1) >>> LINE_SHIFT;
    for (let line = first; line <= last; line++) {
      if (page.lines[line >>> 5]! & (1 << (line & 31))) return true;
    }
    return false;
  }

  /** Host memory changed: drops what was decoded from it. Returns true if anything was dropped. */
  written(host: number, length: number): boolean {
    if (length <= 0) return false;
    const end = host + length;
    let dropped = false;
    for (let number = host >>> 12; number * 4096 < end; number++) {
      this.touched[number] = 1;
      if (this.#isCode[number] !== 1) continue;
      const base = number * 4096;
      const from = Math.max(host, base);
      if (this.#writtenPage(number, from - base, Math.min(end, base + 4096) - base)) dropped = true;
    }
    return dropped;
  }

  #writtenPage(number: number, from: number, end: number): boolean {
    const page = this.#pages.get(number)!;
    let hit = false;
    for (let line = from >>> LINE_SHIFT; line <= (end - 1) >>> LINE_SHIFT; line++) {
      if (page.lines[line >>> 5]! & (1 << (line & 31))) hit = true;
    }
    if (!hit) return false;
    const firstLine = (from >>> LINE_SHIFT) << LINE_SHIFT;
    const endLine = (((end - 1) >>> LINE_SHIFT) + 1) << LINE_SHIFT;
    let dropped = false;
    for (const block of page.blocks) {
      const first = block.start >>> 12 === number;
      const at = first ? block.start & 0xfff : 0;
      const length = first ? block.length : block.tail;
      if (at >= endLine || at + length <= firstLine) continue;
      this.#drop(block);
      dropped = true;
    }
    return dropped;
  }

  #drop(block: Block): void {
    block.dead = true;
    const number = block.start >>> 12;
    const page = this.#pages.get(number);
    const list = page?.byOffset.get(block.start & 0xfff);
    if (list) list.splice(list.indexOf(block), 1);
    this.#forget(number, block);
    if (block.tail) this.#forget(block.tailPage >>> 12, block);
    this.onDrop(block);
  }

  #forget(number: number, block: Block): void {
    const page = this.#pages.get(number);
    if (!page) return;
    page.blocks.delete(block);
    if (page.blocks.size === 0) {
      this.#pages.delete(number);
      this.#isCode[number] = 0;
      return;
    }
    page.lines.fill(0);
    for (const other of page.blocks) {
      const first = other.start >>> 12 === number;
      const at = first ? other.start & 0xfff : 0;
      const last = (at + (first ? other.length : other.tail) - 1) >>> LINE_SHIFT;
      for (let line = at >>> LINE_SHIFT; line <= last; line++) page.lines[line >>> 5]! |= 1 << (line & 31);
    }
  }

  /** Drops everything that was ever decoded. No jump cache leads into the op cache afterwards, so that its space can be used anew. */
  clear(): void {
    for (const number of this.#pages.keys()) this.#isCode[number] = 0;
    this.#pages.clear();
    for (const core of this.#cores) core.jumpFilled.clear();
  }
}
