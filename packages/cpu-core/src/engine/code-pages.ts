/**
 * Which host pages hold code that has been decoded, and the blocks on them. Such a page has no write tag in any TLB, so
 * that every store to it comes by here; a store to a 64-byte line with code drops the blocks that touch the line.
 */
import * as L from '../layout.ts';
import type { Views } from '../state-access.ts';
import type { Core } from './core.ts';
import { TLB_ADDEND, TLB_ENTRY_SIZE, TLB_GUARDED, TLB_SIZE, TLB_WATCHED, TLB_WRITE_TAG } from './tlb.ts';

const LINE_SHIFT = 6;
const LINE_BYTES = 1 << LINE_SHIFT;
/** Lines of a page. */
const LINES = 4096 / LINE_BYTES;
/**
 * Blocks that may start in one line: all that a program has, but not all the linear addresses under which a guest can
 * execute one line, for they are searched one after another.
 */
const CHAIN_LIMIT = 256;
/** No TLB holds a write tag. */
const NO_ENTRY = 0;
/** Several TLB entries may: all are searched. */
const MANY_ENTRIES = -1;

/**
 * A decoded block, as TypeScript keeps it beside its records. Small whole numbers only: there are many, and all are
 * long-lived.
 */
export class Block {
  /** Host offset of its header in the op cache. */
  host = 0;
  /** Low and high half of the RIP of its first instruction, signed. */
  ripLow = 0;
  ripHigh = 0;
  /** Mode word it was decoded for. */
  mode = 0;
  /** CS limit it was decoded under, signed. */
  limitBits = 0;
  /** Host offset of its first byte. */
  start = 0;
  /** Bytes on the first page. */
  length = 0;
  /** Bytes of its last instruction that lie on another page. */
  tail = 0;
  /** Host offset of that page, or -1. */
  tailPage = -1;
  /** Host offset of a link word that leads here, or 0; see {@link addLink}. */
  incoming = 0;
  /** Host offsets of the others. */
  moreIncoming: number[] | undefined = undefined;
  /** Next block that starts in the same line. */
  chained: Block | undefined = undefined;
  /** Dropped: never to be entered again. */
  dead = false;

  /** RIP of its first instruction. */
  get rip(): bigint {
    return (BigInt(this.ripHigh >>> 0) << 32n) | BigInt(this.ripLow >>> 0);
  }

  /** CS limit it was decoded under, bytes. */
  get limit(): number {
    return this.limitBits >>> 0;
  }
}

/**
 * High half, signed, of a RIP in the block's mode: its low half, not yet cut to 32 bits, is the block's and a few
 * hundred bytes. RIP wraps at 4 GiB outside 64-bit code.
 */
export function highRip(block: Block, low: number): number {
  if ((block.mode & L.MODE_CODE_MASK) !== 2) return 0;
  return (block.ripHigh + (low >= 0 && block.ripLow < 0 ? 1 : 0)) | 0;
}

/** Notes that a link word, at host offset `slot`, leads to a block. Most blocks have one only. */
export function addLink(block: Block, slot: number): void {
  if (block.incoming === 0) block.incoming = slot;
  else if (block.moreIncoming) block.moreIncoming.push(slot);
  else block.moreIncoming = [slot];
}

interface CodePage {
  readonly number: number;
  /** Bit per 64-byte line that holds code, in two words. */
  readonly lines: Uint32Array;
  /** Blocks by the line in which they start, chained. */
  readonly chains: (Block | undefined)[];
  /** Blocks whose tails lie here. */
  readonly tails: Block[];
  /** Starts and tails here. */
  count: number;
}

/** Marks the lines that `length` bytes from `offset` on touch. */
function markLines(lines: Uint32Array, offset: number, length: number): void {
  const last = (offset + length - 1) >>> LINE_SHIFT;
  for (let line = offset >>> LINE_SHIFT; line <= last; line++) lines[line >>> 5]! |= 1 << (line & 31);
}

function unchain({ chains }: CodePage, block: Block): void {
  const line = (block.start & 0xfff) >>> LINE_SHIFT;
  let before = chains[line];
  if (before === block) {
    chains[line] = block.chained;
    return;
  }
  while (before !== undefined && before.chained !== block) before = before.chained;
  if (before !== undefined) before.chained = block.chained;
}

/** The code pages of an engine. */
export class CodePages {
  readonly #views: Views;
  readonly #cores: Core[];
  readonly #pages = new Map<number, CodePage>();
  /** The page last asked for. */
  #last: CodePage | undefined;
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

  /**
   * The page of `host` can now be written: by the TLB entry at host offset `entry` without coming by here, unless that
   * is 0.
   */
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
    const page = this.#page(start >>> 12);
    if (page === undefined) return undefined;
    const limitBits = limit | 0;
    for (let b = page.chains[(start & 0xfff) >>> LINE_SHIFT]; b !== undefined; b = b.chained) {
      if (
        b.start === start &&
        b.ripLow === ripLow &&
        b.mode === mode &&
        b.ripHigh === ripHigh &&
        b.limitBits === limitBits
      )
        return b;
    }
    return undefined;
  }

  #page(number: number): CodePage | undefined {
    if (this.#last?.number !== number) this.#last = this.#pages.get(number);
    return this.#last;
  }

  /** Makes a block known. Where that makes too many in its line, the others are dropped. */
  add(block: Block): void {
    const offset = block.start & 0xfff;
    this.#thin(block.start >>> 12, offset >>> LINE_SHIFT);
    const page = this.#register(block.start >>> 12);
    markLines(page.lines, offset, block.length);
    block.chained = page.chains[offset >>> LINE_SHIFT];
    page.chains[offset >>> LINE_SHIFT] = block;
    if (block.tail === 0) return;
    const second = this.#register(block.tailPage >>> 12);
    markLines(second.lines, 0, block.tail);
    second.tails.push(block);
  }

  /** Drops the blocks of a line if they are as many as may be. */
  #thin(number: number, line: number): void {
    const first = this.#page(number)?.chains[line];
    let many = 0;
    for (let b = first; b !== undefined; b = b.chained) many++;
    if (many < CHAIN_LIMIT) return;
    const changed = new Set<CodePage>();
    for (let b = first; b !== undefined; ) {
      const { chained } = b;
      this.#drop(b, changed);
      b = chained;
    }
    for (const each of changed) this.#settle(each);
  }

  /** The page, for one more block that has a part there. */
  #register(number: number): CodePage {
    let page = this.#page(number);
    if (!page) {
      page = {
        number,
        lines: new Uint32Array(2),
        chains: new Array<Block | undefined>(LINES).fill(undefined),
        tails: [],
        count: 0,
      };
      this.#pages.set(number, page);
      this.#last = page;
      this.#isCode[number] = 1;
      if (this.#tagged[number] !== NO_ENTRY) this.#dropWriteTags(number);
    }
    page.count++;
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
    if (tag & 0xfff & ~TLB_WATCHED) return; // empty
    const host = ((tag & ~0xfff) + i32[at + (TLB_ADDEND >>> 2)]!) >>> 0;
    if (host >>> 12 !== number) return;
    i32[at + (TLB_WRITE_TAG >>> 2)] = -1;
    i32[at + (TLB_WRITE_TAG >>> 2) + 1] = -1;
    i32[at + (TLB_GUARDED >>> 2)] = 1;
  }

  /** True if a write would drop something: for accesses that lie within one page. */
  hits(host: number, length: number): boolean {
    const page = this.isCode(host) ? this.#page(host >>> 12) : undefined;
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
    const dropped: Block[] = [];
    for (let line = 0; line * LINE_BYTES < endLine; line++) {
      for (let b = page.chains[line]; b !== undefined; b = b.chained) {
        if ((b.start & 0xfff) + b.length > firstLine) dropped.push(b);
      }
    }
    for (const b of page.tails) if (b.tail > firstLine) dropped.push(b);
    const changed = new Set([page]);
    for (const block of dropped) this.#drop(block, changed);
    for (const each of changed) this.#settle(each);
    return dropped.length > 0;
  }

  /** Drops a block; its pages, added to `changed`, are to be settled afterwards. */
  #drop(block: Block, changed: Set<CodePage>): void {
    if (block.dead) return; // start and tail on the same page
    block.dead = true;
    const page = this.#pages.get(block.start >>> 12)!;
    changed.add(page);
    unchain(page, block);
    page.count--;
    if (block.tail) {
      const second = this.#pages.get(block.tailPage >>> 12)!;
      changed.add(second);
      second.tails.splice(second.tails.indexOf(block), 1);
      second.count--;
    }
    this.onDrop(block);
  }

  /** Brings a page up to date that has lost blocks. */
  #settle({ number, lines, chains, tails, count }: CodePage): void {
    if (count === 0) {
      this.#pages.delete(number);
      this.#last = undefined;
      this.#isCode[number] = 0;
      return;
    }
    lines.fill(0);
    for (const chain of chains) {
      for (let b = chain; b !== undefined; b = b.chained) markLines(lines, b.start & 0xfff, b.length);
    }
    for (const b of tails) markLines(lines, 0, b.tail);
  }

  /** Drops the blocks that were decoded in a mode with one of these bits. */
  dropModes(bits: number): void {
    for (const page of [...this.#pages.values()]) {
      const dropped: Block[] = [];
      for (const chain of page.chains)
        for (let b = chain; b !== undefined; b = b.chained) if (b.mode & bits) dropped.push(b);
      const changed = new Set([page]);
      for (const block of dropped) this.#drop(block, changed);
      for (const each of changed) this.#settle(each);
    }
  }

  /**
   * Drops everything that was ever decoded. No jump cache leads into the op cache afterwards, so that its space can be
   * used anew.
   */
  clear(): void {
    for (const number of this.#pages.keys()) this.#isCode[number] = 0;
    this.#pages.clear();
    this.#last = undefined;
    for (const core of this.#cores) core.jumpFilled.clear();
  }
}
