/**
 * Instructions as text, in NASM's syntax: what the decoder knows, and nothing else. Instructions that are not modelled
 * and undefined ones are shown as their bytes (`db`), with their length.
 */
import { refuse, SEG_DS } from '@smm/x86-defs';
import { decode } from './decode/decode.ts';
import { branchTarget, formatOperands, SEGMENT_NAMES } from './disassemble-operands.ts';
import { type CodeSize, Insn, K_IMM, K_REL, REP_F2, REP_F3 } from './insn.ts';
import { OP, OP_NAMES, type OpName } from './ops.ts';

/** An instruction as text. */
export interface DisassembledInsn {
  /** Where it is: RIP. */
  readonly rip: bigint;
  /** Bytes that it takes. */
  readonly length: number;
  /** In NASM's syntax, such as `mov eax,dword [rbx+rcx*4+0x10]`. */
  readonly text: string;
  /** Target of a near branch with a fixed one. */
  readonly target: bigint | undefined;
  /** The decoded instruction. */
  readonly insn: Insn;
}

/** How bytes are read as code. */
export interface DisassembleOptions {
  /** Code size: 16, 32 or 64. */
  readonly codeSize: CodeSize;
  /** RIP of the first byte. Default 0. */
  readonly rip?: number | bigint;
  /** Index of the first byte. Default 0. */
  readonly offset?: number;
}

/** Condition codes by number. */
const CONDITIONS = ['o', 'no', 'b', 'ae', 'e', 'ne', 'be', 'a', 's', 'ns', 'p', 'np', 'l', 'ge', 'le', 'g'];
/** Suffix of a size in bytes. */
const SUFFIX: Readonly<Record<number, string>> = { 1: 'b', 2: 'w', 4: 'd', 8: 'q' };

type Mnemonic = string | ((insn: Insn) => string);

const bySize = (word: string, double: string, quad: string): Mnemonic => {
  return ({ size }) => (size === 2 ? word : size === 4 ? double : quad);
};
/** The size is told where it is not the one that code of this size has by itself. */
const byOwnSize = (stem: string, usual: Readonly<Record<CodeSize, number>>): Mnemonic => {
  return ({ size, codeSize }) => (size === usual[codeSize] ? stem : `${stem}${SUFFIX[size]}`);
};
const OPERAND = { 16: 2, 32: 4, 64: 4 } as const;
const STACK = { 16: 2, 32: 4, 64: 8 } as const;
/** The variant with 66 before the opcode works on packed doubles. */
const packed = (stem: string): Mnemonic => {
  return (insn) => `${stem}p${hasPrefix(insn, 0x66) ? 'd' : 's'}`;
};
const HINTS = ['nta', 't0', 't1', 't2'];
const string =
  (stem: string): Mnemonic =>
  ({ size }) =>
    stem + SUFFIX[size];

/** Mnemonics of operations whose names are others. */
const MNEMONICS: Partial<Record<OpName, Mnemonic>> = {
  IMUL1: 'imul',
  MOVSX: (insn) => (opcodeOf(insn) === 0x63 ? 'movsxd' : 'movsx'),
  PUSHA: byOwnSize('pusha', OPERAND),
  POPA: byOwnSize('popa', OPERAND),
  PUSHF: byOwnSize('pushf', STACK),
  POPF: byOwnSize('popf', STACK),
  CMOVCC: ({ cc }) => `cmov${CONDITIONS[cc]}`,
  SETCC: ({ cc }) => `set${CONDITIONS[cc]}`,
  JCC: ({ cc }) => `j${CONDITIONS[cc]}`,
  JCXZ: ({ addressSize }) => (addressSize === 2 ? 'jcxz' : addressSize === 4 ? 'jecxz' : 'jrcxz'),
  CBW: bySize('cbw', 'cwde', 'cdqe'),
  CWD: bySize('cwd', 'cdq', 'cqo'),
  XLAT: 'xlatb',
  JMPF: 'jmp',
  CALLF: 'call',
  RET: byOwnSize('ret', STACK),
  IRET: byOwnSize('iret', OPERAND),
  RETF: byOwnSize('retf', OPERAND),
  SYSRET: ({ size }) => (size === 8 ? 'o64 sysret' : 'sysret'),
  SYSEXIT: ({ size }) => (size === 8 ? 'o64 sysexit' : 'sysexit'),
  MOVS: string('movs'),
  STOS: string('stos'),
  LODS: string('lods'),
  CMPS: string('cmps'),
  SCAS: string('scas'),
  INS: string('ins'),
  OUTS: string('outs'),
  MOV_SREG: 'mov',
  MOV_FROM_SREG: 'mov',
  PUSH_SREG: 'push',
  POP_SREG: 'pop',
  MOV_CR_R: 'mov',
  MOV_R_CR: 'mov',
  MOV_DR_R: 'mov',
  MOV_R_DR: 'mov',
  FWAIT: 'wait',
  MOVAPS: packed('mova'),
  MOVUPS: packed('movu'),
  XORPS: packed('xor'),
  ANDPS: packed('and'),
  ANDNPS: packed('andn'),
  ORPS: packed('or'),
  MOVLPS: packed('movl'),
  MOVHPS: packed('movh'),
  MOVNTDQ: (insn) => (opcodeOf(insn) === 0xe7 ? 'movntdq' : hasPrefix(insn, 0x66) ? 'movntpd' : 'movntps'),
  CLFLUSH: (insn) => (hasPrefix(insn, 0x66) ? 'clflushopt' : 'clflush'),
  WBINVD: (insn) => (lastRepeat(insn) === 0xf3 ? 'wbnoinvd' : 'wbinvd'),
  FXSAVE: ({ size }) => (size === 8 ? 'fxsave64' : 'fxsave'),
  FXRSTOR: ({ size }) => (size === 8 ? 'fxrstor64' : 'fxrstor'),
  PREFETCH: (insn) => {
    const reg = (insn.bytes[opcodeAt(insn) + 1]! >>> 3) & 7;
    if (opcodeOf(insn) === 0x18) return `prefetch${HINTS[reg]}`;
    return reg === 1 || reg === 3 ? 'prefetchw' : reg === 2 ? 'prefetchwt1' : 'prefetch';
  },
};

const STRINGS: ReadonlySet<number> = new Set([OP.MOVS, OP.STOS, OP.LODS, OP.CMPS, OP.SCAS, OP.INS, OP.OUTS]);
/** Operations whose operand size nothing else shows. */
const SIZED_BY_PREFIX: ReadonlySet<number> = new Set([
  OP.PUSH_SREG,
  OP.POP_SREG,
  OP.ENTER,
  OP.LEAVE,
  OP.FLDENV,
  OP.FNSTENV,
  OP.FNSAVE,
  OP.FRSTOR,
  OP.LGDT,
  OP.LIDT,
  OP.SGDT,
  OP.SIDT,
]);
/** Of these, those for which 64-bit code has no other width than 64, or knows no difference. */
const WIDE: ReadonlySet<number> = new Set([OP.PUSH, ...SIZED_BY_PREFIX]);
const X87_BLOCKS: ReadonlySet<number> = new Set([OP.FLDENV, OP.FNSTENV, OP.FNSAVE, OP.FRSTOR]);
/** Operations that reach memory by DS, unless a prefix says otherwise, without an operand that shows it. */
const IMPLIED_DS: ReadonlySet<number> = new Set([
  OP.MOVS,
  OP.LODS,
  OP.CMPS,
  OP.OUTS,
  OP.XLAT,
  OP.MONITOR,
  OP.MASKMOVDQU,
  OP.MASKMOVQ,
]);
const PREFIXES = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3];
const COMPARING: ReadonlySet<number> = new Set([OP.CMPS, OP.SCAS]);

/**
 * The instruction at `offset` of `bytes`, or undefined where the bytes end before it does. Throws `SmmError`
 * `OPTION_VALUE` for a code size that is none.
 */
export function disassembleOne(bytes: Uint8Array, options: DisassembleOptions): DisassembledInsn | undefined {
  const { codeSize, offset = 0 } = options;
  if (codeSize !== 16 && codeSize !== 32 && codeSize !== 64) refuse('codeSize', codeSize, '16, 32 or 64');
  const rip = BigInt.asUintN(codeSize === 64 ? 64 : 32, BigInt(options.rip ?? 0));
  const insn = new Insn();
  const length = decode(bytes, offset, Math.min(bytes.length - offset, 15), codeSize, insn);
  if (length === 0) return undefined;
  const { kind0 } = insn;
  return { rip, length, text: textOf(insn, rip), target: branchTarget(insn, kind0, rip), insn };
}

/**
 * Instructions one after another to the end of the bytes. What is left over at the end, part of an instruction, is
 * left out.
 */
export function* disassemble(bytes: Uint8Array, options: DisassembleOptions): Generator<DisassembledInsn> {
  let { offset = 0 } = options;
  let rip = BigInt(options.rip ?? 0);
  for (;;) {
    const one = disassembleOne(bytes, { codeSize: options.codeSize, rip, offset });
    if (one === undefined) return;
    yield one;
    offset += one.length;
    rip += BigInt(one.length);
  }
}

function textOf(insn: Insn, rip: bigint): string {
  const name = OP_NAMES[insn.op]!;
  if (insn.op === OP.INVALID || name.endsWith('_UNMODELLED')) return bytesOf(insn);
  const named = MNEMONICS[name];
  const mnemonic = typeof named === 'function' ? named(insn) : (named ?? name.toLowerCase());
  const operands = formatOperands(insn, rip);
  return `${prefixesOf(insn)}${mnemonic}${operands === '' ? '' : ` ${operands}`}`;
}

function bytesOf({ bytes, length }: Insn): string {
  const list = Array.from(bytes.subarray(0, length), (byte) => `0x${byte.toString(16)}`);
  return `db ${list.join(',')}`;
}

/** Index of the opcode byte behind prefixes and 0F. */
function opcodeAt({ bytes, length, codeSize }: Insn): number {
  for (let at = 0; at < length; at++) {
    const byte = bytes[at]!;
    if (byte === 0x0f) return at + 1;
    if (!PREFIXES.includes(byte) && !(codeSize === 64 && (byte & 0xf0) === 0x40)) return at;
  }
  return 0;
}

function opcodeOf(insn: Insn): number {
  return insn.bytes[opcodeAt(insn)]!;
}

function hasPrefix(insn: Insn, prefix: number): boolean {
  return insn.bytes.subarray(0, opcodeAt(insn)).includes(prefix);
}

/** Of F2 and F3 the one that counts, or undefined. */
function lastRepeat(insn: Insn): number | undefined {
  const prefixes = insn.bytes.subarray(0, opcodeAt(insn));
  return prefixes.filter((byte) => byte === 0xf2 || byte === 0xf3).at(-1);
}

function prefixesOf(insn: Insn): string {
  let text = insn.lock ? 'lock ' : '';
  if (insn.kind0 === K_REL || SIZED_BY_PREFIX.has(insn.op)) text += operandSizePrefix(insn);
  if (insn.op === OP.PUSH && insn.kind0 === K_IMM) text += operandSizePrefix(insn);
  if (!STRINGS.has(insn.op) && !IMPLIED_DS.has(insn.op)) return text;
  if (insn.addressSize * 8 !== insn.codeSize) text += `a${insn.addressSize * 8} `;
  if (IMPLIED_DS.has(insn.op) && insn.segment !== SEG_DS) text += `${SEGMENT_NAMES[insn.segment]} `;
  if (!STRINGS.has(insn.op)) return text;
  if (insn.rep === REP_F2) text += 'repne ';
  if (insn.rep === REP_F3) text += COMPARING.has(insn.op) ? 'repe ' : 'rep ';
  return text;
}

function operandSizePrefix({ op, size, codeSize, kind0 }: Insn): string {
  if (kind0 === K_REL && codeSize === 64) return '';
  if (X87_BLOCKS.has(op) && codeSize === 64 && size > 2) return '';
  const usual = WIDE.has(op) ? STACK : OPERAND;
  return size === usual[codeSize] ? '' : `o${size * 8} `;
}
