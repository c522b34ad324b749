/**
 * Memory by linear address: TLB first, then the translator; page crossings, devices and code pages here and nowhere
 * else.
 */
import { CR0_PG, CR4_PAE, EFER_LMA, PF_VECTOR, RFLAGS_AC } from '@smm/x86-defs';
import type { MemoryHooks } from '../hooks.ts';
import * as L from '../layout.ts';
import {
  ACCESS_EXEC,
  ACCESS_READ,
  ACCESS_WRITE,
  TRANSLATED_DEVICE,
  TRANSLATED_FAULT,
  TRANSLATED_SHUTDOWN,
  type TranslateRequest,
  type TranslateResult,
} from '../ports.ts';
import type { LinearMemory } from '../tier.ts';
import type { CodePages } from './code-pages.ts';
import type { Core } from './core.ts';
import { LargePages, pageStart } from './large-pages.ts';
import {
  type CachedPage,
  cachedPage,
  NO_RIGHTS,
  readTranslations,
  TranslationWriter,
} from './saved-translations.ts';
import {
  high32,
  low32,
  TLB_ADDEND,
  TLB_ENTRIES,
  TLB_ENTRY_SIZE,
  TLB_EXEC_TAG,
  TLB_GUARDED,
  TLB_READ_TAG,
  TLB_SIZE,
  TLB_WATCHED,
  TLB_WRITE_TAG,
  tlbEntry,
} from './tlb.ts';
import { markWatched } from './watched-pages.ts';

type Size = 1 | 2 | 4;
/**
 * Pages of code that are known at a time: a guest that executes ever other addresses must not fill the host's memory.
 */
const FETCHED_LIMIT = 65_536;

/** {@link LinearMemory} of one processor. */
export class GuestMemory implements LinearMemory {
  readonly #core: Core;
  readonly #code: CodePages;
  readonly #request: TranslateRequest;
  readonly #result: TranslateResult;
  /** Guest-physical page of the last device translation. */
  #devicePage = 0;
  /** The translator's route to it. */
  deviceRoute = 0;
  /**
   * Device pages this instruction has asked about, by ACCESS_*: linear page, guest-physical page, route. One walk per
   * instruction.
   */
  readonly #deviceLinear = new Float64Array(3).fill(Number.NaN);
  readonly #deviceGpa = new Float64Array(3);
  readonly #deviceRoutes = new Float64Array(3);
  #deviceKnown = false;
  /** Host page of each page that instructions were fetched from. The jump cache leads to no others. */
  readonly #fetched = new Map<number, number>();
  readonly #large = new LargePages();
  readonly #pdptes: Uint32Array;
  /** What is told of accesses, if anything is. */
  #watch: MemoryHooks | undefined;
  low = 0;
  high = 0;

  constructor(core: Core, code: CodePages) {
    this.#core = core;
    this.#code = code;
    this.#pdptes = core.views.u32.subarray((core.state.base + L.ST_PDPTE) >>> 2).subarray(0, 8);
    this.#request = newRequest();
    this.#result = newResult();
  }

  /**
   * Host offset of the byte at `linear` for one access inside its page, or -1 for a device (its guest-physical address
   * is then `deviceAddress`). Faults. Code pages answer like any RAM: a writer reports the write afterwards.
   */
  translate(linear: number, access: number, user: boolean): number {
    const { views, tlb } = this.#core;
    const { i32 } = views;
    const entry = tlbEntry(user ? tlb + TLB_SIZE : tlb, linear);
    const guarded = access === ACCESS_WRITE && i32[(entry + TLB_GUARDED) >>> 2] === 1;
    const at = (entry + (guarded ? TLB_READ_TAG : access * 8)) >>> 2;
    if (i32[at] === (low32(linear) & ~0xfff) && i32[at + 1] === high32(linear)) {
      const host = (low32(linear) + i32[(entry + TLB_ADDEND) >>> 2]!) >>> 0;
      if (guarded && !this.#code.isCode(host)) this.#unguard(entry, host);
      return host;
    }
    return this.#miss(linear, access, user, entry);
  }

  /**
   * As {@link translate}, for an access that runs into the next page: -1 too if the two pages do not lie one behind the
   * other. Faults are those of the lower page first.
   */
  translateAcross(linear: number, size: number, access: number, user: boolean): number {
    const inFirst = 0x1000 - (linear & 0xfff);
    const second = linear + inFirst;
    // Where the address space ends the evaluator knows how it goes on.
    const ends = this.#core.cpu.code64
      ? second === 0x8000_0000_0000 || second === 0
      : second + size - inFirst > 0x1_0000_0000;
    if (ends) return -1;
    const host = this.translate(linear, access, user);
    const next = this.translate(second, access, user);
    return host >= 0 && next === host + inFirst ? host : -1;
  }

  /** Guest-physical address of `linear` after {@link translate} said that it is a device. */
  deviceAddress(linear: number): number {
    return this.#devicePage + (linear & 0xfff);
  }

  /** A new instruction: devices are translated anew. */
  beginInstruction(): void {
    if (!this.#deviceKnown) return;
    this.#deviceKnown = false;
    for (let access = 0; access < 3; access++) this.#deviceLinear[access] = Number.NaN;
  }

  /** A device page already translated in this instruction (a write translation serves the read of the same operand). */
  #sameDevice(linear: number, access: number): boolean {
    const page = linear - (linear & 0xfff);
    let known = access;
    if (access === ACCESS_READ && this.#deviceLinear[known] !== page) known = ACCESS_WRITE;
    if (this.#deviceLinear[known] !== page) return false;
    this.#devicePage = this.#deviceGpa[known];
    this.deviceRoute = this.#deviceRoutes[known]!;
    return true;
  }

  look(linear: number, smm: boolean): Readonly<TranslateResult> {
    const request = newRequest();
    const result = newResult();
    this.#describe(request, linear, ACCESS_READ, false);
    request.smm = smm;
    request.debug = true;
    request.rflagsAc = true; // SMAP hides nothing
    this.#core.cpu.ports.pageWalker.translate(request, result);
    return result;
  }

  /** Fills in a request, but for the mode. */
  #describe(request: TranslateRequest, linear: number, access: number, user: boolean): void {
    const { cpu, state } = this.#core;
    request.processor = cpu.index;
    request.linear = linear;
    request.access = access;
    request.user = user;
    request.cr0 = state.cr0;
    request.cr3 = state.cr3;
    request.cr4 = state.cr4;
    request.efer = state.efer;
    request.rflagsAc = (state.get32(L.ST_EFLAGS) & RFLAGS_AC) !== 0;
    request.pdptes = usesPdptes(request) && cpu.behaviour.checkPdptes ? this.#pdptes : null;
  }

  /** Tells `watch` of accesses from now on. To be called again when it watches other pages. */
  watch(watch: MemoryHooks | undefined): void {
    this.#watch = watch;
    this.#core.leaveBlock = true;
    markWatched(this.#core, (page) => watch?.hasPage(page) === true);
  }

  /** Somebody is to be told of such an access. */
  isWatched(linear: number, size: number): boolean {
    return this.#watch?.overlaps(linear, size) === true;
  }

  /** As the beginning of {@link translate}, for a page that is watched: -1 if no entry has it. */
  #watchedHit(linear: number, access: number, entry: number): number {
    if (access === ACCESS_EXEC) return -1;
    const { i32 } = this.#core.views;
    const guarded = access === ACCESS_WRITE && i32[(entry + TLB_GUARDED) >>> 2] === 1;
    const at = (entry + (guarded ? TLB_READ_TAG : access * 8)) >>> 2;
    const tag = (low32(linear) & ~0xfff) | TLB_WATCHED;
    if (i32[at] !== tag || i32[at + 1] !== high32(linear)) return -1;
    const host = (low32(linear) + i32[(entry + TLB_ADDEND) >>> 2]!) >>> 0;
    if (guarded && !this.#code.isCode(host)) this.#unguard(entry, host);
    return host;
  }

  /** The guarded page of this entry holds no code any more: it gets its write tag. */
  #unguard(entry: number, host: number): void {
    const { i32 } = this.#core.views;
    const at = entry >>> 2;
    i32[at + (TLB_WRITE_TAG >>> 2)] = i32[at]!;
    i32[at + (TLB_WRITE_TAG >>> 2) + 1] = i32[at + 1]!;
    i32[at + (TLB_GUARDED >>> 2)] = 0;
    this.#code.noteWritable(host, entry);
  }

  #miss(linear: number, access: number, user: boolean, entry: number): number {
    const watch = this.#watch;
    if (watch !== undefined) {
      const host = this.#watchedHit(linear, access, entry);
      if (host >= 0) return host;
    }
    if (this.#deviceKnown && this.#sameDevice(linear, access)) return -1;
    const { cpu } = this.#core;
    const request = this.#request;
    const result = this.#result;
    this.#describe(request, linear, access, user);
    request.smm = this.#core.state.smm;
    result.pageSize = 0x1000;
    result.route = 0;
    cpu.ports.pageWalker.translate(request, result);
    if (result.deviceTouched) this.#core.leaveBlock = true;
    if (result.outcome === TRANSLATED_FAULT) {
      // Intel SDM Vol. 3, "Operations that Invalidate TLBs and Paging-Structure Caches": so does a page fault.
      this.#drop(linear);
      return cpu.fault(PF_VECTOR, result.errorCode, linear);
    }
    if (result.outcome === TRANSLATED_SHUTDOWN) return cpu.faultShutdown(result.reason);
    if (result.outcome === TRANSLATED_DEVICE || (access === ACCESS_WRITE && !result.writable)) {
      this.#devicePage = result.gpaPage;
      this.deviceRoute = result.route;
      this.#deviceKnown = true;
      this.#deviceLinear[access] = linear - (linear & 0xfff);
      this.#deviceGpa[access] = result.gpaPage;
      this.#deviceRoutes[access] = result.route;
      return -1;
    }
    if (result.pageSize !== 0x1000) this.#large.add(linear, result.pageSize);
    this.#fill(entry, linear, result);
    return (result.hostPage + (linear & 0xfff)) >>> 0;
  }

  /**
   * Puts a page into an entry. What the entry permits does not depend on whether the page holds decoded code, so that
   * no walk does.
   */
  #fill(entry: number, linear: number, { hostPage, readable, writable, executable }: CachedPage): void {
    const { i32 } = this.#core.views;
    const page = low32(linear) & ~0xfff;
    const high = high32(linear);
    const at = entry >>> 2;
    this.#core.tlbFilled.add(entry);
    const write = writable && !this.#code.isCode(hostPage);
    const mark = this.#watch?.hasPage(linear - (linear & 0xfff)) ? TLB_WATCHED : 0;
    i32[at] = readable ? page | mark : -1;
    i32[at + 1] = readable ? high : -1;
    i32[at + (TLB_WRITE_TAG >>> 2)] = write ? page | mark : -1;
    i32[at + (TLB_WRITE_TAG >>> 2) + 1] = write ? high : -1;
    i32[at + (TLB_EXEC_TAG >>> 2)] = executable ? page : -1;
    i32[at + (TLB_EXEC_TAG >>> 2) + 1] = executable ? high : -1;
    i32[at + (TLB_ADDEND >>> 2)] = (hostPage - page) | 0;
    i32[at + (TLB_GUARDED >>> 2)] = writable && !write ? 1 : 0;
    if (writable) this.#code.noteWritable(hostPage, write ? entry : 0);
  }

  /** Linear address `bytes` further on: wraps at 4 GiB outside 64-bit code. */
  #after(linear: number, bytes: number): number {
    const next = linear + bytes;
    return next >= 0x1_0000_0000 && !this.#core.cpu.code64 && linear < 0x1_0000_0000
      ? next - 0x1_0000_0000
      : next;
  }

  load(linear: number, size: Size, user: boolean): number {
    const value = this.#load(linear, size, user);
    if (this.#watch !== undefined) this.#watch.tell(false, linear, size, value);
    return value;
  }

  #load(linear: number, size: Size, user: boolean): number {
    if ((linear & 0xfff) + size > 0x1000) return this.#loadCrossing(linear, size, user);
    const host = this.translate(linear, ACCESS_READ, user);
    if (host < 0) {
      this.#core.leaveBlock = true;
      const { cpu } = this.#core;
      return cpu.ports.memory.read(this.deviceAddress(linear), size, cpu.attrs(), this.deviceRoute) >>> 0;
    }
    const { views } = this.#core;
    if (size === 1) return views.u8[host]!;
    return size === 2 ? views.data.getUint16(host, true) : views.data.getUint32(host, true);
  }

  load64(linear: number, user: boolean): bigint {
    this.loadWords(linear, user);
    return (BigInt(this.high) << 32n) | BigInt(this.low);
  }

  loadWords(linear: number, user: boolean): void {
    this.#loadWords(linear, user);
    if (this.#watch !== undefined) this.#watch.tell(false, linear, 8, this.low, this.high);
  }

  #loadWords(linear: number, user: boolean): void {
    const crosses = (linear & 0xfff) > 0xff8;
    if (!crosses) {
      const host = this.translate(linear, ACCESS_READ, user);
      if (host >= 0) {
        const { data } = this.#core.views;
        this.low = data.getUint32(host, true);
        this.high = data.getUint32(host + 4, true);
        return;
      }
    } else this.#probe(linear, 8, ACCESS_READ, user);
    this.low = this.#load(linear, 4, user);
    this.high = this.#load(this.#after(linear, 4), 4, user);
  }

  store(linear: number, size: Size, value: number, user: boolean): void {
    this.#store(linear, size, value, user);
    if (this.#watch !== undefined) this.#watch.tell(true, linear, size, cutTo(size, value));
  }

  #store(linear: number, size: Size, value: number, user: boolean): void {
    if ((linear & 0xfff) + size > 0x1000) {
      this.#storeCrossing(linear, size, value, user);
      return;
    }
    const host = this.translate(linear, ACCESS_WRITE, user);
    if (host < 0) {
      this.#core.leaveBlock = true;
      const { cpu } = this.#core;
      cpu.ports.memory.write(this.deviceAddress(linear), size, value >>> 0, cpu.attrs(), this.deviceRoute);
      return;
    }
    const { views } = this.#core;
    if (size === 1) views.u8[host] = value;
    else if (size === 2) views.data.setUint16(host, value, true);
    else views.data.setUint32(host, value, true);
    this.#wrote(host, size);
  }

  store64(linear: number, value: bigint, user: boolean): void {
    this.storeWords(linear, Number(value & 0xffff_ffffn), Number(value >> 32n), user);
  }

  storeWords(linear: number, low: number, high: number, user: boolean): void {
    this.#storeWords(linear, low, high, user);
    if (this.#watch !== undefined) this.#watch.tell(true, linear, 8, low, high);
  }

  #storeWords(linear: number, low: number, high: number, user: boolean): void {
    const crosses = (linear & 0xfff) > 0xff8;
    if (!crosses) {
      const host = this.translate(linear, ACCESS_WRITE, user);
      if (host >= 0) {
        const { data } = this.#core.views;
        data.setUint32(host, low, true);
        data.setUint32(host + 4, high, true);
        this.#wrote(host, 8);
        return;
      }
    } else this.probeWrite(linear, 8, user);
    this.#store(linear, 4, low, user);
    this.#store(this.#after(linear, 4), 4, high, user);
  }

  #wrote(host: number, size: number): void {
    if (this.#code.isCode(host) && this.#code.written(host, size)) this.#core.leaveBlock = true;
  }

  #loadCrossing(linear: number, size: Size, user: boolean): number {
    this.#probe(linear, size, ACCESS_READ, user);
    let value = 0;
    for (let i = 0; i < size; i++) value += this.#load(this.#after(linear, i), 1, user) * 2 ** (8 * i);
    return value;
  }

  #storeCrossing(linear: number, size: Size, value: number, user: boolean): void {
    this.probeWrite(linear, size, user);
    for (let i = 0; i < size; i++) this.#store(this.#after(linear, i), 1, (value >>> (8 * i)) & 0xff, user);
  }

  #probe(linear: number, size: number, access: number, user: boolean): void {
    this.translate(linear, access, user);
    if ((linear & 0xfff) + size > 0x1000) {
      this.translate(this.#after(linear, 0x1000 - (linear & 0xfff)), access, user);
    }
  }

  probeRead(linear: number, size: number, user: boolean): void {
    this.#probe(linear, size, ACCESS_READ, user);
  }

  probeWrite(linear: number, size: number, user: boolean): void {
    this.#probe(linear, size, ACCESS_WRITE, user);
  }

  hostOffset(linear: number, access: number, user: boolean): number {
    const host = this.translate(linear, access, user);
    if (this.#watch?.hasPage(linear - (linear & 0xfff))) return -1;
    return host >= 0 && access === ACCESS_WRITE && this.#code.isCode(host) ? -1 : host;
  }

  /**
   * As {@link hostOffset} for an instruction fetch. A page that was fetched from is known until translations are
   * dropped: however code is executed, the translator hears of each page once, and at the same instruction.
   */
  fetchOffset(linear: number, user: boolean): number {
    const page = fetchKey(linear, user);
    const known = this.#fetched.get(page);
    if (known !== undefined) return known + (linear & 0xfff);
    const host = this.translate(linear, ACCESS_EXEC, user);
    if (host < 0) return host;
    if (this.#fetched.size >= FETCHED_LIMIT) {
      this.#fetched.clear();
      this.#core.jumpFilled.clear();
    }
    this.#fetched.set(page, host - (linear & 0xfff));
    return host;
  }

  written(hostOffset: number, length: number): void {
    if (this.#code.written(hostOffset, length)) this.#core.leaveBlock = true;
  }

  flush(linear?: number): void {
    if (linear !== undefined) {
      this.#drop(linear);
      return;
    }
    this.#core.jumpFilled.clear();
    this.#core.tlbFilled.clear();
    this.#fetched.clear();
    this.#large.clear();
  }

  save(): Uint8Array {
    const list = new TranslationWriter();
    const { views, tlb } = this.#core;
    for (let index = 0; index < 2 * TLB_ENTRIES; index++) {
      const at = (tlb + index * TLB_ENTRY_SIZE) >>> 2;
      const cached = cachedPage(views.i32, at);
      if (cached !== undefined) list.add(index < TLB_ENTRIES ? 'supervisor' : 'user', cached);
    }
    const fetched = [...this.#fetched].sort(([a], [b]) => a - b);
    for (const [key, hostPage] of fetched) list.add('fetched', { ...NO_RIGHTS, linear: key, hostPage });
    for (const [linear, size] of this.#large.save())
      list.add('large', { ...NO_RIGHTS, linear, hostPage: size });
    return list.bytes();
  }

  restore(translations: Uint8Array): void {
    const { tlb, views } = this.#core;
    this.flush();
    const large: [number, number][] = [];
    for (const [kind, cached] of readTranslations(translations, views.u8.length)) {
      const { linear, hostPage } = cached;
      if (kind === 'fetched') this.#fetched.set(linear, hostPage);
      else if (kind === 'large') large.push([linear, hostPage]);
      else this.#fill(tlbEntry(kind === 'user' ? tlb + TLB_SIZE : tlb, linear), linear, cached);
    }
    this.#large.restore(large);
  }

  /** Drops the page of `linear` as the guest's tables had it, in both TLBs. */
  #drop(linear: number): void {
    const { views, tlb, tlbFilled } = this.#core;
    const size = this.#large.take(linear);
    const start = pageStart(linear, size);
    this.#dropFetched(start, size);
    const entries = size / 0x1000;
    if (entries >= TLB_ENTRIES) {
      tlbFilled.clear();
      return;
    }
    const at = tlbEntry(tlb, start) >>> 2;
    const words = (entries * TLB_ENTRY_SIZE) >>> 2;
    views.i32.fill(-1, at, at + words);
    views.i32.fill(-1, at + (TLB_SIZE >>> 2), at + (TLB_SIZE >>> 2) + words);
  }

  /** Forgets what was fetched from `size` bytes at `start`, and the jump cache with it. */
  #dropFetched(start: number, size: number): void {
    const fetched = this.#fetched;
    const before = fetched.size;
    const first = fetchKey(start, false);
    const end = first + size / 0x800;
    if (end - first <= before) for (let key = first; key < end; key++) fetched.delete(key);
    else for (const key of fetched.keys()) if (key >= first && key < end) fetched.delete(key);
    if (fetched.size !== before) this.#core.jumpFilled.clear();
  }
}

function cutTo(size: Size, value: number): number {
  return size === 4 ? value : value & (2 ** (8 * size) - 1);
}

function newRequest(): TranslateRequest {
  return {
    processor: 0,
    linear: 0,
    access: 0,
    user: false,
    smm: false,
    debug: false,
    cr0: 0,
    cr3: 0,
    cr4: 0,
    efer: 0,
    rflagsAc: false,
    pdptes: null,
  };
}

function newResult(): TranslateResult {
  return {
    outcome: 0,
    hostPage: 0,
    gpaPage: 0,
    pageSize: 0x1000,
    readable: false,
    writable: false,
    executable: false,
    errorCode: 0,
    reason: '',
    route: 0,
    deviceTouched: false,
  };
}

/** PAE paging is on: its page-directory-pointer table is looked up in registers. */
function usesPdptes({ cr0, cr4, efer }: TranslateRequest): boolean {
  return (cr0 & CR0_PG) !== 0 && (cr4 & CR4_PAE) !== 0 && (efer & EFER_LMA) === 0;
}

/** Number of a page and of who executes it. */
function fetchKey(linear: number, user: boolean): number {
  return Math.floor(linear / 4096) * 2 + (user ? 1 : 0);
}
