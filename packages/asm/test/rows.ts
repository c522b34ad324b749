/** Lines that exercise every row of the instruction table, made from the rows themselves. */
import { INSTRUCTIONS, type InstructionRow } from '../src/instructions/row.ts';
import type { Bits } from './corpus.ts';

const GENERAL: Readonly<Record<string, readonly string[]>> = {
  b: ['cl', 'dl'],
  w: ['cx', 'si'],
  d: ['ecx', 'esi'],
  q: ['rcx', 'r11'],
};
const KEYWORDS: Readonly<Record<string, string>> = {
  b: 'byte ',
  w: 'word ',
  d: 'dword ',
  q: 'qword ',
  dq: 'oword ',
};
const IMMEDIATES: Readonly<Record<string, string>> = {
  b: '5',
  w: '0x1234',
  d: '0x12345678',
  q: '0x123456789abcdef',
};

/** One operand for `code` with operand size `size` (w, d or q), or undefined when the mode has none. */
function sample(
  code: string,
  size: string,
  position: number,
  bits: Bits,
  row: InstructionRow,
): string | undefined {
  if (code === 'rAX') return { w: 'ax', d: 'eax', q: 'rax' }[size];
  if (code === '1' || /^[a-z]/.test(code.replace(/^[su]I/, 'I'))) return code;
  const place = code.replace(/[a-z]+$/, '').replace(/^[su]/, '');
  const letters = /[a-z]*$/.exec(code)?.[0] ?? '';
  const width =
    letters === 'v' || letters === 'z' ? size : letters === 'm' ? (bits === 64 ? 'q' : 'd') : letters;
  const memory = bits === 16 ? '[bx+si+5]' : bits === 32 ? '[ebx+esi*2+5]' : '[r9+rsi*2+5]';
  switch (place) {
    case 'G':
    case 'R':
    case 'B':
    case 'Z':
      return GENERAL[width]?.[position % 2];
    case 'E':
      return position === 0 ? `${KEYWORDS[width] ?? ''}${memory}` : GENERAL[width]?.[1];
    case 'M':
      if (letters === 'p' && row.operands.length === 1) return `far ${memory}`;
      return memory;
    case 'W':
      return memory;
    case 'V':
      return 'xmm3';
    case 'U':
      return 'xmm6';
    case 'S':
      return 'fs';
    case 'C':
      return 'cr3';
    case 'D':
      return 'dr6';
    case 'O':
      return bits === 64 ? '[qword 0x1234]' : '[0x1234]';
    case 'A':
      return '0x10:0x1234';
    case 'J':
      return 'target';
    case 'I':
      if (code === 'sIb' || code === 'sId') return '-3';
      if (code === 'uId') return '0x89abcdef';
      return letters === 'z' && size === 'q' ? '0x1234567' : IMMEDIATES[width];
    default:
      return undefined;
  }
}

/** Lines for all rows that the mode has. */
export function rowLines(bits: Bits): string[] {
  const lines = new Set<string>();
  for (const [mnemonic, rows] of INSTRUCTIONS) {
    for (const row of rows) {
      if (bits === 64 ? row.flags.has('!64') : row.flags.has('64') || row.operandSize === 64) continue;
      const variable = row.operands.some((code) => /[vz]$/.test(code) || code === 'rAX' || code === 'sIb');
      const sizes = variable ? (bits === 64 ? ['w', 'd', 'q'] : ['w', 'd']) : ['d'];
      for (const size of sizes) {
        const stack = row.flags.has('d64');
        if (stack && bits === 64 && size === 'd') continue;
        if (row.flags.has('modesize') && bits === 64 && size === 'w') continue;
        if (row.flags.has('immsize') && size !== (bits === 16 ? 'w' : bits === 32 ? 'd' : 'q')) continue;
        const operands = row.operands.map((code, position) => sample(code, size, position, bits, row));
        if (operands.includes(undefined)) continue;
        if (bits !== 64 && operands.some((operand) => /^r(cx|11|si)$/.test(operand ?? ''))) continue;
        if (bits === 64 && row.addressSize === 16) continue;
        if (bits !== 64 && row.addressSize === 64) continue;
        lines.add(`${mnemonic} ${operands.join(', ')}`.trim());
      }
    }
  }
  return [...lines];
}
