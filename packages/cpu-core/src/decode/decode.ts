/**
 * The instruction decoder: bytes to {@link Insn}, in 16-, 32- and 64-bit code.
 *
 * Follows Intel where Intel and AMD differ: near branches in 64-bit mode ignore 66 (AMD truncates to 16 bits), far
 * pointers in memory honour REX.W (AMD does not), LOCK MOV CR0 is not CR8, AMD- and VIA-only opcodes are undefined.
 * Not modelled: what VEX, EVEX and XOP prefixes introduce (length only), the APX REX2 prefix, MPX.
 * Source: Intel SDM volume 2, "Instruction Format" and "Opcode Map".
 */
import { type CodeSize, type Insn, K_MEM, K_NONE, REG_NONE, REP_F2, REP_F3, REP_NONE } from '../insn.ts';
import { OP, OP_NAMES, OPERATIONS } from '../ops.ts';
import { decodeMemory } from './memory.ts';
import { decodeOperands } from './operands.ts';
import {
  expand,
  F_ALTERNATIVE,
  F_CC,
  F_D64,
  F_F64,
  F_FEATURE,
  F_LOCK,
  F_MODRM,
  F_NO_66,
  F_NO_MEMORY,
  F_REP_IS_OPCODE,
  F_REX_B,
  F_SIZE_B,
  F_SIZE_OS,
  F_SIZE_Z,
  F_TAIL_A,
  F_TAIL_O,
  F_TAIL_V,
  F_TAIL_Z,
  F_VEX,
  GROUP_BIT,
  TAIL_SHIFT,
} from './table.ts';
import { VEX_INVALID, VEX_NO_MODRM, vexPayload, vexTail } from './vex.ts';
import { VEX_FEATURES, vexFeature } from './vex-features.ts';

const {
  root: ROOT,
  groups: GROUPS,
  op: OPS,
  flags: FLAGS,
  operands: OPERANDS,
  feature: FEATURE,
  without: WITHOUT,
  features,
} = expand(OPERATIONS, (op) => OP_NAMES[op]!.endsWith('_UNMODELLED'), VEX_FEATURES);

/** What encodings ask of a processor, by the index that `Insn.feature` is. The first is nothing. */
export const ENCODING_FEATURES: readonly string[] = features;
/** A processor that has everything. */
const EVERYTHING: Readonly<Uint8Array> = new Uint8Array(features.length).fill(1);

/** Longest instruction; one byte more is #GP(0). */
const MAX_LENGTH = 15;
const TAIL_MASK = 7;

const P_NONE = 0;
const P_SEGMENT = 1; // P_SEGMENT + SDM segment number
const P_OPERAND = 8;
const P_ADDRESS = 9;
const P_LOCK = 10;
const P_F2 = 11;
const P_F3 = 12;
const P_REX = 13;

/** Prefix class by byte; REX counts only in 64-bit mode. */
const PREFIX = (() => {
  const table = new Uint8Array(256);
  [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65].forEach((byte, segment) => {
    table[byte] = P_SEGMENT + segment;
  });
  table[0x66] = P_OPERAND;
  table[0x67] = P_ADDRESS;
  table[0xf0] = P_LOCK;
  table[0xf2] = P_F2;
  table[0xf3] = P_F3;
  table.fill(P_REX, 0x40, 0x50);
  return table;
})();

function invalid(out: Insn, length: number): number {
  out.op = OP.INVALID;
  out.feature = 0;
  out.operands = 0;
  out.kind0 = K_NONE;
  out.kind1 = K_NONE;
  out.kind2 = K_NONE;
  out.length = length;
  return length;
}

/** Bytes ran out: either the caller has more, or the instruction exceeds the architecture's limit. */
function short(out: Insn, available: number): number {
  if (available < MAX_LENGTH) return 0;
  out.tooLong = true;
  return invalid(out, MAX_LENGTH);
}

/**
 * Decodes one instruction.
 *
 * @param bytes Code bytes.
 * @param offset Index of the first byte of the instruction.
 * @param available Bytes that may be read from `offset` on.
 * @param codeSize Default size of the code segment: 16, 32 or 64 (64-bit mode).
 * @param out Refilled with the instruction. After a return of 0 its contents mean nothing.
 * @param has Non-zero for each of {@link ENCODING_FEATURES} that the processor has. What it lacks is undefined.
 * @returns The length in bytes, or 0 when `available` ends before the instruction does (and is below 15). Undefined
 * opcodes and illegal LOCK give `OP.INVALID`; so do instructions longer than 15 bytes, with `out.tooLong` set.
 */
export function decode(
  bytes: Uint8Array,
  offset: number,
  available: number,
  codeSize: CodeSize,
  out: Insn,
  has: Readonly<Uint8Array> = EVERYTHING,
): number {
  const length = decodeFields(bytes, offset, available, codeSize, out, has);
  out.keepBytes(bytes, offset);
  return length;
}

/** As {@link decode}, but for `out.bytes`: {@link Insn.keepBytes} is the caller's. */
export function decodeFields(
  bytes: Uint8Array,
  offset: number,
  available: number,
  codeSize: CodeSize,
  out: Insn,
  has: Readonly<Uint8Array> = EVERYTHING,
): number {
  const limit = offset + (available < MAX_LENGTH ? available : MAX_LENGTH);
  const long = codeSize === 64;
  let at = offset;
  let rex = 0;
  let rep = REP_NONE;
  let override = -1;
  let lock = false;
  let operand66 = false;
  let address67 = false;
  let opcode: number;

  out.codeSize = codeSize;
  out.tooLong = false;
  out.feature = 0;
  out.size = 0;
  out.rep = REP_NONE;
  out.operands = 0;
  out.cc = 0;
  out.kind0 = K_NONE;
  out.kind1 = K_NONE;
  out.kind2 = K_NONE;
  out.val0 = 0;
  out.val1 = 0;
  out.val2 = 0;
  out.size0 = 0;
  out.size1 = 0;
  out.size2 = 0;
  out.base = REG_NONE;
  out.index = REG_NONE;
  out.scale = 0;
  out.disp = 0;
  out.dispHigh = 0;
  out.imm = 0;
  out.immHigh = 0;
  out.imm2 = 0;
  out.segment = 3;

  for (;;) {
    if (at >= limit) return short(out, available);
    opcode = bytes[at++];
    const prefix = PREFIX[opcode];
    if (prefix === P_NONE) break;
    if (prefix === P_REX) {
      if (!long) break;
      rex = opcode;
      continue;
    }
    rex = 0; // REX counts only right before the opcode
    switch (prefix) {
      case P_OPERAND:
        operand66 = true;
        break;
      case P_ADDRESS:
        address67 = true;
        break;
      case P_LOCK:
        lock = true;
        break;
      case P_F2:
        rep = REP_F2;
        break;
      case P_F3:
        rep = REP_F3;
        break;
      default: {
        const segment = prefix - P_SEGMENT;
        if (!long || segment >= 4) override = segment;
      }
    }
  }

  out.lock = lock;
  out.addressSize = long ? (address67 ? 4 : 8) : (codeSize === 32) === address67 ? 2 : 4;

  let cell =
    (long ? 1 << 12 : 0) | (rep === REP_F2 ? 3 << 8 : rep === REP_F3 ? 2 << 8 : operand66 ? 1 << 8 : 0);
  if (opcode === 0x0f) {
    if (at >= limit) return short(out, available);
    opcode = bytes[at++];
    cell |= 1 << 10;
    if (opcode === 0x38 || opcode === 0x3a) {
      cell ^= opcode === 0x38 ? 3 << 10 : 2 << 10;
      if (at >= limit) return short(out, available);
      opcode = bytes[at++];
    }
  }
  const first = opcode;
  let entry = ROOT[cell | opcode];
  let modRm = 0;
  if (entry & GROUP_BIT) {
    if (at >= limit) return short(out, available);
    modRm = bytes[at];
    entry = GROUPS[(entry & ~GROUP_BIT) * 16 + (modRm >= 0xc0 ? 8 : 0) + ((modRm >> 3) & 7)];
    if (entry & GROUP_BIT) entry = GROUPS[(entry & ~GROUP_BIT) * 16 + (modRm & 7)];
    if (entry === 0) return invalid(out, at + 1 - offset);
  } else if (entry === 0) return invalid(out, at - offset);

  let flags = FLAGS[entry];
  if (flags & F_ALTERNATIVE && rex & (flags & F_REX_B ? 1 : 8)) flags = FLAGS[++entry];
  let op = OPS[entry];
  if (flags & F_FEATURE) {
    out.feature = FEATURE[entry];
    if (has[out.feature] === 0) {
      op = WITHOUT[entry];
      if (op === OP.INVALID) return invalid(out, at - offset);
    }
  }

  let operandSize: number;
  if (long) {
    if (flags & F_F64 || rex & 8) operandSize = 8;
    else if (operand66) operandSize = 2;
    else operandSize = flags & F_D64 ? 8 : 4;
  } else operandSize = (codeSize === 32) === operand66 ? 2 : 4;

  let tail = (flags >> TAIL_SHIFT) & TAIL_MASK;
  let hasModRm = (flags & F_MODRM) !== 0;
  let vex0 = 0;
  let vex1 = 0;
  if (flags & F_VEX) {
    const payload = vexPayload(first);
    if (at + payload >= limit) return short(out, available);
    vex0 = bytes[at];
    vex1 = bytes[at + 1];
    at += payload;
    opcode = bytes[at++];
    tail = vexTail(first, vex0, vex1, opcode);
    if (tail === VEX_INVALID || lock || rex !== 0 || rep !== REP_NONE || operand66) {
      return invalid(out, at - offset);
    }
    hasModRm = tail !== VEX_NO_MODRM;
    if (!hasModRm) tail = 0;
    if (long) rex = first === 0xc5 ? (~vex0 & 0x80) >> 5 : (~vex0 & 0xe0) >> 5;
  }

  let isMemory = false;
  if (hasModRm) {
    if (at >= limit) return short(out, available);
    modRm = bytes[at++];
    if (modRm < 0xc0 && !(flags & F_NO_MEMORY)) {
      isMemory = true;
      at = decodeMemory(bytes, at, limit, modRm, rex, out);
      if (at < 0) return short(out, available);
    }
  }
  if (flags & F_VEX) {
    out.feature = vexFeature(first, vex0, vex1, opcode, modRm);
    if (has[out.feature] === 0) return invalid(out, at - offset);
  }
  if (override >= 0) out.segment = override;

  if (flags & F_TAIL_Z) tail += operandSize === 2 ? 2 : 4;
  else if (flags & F_TAIL_V) tail += operandSize;
  else if (flags & F_TAIL_O) tail += out.addressSize;
  else if (flags & F_TAIL_A) tail += operandSize + 2;
  if (at + tail > limit) return short(out, available);
  const length = at + tail - offset;

  out.op = op;
  if (!(flags & F_REP_IS_OPCODE)) out.rep = rep;
  if (flags & F_CC) out.cc = opcode & 15;

  const count = decodeOperands(
    bytes,
    at,
    OPERANDS,
    entry * 3,
    opcode,
    modRm,
    isMemory,
    rex,
    operandSize,
    out,
  );
  if (count < 0) return invalid(out, length);
  out.operands = count;
  if ((lock && !(flags & F_LOCK && out.kind0 === K_MEM)) || (operand66 && flags & F_NO_66))
    return invalid(out, length);

  if (flags & F_SIZE_B) out.size = 1;
  else if (flags & F_SIZE_OS) out.size = operandSize;
  else if (flags & F_SIZE_Z) out.size = operandSize > 4 ? 4 : operandSize;
  else out.size = out.size0 > 0 ? out.size0 : operandSize;
  out.length = length;
  return length;
}
