/** Turns one instruction with parsed operands into bytes. */
import { addressSizeOf, type EncodedAddress, encodeAddress } from './address.ts';
import { AsmError } from './errors.ts';
import type { Value } from './expression.ts';
import { INSTRUCTIONS, type InstructionRow } from './instructions/row.ts';
import { type Match, matchRow } from './match.ts';
import type { MemoryOperand, Operand } from './operands.ts';
import { type Register, SEGMENT_PREFIXES } from './registers.ts';

/** Prefixes written in front of the mnemonic. */
export interface WrittenPrefixes {
  /** F0, F2 or F3, in the order written. */
  readonly group1: readonly number[];
  /** Segment override written as a prefix. */
  readonly segment: Register | undefined;
  /** `o16 o32 o64`, or 0. */
  readonly operandSize: number;
  /** `a16 a32 a64`, or 0. */
  readonly addressSize: number;
}

/** Where an instruction is assembled and under which settings. */
export interface EncodeContext {
  /** 16, 32 or 64. */
  readonly bits: number;
  /** `default rel` is in force. */
  readonly defaultRelative: boolean;
  /** Address of the instruction. */
  readonly address: bigint;
  /** Values are final, so fields that they do not fit are errors. */
  readonly final: boolean;
  /** This line has needed the near form before; it keeps it, so that passes converge. */
  readonly near: boolean;
}

/** Result of {@link encodeInstruction}. */
export interface EncodedInstruction {
  /** The bytes. */
  readonly bytes: readonly number[];
  /** The short jump form was out of reach. */
  readonly near: boolean;
}

function pushNumber(bytes: number[], value: bigint, size: number): void {
  const wrapped = BigInt.asUintN(size, value);
  for (let shift = 0n; shift < BigInt(size); shift += 8n) bytes.push(Number((wrapped >> shift) & 0xffn));
}

/** Appends `value` little-endian in `size` bits; with `check` it must fit signed or, unless `signed`, unsigned. */
export function pushChecked(
  bytes: number[],
  value: Value,
  size: number,
  signed: boolean,
  check: boolean,
): void {
  if (check) {
    const low = -(1n << BigInt(size - 1));
    const high = signed ? -low : -low * 2n;
    const { number } = value;
    const fits = size === 64 || (number >= low && number < high);
    if (!fits)
      throw new AsmError('ASM_RANGE', `value ${number} does not fit ${signed ? 'signed ' : ''}${size} bits`);
    if (value.relocatable !== 0 && value.relocatable !== 1) {
      throw new AsmError('ASM_RANGE', 'the value is neither a number nor an address');
    }
  }
  pushNumber(bytes, value.number, size);
}

const isRegister = (rm: Register | MemoryOperand): rm is Register => 'class' in rm;

interface Rex {
  readonly bits: number;
  readonly required: boolean;
  readonly forbidden: boolean;
}

function rexOf(match: Match, address: EncodedAddress | undefined, wide: boolean): Rex {
  let bits = (wide ? 8 : 0) | (address?.rex ?? 0);
  const used: Register[] = [];
  if (match.reg !== undefined) {
    used.push(match.reg);
    if (match.reg.code >= 8) bits |= 4;
  }
  const low = match.opcodeRegister ?? (match.rm !== undefined && isRegister(match.rm) ? match.rm : undefined);
  if (low !== undefined) {
    used.push(low);
    if (low.code >= 8) bits |= 1;
  }
  return {
    bits,
    required: bits !== 0 || used.some((register) => register.needsRex),
    forbidden: used.some((register) => register.forbidsRex),
  };
}

function prefixBytes(
  row: InstructionRow,
  match: Match,
  written: WrittenPrefixes,
  context: EncodeContext,
  addressSize: number,
): number[] {
  const { bits } = context;
  const bytes = [...written.group1];
  const memory = match.direct ?? (match.rm !== undefined && !isRegister(match.rm) ? match.rm : undefined);
  const segment = memory?.segment ?? written.segment;
  if (segment !== undefined) bytes.push(SEGMENT_PREFIXES[segment.code] ?? 0);
  const size = match.operandSize === 0 ? written.operandSize : match.operandSize;
  const needs66 = bits === 16 ? size === 32 : size === 16;
  if (needs66) bytes.push(0x66);
  if (addressSize !== bits) bytes.push(0x67);
  if (row.mandatoryPrefix !== 0) bytes.push(row.mandatoryPrefix);
  return bytes;
}

function encodeRow(
  row: InstructionRow,
  match: Match,
  written: WrittenPrefixes,
  context: EncodeContext,
): number[] | undefined {
  const { bits } = context;
  const memory = match.rm !== undefined && !isRegister(match.rm) ? match.rm : undefined;
  const address = memory === undefined ? undefined : encodeAddress(memory, bits, context.defaultRelative);
  let addressSize = address?.addressSize ?? (row.addressSize || written.addressSize || bits);
  if (match.direct !== undefined) addressSize = addressSizeOf(match.direct, bits);
  if (bits === 64 ? addressSize === 16 : addressSize === 64) {
    throw new AsmError('ASM_ADDRESS', `there is no ${addressSize}-bit addressing in ${bits}-bit code`);
  }
  const bytes = prefixBytes(row, match, written, context, addressSize);
  const operandSize = match.operandSize === 0 ? written.operandSize : match.operandSize;
  const wide = operandSize === 64 && !row.flags.has('d64') && match.target === undefined;
  const rex = rexOf(match, address, wide);
  if (rex.required) {
    if (bits !== 64) throw new AsmError('ASM_OPERANDS', 'the register or size exists only in 64-bit code');
    if (rex.forbidden)
      throw new AsmError('ASM_OPERANDS', 'ah, bh, ch and dh cannot be used with a REX prefix');
    bytes.push(0x40 | rex.bits);
  }
  bytes.push(...row.opcode);
  if (row.plusRegister)
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) | ((match.opcodeRegister?.code ?? 0) & 7);
  let displacementAt = -1;
  if (row.modrm !== undefined) {
    const reg = row.modrm === 'r' ? (match.reg?.code ?? 0) & 7 : row.modrm;
    if (address === undefined) {
      const rm = match.rm !== undefined && isRegister(match.rm) ? match.rm.code & 7 : 0;
      bytes.push(0xc0 | (reg << 3) | rm);
    } else {
      bytes.push(address.modrm | (reg << 3));
      if (address.sib !== undefined) bytes.push(address.sib);
      displacementAt = bytes.length;
      const value = memory?.address as Value;
      const check = context.final && !address.ripRelative && address.addressSize !== 16;
      if (address.displacementSize !== 0) {
        const narrow = address.displacementSize === 8 && address.addressSize !== 64;
        const number = narrow ? BigInt.asIntN(address.addressSize, value.number) : value.number;
        pushChecked(
          bytes,
          { ...value, number },
          address.displacementSize,
          address.displacementSize === 8,
          check,
        );
      }
    }
  }
  if (match.direct !== undefined) pushChecked(bytes, match.direct.address, addressSize, false, context.final);
  for (const { value, size, signed } of match.immediates)
    pushChecked(bytes, value, size, signed, context.final);
  if (address?.ripRelative === true) {
    const relative = (memory?.address.number ?? 0n) - (context.address + BigInt(bytes.length));
    const patched: number[] = [];
    pushNumber(patched, relative, 32);
    bytes.splice(displacementAt, 4, ...patched);
  }
  return pushTarget(bytes, match, context) ? bytes : undefined;
}

/** Appends a branch displacement; false when the optional short form does not reach. */
function pushTarget(bytes: number[], match: Match, context: EncodeContext): boolean {
  const { target } = match;
  if (target === undefined) return true;
  const { value, size, forced } = target;
  const relative = value.number - (context.address + BigInt(bytes.length + size / 8));
  const limit = 1n << BigInt(size === 16 ? 16 : size - 1);
  const reaches = value.unknown || (relative >= -limit && relative < limit);
  if (!forced && (!reaches || context.near || (value.relocatable !== 1 && !value.unknown))) return false;
  if (!reaches && context.final) {
    throw new AsmError('ASM_RANGE', `the target is ${relative} bytes away, too far for ${size} bits`);
  }
  pushNumber(bytes, relative, size);
  return true;
}

/** Mnemonics whose short form is their only one, so the jump size is not a choice. */
const ONLY_SHORT = /^(?:loop|j[er]?cxz)/;

/** Encodes `mnemonic operands` with the first row that fits. Throws {@link AsmError}. */
export function encodeInstruction(
  mnemonic: string,
  operands: readonly Operand[],
  prefixes: WrittenPrefixes,
  context: EncodeContext,
): EncodedInstruction {
  const rows = INSTRUCTIONS.get(mnemonic);
  if (rows === undefined)
    throw new AsmError('ASM_UNKNOWN_INSTRUCTION', `'${mnemonic}' is not an instruction`);
  let sizeMissing = false;
  let near = context.near;
  for (const row of rows) {
    const match = matchRow(row, operands, context.bits);
    if (match === 'size') sizeMissing = true;
    if (match === 'size' || match === 'other') continue;
    const forced = ONLY_SHORT.test(mnemonic) && match.target !== undefined;
    const bytes = encodeRow(
      row,
      forced ? { ...match, target: { ...match.target, forced } } : match,
      prefixes,
      context,
    );
    if (bytes !== undefined) return { bytes, near };
    near = true;
  }
  throw new AsmError(
    'ASM_OPERANDS',
    sizeMissing
      ? 'operation size not specified'
      : `${mnemonic} does not take these operands in ${context.bits}-bit code`,
  );
}
