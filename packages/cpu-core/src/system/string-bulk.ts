/**
 * Iterations of MOVS, STOS, CMPS and SCAS in plain RAM, many at once and without BigInts. Never faults but where a page
 * is translated; whatever needs care (a limit, a page's edge, a device, a code page) is left to the single iteration.
 */
import { SEG_ES, SEG_FS } from '@smm/x86-defs';
import { type Insn, REP_F2 } from '../insn.ts';
import * as L from '../layout.ts';
import { OP } from '../ops.ts';
import { ACCESS_READ, ACCESS_WRITE } from '../ports.ts';
import type { Processor } from '../processor.ts';
import type { Views } from '../state-access.ts';
import { isCanonicalRange, isUser, legacyAllowed } from './operands.ts';

const RSI = 6;
const RDI = 7;
const PAGE = 0x1000;
const TWO_POW_32 = 0x1_0000_0000;
/** Up to here a loop beats a call of the host's copy. Bytes. */
const SHORT = 64;

/** A register cut to the address size; signed and inexact beyond 2^53 if that is 64 bits. */
function offsetOf(cpu: Processor, register: number, addressSize: number): number {
  if (addressSize === 8) return cpu.state.getSigned(register * 8);
  return addressSize === 4 ? cpu.state.gpr32(register) : cpu.state.gpr16(register);
}

/** A count register cut to the address size, unsigned; inexact beyond 2^53. */
export function countOf(cpu: Processor, register: number, addressSize: number): number {
  if (addressSize === 8) return cpu.state.getNumber(register * 8);
  return addressSize === 4 ? cpu.state.gpr32(register) : cpu.state.gpr16(register);
}

/** Adds a number below 2^31 to a register in the address size: 16 bit keeps the rest, 32 bit clears the upper half. */
export function advance(cpu: Processor, register: number, addressSize: number, by: number): void {
  const s = cpu.state;
  if (addressSize === 2) s.setGpr16(register, s.gpr16(register) + by);
  else if (addressSize === 4) s.setGpr32(register, s.gpr32(register) + by);
  else {
    const low = s.gpr32(register) + by;
    s.set32(register * 8, low);
    if (low < 0 || low >= TWO_POW_32)
      s.set32(register * 8 + 4, s.get32(register * 8 + 4) + (low < 0 ? -1 : 1));
  }
}

function linearOf(cpu: Processor, segment: number, offset: number): number {
  if (!cpu.code64) return (cpu.state.segBase(segment) + offset) >>> 0;
  return segment >= SEG_FS ? offset + cpu.state.segBase(segment) : offset;
}

/**
 * How many of `wanted` iterations, the first at `offset` and `linear`, stay in their page, the address size and the
 * segment. 0 if not even the first does.
 */
function roomFor(
  cpu: Processor,
  { size, addressSize }: Insn,
  segment: number,
  offset: number,
  linear: number,
  write: boolean,
  wanted: number,
  down: boolean,
): number {
  const inPage = linear & (PAGE - 1);
  let n = wanted;
  if (down) {
    if (inPage + size > PAGE) return 0;
    n = Math.min(n, Math.floor(inPage / size) + 1);
    if (addressSize < 8) n = Math.min(n, Math.floor(offset / size) + 1);
  } else {
    let bytes = PAGE - inPage;
    if (addressSize < 8) bytes = Math.min(bytes, (addressSize === 4 ? TWO_POW_32 : 0x1_0000) - offset);
    n = Math.min(n, Math.floor(bytes / size));
  }
  if (n === 0) return 0;
  const bytes = n * size;
  const below = down ? bytes - size : 0;
  const fits = cpu.code64
    ? isCanonicalRange(linear - below, bytes)
    : legacyAllowed(cpu, segment, offset - below, bytes, write);
  return fits ? n : 0;
}

/**
 * Copies as so many single moves of `size` bytes would, upwards. False if they overlap so closely that only single
 * moves are right.
 */
function copyUp(u8: Uint8Array, src: number, dst: number, bytes: number, size: number): boolean {
  const distance = dst - src;
  if (distance > 0 && distance < size) return false;
  if (bytes <= SHORT) {
    for (let i = 0; i < bytes; i++) u8[dst + i] = u8[src + i]!;
    return true;
  }
  if (distance <= 0 || distance >= bytes) {
    u8.copyWithin(dst, src, src + bytes);
    return true;
  }
  // the copy reads what it wrote: the pattern of `distance` bytes repeats
  const step = Math.floor(distance / size) * size;
  for (let done = 0, part = step; done < bytes; done += part) {
    // whole patterns can be copied from the start; what is left over of one cannot
    if (step === distance && done > 0) part = done;
    const from = step === distance ? src : src + done;
    u8.copyWithin(dst + done, from, from + Math.min(part, bytes - done));
  }
  return true;
}

/** As {@link copyUp}, downwards; `src` and `dst` are the lowest bytes. */
function copyDown(u8: Uint8Array, src: number, dst: number, bytes: number, size: number): boolean {
  const distance = src - dst;
  if (distance > 0 && distance < size) return false;
  if (distance <= 0 || distance >= bytes) {
    u8.copyWithin(dst, src, src + bytes);
    return true;
  }
  const step = Math.floor(distance / size) * size;
  for (let end = bytes; end > 0; end -= step) {
    const start = Math.max(end - step, 0);
    u8.copyWithin(dst + start, src + start, src + end);
  }
  return true;
}

/** Repeats the `size` bytes at `pattern`. */
function fill(u8: Uint8Array, pattern: number, dst: number, bytes: number, size: number): void {
  if (bytes <= SHORT) {
    for (let i = 0; i < bytes; i++) u8[dst + i] = u8[pattern + (i & (size - 1))]!;
  } else if (size === 1) u8.fill(u8[pattern]!, dst, dst + bytes);
  else {
    u8.copyWithin(dst, pattern, pattern + size);
    for (let done = size; done < bytes; done *= 2) {
      u8.copyWithin(dst + done, dst, dst + Math.min(done, bytes - done));
    }
  }
}

/** How many of the first `bytes` bytes at two places are surely equal, a multiple of 16. */
function equalPart(data: DataView, left: number, right: number, bytes: number): number {
  let at = 0;
  for (; at + 16 <= bytes; at += 16) {
    const a = left + at;
    const b = right + at;
    const differ =
      (data.getInt32(a, true) ^ data.getInt32(b, true)) |
      (data.getInt32(a + 4, true) ^ data.getInt32(b + 4, true)) |
      (data.getInt32(a + 8, true) ^ data.getInt32(b + 8, true)) |
      (data.getInt32(a + 12, true) ^ data.getInt32(b + 12, true));
    if (differ !== 0) break;
  }
  return at;
}

/**
 * How many of the elements before the last of `n`, upwards, are passed over without looking at each: the host finds the
 * frequent cases faster.
 */
function passOver(
  { u8, data }: Views,
  left: number,
  leftStep: number,
  right: number,
  size: number,
  n: number,
  equal: boolean,
): number {
  const bytes = (n - 1) * size;
  if (bytes < SHORT) return 0;
  if (leftStep === size && !equal) return equalPart(data, left, right, bytes) / size;
  if (leftStep !== 0 || size !== 1 || !equal) return 0;
  const found = u8.subarray(right, right + bytes).indexOf(u8[left]!);
  return found < 0 ? bytes : found;
}

/**
 * Compares up to `n` elements and returns how many: the last is the first that is equal, or unequal, as `equal` says,
 * if there is one.
 */
function search(
  views: Views,
  left: number,
  leftStep: number,
  right: number,
  rightStep: number,
  size: number,
  n: number,
  equal: boolean,
): number {
  const { u8 } = views;
  const passed = rightStep > 0 ? passOver(views, left, leftStep, right, size, n, equal) : 0;
  let a = left + passed * leftStep;
  let b = right + passed * rightStep;
  for (let done = passed + 1; done < n; done++) {
    let same = true;
    for (let i = 0; i < size; i++) if (u8[a + i] !== u8[b + i]) same = false;
    if (same === equal) return done;
    a += leftStep;
    b += rightStep;
  }
  return n;
}

/** Flags of the comparison of two elements in memory, left to be evaluated lazily. */
function compare(cpu: Processor, left: number, right: number, size: number): void {
  const s = cpu.state;
  const { data } = s.views;
  let resultLow = 0;
  let resultHigh: number;
  let rightLow = 0;
  let rightHigh: number;
  if (size === 8) {
    const low = data.getUint32(left, true);
    rightLow = data.getUint32(right, true);
    rightHigh = data.getUint32(right + 4, true);
    resultLow = low - rightLow;
    resultHigh = data.getUint32(left + 4, true) - rightHigh - (low < rightLow ? 1 : 0);
  } else {
    const shift = 32 - size * 8;
    const read = (at: number): number =>
      size === 4 ? data.getUint32(at, true) : size === 2 ? data.getUint16(at, true) : data.getUint8(at);
    rightHigh = read(right) << shift;
    resultHigh = (read(left) << shift) - rightHigh;
  }
  s.set32(L.ST_CC_RES, resultLow);
  s.set32(L.ST_CC_RES + 4, resultHigh);
  s.set32(L.ST_CC_SRC, rightLow);
  s.set32(L.ST_CC_SRC + 4, rightHigh);
  s.set32(L.ST_CC_OP, L.CC_SUB | ((31 - Math.clz32(size)) << 8));
}

/**
 * Does up to `wanted` iterations at once and returns how many; 0: one must be done by itself. Comparisons stop where
 * the prefix says. Pointers are advanced, the count is not.
 */
export function bulk(cpu: Processor, insn: Insn, wanted: number, down: boolean): number {
  const { op, size, addressSize, segment } = insn;
  const s = cpu.state;
  const { u8 } = s.views;
  const reads = op === OP.MOVS || op === OP.CMPS;
  const writes = op === OP.MOVS || op === OP.STOS;
  const user = isUser(cpu);
  let n = wanted;
  let from = 0;
  if (reads) {
    const offset = offsetOf(cpu, RSI, addressSize);
    from = linearOf(cpu, segment, offset);
    n = roomFor(cpu, insn, segment, offset, from, false, n, down);
    if (n === 0) return 0;
  }
  const offset = offsetOf(cpu, RDI, addressSize);
  const to = linearOf(cpu, SEG_ES, offset);
  n = roomFor(cpu, insn, SEG_ES, offset, to, writes, n, down);
  if (n === 0) return 0;
  let src = s.base; // RAX
  if (reads) {
    src = cpu.memory.hostOffset(from, ACCESS_READ, user);
    if (src < 0) return 0;
  }
  const dst = cpu.memory.hostOffset(to, writes ? ACCESS_WRITE : ACCESS_READ, user);
  if (dst < 0) return 0;
  const step = down ? -size : size;
  if (writes) {
    const bytes = n * size;
    const below = down ? bytes - size : 0;
    if (!reads) fill(u8, src, dst - below, bytes, size);
    else if (!(down ? copyDown : copyUp)(u8, src - below, dst - below, bytes, size)) return 0;
  } else {
    const leftStep = reads ? step : 0;
    n = search(s.views, src, leftStep, dst, step, size, n, insn.rep === REP_F2);
    compare(cpu, src + (n - 1) * leftStep, dst + (n - 1) * step, size);
  }
  if (reads) advance(cpu, RSI, addressSize, n * step);
  advance(cpu, RDI, addressSize, n * step);
  return n;
}
