/** Operands of the vector instructions that get a function in the generated code: all that the decoder gives them. */
import { K_IMM, K_MEM, K_REG, K_XMM } from '../../insn.ts';
import type { OpName } from '../../ops.ts';
import { binary, shift, VECTOR_SEMANTICS } from '../../semantics/vector.ts';
import type { Model } from './convention.ts';

/** An operand of a form; width in bytes. */
export interface Operand {
  kind: number;
  size: number;
}

interface Shape {
  op: OpName;
  operands: readonly Operand[];
}

const x = (size = 16): Operand => ({ kind: K_XMM, size });
const r = (size: number): Operand => ({ kind: K_REG, size });
const m = (size = 16): Operand => ({ kind: K_MEM, size });
const imm: Operand = { kind: K_IMM, size: 1 };

/** All vector forms of a model. */
export function vectorShapes(model: Model): Shape[] {
  const list: Shape[] = [];
  const add = (names: string, ...operands: readonly Operand[]): void => {
    for (const name of names.split(' ')) list.push({ op: name as OpName, operands });
  };
  const natives = model === 'flat64' ? [4, 8] : [4];
  for (const [name, describe] of Object.entries(VECTOR_SEMANTICS)) {
    if (describe !== binary && describe !== shift) continue;
    add(name, x(), x());
    add(name, x(), m());
    if (describe === shift) add(name, x(), imm);
  }
  const moves = 'MOVAPS MOVUPS MOVDQA MOVDQU';
  add(moves, x(), x());
  add(moves, x(), m());
  add(`${moves} MOVNTDQ`, m(), x());
  for (const other of [r(4), m(4)]) {
    add('MOVD', x(4), other);
    add('MOVD', other, x(4));
  }
  if (model === 'flat64') {
    add('MOVQ', x(8), r(8));
    add('MOVQ', r(8), x(8));
  }
  add('MOVQ', x(8), x(8));
  for (const [to, from] of [
    [x(8), m(8)],
    [m(8), x(8)],
  ] as const)
    add('MOVQ MOVLPS MOVHPS', to, from);
  add('MOVLHPS MOVHLPS', x(), x());
  add('MOVDDUP', x(), x(8));
  add('MOVDDUP', x(), m(8));
  add('PSLLDQ PSRLDQ', x(), imm);
  for (const second of [x(), m()]) add('PSHUFD PSHUFLW PSHUFHW SHUFPS', x(), second, imm);
  for (const size of natives) {
    add('PMOVMSKB', r(size), x());
    add('PEXTRW', r(size), x(), imm);
  }
  for (const second of [r(2), m(2), ...natives.map(r)]) add('PINSRW', x(), second, imm);
  return list;
}
