/** Operands of one instruction: operand codes to kinds, values and widths of {@link Insn}. */
import {
  type CodeSize,
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
} from '../insn.ts';
import { readS16, readS32 } from './memory.ts';
import {
  A_A,
  A_ACC,
  A_ANY,
  A_C,
  A_CL,
  A_D,
  A_DX,
  A_E,
  A_EMW,
  A_G,
  A_I,
  A_I2,
  A_J,
  A_M,
  A_O,
  A_ONE,
  A_OPSREG,
  A_P,
  A_Q,
  A_R,
  A_S,
  A_ST,
  A_ST0,
  A_U,
  A_V,
  A_W,
  A_Z,
  W_A,
  W_B,
  W_N,
  W_P,
  W_S,
  W_T,
  W_V,
  W_Y,
  W_Z,
} from './operand-codes.ts';

/** Width in bytes of an operand: the rule behind {@link WIDTHS}. */
function widthOf(width: number, operandSize: number, rex: number, codeSize: CodeSize): number {
  if (width >= W_B) return 1 << (width - W_B);
  switch (width) {
    case W_V:
      return operandSize;
    case W_Z:
      return operandSize > 4 ? 4 : operandSize;
    case W_Y:
      return rex & 8 ? 8 : 4;
    case W_P:
      return operandSize + 2;
    case W_S:
      return codeSize === 64 ? 10 : 6;
    case W_N:
      return codeSize === 64 ? 8 : 4;
    case W_A:
      return operandSize * 2;
    case W_T:
      return 10;
    default:
      return 0;
  }
}

/** Width in bytes by {@link widthRow} and width code. */
const WIDTHS = (() => {
  const table = new Uint8Array(12 * 16);
  for (const codeSize of [32, 64] as const) {
    for (const rex of [0, 8]) {
      for (const operandSize of [2, 4, 8]) {
        const row = widthRow(operandSize, rex, codeSize);
        for (let width = 0; width <= W_B + 4; width++)
          table[row + width] = widthOf(width, operandSize, rex, codeSize);
      }
    }
  }
  return table;
})();

/** Start of a row of {@link WIDTHS}. */
function widthRow(operandSize: number, rex: number, codeSize: CodeSize): number {
  return ((operandSize >> 2) * 4 + ((rex & 8) >> 2) + (codeSize === 64 ? 1 : 0)) * 16;
}

/** Offset of a general register in the register file: AH, CH, DH and BH exist for bytes without REX. */
function registerOffset(register: number, size: number, rex: number): number {
  return size === 1 && rex === 0 && register >= 4 ? register * 8 - 31 : register * 8;
}

function setOperand(out: Insn, n: number, kind: number, value: number, size: number): void {
  if (n === 0) {
    out.kind0 = kind;
    out.val0 = value;
    out.size0 = size;
  } else if (n === 1) {
    out.kind1 = kind;
    out.val1 = value;
    out.size1 = size;
  } else {
    out.kind2 = kind;
    out.val2 = value;
    out.size2 = size;
  }
}

/** Memory offset in the instruction (MOV A0..A3): as wide as addresses are. */
function memoryOffset(bytes: Uint8Array, at: number, out: Insn): number {
  out.disp = out.addressSize === 2 ? readS16(bytes, at) & 0xffff : readS32(bytes, at);
  out.dispHigh = out.addressSize === 8 ? readS32(bytes, at + 4) : 0;
  return at + out.addressSize;
}

/**
 * Fills in the operands of one table entry.
 *
 * @param at Position of the bytes after ModRM, SIB and displacement; the caller knows that they are all there.
 * @param operands Operand codes; `firstOperand` is the index of this entry's first.
 * @param isMemory The ModRM byte has a memory form (already decoded into `out`).
 * @param operandSize Effective operand size in bytes.
 * @returns Operand count, or -1 when ModRM names a register that does not exist.
 */
export function decodeOperands(
  bytes: Uint8Array,
  at: number,
  operands: Uint16Array,
  firstOperand: number,
  opcode: number,
  modRm: number,
  isMemory: boolean,
  rex: number,
  operandSize: number,
  out: Insn,
): number {
  let count = 0;
  const widths = widthRow(operandSize, rex, out.codeSize);
  for (let n = firstOperand; n < firstOperand + 3; n++) {
    const code = operands[n];
    if (code === 0) break;
    let width = WIDTHS[widths + (code >> 8)];
    let kind = K_REG;
    let value: number;
    switch (code & 0xff) {
      case A_EMW:
      case A_E:
        if (isMemory) {
          kind = K_MEM;
          value = 0;
          if ((code & 0xff) === A_EMW) width = 2;
          break;
        }
        value = registerOffset((modRm & 7) | ((rex & 1) << 3), width, rex);
        break;
      case A_G:
        value = registerOffset(((modRm >> 3) & 7) | ((rex & 4) << 1), width, rex);
        break;
      case A_M:
      case A_O:
        kind = K_MEM;
        value = 0;
        if ((code & 0xff) === A_O) at = memoryOffset(bytes, at, out);
        break;
      case A_R:
        value = ((modRm & 7) | ((rex & 1) << 3)) * 8;
        break;
      case A_Z:
        value = registerOffset((opcode & 7) | ((rex & 1) << 3), width, rex);
        break;
      case A_I:
      case A_U:
      case A_J: {
        kind = (code & 0xff) === A_J ? K_REL : K_IMM;
        value = 0;
        const encoded = code >> 8;
        if (encoded === W_B) {
          out.imm = (code & 0xff) === A_U ? bytes[at] : (bytes[at] << 24) >> 24;
          at += 1;
        } else if (encoded === W_B + 1 || width === 2) {
          out.imm = (code & 0xff) === A_U ? readS16(bytes, at) & 0xffff : readS16(bytes, at);
          at += 2;
        } else {
          out.imm = readS32(bytes, at);
          at += 4;
        }
        out.immHigh = out.imm >> 31;
        if (encoded === W_V && width === 8) {
          out.immHigh = readS32(bytes, at);
          at += 4;
        }
        // A signed immediate is as wide as the instruction's operand, however short it is encoded.
        if ((code & 0xff) === A_I && count > 0) width = count === 1 ? out.size0 : out.size1;
        else if ((code & 0xff) !== A_U) width = operandSize;
        break;
      }
      case A_I2:
        kind = K_IMM;
        value = 0;
        out.imm2 = bytes[at++];
        break;
      case A_A:
        kind = K_FAR;
        value = 0;
        if (operandSize === 2) out.imm = readS16(bytes, at) & 0xffff;
        else out.imm = readS32(bytes, at);
        at += operandSize;
        out.imm2 = readS16(bytes, at) & 0xffff;
        break;
      case A_S:
        kind = K_SREG;
        value = (modRm >> 3) & 7;
        // Two encodings are unused, and CS is no destination of MOV.
        if (value > 5 || (value === 1 && n === firstOperand)) return -1;
        break;
      case A_C:
        kind = K_CR;
        value = ((modRm >> 3) & 7) | ((rex & 4) << 1);
        if (value === 1 || (value > 4 && value !== 8)) return -1;
        break;
      case A_D:
        kind = K_DR;
        value = ((modRm >> 3) & 7) | ((rex & 4) << 1);
        if (value > 7) return -1;
        break;
      case A_V:
        kind = K_XMM;
        value = ((modRm >> 3) & 7) | ((rex & 4) << 1);
        break;
      case A_W:
        kind = isMemory ? K_MEM : K_XMM;
        value = isMemory ? 0 : (modRm & 7) | ((rex & 1) << 3);
        break;
      case A_P:
        kind = K_MM;
        value = (modRm >> 3) & 7;
        break;
      case A_Q:
        kind = isMemory ? K_MEM : K_MM;
        value = isMemory ? 0 : modRm & 7;
        break;
      case A_ST:
      case A_ST0:
        kind = K_ST;
        value = (code & 0xff) === A_ST ? modRm & 7 : 0;
        break;
      case A_CL:
        value = 8;
        break;
      case A_DX:
        value = 16;
        break;
      case A_ONE:
        kind = K_IMM;
        value = 0;
        out.imm = 1;
        break;
      case A_OPSREG:
        kind = K_SREG;
        value = (opcode >> 3) & 7;
        break;
      case A_ANY:
        if (!isMemory) continue;
        kind = K_MEM;
        value = 0;
        break;
      case A_ACC:
        value = 0;
        break;
      default:
        value = 0;
    }
    setOperand(out, count++, kind, value, width);
  }
  return count;
}
