/** Operands of instructions as text, in NASM's syntax. */
import {
  type Insn,
  K_CR,
  K_DR,
  K_FAR,
  K_IMM,
  K_MEM,
  K_MM,
  K_REG,
  K_REL,
  K_SREG,
  K_ST,
  K_XMM,
  REG_NONE,
  REG_RIP,
} from './insn.ts';
import { OP } from './ops.ts';

const WORDS = ['ax', 'cx', 'dx', 'bx', 'sp', 'bp', 'si', 'di'];
/** Segment registers by SDM number. */
export const SEGMENT_NAMES: readonly string[] = ['es', 'cs', 'ss', 'ds', 'fs', 'gs'];
const LOW_BYTES = ['al', 'cl', 'dl', 'bl', 'spl', 'bpl', 'sil', 'dil'];
const HIGH_BYTES = ['ah', 'ch', 'dh', 'bh'];
const SIZE_WORDS: Readonly<Record<number, string>> = {
  1: 'byte ',
  2: 'word ',
  4: 'dword ',
  8: 'qword ',
  10: 'tword ',
  16: 'oword ',
};
/** Their memory operand is an address, or a block whose size the mnemonic tells. */
const UNSIZED: ReadonlySet<number> = new Set([
  OP.LEA,
  OP.INVLPG,
  OP.CLFLUSH,
  OP.PREFETCH,
  OP.NOP,
  OP.FXSAVE,
  OP.FXRSTOR,
  OP.FLDENV,
  OP.FNSTENV,
  OP.FNSAVE,
  OP.FRSTOR,
  OP.SGDT,
  OP.SIDT,
  OP.LGDT,
  OP.LIDT,
  OP.BOUND,
  OP.CMPXCHG8B,
  OP.CMPXCHG16B,
  OP.LES,
  OP.LDS,
  OP.LSS,
  OP.LFS,
  OP.LGS,
]);

/** A general register by number and size in bytes. */
function generalRegister(number: number, size: number): string {
  if (number >= 8) return `r${number}${size === 8 ? '' : size === 4 ? 'd' : size === 2 ? 'w' : 'b'}`;
  if (size === 1) return LOW_BYTES[number]!;
  return `${size === 8 ? 'r' : size === 4 ? 'e' : ''}${WORDS[number]}`;
}

function registerByByte(byteOffset: number, size: number): string {
  if (byteOffset & 1) return HIGH_BYTES[byteOffset >>> 3]!;
  return generalRegister(byteOffset >>> 3, size);
}

function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}

/** Where a near branch with a fixed target goes; undefined for what is none. `rip`: of the instruction. */
export function branchTarget(insn: Insn, kind: number, rip: bigint): bigint | undefined {
  if (kind !== K_REL) return undefined;
  const target = rip + BigInt(insn.length) + BigInt(insn.imm);
  if (insn.codeSize === 64) return BigInt.asUintN(64, target);
  return BigInt.asUintN(insn.size === 2 ? 16 : 32, target);
}

/** All operands of an instruction at a RIP, separated by commas. */
export function formatOperands(insn: Insn, rip: bigint): string {
  const parts: string[] = [];
  for (let n = 0; n < insn.operands; n++) parts.push(operand(insn, n, rip));
  const loops = insn.op === OP.LOOP || insn.op === OP.LOOPE || insn.op === OP.LOOPNE;
  if (loops && insn.addressSize * 8 !== insn.codeSize) parts.push(generalRegister(1, insn.addressSize));
  return parts.join(',');
}

function operand(insn: Insn, n: number, rip: bigint): string {
  const kind = [insn.kind0, insn.kind1, insn.kind2][n]!;
  const value = [insn.val0, insn.val1, insn.val2][n]!;
  const size = [insn.size0, insn.size1, insn.size2][n]!;
  switch (kind) {
    case K_REG:
      return registerByByte(value, size);
    case K_MEM:
      return `${sizeWord(insn, size)}${memory(insn, rip)}`;
    case K_IMM:
      if (insn.op === OP.ENTER && n === 1) return hex(BigInt(insn.imm2));
      return immediate(insn, size);
    case K_REL:
      return hex(branchTarget(insn, kind, rip)!);
    case K_FAR:
      return `${hex(BigInt(insn.imm2 & 0xffff))}:${hex(BigInt(insn.imm >>> 0))}`;
    case K_SREG:
      return SEGMENT_NAMES[value]!;
    case K_CR:
      return `cr${value}`;
    case K_DR:
      return `dr${value}`;
    case K_XMM:
      return `xmm${value}`;
    case K_MM:
      return `mm${value}`;
    case K_ST:
      return `st${value}`;
  }
  return '';
}

function sizeWord(insn: Insn, size: number): string {
  if (insn.op !== OP.JMPF && insn.op !== OP.CALLF)
    return UNSIZED.has(insn.op) ? '' : (SIZE_WORDS[size] ?? '');
  return `${insn.size * 8 === insn.codeSize ? '' : SIZE_WORDS[insn.size]}far `;
}

function immediate(insn: Insn, size: number): string {
  const value = (BigInt(insn.immHigh) << 32n) | BigInt(insn.imm >>> 0);
  const bits = Math.max(size, insn.size0 > 8 ? size : insn.size0 || insn.size) * 8;
  return hex(BigInt.asUintN(bits || 64, value));
}

function memory(insn: Insn, rip: bigint): string {
  const { base, index, scale, addressSize } = insn;
  const disp = (BigInt(insn.dispHigh) << 32n) | BigInt(insn.disp >>> 0);
  const segment = insn.op !== OP.LEA && hasOverride(insn) ? `${SEGMENT_NAMES[insn.segment]}:` : '';
  if (base === REG_RIP) {
    const at = BigInt.asUintN(addressSize * 8, rip + BigInt(insn.length) + disp);
    return `[rel ${segment}${hex(at)}]`;
  }
  const terms: string[] = [];
  if (base !== REG_NONE) terms.push(generalRegister(base, addressSize));
  if (index !== REG_NONE)
    terms.push(`${generalRegister(index, addressSize)}${scale === 0 ? '' : `*${1 << scale}`}`);
  const sum = terms.join('+');
  if (sum === '') {
    const wide = addressSize * 8 === insn.codeSize ? '' : SIZE_WORDS[addressSize];
    return `[${wide}${segment}${hex(BigInt.asUintN(addressSize * 8, disp))}]`;
  }
  const signed = BigInt.asIntN(addressSize * 8, disp);
  const offset = signed === 0n ? '' : signed < 0n ? `-${hex(-signed)}` : `+${hex(signed)}`;
  return `[${segment}${sum}${offset}]`;
}

/** The segment is not the one that the base register brings by itself. */
function hasOverride({ segment, base, codeSize }: Insn): boolean {
  const stack = base === 4 || base === 5;
  if (codeSize === 64 && segment < 4) return false;
  return segment !== (stack ? 2 : 3);
}
