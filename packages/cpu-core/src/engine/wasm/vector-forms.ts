/** Operands of the vector instructions, by their encodings: each form that the decoder gives gets a function. */
import { K_IMM, K_MEM, K_MM, K_REG, K_XMM } from '../../insn.ts';
import type { Encoding } from '../../operations/operation.ts';
import { OP_NAMES, OPERATIONS, type OpName, VECTOR_OPS } from '../../ops.ts';
import type { Addressing } from './convention.ts';

/** An operand of a form; width in bytes. */
export interface Operand {
  kind: number;
  size: number;
}

interface VectorForm {
  op: OpName;
  operands: readonly Operand[];
}

const WIDTHS: Readonly<Record<string, number>> = { b: 1, w: 2, d: 4, q: 8, x: 16 };

/** What an operand code may be. */
function choices(code: string, natives: readonly number[], where: string): readonly Operand[] {
  const sized = (kind: number, sizes: readonly number[]): Operand[] => sizes.map((size) => ({ kind, size }));
  const width = code.charAt(1);
  const sizes = width === 'y' ? natives : width === 'v' ? [2, ...natives] : [WIDTHS[width] ?? 0];
  const memory = sized(K_MEM, code === 'Ev/Mw' ? [2] : sizes);
  const both = (kind: number): Operand[] => [
    ...(where.endsWith(' m') ? [] : sized(kind, sizes)),
    ...(where.endsWith(' r') ? [] : memory),
  ];
  switch (code.charAt(0)) {
    case 'V':
      return sized(K_XMM, sizes);
    case 'W':
      return both(K_XMM);
    case 'G':
      return sized(K_REG, sizes);
    case 'E':
      return both(K_REG);
    case 'M':
      return memory;
    case 'U':
      return sized(K_IMM, [1]);
    case 'P':
      return sized(K_MM, sizes);
    case 'Q':
      return both(K_MM);
  }
  throw new Error(`operand code ${code} of a vector instruction has no form`);
}

/** All vector forms of an addressing. */
export function vectorForms(addressing: Addressing): VectorForm[] {
  const natives = addressing === 'flat64' ? [4, 8] : [4];
  const list: VectorForm[] = [];
  const add = (op: OpName, codes: string, where: string): void => {
    let forms: (readonly Operand[])[] = [[]];
    for (const code of codes.split(','))
      forms = forms.flatMap((form) => choices(code, natives, where).map((operand) => [...form, operand]));
    for (const operands of forms) list.push({ op, operands });
  };
  const addEncoding = (op: OpName, [where, codes = '', , , alternative]: Encoding): void => {
    add(op, codes, where);
    if (alternative && addressing === 'flat64') add(alternative[0] as OpName, alternative[1], where);
  };
  for (const op of VECTOR_OPS)
    for (const encoding of OPERATIONS[op]!.at) addEncoding(OP_NAMES[op]!, encoding);
  return list;
}
