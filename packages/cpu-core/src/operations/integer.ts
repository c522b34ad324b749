/**
 * Integer arithmetic and logic. Intel SDM Vol. 2, "One-Byte Opcode Map", "Opcode Extensions for One- And Two-byte
 * Opcodes".
 */
import { type Encoding, KEEPS, operations, SETS } from './operation.ts';

const SHIFTS = { flags: 'sets unless count 0', mayFault: false } as const;

const hex = (value: number): string => value.toString(16).toUpperCase().padStart(2, '0');

/** The ten forms of number `n` of ADD to CMP. CMP writes nothing: no LOCK. */
const arithmetic = (n: number, lock = 'lock'): Encoding[] => [
  [hex(n * 8), 'Eb,Gb', lock],
  [hex(n * 8 + 1), 'Ev,Gv', lock],
  [hex(n * 8 + 2), 'Gb,Eb'],
  [hex(n * 8 + 3), 'Gv,Ev'],
  [hex(n * 8 + 4), 'AL,Ib'],
  [hex(n * 8 + 5), 'rAX,Iz'],
  [`80 /${n}`, 'Eb,Ib', lock],
  [`81 /${n}`, 'Ev,Iz', lock],
  [`82 /${n}`, 'Eb,Ib', `i64 ${lock}`.trim()],
  [`83 /${n}`, 'Ev,Ib', lock],
];

/** The six forms of a shift or rotation by its ModRM reg. */
const shifts = (n: number): Encoding[] => [
  [`C0 /${n}`, 'Eb,Ub'],
  [`C1 /${n}`, 'Ev,Ub'],
  [`D0 /${n}`, 'Eb,1'],
  [`D1 /${n}`, 'Ev,1'],
  [`D2 /${n}`, 'Eb,CL'],
  [`D3 /${n}`, 'Ev,CL'],
];

/** IMUL1 has one operand, IMUL two or three. */
export const INTEGER = operations({
  ADD: { does: 'arith.addSub', ...SETS, at: arithmetic(0) },
  OR: { does: 'logic.logic', ...SETS, at: arithmetic(1) },
  ADC: { does: 'arith.addSubCarry', at: arithmetic(2) },
  SBB: { does: 'arith.addSubCarry', at: arithmetic(3) },
  AND: { does: 'logic.logic', ...SETS, at: arithmetic(4) },
  SUB: { does: 'arith.addSub', ...SETS, at: arithmetic(5) },
  XOR: { does: 'logic.logic', ...SETS, at: arithmetic(6) },
  CMP: { does: 'arith.addSub', ...SETS, at: arithmetic(7, '') },
  TEST: {
    does: 'logic.logic',
    ...SETS,
    at: [
      ['84', 'Eb,Gb'],
      ['85', 'Ev,Gv'],
      ['A8', 'AL,Ib'],
      ['A9', 'rAX,Iz'],
      ['F6 /0', 'Eb,Ib'],
      ['F6 /1', 'Eb,Ib'],
      ['F7 /0', 'Ev,Iz'],
      ['F7 /1', 'Ev,Iz'],
    ],
  },
  INC: {
    does: 'arith.incDec',
    at: [
      ['40+', 'Zv', 'i64'],
      ['FE /0', 'Eb', 'lock'],
      ['FF /0', 'Ev', 'lock'],
    ],
  },
  DEC: {
    does: 'arith.incDec',
    at: [
      ['48+', 'Zv', 'i64'],
      ['FE /1', 'Eb', 'lock'],
      ['FF /1', 'Ev', 'lock'],
    ],
  },
  NEG: {
    does: 'arith.neg',
    ...SETS,
    at: [
      ['F6 /3', 'Eb', 'lock'],
      ['F7 /3', 'Ev', 'lock'],
    ],
  },
  NOT: {
    does: 'logic.not',
    ...KEEPS,
    at: [
      ['F6 /2', 'Eb', 'lock'],
      ['F7 /2', 'Ev', 'lock'],
    ],
  },
  MUL: {
    does: 'arith.mulWide',
    ...SETS,
    at: [
      ['F6 /4', 'Eb'],
      ['F7 /4', 'Ev'],
    ],
  },
  IMUL1: {
    does: 'arith.mulWide',
    ...SETS,
    at: [
      ['F6 /5', 'Eb'],
      ['F7 /5', 'Ev'],
    ],
  },
  IMUL: {
    does: 'arith.imul',
    ...SETS,
    at: [
      ['69', 'Gv,Ev,Iz'],
      ['6B', 'Gv,Ev,Ib'],
      ['0F AF', 'Gv,Ev'],
    ],
  },
  DIV: {
    does: 'arith.divide',
    helper: 'arithmetic.execDivide64',
    at: [
      ['F6 /6', 'Eb'],
      ['F7 /6', 'Ev'],
    ],
  },
  IDIV: {
    does: 'arith.divide',
    helper: 'arithmetic.execDivide64',
    at: [
      ['F6 /7', 'Eb'],
      ['F7 /7', 'Ev'],
    ],
  },
  ROL: { does: 'shift.rotate', at: shifts(0) },
  ROR: { does: 'shift.rotate', at: shifts(1) },
  RCL: { does: 'shift.rotateCarry', at: shifts(2) },
  RCR: { does: 'shift.rotateCarry', at: shifts(3) },
  SHL: { does: 'shift.shift', ...SHIFTS, at: [...shifts(4), ...shifts(6)] },
  SHR: { does: 'shift.shift', ...SHIFTS, at: shifts(5) },
  SAR: { does: 'shift.shift', ...SHIFTS, at: shifts(7) },
  SHLD: {
    helper: 'arithmetic.execDoubleShift',
    at: [
      ['0F A4', 'Ev,Gv,Ub'],
      ['0F A5', 'Ev,Gv,CL'],
    ],
  },
  SHRD: {
    helper: 'arithmetic.execDoubleShift',
    at: [
      ['0F AC', 'Ev,Gv,Ub'],
      ['0F AD', 'Ev,Gv,CL'],
    ],
  },
  BT: {
    does: 'bit.bitTest',
    traits: ['bitTest'],
    at: [
      ['0F A3', 'Ev,Gv'],
      ['0F BA /4', 'Ev,Ub'],
    ],
  },
  BTS: {
    does: 'bit.bitTest',
    traits: ['bitTest'],
    at: [
      ['0F AB', 'Ev,Gv', 'lock'],
      ['0F BA /5', 'Ev,Ub', 'lock'],
    ],
  },
  BTR: {
    does: 'bit.bitTest',
    traits: ['bitTest'],
    at: [
      ['0F B3', 'Ev,Gv', 'lock'],
      ['0F BA /6', 'Ev,Ub', 'lock'],
    ],
  },
  BTC: {
    does: 'bit.bitTest',
    traits: ['bitTest'],
    at: [
      ['0F BA /7', 'Ev,Ub', 'lock'],
      ['0F BB', 'Ev,Gv', 'lock'],
    ],
  },
  BSF: { does: 'bit.bitScan', at: [['0F BC', 'Gv,Ev', 'np 66 F2']] },
  BSR: { does: 'bit.bitScan', at: [['0F BD', 'Gv,Ev', 'np 66 F2']] },
  TZCNT: { helper: 'arithmetic.execTzcnt', at: [['0F BC', 'Gv,Ev', 'F3', 'bmi1']], without: 'BSF' },
  LZCNT: { helper: 'arithmetic.execLzcnt', at: [['0F BD', 'Gv,Ev', 'F3', 'abm']], without: 'BSR' },
  POPCNT: { helper: 'arithmetic.execPopcnt', at: [['0F B8', 'Gv,Ev', 'F3', 'popcnt']] },
  BSWAP: { does: 'bit.bswap', ...KEEPS, at: [['0F C8+', 'Zv']] },
  CRC32: {
    helper: 'arithmetic.execCrc32',
    at: [
      ['0F 38 F0', 'Gy,Eb', 'F2', 'sse4.2'],
      ['0F 38 F1', 'Gy,Ev', 'F2', 'sse4.2'],
    ],
  },
  DAA: { helper: 'bcd.execDecimalAdjust', at: [['27', '', 'i64 b']] },
  DAS: { helper: 'bcd.execDecimalAdjust', at: [['2F', '', 'i64 b']] },
  AAA: { helper: 'bcd.execAsciiAdjust', at: [['37', '', 'i64 b']] },
  AAS: { helper: 'bcd.execAsciiAdjust', at: [['3F', '', 'i64 b']] },
  AAM: { helper: 'bcd.execAam', at: [['D4', 'Ub', 'i64 b']] },
  AAD: { helper: 'bcd.execAad', at: [['D5', 'Ub', 'i64 b']] },
});
