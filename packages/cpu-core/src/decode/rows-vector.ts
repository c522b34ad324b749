/**
 * x87, MMX and SSE rows. What the model executes has operands; everything else is named by family
 * (`X87_UNMODELLED`, `MMX_UNMODELLED`, `SSE_UNMODELLED`) with its exact length and its memory operand.
 * AMD-only and VIA-only opcodes (3DNow!, SSE4A, SVM, PadLock) are undefined, as on Intel processors.
 */
import type { OpName } from '../ops.ts';
import type { Row } from './table.ts';

/** Rows of one family: opcodes ("14 15 60-6B"), operands, attributes. `form` is appended to each opcode. */
function family(
  map: string,
  opcodes: string,
  op: OpName,
  operands: string,
  attributes: string,
  form = '',
): Row[] {
  return opcodes.split(' ').flatMap((range) => {
    const [first, last = first] = range.split('-').map((text) => Number.parseInt(text, 16));
    return Array.from({ length: last! - first! + 1 }, (_, n): Row => {
      const opcode = (first! + n).toString(16).toUpperCase().padStart(2, '0');
      return [`${map} ${opcode}${form}`, op, operands, attributes];
    });
  });
}

/** FADD FMUL FCOM FCOMP FSUB FSUBR FDIV FDIVR in the order of ModRM reg, of one memory operand. */
const arithmetic = (opcode: string, prefix: 'F' | 'FI', operand: string): Row[] =>
  (['ADD', 'MUL', 'COM', 'COMP', 'SUB', 'SUBR', 'DIV', 'DIVR'] as const).map(
    (stem, reg): Row => [`${opcode} /${reg} m`, `${prefix}${stem}`, operand],
  );

/** Operations of one opcode's register forms by ModRM reg; '-': undefined. */
const stack = (opcode: string, names: string, operands: string): Row[] =>
  names
    .split(' ')
    .flatMap((name, reg): Row[] => (name === '-' ? [] : [[`${opcode} /${reg} r`, name as OpName, operands]]));

/** Operations of successive whole ModRM bytes. */
const whole = (opcode: string, first: number, names: string): Row[] =>
  names.split(' ').flatMap((name, n): Row[] => {
    const where = `${opcode} (${(first + n).toString(16).toUpperCase()})`;
    return name === '-' ? [] : [[where, (name === '?' ? 'X87_UNMODELLED' : name) as OpName]];
  });

const X87_ROWS: readonly Row[] = [
  ...arithmetic('D8', 'F', 'Md'),
  ...stack('D8', 'FADD FMUL FCOM FCOMP FSUB FSUBR FDIV FDIVR', 'ST,STi'),
  ['D9 /0 m', 'FLD', 'Md'],
  ['D9 /2 m', 'FST', 'Md'],
  ['D9 /3 m', 'FSTP', 'Md'],
  ['D9 /4 m', 'FLDENV', 'M'],
  ['D9 /5 m', 'FLDCW', 'Mw'],
  ['D9 /6 m', 'FNSTENV', 'M'],
  ['D9 /7 m', 'FNSTCW', 'Mw'],
  ['D9 /0 r', 'FLD', 'STi'],
  ['D9 /1 r', 'FXCH', 'ST,STi'],
  ['D9 (D0)', 'FNOP'],
  ['D9 /3 r', 'X87_UNMODELLED', '', 'modrm'], // FSTPNCE, not documented
  ...whole('D9', 0xe0, 'FCHS FABS - - FTST FXAM - - FLD1 FLDL2T FLDL2E FLDPI FLDLG2 FLDLN2 FLDZ'),
  ...whole('D9', 0xf0, '? ? ? ? FXTRACT FPREM1 FDECSTP FINCSTP'), // F2XM1, FYL2X, FPTAN, FPATAN
  ...whole('D9', 0xf8, 'FPREM ? FSQRT ? FRNDINT FSCALE ? ?'), // FYL2XP1, FSINCOS, FSIN, FCOS
  ...arithmetic('DA', 'FI', 'Md'),
  ...stack('DA', 'FCMOVB FCMOVE FCMOVBE FCMOVU', 'ST,STi'),
  ['DA (E9)', 'FUCOMPP'],
  ['DB /0 m', 'FILD', 'Md'],
  ['DB /1 m', 'FISTTP', 'Md'],
  ['DB /2 m', 'FIST', 'Md'],
  ['DB /3 m', 'FISTP', 'Md'],
  ['DB /5 m', 'FLD', 'Mt'],
  ['DB /7 m', 'FSTP', 'Mt'],
  ...stack('DB', 'FCMOVNB FCMOVNE FCMOVNBE FCMOVNU - FUCOMI FCOMI', 'ST,STi'),
  ...whole('DB', 0xe0, 'FNOP FNOP FNCLEX FNINIT FNOP'), // FNENI, FNDISI and FNSETPM are FNOP now
  ...arithmetic('DC', 'F', 'Mq'),
  ...stack('DC', 'FADD FMUL - - FSUBR FSUB FDIVR FDIV', 'STi,ST'),
  ...stack('DC', '- - FCOM FCOMP', 'ST,STi'), // not documented: aliases, as all that follow with ST,STi below
  ['DD /0 m', 'FLD', 'Mq'],
  ['DD /1 m', 'FISTTP', 'Mq'],
  ['DD /2 m', 'FST', 'Mq'],
  ['DD /3 m', 'FSTP', 'Mq'],
  ['DD /4 m', 'FRSTOR', 'M'],
  ['DD /6 m', 'FNSAVE', 'M'],
  ['DD /7 m', 'FNSTSW', 'Mw'],
  ...stack('DD', 'FFREE - FST FSTP', 'STi'),
  ...stack('DD', '- FXCH - - FUCOM FUCOMP', 'ST,STi'),
  ...arithmetic('DE', 'FI', 'Mw'),
  ...stack('DE', 'FADDP FMULP - - FSUBRP FSUBP FDIVRP FDIVP', 'STi,ST'),
  ...stack('DE', '- - FCOMP', 'ST,STi'),
  ['DE (D9)', 'FCOMPP'],
  ['DF /0 m', 'FILD', 'Mw'],
  ['DF /1 m', 'FISTTP', 'Mw'],
  ['DF /2 m', 'FIST', 'Mw'],
  ['DF /3 m', 'FISTP', 'Mw'],
  ['DF /4 m', 'FBLD', 'Mt'],
  ['DF /5 m', 'FILD', 'Mq'],
  ['DF /6 m', 'FBSTP', 'Mt'],
  ['DF /7 m', 'FISTP', 'Mq'],
  ...stack('DF', 'FFREEP - FSTP FSTP', 'STi'),
  ...stack('DF', '- FXCH - - - FUCOMIP FCOMIP', 'ST,STi'),
  ['DF (E0)', 'FNSTSW', 'AX', 'modrm'],
];

const MOVES: readonly Row[] = [
  ['0F 10', 'MOVUPS', 'Vx,Wx', 'np 66'],
  ['0F 11', 'MOVUPS', 'Wx,Vx', 'np 66'],
  ['0F 28', 'MOVAPS', 'Vx,Wx', 'np 66'],
  ['0F 29', 'MOVAPS', 'Wx,Vx', 'np 66'],
  ['0F 2B m', 'MOVNTDQ', 'Mx,Vx', 'np 66'], // MOVNTPS, MOVNTPD: the same store
  ['0F E7 m', 'MOVNTDQ', 'Mx,Vx', '66'],
  ['0F 57', 'XORPS', 'Vx,Wx', 'np 66'],
  ['0F 6E', 'MOVD', 'Pd,Ed', 'np', ['MOVQ', 'Pq,Eq']],
  ['0F 6E', 'MOVD', 'Vd,Ed', '66', ['MOVQ', 'Vq,Eq']],
  ['0F 7E', 'MOVD', 'Ed,Pd', 'np', ['MOVQ', 'Eq,Pq']],
  ['0F 7E', 'MOVD', 'Ed,Vd', '66', ['MOVQ', 'Eq,Vq']],
  ['0F 7E', 'MOVQ', 'Vq,Wq', 'F3'],
  ['0F D6', 'MOVQ', 'Wq,Vq', '66'],
  ['0F 6F', 'MOVQ', 'Pq,Qq', 'np'],
  ['0F 7F', 'MOVQ', 'Qq,Pq', 'np'],
  ['0F 6F', 'MOVDQA', 'Vx,Wx', '66'],
  ['0F 7F', 'MOVDQA', 'Wx,Vx', '66'],
  ['0F 6F', 'MOVDQU', 'Vx,Wx', 'F3'],
  ['0F 7F', 'MOVDQU', 'Wx,Vx', 'F3'],
  ['0F EF', 'PXOR', 'Pq,Qq', 'np'],
  ['0F EF', 'PXOR', 'Vx,Wx', '66'],
  ['0F 77', 'EMMS', '', 'np'],
];

/** 66-prefixed integer operations on a register and a register or 16 bytes of memory, by opcode. */
const INTEGERS: readonly Row[] = Object.entries({
  60: 'PUNPCKLBW PUNPCKLWD PUNPCKLDQ PACKSSWB PCMPGTB PCMPGTW PCMPGTD PACKUSWB',
  68: 'PUNPCKHBW PUNPCKHWD PUNPCKHDQ PACKSSDW PUNPCKLQDQ PUNPCKHQDQ',
  74: 'PCMPEQB PCMPEQW PCMPEQD',
  D1: 'PSRLW PSRLD PSRLQ PADDQ PMULLW',
  D8: 'PSUBUSB PSUBUSW PMINUB PAND PADDUSB PADDUSW PMAXUB PANDN',
  E0: 'PAVGB PSRAW PSRAD PAVGW PMULHUW PMULHW',
  E8: 'PSUBSB PSUBSW PMINSW POR PADDSB PADDSW PMAXSW',
  F1: 'PSLLW PSLLD PSLLQ PMULUDQ PMADDWD PSADBW',
  F8: 'PSUBB PSUBW PSUBD PSUBQ PADDB PADDW PADDD',
}).flatMap(([first, names]) =>
  names.split(' ').map((name, n): Row => {
    const opcode = (Number.parseInt(first, 16) + n).toString(16).toUpperCase();
    return [`0F ${opcode}`, name as OpName, 'Vx,Wx', '66'];
  }),
);

const SHUFFLES: readonly Row[] = [
  ['0F 12 m', 'MOVLPS', 'Vq,Mq', 'np 66'],
  ['0F 12 r', 'MOVHLPS', 'Vx,Wx', 'np'],
  ['0F 12', 'MOVDDUP', 'Vx,Wq', 'F2'],
  ['0F 13 m', 'MOVLPS', 'Mq,Vq', 'np 66'],
  ['0F 16 m', 'MOVHPS', 'Vq,Mq', 'np 66'],
  ['0F 16 r', 'MOVLHPS', 'Vx,Wx', 'np'],
  ['0F 17 m', 'MOVHPS', 'Mq,Vq', 'np 66'],
  ['0F 54', 'ANDPS', 'Vx,Wx', 'np 66'],
  ['0F 55', 'ANDNPS', 'Vx,Wx', 'np 66'],
  ['0F 56', 'ORPS', 'Vx,Wx', 'np 66'],
  ['0F 70', 'PSHUFD', 'Vx,Wx,Ub', '66'],
  ['0F 70', 'PSHUFHW', 'Vx,Wx,Ub', 'F3'],
  ['0F 70', 'PSHUFLW', 'Vx,Wx,Ub', 'F2'],
  ['0F 71 /2 r', 'PSRLW', 'Wx,Ub', '66'],
  ['0F 71 /4 r', 'PSRAW', 'Wx,Ub', '66'],
  ['0F 71 /6 r', 'PSLLW', 'Wx,Ub', '66'],
  ['0F 72 /2 r', 'PSRLD', 'Wx,Ub', '66'],
  ['0F 72 /4 r', 'PSRAD', 'Wx,Ub', '66'],
  ['0F 72 /6 r', 'PSLLD', 'Wx,Ub', '66'],
  ['0F 73 /2 r', 'PSRLQ', 'Wx,Ub', '66'],
  ['0F 73 /6 r', 'PSLLQ', 'Wx,Ub', '66'],
  ['0F 73 /3 r', 'PSRLDQ', 'Wx,Ub', '66'],
  ['0F 73 /7 r', 'PSLLDQ', 'Wx,Ub', '66'],
  ['0F C4', 'PINSRW', 'Vx,Ev/Mw,Ub', '66'],
  ['0F C5 r', 'PEXTRW', 'Gy,Wx,Ub', '66'],
  ['0F C6', 'SHUFPS', 'Vx,Wx,Ub', 'np'],
  ['0F D7 r', 'PMOVMSKB', 'Gy,Wx', '66'],
];

const UNMODELLED_0F: readonly Row[] = [
  ...family('0F', '10 11', 'SSE_UNMODELLED', '?', 'F3 F2'),
  ...family('0F', '12', 'SSE_UNMODELLED', '?', 'F3'),
  ...family('0F', '16', 'SSE_UNMODELLED', '?', 'F3'),
  ...family('0F', '14 15 2E 2F', 'SSE_UNMODELLED', '?', 'np 66'),
  ...family('0F', '2A 2C 2D 51 58-5A 5C-5F', 'SSE_UNMODELLED', '?', 'np 66 F3 F2'),
  ...family('0F', '50', 'SSE_UNMODELLED', '?', 'np 66', ' r'),
  ...family('0F', '52 53', 'SSE_UNMODELLED', '?', 'np F3'),
  ...family('0F', '5B', 'SSE_UNMODELLED', '?', 'np 66 F3'),
  ...family('0F', '60-6B 74-76 D1-D5 D8-E5 E8-EE F1-F6 F8-FE', 'MMX_UNMODELLED', '?', 'np'),
  ...family('0F', 'D7 F7', 'MMX_UNMODELLED', '?', 'np', ' r'),
  ...family('0F', 'F7', 'SSE_UNMODELLED', '?', '66', ' r'),
  ...family('0F', 'E7', 'MMX_UNMODELLED', '?', 'np', ' m'),
  ...family('0F', '70', 'MMX_UNMODELLED', '?,Ub', 'np'),
  ...['71', '72'].flatMap((opcode) =>
    [2, 4, 6].map((reg): Row => [`0F ${opcode} /${reg} r`, 'MMX_UNMODELLED', 'Ub', 'np']),
  ),
  ['0F 73 /2 r', 'MMX_UNMODELLED', 'Ub', 'np'],
  ['0F 73 /6 r', 'MMX_UNMODELLED', 'Ub', 'np'],
  ...family('0F', '7C 7D D0', 'SSE_UNMODELLED', '?', '66 F2'),
  ...family('0F', 'C2', 'SSE_UNMODELLED', '?,Ub', 'np 66 F3 F2'),
  ...family('0F', 'C6', 'SSE_UNMODELLED', '?,Ub', '66'),
  ...family('0F', 'C4', 'MMX_UNMODELLED', '?,Ub', 'np'),
  ...family('0F', 'C5', 'MMX_UNMODELLED', '?,Ub', 'np', ' r'),
  ...family('0F', 'D6', 'SSE_UNMODELLED', '?', 'F3 F2', ' r'),
  ...family('0F', 'E6', 'SSE_UNMODELLED', '?', '66 F3 F2'),
  ...family('0F', 'F0', 'SSE_UNMODELLED', '?', 'F2', ' m'),
];

const ROWS_0F38: readonly Row[] = [
  ['0F 38 F0 m', 'MOVBE', 'Gv,Mv', 'np 66'],
  ['0F 38 F1 m', 'MOVBE', 'Mv,Gv', 'np 66'],
  ['0F 38 F0', 'CRC32', 'Gy,Eb', 'F2'],
  ['0F 38 F1', 'CRC32', 'Gy,Ev', 'F2'],
  ...family('0F 38', '00-0B 1C-1E', 'MMX_UNMODELLED', '?', 'np'),
  ...family('0F 38', 'C8-CD', 'SSE_UNMODELLED', '?', 'np'),
  ...family(
    '0F 38',
    '00-0B 10 14-15 17 1C-1E 20-25 28-29 2B 30-35 37-41 CF DB-DF',
    'SSE_UNMODELLED',
    '?',
    '66',
  ),
  ...family('0F 38', '2A', 'SSE_UNMODELLED', '?', '66', ' m'),
  ...family('0F 38', '80-82 F5', 'SYSTEM_UNMODELLED', '?', '66', ' m'), // INVEPT, INVVPID, INVPCID, WRUSS
  ...family('0F 38', 'F6', 'SYSTEM_UNMODELLED', '?', 'np', ' m'), // WRSS
  ...family('0F 38', 'F6', 'SYSTEM_UNMODELLED', '?', '66 F3'), // ADCX, ADOX
  ...family('0F 38', 'F8', 'SYSTEM_UNMODELLED', '?', '66 F3 F2', ' m'), // MOVDIR64B, ENQCMDS, ENQCMD
  ...family('0F 38', 'F9', 'SYSTEM_UNMODELLED', '?', 'np', ' m'), // MOVDIRI
  ...family('0F 38', 'FC', 'SYSTEM_UNMODELLED', '?', 'np 66 F3 F2', ' m'), // AADD, AAND, AXOR, AOR
  ...[0, 1, 2, 3].map((reg): Row => [`0F 38 D8 /${reg} m`, 'SSE_UNMODELLED', '?', 'F3']), // Key Locker
  ...family('0F 38', 'DC', 'SSE_UNMODELLED', '?', 'F3'),
  ...family('0F 38', 'DD-DF', 'SSE_UNMODELLED', '?', 'F3', ' m'),
  ...family('0F 38', 'FA FB', 'SSE_UNMODELLED', '?', 'F3', ' r'),
];

const ROWS_0F3A: readonly Row[] = [
  ['0F 3A F0 (C0)', 'SYSTEM_UNMODELLED', 'Ub', 'F3'], // HRESET
  ...family('0F 3A', '0F', 'MMX_UNMODELLED', '?,Ub', 'np'),
  ...family('0F 3A', 'CC', 'SSE_UNMODELLED', '?,Ub', 'np'),
  ...family('0F 3A', '08-0F 14-17 20-22 40-42 44 60-63 CE CF DF', 'SSE_UNMODELLED', '?,Ub', '66'),
];

/** Rows of x87, MMX, SSE and of the 0F 38 and 0F 3A maps. */
export const VECTOR_ROWS: readonly Row[] = [
  ...X87_ROWS,
  ...MOVES,
  ...INTEGERS,
  ...SHUFFLES,
  ...UNMODELLED_0F,
  ...ROWS_0F38,
  ...ROWS_0F3A,
];
