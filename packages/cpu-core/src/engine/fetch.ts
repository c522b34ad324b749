/** Instruction fetch: bytes by RIP through the TLB, decoded. */
import { GP_VECTOR, SEG_CS } from '@smm/x86-defs';
import { decode } from '../decode/decode.ts';
import { type CodeSize, Insn } from '../insn.ts';
import * as L from '../layout.ts';
import type { CpuState } from '../state.ts';
import type { Core } from './core.ts';
import type { GuestMemory } from './guest-memory.ts';

const MAX_LENGTH = 15;
const CACHE_LIMIT = 1 << 12;

/** Code size of a mode word. */
export function codeSize(mode: number): CodeSize {
  const field = mode & L.MODE_CODE_MASK;
  return field === 2 ? 64 : field === 1 ? 32 : 16;
}

/** Linear address of RIP: canonical as a signed number in 64-bit code, else below 2^32. */
export function linearRip(state: CpuState): number {
  const rip = state.getSigned(L.ST_RIP);
  return (state.mode & L.MODE_CODE_MASK) === 2 ? rip : (state.segBase(SEG_CS) + rip) % 0x1_0000_0000;
}

/** Fetches and decodes single instructions for one processor. */
export class Fetcher {
  readonly #core: Core;
  readonly #memory: GuestMemory;
  readonly #buffer = new Uint8Array(16);
  /** Decoded instructions by host offset and code size; an entry counts only while its bytes are still there. */
  #cache = new Map<number, Insn>();
  /** Host offset of the last instruction's first byte, -1 if it came from a device. */
  host = -1;
  /** Host offset of the second page, -1 if the last instruction lies on one page. */
  secondHost = -1;

  constructor(core: Core, memory: GuestMemory) {
    this.#core = core;
    this.#memory = memory;
  }

  /** The instruction at RIP. The object is persistent: later decoding does not change it. Faults. */
  fetch(): Insn {
    const { cpu, state, views } = this.#core;
    const mode = state.mode;
    const size = codeSize(mode);
    const user = (mode & L.MODE_USER) !== 0;
    const rip = state.getSigned(L.ST_RIP);
    const linear = size === 64 ? rip : (state.segBase(SEG_CS) + rip) % 0x1_0000_0000;
    let room = MAX_LENGTH;
    if (size !== 64) {
      const left = state.segLimit(SEG_CS) - rip + 1;
      if (left <= 0) cpu.fault(GP_VECTOR, 0);
      if (left < room) room = left;
    } else if (linear >= 0x8000_0000_0000 || linear < -0x8000_0000_0000) cpu.fault(GP_VECTOR, 0);
    const onPage = Math.min(room, 0x1000 - (linear & 0xfff));
    const host = this.#memory.fetchOffset(linear, user);
    this.host = host;
    this.secondHost = -1;
    if (host >= 0) {
      const key = host * 4 + (mode & L.MODE_CODE_MASK);
      const cached = this.#cache.get(key);
      if (cached && cached.length <= onPage && sameBytes(cached, views.u8, host)) return cached;
      const insn = new Insn();
      if (decode(views.u8, host, onPage, size, insn, cpu.available)) {
        if (this.#cache.size >= CACHE_LIMIT) this.#cache = new Map();
        this.#cache.set(key, insn);
        return insn;
      }
    }
    return this.#fetchSlowly(linear, host, onPage, room, user, size);
  }

  #fetchSlowly(
    linear: number,
    host: number,
    onPage: number,
    room: number,
    user: boolean,
    size: CodeSize,
  ): Insn {
    const { cpu } = this.#core;
    const buffer = this.#buffer;
    this.#read(linear, host, 0, onPage);
    const insn = new Insn();
    if (decode(buffer, 0, onPage, size, insn, cpu.available)) return insn;
    if (room > onPage) {
      const next = linear + onPage === 0x1_0000_0000 && size !== 64 ? 0 : linear + onPage;
      const second = this.#memory.fetchOffset(next, user);
      this.secondHost = second;
      this.#read(next, second, onPage, room);
      if (decode(buffer, 0, room, size, insn, cpu.available)) return insn;
    }
    return cpu.fault(GP_VECTOR, 0); // over the segment limit, or over 15 bytes
  }

  #read(linear: number, host: number, from: number, to: number): void {
    const { cpu, views } = this.#core;
    for (let i = from; i < to; i++) {
      if (host >= 0) this.#buffer[i] = views.u8[host + i - from]!;
      else {
        const gpa = this.#memory.deviceAddress(linear) + i - from;
        this.#buffer[i] = cpu.ports.memory.read(gpa, 1, cpu.attrs(), this.#memory.deviceRoute);
      }
    }
  }
}

function sameBytes(insn: Insn, memory: Uint8Array, at: number): boolean {
  for (let i = 0; i < insn.length; i++) if (insn.bytes[i] !== memory[at + i]) return false;
  return true;
}
