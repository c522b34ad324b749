/** Compares our decoder with iced-x86, field by field, and names every deliberate difference. */
import { createRequire } from 'node:module';
import type * as Iced from 'iced-x86';
import { decode } from '../src/decode/decode.ts';
import {
  type CodeSize,
  Insn,
  K_CR,
  K_DR,
  K_FAR,
  K_IMM,
  K_MEM,
  K_MM,
  K_NONE,
  K_REG,
  K_REL,
  K_SREG,
  K_ST,
  K_XMM,
  REG_NONE,
  REG_RIP,
} from '../src/insn.ts';
import { OP, OP_NAMES, type OpName } from '../src/ops.ts';

const iced = createRequire(import.meta.url)('iced-x86') as typeof Iced;
const { Decoder, DecoderOptions, Instruction, OpKind, MemorySizeExt } = iced;

const enumNames = (e: object): Map<number, string> =>
  new Map(Object.entries(e).flatMap(([k, v]) => (typeof v === 'number' ? [[v, k]] : [])));
const MNEMONICS = enumNames(iced.Mnemonic);
const REGISTERS = enumNames(iced.Register);
const FEATURES = enumNames(iced.CpuidFeature);
/** Bytes by iced MemorySize. */
const MEMORY_BYTES = [...enumNames(iced.MemorySize).keys()].reduce<number[]>((all, key) => {
  all[key] = MemorySizeExt.size(key);
  return all;
}, []);

interface Register {
  readonly kind: number;
  readonly value: number;
  readonly size: number;
}
const REGISTER: Register[] = [];
const place = (first: number, count: number, kind: number, size: number, step = 1): void => {
  for (let n = 0; n < count; n++) REGISTER[first + n] = { kind, value: n * step, size };
};
const R = iced.Register;
place(R.AL, 4, K_REG, 1, 8);
for (let n = 0; n < 4; n++) REGISTER[R.AH + n] = { kind: K_REG, value: n * 8 + 1, size: 1 };
for (let n = 0; n < 12; n++) REGISTER[R.SPL + n] = { kind: K_REG, value: (n + 4) * 8, size: 1 };
place(R.AX, 16, K_REG, 2, 8);
place(R.EAX, 16, K_REG, 4, 8);
place(R.RAX, 16, K_REG, 8, 8);
place(R.ES, 6, K_SREG, 2);
place(R.XMM0, 16, K_XMM, 16);
place(R.MM0, 8, K_MM, 8);
place(R.ST0, 8, K_ST, 10);
place(R.CR0, 16, K_CR, 0);
place(R.DR0, 16, K_DR, 0);

const CONDITIONS = ['o', 'no', 'b', 'ae', 'e', 'ne', 'be', 'a', 's', 'ns', 'p', 'np', 'l', 'ge', 'le', 'g'];
const sized = (stem: string): string[] => ['b', 'w', 'd', 'q'].map((suffix) => stem + suffix);

/** iced mnemonics of our operations, where they are not the same word. */
const MNEMONICS_OF: Partial<Record<OpName, readonly string[]>> = {
  IMUL1: ['imul'],
  SHL: ['shl', 'sal'],
  MOVSX: ['movsx', 'movsxd'],
  PUSHA: ['pusha', 'pushad'],
  POPA: ['popa', 'popad'],
  PUSHF: ['pushf', 'pushfd', 'pushfq'],
  POPF: ['popf', 'popfd', 'popfq'],
  CMOVCC: CONDITIONS.map((c) => `cmov${c}`),
  SETCC: CONDITIONS.map((c) => `set${c}`),
  JCC: CONDITIONS.map((c) => `j${c}`),
  JCXZ: ['jcxz', 'jecxz', 'jrcxz'],
  CBW: ['cbw', 'cwde', 'cdqe'],
  CWD: ['cwd', 'cdq', 'cqo'],
  XLAT: ['xlatb'],
  JMPF: ['jmp'],
  CALLF: ['call'],
  IRET: ['iret', 'iretd', 'iretq'],
  SYSRET: ['sysret', 'sysretq'],
  SYSEXIT: ['sysexit', 'sysexitq'],
  MOVS: sized('movs'),
  STOS: sized('stos'),
  LODS: sized('lods'),
  CMPS: sized('cmps'),
  SCAS: sized('scas'),
  INS: sized('ins'),
  OUTS: sized('outs'),
  MOV_SREG: ['mov'],
  MOV_FROM_SREG: ['mov'],
  PUSH_SREG: ['push'],
  POP_SREG: ['pop'],
  MOV_CR_R: ['mov'],
  MOV_R_CR: ['mov'],
  MOV_DR_R: ['mov'],
  MOV_R_DR: ['mov'],
  PREFETCH: ['prefetch', 'prefetchw', 'prefetchwt1', 'prefetchnta', 'prefetcht0', 'prefetcht1', 'prefetcht2'],
  CLFLUSH: ['clflush', 'clflushopt'],
  WBINVD: ['wbinvd', 'wbnoinvd'],
  FWAIT: ['wait'],
  FNOP: ['fnop', 'fneni', 'fndisi', 'fnsetpm'],
  FXSAVE: ['fxsave', 'fxsave64'],
  FXRSTOR: ['fxrstor', 'fxrstor64'],
  MOVAPS: ['movaps', 'movapd'],
  MOVUPS: ['movups', 'movupd'],
  MOVNTDQ: ['movntdq', 'movntps', 'movntpd'],
  XORPS: ['xorps', 'xorpd'],
  ANDPS: ['andps', 'andpd'],
  ANDNPS: ['andnps', 'andnpd'],
  ORPS: ['orps', 'orpd'],
  MOVLPS: ['movlps', 'movlpd'],
  MOVHPS: ['movhps', 'movhpd'],
  // What the reserved NOPs have become on processors with CET, MPX and the prefetch hints: still NOPs on ours.
  NOP: [
    'nop',
    'reservednop',
    'cldemote',
    'endbr64',
    'endbr32',
    'rdsspd',
    'rdsspq',
    'prefetchit0',
    'prefetchit1',
  ],
  INVALID: [],
  X87_UNMODELLED: [],
  MMX_UNMODELLED: [],
  SSE_UNMODELLED: [],
  VEX_UNMODELLED: [],
  SYSTEM_UNMODELLED: [],
};
const ACCEPTED: ReadonlySet<string>[] = OP_NAMES.map(
  (name) => new Set(MNEMONICS_OF[name] ?? [name.toLowerCase()]),
);
/** Every mnemonic that some named operation claims: an UNMODELLED answer for one of these is an error. */
const CLAIMED: ReadonlySet<string> = new Set(ACCEPTED.flatMap((set) => [...set]));
/** Mnemonics with modelled and unmodelled forms: PEXTRW's of SSE4.1. */
const PARTLY_MODELLED: ReadonlySet<string> = new Set(['pextrw']);

const UNMODELLED: ReadonlySet<number> = new Set(
  (
    ['X87_UNMODELLED', 'MMX_UNMODELLED', 'SSE_UNMODELLED', 'VEX_UNMODELLED', 'SYSTEM_UNMODELLED'] as const
  ).map((n) => OP[n]),
);
/** No explicit operands in ours (the operation implies them), explicit ones in iced. */
const IMPLIED: ReadonlySet<number> = new Set(
  (['MOVS', 'STOS', 'LODS', 'CMPS', 'SCAS', 'INS', 'OUTS', 'XLAT', 'NOP'] as const).map((n) => OP[n]),
);
/** Selector and word operands: iced names the register as wide as the operand size, we say that 16 bits are read. */
const WORD_REGISTER: ReadonlySet<number> = new Set(
  (['LLDT', 'LTR', 'VERR', 'VERW', 'LAR', 'LSL', 'LMSW', 'MOV_SREG', 'ARPL', 'PINSRW'] as const).map(
    (n) => OP[n],
  ),
);
const WIDTHLESS: ReadonlySet<number> = new Set(
  (
    [
      'FXSAVE',
      'FXRSTOR',
      'FLDENV',
      'FNSTENV',
      'FNSAVE',
      'FRSTOR',
      'LEA',
      'INVLPG',
      'CLFLUSH',
      'PREFETCH',
      'SGDT',
      'SIDT',
      'LGDT',
      'LIDT',
    ] as const
  ).map((n) => OP[n]),
);

/** A deliberate difference: the encodings that iced accepts and we call undefined, or the reverse. */
export interface Difference {
  readonly id: string;
  readonly reason: string;
  readonly applies: (ours: Insn, theirs: Theirs, codeSize: CodeSize) => boolean;
  hits: number;
}
interface Theirs {
  readonly mnemonic: string;
  readonly features: readonly string[];
  readonly invalid: boolean;
}

const AMD_OR_VIA: ReadonlySet<string> = new Set(
  [
    'SVM SKINIT SKINIT_or_SVM MONITORX RDPRU MCOMMIT SEV_ES SEV_SNP INVLPGB RMPQUERY',
    'PADLOCK_ACE PADLOCK_PHE PADLOCK_RNG PADLOCK_PMM PADLOCK_UNDOC PADLOCK_GMI',
  ].flatMap((line) => line.split(' ')),
);

/** The whole list of deliberate differences. */
export const DIFFERENCES: Difference[] = [
  {
    id: 'amd-via-only',
    reason:
      'VIA-only instructions, and those AMD-only ones that none of our models reports or that are #UD without EFER.SVME, are undefined; iced knows them.',
    applies: (ours, theirs) =>
      ours.op === OP.INVALID && !theirs.invalid && theirs.features.some((feature) => AMD_OR_VIA.has(feature)),
    hits: 0,
  },
  {
    id: '3dnow-suffix',
    reason: 'The byte behind a 3DNow! instruction, which says what it is, is not looked at.',
    applies: (ours, theirs) => ours.op === OP.MMX_UNMODELLED && theirs.invalid && ours.bytes.includes(0x0f),
    hits: 0,
  },
  {
    id: 'vector-space',
    reason:
      'Opcode maps behind VEX, EVEX and XOP are not checked: an undefined opcode there is VEX_UNMODELLED to us. The engine never executes either.',
    applies: (ours, theirs) => ours.op === OP.VEX_UNMODELLED && theirs.invalid,
    hits: 0,
  },
];

function matchDifference(ours: Insn, theirs: Theirs, codeSize: CodeSize): boolean {
  for (const difference of DIFFERENCES) {
    if (difference.applies(ours, theirs, codeSize)) {
      difference.hits++;
      return true;
    }
  }
  return false;
}

const NO_FEATURES: readonly string[] = [];

/** What a comparison run found. */
export interface Outcome {
  compared: number;
  valid: number;
  different: number;
  readonly mismatches: string[];
}

/** New, empty outcome. */
export const newOutcome = (): Outcome => ({ compared: 0, valid: 0, different: 0, mismatches: [] });

const SLOT = 16;
const LENGTH = 15;

const kindOf = (insn: Insn, n: number): number => (n === 0 ? insn.kind0 : n === 1 ? insn.kind1 : insn.kind2);
const operandValueOf = (insn: Insn, n: number): number =>
  n === 0 ? insn.val0 : n === 1 ? insn.val1 : insn.val2;
const sizeOf = (insn: Insn, n: number): number => (n === 0 ? insn.size0 : n === 1 ? insn.size1 : insn.size2);
const immediateOf = (insn: Insn): bigint => (BigInt(insn.immHigh) << 32n) | BigInt(insn.imm >>> 0);

/** Compares slots of 16 bytes (15 used) in one code size. */
export function compareSlots(code: Uint8Array, codeSize: CodeSize, outcome: Outcome): void {
  const decoder = new Decoder(codeSize, code, DecoderOptions.None);
  const theirs = new Instruction();
  const ours = new Insn();
  const featureCache = new Map<number, readonly string[]>();
  const features = (): readonly string[] => {
    let found = featureCache.get(theirs.code);
    if (found === undefined) {
      found = [...theirs.cpuidFeatures()].map((feature) => FEATURES.get(feature) ?? '?');
      featureCache.set(theirs.code, found);
    }
    return found;
  };
  for (let at = 0; at < code.length; at += SLOT) {
    decoder.position = at;
    decoder.decodeOut(theirs);
    const length = decode(code, at, LENGTH, codeSize, ours);
    outcome.compared++;
    const invalid = theirs.code === 0;
    if (!invalid) outcome.valid++;
    const problem = compareOne();
    if (problem !== '') {
      const mnemonic = MNEMONICS.get(theirs.mnemonic)?.toLowerCase() ?? '?';
      const summary = { mnemonic, invalid, features: invalid ? NO_FEATURES : features() };
      if (matchDifference(ours, summary, codeSize)) outcome.different++;
      else {
        const bytes = Buffer.from(code.subarray(at, at + LENGTH)).toString('hex');
        outcome.mismatches.push(
          `${codeSize}-bit ${bytes}: ${problem} (ours ${OP_NAMES[ours.op]}, iced ${mnemonic}, ${summary.features.join(' ')})`,
        );
      }
    }

    function compareOne(): string {
      if (invalid) return ours.op === OP.INVALID ? '' : 'iced says undefined';
      if (ours.op === OP.INVALID) return 'we say undefined';
      if (length !== theirs.length || length !== ours.length)
        return `length ${length}, iced ${theirs.length}`;
      if (ours.lock !== theirs.hasLockPrefix) return 'lock';
      if (ours.op === OP.VEX_UNMODELLED) return theirs.encoding === 0 ? 'not a vector encoding' : '';
      const mnemonic = (MNEMONICS.get(theirs.mnemonic) ?? '').toLowerCase();
      if (UNMODELLED.has(ours.op)) {
        if (CLAIMED.has(mnemonic) && !PARTLY_MODELLED.has(mnemonic)) return `modelled elsewhere: ${mnemonic}`;
        return compareUnmodelled();
      }
      if (!ACCEPTED[ours.op].has(mnemonic)) return `operation, iced ${mnemonic}`;
      if (IMPLIED.has(ours.op))
        return ours.operands === 0 ? compareImplied(mnemonic) : 'operands not implied';
      if (
        theirs.opCount !== ours.operands + impliedFirst() &&
        !(ours.op === OP.ENTER || ours.op === OP.INT3 || ours.op === OP.INT1)
      )
        return `${ours.operands} operands, iced ${theirs.opCount}`;
      for (let n = 0; n < ours.operands; n++) {
        const text = compareOperand(n);
        if (text !== '') return `operand ${n}: ${text}`;
      }
      for (let n = ours.operands; n < 3; n++) if (kindOf(ours, n) !== K_NONE) return `leftover operand ${n}`;
      return compareFacts(mnemonic);
    }

    /** Operands that iced names before ours: (R/E)DI of MASKMOVDQU and MASKMOVQ. */
    function impliedFirst(): number {
      return ours.op === OP.MASKMOVDQU || ours.op === OP.MASKMOVQ ? 1 : 0;
    }

    function compareFacts(mnemonic: string): string {
      const condition = theirs.conditionCode;
      if (condition !== 0 && (ours.op === OP.JCC || ours.op === OP.SETCC || ours.op === OP.CMOVCC)) {
        if (ours.cc !== condition - 1) return 'condition';
      }
      const stack = Math.abs(theirs.stackPointerIncrement);
      switch (OP_NAMES[ours.op]) {
        case 'PUSH':
        case 'POP':
        case 'PUSH_SREG':
        case 'POP_SREG':
        case 'PUSHF':
        case 'POPF':
        case 'CALL':
          if (ours.size !== stack) return `width ${ours.size} on the stack, iced ${stack}`;
          break;
        case 'PUSHA':
        case 'POPA':
          if (ours.size * 8 !== stack) return 'width on the stack';
          break;
        case 'CALLF':
          if (ours.size * 2 !== stack) return 'width on the stack';
          break;
        case 'RET':
          if (ours.size !== stack - (ours.operands === 1 ? ours.imm : 0)) return 'width on the stack';
          break;
        case 'RETF':
          if (ours.size * 2 !== stack - (ours.operands === 1 ? ours.imm : 0)) return 'width on the stack';
          break;
        case 'IRET':
          if (ours.size !== (mnemonic === 'iret' ? 2 : mnemonic === 'iretd' ? 4 : 8)) return 'width';
          break;
        case 'CBW':
          if (ours.size !== (mnemonic === 'cbw' ? 2 : mnemonic === 'cwde' ? 4 : 8)) return 'width';
          break;
        case 'CWD':
          if (ours.size !== (mnemonic === 'cwd' ? 2 : mnemonic === 'cdq' ? 4 : 8)) return 'width';
          break;
        case 'JCXZ':
          if (ours.addressSize !== (mnemonic === 'jcxz' ? 2 : mnemonic === 'jecxz' ? 4 : 8))
            return 'address size';
          break;
        case 'SYSRET':
        case 'SYSEXIT':
          if ((ours.size === 8) !== mnemonic.endsWith('q')) return 'width';
          break;
        case 'FXSAVE':
        case 'FXRSTOR':
          if ((ours.size === 8) !== mnemonic.endsWith('64')) return 'width';
          break;
        case 'IN':
        case 'OUT': {
          const accumulator = REGISTER[theirs.opRegister(ours.op === OP.IN ? 0 : 1)];
          if (ours.size !== accumulator?.size) return 'width';
          break;
        }
      }
      return '';
    }

    function compareUnmodelled(): string {
      let memory = -1;
      for (let n = 0; n < theirs.opCount; n++) if (theirs.opKind(n) === OpKind.Memory) memory = n;
      if (memory >= 0 !== (ours.kind0 === K_MEM)) return 'memory operand of an unmodelled operation';
      return memory >= 0 ? compareMemory() : '';
    }

    /**
     * Segment in effect. For a 64-bit instruction with an ES, CS, SS or DS prefix iced reports that prefix, as a
     * disassembler must; the processor ignores it (SDM volume 1, "Segment Registers in 64-Bit Mode").
     */
    function segmentInEffect(): number {
      if (codeSize === 64 && theirs.memorySegment <= R.DS) {
        const base = theirs.memoryBase;
        return base === R.RSP || base === R.RBP || base === R.ESP || base === R.EBP ? 2 : 3;
      }
      return REGISTER[theirs.memorySegment]?.value ?? -1;
    }

    function compareImplied(mnemonic: string): string {
      if (ours.op === OP.NOP) return '';
      const suffix = mnemonic.at(-1);
      const bytes = suffix === 'w' ? 2 : suffix === 'd' ? 4 : suffix === 'q' ? 8 : 1;
      if (ours.size !== bytes) return `width ${ours.size}, iced ${bytes}`;
      const repeats = ours.rep === 1 ? theirs.hasRepPrefix : ours.rep === 2 ? theirs.hasRepnePrefix : true;
      if (
        !repeats ||
        (ours.rep === 0 && (theirs.hasRepPrefix || theirs.hasRepnePrefix) && ours.op !== OP.XLAT)
      )
        return 'repeat prefix';
      for (let n = 0; n < theirs.opCount; n++) {
        const kind = theirs.opKind(n);
        if (kind >= OpKind.MemorySegSI && kind <= OpKind.MemoryESRDI) {
          if (ours.addressSize !== 2 << ((kind - OpKind.MemorySegSI) % 3)) return 'address size';
          if (kind <= OpKind.MemorySegRSI && segmentInEffect() !== ours.segment) return 'segment';
        } else if (kind === OpKind.Memory) {
          const base = REGISTER[theirs.memoryBase];
          if (base?.value !== 24 || base.size !== ours.addressSize) return 'table address';
          if (segmentInEffect() !== ours.segment) return 'segment';
        }
      }
      return '';
    }

    function compareMemory(): string {
      if (segmentInEffect() !== ours.segment)
        return `segment ${ours.segment}, iced ${REGISTERS.get(theirs.memorySegment)}`;
      const width = 8 * ours.addressSize;
      let displacement = (BigInt(ours.dispHigh) << 32n) | BigInt(ours.disp >>> 0);
      if (ours.base === REG_RIP) {
        if (theirs.memoryBase !== (ours.addressSize === 8 ? R.RIP : R.EIP))
          return 'instruction pointer as base';
        displacement += theirs.nextIP;
      } else {
        const base = REGISTER[theirs.memoryBase];
        if (ours.base === REG_NONE ? theirs.memoryBase !== R.None : base?.value !== ours.base * 8)
          return 'base';
        if (base !== undefined && base.size !== ours.addressSize) return 'address size';
      }
      const index = REGISTER[theirs.memoryIndex];
      if (ours.index === REG_NONE ? theirs.memoryIndex !== R.None : index?.value !== ours.index * 8)
        return 'index';
      if (
        index !== undefined &&
        (index.size !== ours.addressSize || theirs.memoryIndexScale !== 1 << ours.scale)
      )
        return 'scale';
      if (BigInt.asUintN(width, displacement) !== BigInt.asUintN(width, theirs.memoryDisplacement)) {
        return `displacement ${displacement}, iced ${theirs.memoryDisplacement}`;
      }
      return '';
    }

    function compareOperand(n: number): string {
      const kind = kindOf(ours, n);
      const size = sizeOf(ours, n);
      const theirN = n + impliedFirst();
      const theirKind = theirs.opKind(theirN);
      switch (theirKind) {
        case OpKind.Register: {
          const id = theirs.opRegister(theirN);
          const register = REGISTER[id];
          if (register === undefined) return `register ${REGISTERS.get(id)} unknown`;
          if (register.kind !== kind || register.value !== operandValueOf(ours, n))
            return `not ${REGISTERS.get(id)}`;
          const loose = WORD_REGISTER.has(ours.op) || register.kind >= K_CR;
          return register.size === size || loose ? '' : `size ${size}, iced ${REGISTERS.get(id)}`;
        }
        case OpKind.Memory: {
          if (kind !== K_MEM) return 'not memory';
          const bytes = MEMORY_BYTES[theirs.memorySize];
          if (bytes !== size && !WIDTHLESS.has(ours.op)) return `size ${size}, iced ${bytes}`;
          return compareMemory();
        }
        case OpKind.NearBranch16:
        case OpKind.NearBranch32:
        case OpKind.NearBranch64: {
          if (kind !== K_REL) return 'not relative';
          const width = theirKind === OpKind.NearBranch16 ? 2 : theirKind === OpKind.NearBranch32 ? 4 : 8;
          if (ours.size !== width) return `branch width ${ours.size}, iced ${width}`;
          const target = BigInt.asUintN(8 * width, theirs.nextIP + BigInt(ours.imm));
          return target === theirs.nearBranchTarget
            ? ''
            : `target ${target}, iced ${theirs.nearBranchTarget}`;
        }
        case OpKind.FarBranch16:
        case OpKind.FarBranch32: {
          if (kind !== K_FAR) return 'not a far pointer';
          const wide = theirKind === OpKind.FarBranch32;
          const offset = wide ? theirs.farBranch32 : theirs.farBranch16;
          if (ours.size !== (wide ? 4 : 2)) return 'far pointer width';
          return offset === ours.imm >>> 0 && ours.imm2 === theirs.farBranchSelector ? '' : 'far pointer';
        }
        case OpKind.Immediate8_2nd:
          return ours.imm2 === theirs.immediate8_2nd ? '' : 'second immediate';
        default: {
          if (kind !== K_IMM) return 'not an immediate';
          const width = IMMEDIATE_BYTES.get(theirKind);
          if (width === undefined) return `iced operand kind ${theirKind}`;
          if (width !== size) return `immediate size ${size}, iced ${width}`;
          const value = BigInt.asUintN(8 * width, immediateOf(ours));
          const expected = BigInt.asUintN(8 * width, theirs.immediate(n));
          return value === expected ? '' : `immediate ${value}, iced ${expected}`;
        }
      }
    }
  }
  decoder.free();
  theirs.free();
}

const IMMEDIATE_BYTES: ReadonlyMap<number, number> = new Map([
  [OpKind.Immediate8, 1],
  [OpKind.Immediate16, 2],
  [OpKind.Immediate32, 4],
  [OpKind.Immediate64, 8],
  [OpKind.Immediate8to16, 2],
  [OpKind.Immediate8to32, 4],
  [OpKind.Immediate8to64, 8],
  [OpKind.Immediate32to64, 8],
]);
