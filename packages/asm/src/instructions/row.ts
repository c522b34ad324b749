/**
 * Meaning of the table rows.
 *
 * Operand codes follow the opcode maps of the SDM (volume 2, "Key to Abbreviations"): a letter for the place and a
 * letter for the size. Places: `E` register or memory in ModRM.rm, `R` register only in ModRM.rm, `M` memory only,
 * `G` general register in ModRM.reg, `B` the same register in both fields, `Z` register in the low three opcode bits,
 * `S` `C` `D` segment, control, debug register in ModRM.reg, `V` xmm
 * register in ModRM.reg, `U` in ModRM.rm, `W` xmm register or memory, `I` immediate, `sI`
 * sign-extended, `uI` zero-extended, `J` relative target, `A` far pointer, `O` offset without ModRM. Sizes: `b` 8, `w`
 * 16, `d` 32, `q` 64, `dq` 128, `v` operand size, `z` operand size but at most 32, `p` far pointer, `m` 32 or in
 * 64-bit mode 64. Lower-case names are these very registers; `rAX` is the accumulator of operand size.
 *
 * Flags: `o16 o32 o64` fixed operand size, `a16 a32 a64` fixed address size, `p66 pf3` mandatory prefix, `!64` not in
 * 64-bit mode, `64` only there, `d64` operand size is 64 by default there, `any` memory needs no size keyword,
 * `immsize` the size keyword of the immediate is the operand size, `modesize` memory without size has the mode's.
 */
import { INTEGER_ROWS } from './integer.ts';
import { SYSTEM_ROWS } from './system.ts';

/** One encoding of one mnemonic. */
export interface InstructionRow {
  /** Operand codes. */
  readonly operands: readonly string[];
  /** Opcode bytes without prefixes. */
  readonly opcode: readonly number[];
  /** Digit of ModRM.reg, `r` when an operand supplies it, or none. */
  readonly modrm: number | 'r' | undefined;
  /** The register goes into the low three bits of the last opcode byte. */
  readonly plusRegister: boolean;
  /** Mandatory prefix, 0 if none. */
  readonly mandatoryPrefix: number;
  /** Fixed operand size, 0 if none. */
  readonly operandSize: number;
  /** Fixed address size, 0 if none. */
  readonly addressSize: number;
  /** All other flags. */
  readonly flags: ReadonlySet<string>;
}

function parseRow(text: string): readonly [string, InstructionRow] {
  const [head = '', tail = ''] = text.split(':');
  const [mnemonic = '', operands = ''] = head.trim().split(' ');
  const opcode: number[] = [];
  const flags = new Set<string>();
  let modrm: InstructionRow['modrm'];
  let operandSize = 0;
  let addressSize = 0;
  let mandatoryPrefix = 0;
  for (const word of tail.trim().split(' ')) {
    if (/^[0-9a-f]{2}$/.test(word) && word !== '64') opcode.push(Number.parseInt(word, 16));
    else if (word === '/r') modrm = 'r';
    else if (word.startsWith('/')) modrm = Number(word.slice(1));
    else if (/^o\d\d$/.test(word)) operandSize = Number(word.slice(1));
    else if (/^a\d\d$/.test(word)) addressSize = Number(word.slice(1));
    else if (/^p[0-9a-f]{2}$/.test(word)) mandatoryPrefix = Number.parseInt(word.slice(1), 16);
    else flags.add(word);
  }
  const row: InstructionRow = {
    operands: operands === '' ? [] : operands.split(','),
    opcode,
    modrm,
    plusRegister: flags.has('+r'),
    mandatoryPrefix,
    operandSize,
    addressSize,
    flags,
  };
  return [mnemonic, row];
}

function build(): ReadonlyMap<string, readonly InstructionRow[]> {
  const rows = new Map<string, InstructionRow[]>();
  for (const line of `${INTEGER_ROWS}${SYSTEM_ROWS}`.split('\n')) {
    if (line.trim() === '') continue;
    const [mnemonic, row] = parseRow(line);
    const known = rows.get(mnemonic);
    if (known === undefined) rows.set(mnemonic, [row]);
    else known.push(row);
  }
  return rows;
}

/** All rows by mnemonic. */
export const INSTRUCTIONS: ReadonlyMap<string, readonly InstructionRow[]> = build();
