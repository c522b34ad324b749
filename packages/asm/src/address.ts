/** ModRM, SIB and displacement of an effective address. */
import { AsmError } from './errors.ts';
import type { RegisterTerm, Value } from './expression.ts';
import type { MemoryOperand } from './operands.ts';
import type { Register } from './registers.ts';

/** An effective address ready to be emitted; `register` is ORed into ModRM later. */
export interface EncodedAddress {
  /** ModRM with the reg field zero. */
  readonly modrm: number;
  /** SIB byte, or undefined. */
  readonly sib: number | undefined;
  /** Width of the displacement in bits. */
  readonly displacementSize: 0 | 8 | 16 | 32;
  /** The displacement is relative to the end of the instruction. */
  readonly ripRelative: boolean;
  /** REX.X and REX.B bits. */
  readonly rex: number;
  /** Address size in bits. */
  readonly addressSize: 16 | 32 | 64;
}

const FORMS_16: Readonly<Record<string, number>> = {
  'bx+si': 0,
  'bx+di': 1,
  'bp+si': 2,
  'bp+di': 3,
  si: 4,
  di: 5,
  bp: 6,
  bx: 7,
};

/** Address size of `memory`: its registers', else the size keyword's, else the mode's. */
export function addressSizeOf(memory: MemoryOperand, bits: number): 16 | 32 | 64 {
  const size = memory.address.terms[0]?.register.size;
  if (size !== undefined) return size as 16 | 32 | 64;
  if (bits !== 64 && (memory.displacementSize === 16 || memory.displacementSize === 32))
    return memory.displacementSize;
  return bits as 16 | 32 | 64;
}

/** Number of displacement bits; only plain numbers are shortened, as in NASM. */
function displacement(memory: MemoryOperand, full: 16 | 32, optional: boolean): 0 | 8 | 16 | 32 {
  const { address, displacementSize } = memory;
  if (displacementSize === 8) return 8;
  if (displacementSize !== 0) return full;
  if (address.relocatable !== 0 || address.unknown) return full;
  const number = full === 16 ? BigInt.asIntN(16, address.number) : BigInt.asIntN(32, address.number);
  if (number === 0n && optional) return 0;
  return number >= -128n && number <= 127n ? 8 : full;
}

function encode16(memory: MemoryOperand, bits: number): EncodedAddress {
  const names = memory.address.terms.map((term) => term.register.name);
  const form = FORMS_16[names.join('+')] ?? FORMS_16[[...names].reverse().join('+')];
  if (form === undefined || memory.address.terms.some((term) => term.scale !== 1) || bits === 64) {
    throw new AsmError('ASM_ADDRESS', `${names.join('+')} is not a 16-bit address`);
  }
  const size = displacement(memory, 16, form !== 6);
  const mod = size === 0 ? 0 : size === 8 ? 1 : 2;
  return {
    modrm: (mod << 6) | form,
    sib: undefined,
    displacementSize: size,
    ripRelative: false,
    rex: 0,
    addressSize: 16,
  };
}

interface BaseIndex {
  readonly base: Register | undefined;
  readonly index: Register | undefined;
  readonly scale: number;
}

const isStackPointer = (register: Register) => register.code === 4;

function splitSingle(term: RegisterTerm): BaseIndex {
  const { register, scale } = term;
  if (scale === 1) return { base: register, index: undefined, scale: 1 };
  if (scale === 2 || scale === 3 || scale === 5 || scale === 9)
    return { base: register, index: register, scale: scale - 1 };
  return { base: undefined, index: register, scale };
}

function splitTerms(value: Value): BaseIndex {
  const [first, second, ...rest] = value.terms;
  if (first === undefined || rest.length > 0)
    throw new AsmError('ASM_ADDRESS', 'an address has at most two registers');
  if (second === undefined) return splitSingle(first);
  const firstIsIndex =
    first.scale !== 1 ||
    (second.scale === 1 && (isStackPointer(second.register) || (first.multiplied && !second.multiplied)));
  const [base, index] = firstIsIndex && !isStackPointer(first.register) ? [second, first] : [first, second];
  if (base.scale !== 1) throw new AsmError('ASM_ADDRESS', 'only one register of an address can be scaled');
  return { base: base.register, index: index.register, scale: index.scale };
}

function encodeWide(memory: MemoryOperand, size: 32 | 64): EncodedAddress {
  const { base, index, scale } = splitTerms(memory.address);
  for (const register of [base, index]) {
    if (register !== undefined && (register.class !== 'general' || register.size !== size)) {
      throw new AsmError('ASM_ADDRESS', `${register.name} cannot be used in a ${size}-bit address`);
    }
  }
  const scaleBits = [1, 2, 4, 8].indexOf(scale);
  if (scaleBits < 0) throw new AsmError('ASM_ADDRESS', `a register cannot be scaled by ${scale}`);
  if (index !== undefined && isStackPointer(index))
    throw new AsmError('ASM_ADDRESS', `${index.name} cannot be an index`);
  const rex = ((index?.code ?? 0) >= 8 ? 2 : 0) | ((base?.code ?? 0) >= 8 ? 1 : 0);
  const common = { ripRelative: false, rex, addressSize: size };
  if (base === undefined) {
    const sib = (scaleBits << 6) | (((index?.code ?? 4) & 7) << 3) | 5;
    return { ...common, modrm: 4, sib, displacementSize: 32 };
  }
  const bits = displacement(memory, 32, (base.code & 7) !== 5);
  const mod = bits === 0 ? 0 : bits === 8 ? 1 : 2;
  if (index === undefined && (base.code & 7) !== 4) {
    return { ...common, modrm: (mod << 6) | (base.code & 7), sib: undefined, displacementSize: bits };
  }
  const sib = (scaleBits << 6) | (((index?.code ?? 4) & 7) << 3) | (base.code & 7);
  return { ...common, modrm: (mod << 6) | 4, sib, displacementSize: bits };
}

function fitsAddress(number: bigint, size: number): boolean {
  return number >= -(1n << BigInt(size - 1)) && number < 1n << BigInt(size);
}

/**
 * Encodes `memory` for code of `bits`; `defaultRelative` is what `default rel` set.
 * Intel SDM volume 2, "ModR/M and SIB Bytes".
 */
export function encodeAddress(memory: MemoryOperand, bits: number, defaultRelative: boolean): EncodedAddress {
  const size = addressSizeOf(memory, bits);
  const { address, segment } = memory;
  if (address.terms.length > 0) {
    for (const { register } of address.terms) {
      if (register.class !== 'general' || register.size < 16 || (register.size === 64 && bits !== 64)) {
        throw new AsmError(
          'ASM_ADDRESS',
          `${register.name} cannot be used in an address in ${bits}-bit code`,
        );
      }
    }
    return size === 16 ? encode16(memory, bits) : encodeWide(memory, size);
  }
  if (!address.unknown && !fitsAddress(address.number, size === 64 ? 32 : size)) {
    throw new AsmError('ASM_RANGE', `address ${address.number} does not fit ${size === 64 ? 32 : size} bits`);
  }
  const common = { sib: undefined, rex: 0, addressSize: size };
  if (size === 16) return { ...common, modrm: 6, displacementSize: 16, ripRelative: false };
  if (bits !== 64) return { ...common, modrm: 5, displacementSize: 32, ripRelative: false };
  const farSegment = segment !== undefined && segment.code >= 4;
  const relative = memory.relative === 'rel' || (memory.relative === '' && defaultRelative && !farSegment);
  if (relative) return { ...common, modrm: 5, displacementSize: 32, ripRelative: true };
  return { ...common, modrm: 4, sib: 0x25, displacementSize: 32, ripRelative: false };
}
