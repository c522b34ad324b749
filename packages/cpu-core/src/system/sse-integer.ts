/**
 * 128-bit shuffles, logic and integer sums, as far as memory routines use them. Intel SDM Vol. 2, the instructions' pages.
 */
import { GP_VECTOR, UD_VECTOR } from '@smm/x86-defs';
import { type Insn, K_MEM, K_XMM } from '../insn.ts';
import * as L from '../layout.ts';
import { OP, type OpName } from '../ops.ts';
import type { Processor } from '../processor.ts';
import { loadSized, operandAddress, storeSized, writeRegister } from './operands.ts';
import { checkSse } from './unmodelled.ts';

const MASK64 = 0xffff_ffff_ffff_ffffn;
const MASK128 = (1n << 128n) - 1n;

function readXmm(cpu: Processor, register: number): bigint {
  const at = L.ST_XMM + register * 16;
  return cpu.state.get64(at) | (cpu.state.get64(at + 8) << 64n);
}

function writeXmm(cpu: Processor, register: number, value: bigint): void {
  cpu.state.set64(L.ST_XMM + register * 16, value & MASK64);
  cpu.state.set64(L.ST_XMM + register * 16 + 8, value >> 64n);
}

function require(cpu: Processor, feature: string): void {
  if (!cpu.model.features.has(feature)) cpu.fault(UD_VECTOR);
  checkSse(cpu);
}

/** Second operand, 16 bytes: a register, or aligned memory. */
function source(cpu: Processor, insn: Insn): bigint {
  if (insn.kind1 === K_XMM) return readXmm(cpu, insn.val1);
  const at = operandAddress(cpu, insn, 16, false);
  if (at & 15) cpu.fault(GP_VECTOR, 0);
  return loadSized(cpu, at, 8) | (loadSized(cpu, at + 8, 8) << 64n);
}

/** Lane `n` of `bits` bits. */
const lane = (value: bigint, n: number, bits: number): bigint =>
  BigInt.asUintN(bits, value >> BigInt(n * bits));

/** Lanes put together, lane 0 lowest. */
function join(bits: number, lanes: readonly bigint[]): bigint {
  return lanes.reduceRight((all, one) => (all << BigInt(bits)) | BigInt.asUintN(bits, one), 0n);
}

type Lanes = (a: bigint, b: bigint) => bigint;

const each =
  (bits: number, compute: Lanes): Lanes =>
  (a, b) =>
    join(
      bits,
      Array.from({ length: 128 / bits }, (_, n) => compute(lane(a, n, bits), lane(b, n, bits))),
    );

/** PUNPCK: lanes of the low (or high) halves in turn. */
const unpack =
  (bits: number, high: boolean): Lanes =>
  (a, b) => {
    const first = high ? 64 / bits : 0;
    return join(
      bits,
      Array.from({ length: 128 / bits }, (_, n) => lane(n & 1 ? b : a, first + (n >> 1), bits)),
    );
  };

const equal: Lanes = (a, b) => (a === b ? -1n : 0n);
const add: Lanes = (a, b) => a + b;
const subtract: Lanes = (a, b) => a - b;

const COMPUTE: ReadonlyMap<number, Lanes> = new Map(
  (
    [
      ['PAND', (a, b) => a & b],
      ['PANDN', (a, b) => ~a & MASK128 & b],
      ['POR', (a, b) => a | b],
      ['ANDPS', (a, b) => a & b],
      ['ANDNPS', (a, b) => ~a & MASK128 & b],
      ['ORPS', (a, b) => a | b],
      ['PUNPCKLBW', unpack(8, false)],
      ['PUNPCKLWD', unpack(16, false)],
      ['PUNPCKLDQ', unpack(32, false)],
      ['PUNPCKLQDQ', unpack(64, false)],
      ['PUNPCKHBW', unpack(8, true)],
      ['PUNPCKHWD', unpack(16, true)],
      ['PUNPCKHDQ', unpack(32, true)],
      ['PUNPCKHQDQ', unpack(64, true)],
      ['PCMPEQB', each(8, equal)],
      ['PCMPEQW', each(16, equal)],
      ['PCMPEQD', each(32, equal)],
      ['PADDB', each(8, add)],
      ['PADDW', each(16, add)],
      ['PADDD', each(32, add)],
      ['PADDQ', each(64, add)],
      ['PSUBB', each(8, subtract)],
      ['PSUBW', each(16, subtract)],
      ['PSUBD', each(32, subtract)],
      ['PSUBQ', each(64, subtract)],
    ] satisfies [OpName, Lanes][]
  ).map(([name, compute]) => [OP[name], compute]),
);
const SINGLE: ReadonlySet<number> = new Set([OP.ANDPS, OP.ANDNPS, OP.ORPS]);

/** Two-operand logic, unpacking, comparisons and sums. */
function execBinary(cpu: Processor, insn: Insn): void {
  require(cpu, SINGLE.has(insn.op) ? 'sse' : 'sse2');
  const b = source(cpu, insn);
  writeXmm(cpu, insn.val0, COMPUTE.get(insn.op)!(readXmm(cpu, insn.val0), b));
}

/** Four lanes chosen by the immediate's two-bit fields. */
function pick(value: bigint, bits: number, first: number, order: number): bigint[] {
  return [0, 2, 4, 6].map((shift) => lane(value, first + ((order >> shift) & 3), bits));
}

/** PSHUFD PSHUFHW PSHUFLW. */
function execShuffle(cpu: Processor, insn: Insn): void {
  require(cpu, 'sse2');
  const b = source(cpu, insn);
  const order = insn.imm & 0xff;
  let result: bigint;
  if (insn.op === OP.PSHUFD) result = join(32, pick(b, 32, 0, order));
  else if (insn.op === OP.PSHUFLW) result = ((b >> 64n) << 64n) | join(16, pick(b, 16, 0, order));
  else result = (b & MASK64) | (join(16, pick(b, 16, 4, order)) << 64n);
  writeXmm(cpu, insn.val0, result);
}

/** MOVLHPS and MOVHLPS. */
function execMoveHalf(cpu: Processor, insn: Insn): void {
  require(cpu, 'sse');
  const a = readXmm(cpu, insn.val0);
  const b = readXmm(cpu, insn.val1);
  const result =
    insn.op === OP.MOVLHPS ? (a & MASK64) | ((b & MASK64) << 64n) : ((a >> 64n) << 64n) | (b >> 64n);
  writeXmm(cpu, insn.val0, result);
}

/** MOVLPS and MOVHPS (and their PD spellings): one half and memory. */
function execLoadHalf(cpu: Processor, insn: Insn): void {
  require(cpu, 'sse');
  const half = insn.op === OP.MOVHPS ? 8 : 0;
  const store = insn.kind0 === K_MEM;
  const at = operandAddress(cpu, insn, 8, store);
  const slot = L.ST_XMM + (store ? insn.val1 : insn.val0) * 16 + half;
  if (store) storeSized(cpu, at, 8, cpu.state.get64(slot));
  else cpu.state.set64(slot, loadSized(cpu, at, 8));
}

/** MOVDDUP. */
function execDuplicate(cpu: Processor, insn: Insn): void {
  require(cpu, 'pni');
  const low =
    insn.kind1 === K_XMM
      ? readXmm(cpu, insn.val1) & MASK64
      : loadSized(cpu, operandAddress(cpu, insn, 8, false), 8);
  writeXmm(cpu, insn.val0, low | (low << 64n));
}

/** PSLLDQ and PSRLDQ: shifts by bytes. */
function execShiftBytes(cpu: Processor, insn: Insn): void {
  require(cpu, 'sse2');
  const count = BigInt(Math.min(16, insn.imm & 0xff) * 8);
  const a = readXmm(cpu, insn.val0);
  writeXmm(cpu, insn.val0, insn.op === OP.PSLLDQ ? (a << count) & MASK128 : a >> count);
}

/** PMOVMSKB. */
function execByteMask(cpu: Processor, insn: Insn): void {
  require(cpu, 'sse2');
  const value = readXmm(cpu, insn.val1);
  let mask = 0n;
  for (let n = 0n; n < 16n; n++) mask |= ((value >> (n * 8n + 7n)) & 1n) << n;
  writeRegister(cpu, insn.val0, insn.size0, mask);
}

const named = (names: string, helper: (cpu: Processor, insn: Insn) => void): [OpName, typeof helper][] =>
  names.split(' ').map((name) => [name as OpName, helper]);

/** What `HELPERS` takes in. */
export const SSE_INTEGER_HELPERS: Partial<Record<OpName, (cpu: Processor, insn: Insn) => void>> =
  Object.fromEntries([
    ...named('PAND PANDN POR ANDPS ANDNPS ORPS', execBinary),
    ...named('PUNPCKLBW PUNPCKLWD PUNPCKLDQ PUNPCKLQDQ', execBinary),
    ...named('PUNPCKHBW PUNPCKHWD PUNPCKHDQ PUNPCKHQDQ', execBinary),
    ...named('PCMPEQB PCMPEQW PCMPEQD PADDB PADDW PADDD PADDQ PSUBB PSUBW PSUBD PSUBQ', execBinary),
    ...named('PSHUFD PSHUFHW PSHUFLW', execShuffle),
    ...named('MOVLHPS MOVHLPS', execMoveHalf),
    ...named('MOVLPS MOVHPS', execLoadHalf),
    ...named('PSLLDQ PSRLDQ', execShiftBytes),
    ['MOVDDUP', execDuplicate],
    ['PMOVMSKB', execByteMask],
  ]);
