/** The encodings of all operations, expanded once into flat typed arrays: the decoder only ever indexes arrays. */
import type { Encoding, Operation } from '../operations/operation.ts';
import { OP, type OpName } from '../ops.ts';
import {
  A_A,
  A_I,
  A_I2,
  A_J,
  A_O,
  A_R,
  A_U,
  needsModRm,
  operandCode,
  W_B,
  W_V,
  W_Z,
} from './operand-codes.ts';

/** Entry has a ModRM byte. */
export const F_MODRM = 1 << 0;
/** LOCK allowed with a memory destination. */
export const F_LOCK = 1 << 1;
/** Default operand size 64 in 64-bit mode. */
export const F_D64 = 1 << 2;
/** Operand size always 64 in 64-bit mode. */
export const F_F64 = 1 << 3;
/** F2 or F3 is part of the opcode. */
export const F_REP_IS_OPCODE = 1 << 4;
/** ModRM names registers whatever mod says. */
export const F_NO_MEMORY = 1 << 5;
/** Condition code in the low opcode bits. */
export const F_CC = 1 << 6;
/** `Insn.size` is 1. */
export const F_SIZE_B = 1 << 7;
/** `Insn.size` is the operand size. */
export const F_SIZE_OS = 1 << 8;
/** `Insn.size` is the operand size, at most 4. */
export const F_SIZE_Z = 1 << 9;
/** The next entry replaces this one when REX.W (with `F_REX_B`: REX.B) is set. */
export const F_ALTERNATIVE = 1 << 10;
/** First byte of a VEX, EVEX or XOP prefix. */
export const F_VEX = 1 << 11;
/** A 66 prefix makes it undefined. */
export const F_NO_66 = 1 << 23;
/** The entry asks something of the processor. */
export const F_FEATURE = 1 << 24;
/** The alternative entry is chosen by REX.B, not by REX.W. */
export const F_REX_B = 1 << 22;
/** Trailing bytes include an immediate or displacement of min(operand size, 4). */
export const F_TAIL_Z = 1 << 12;
/** Trailing bytes include an immediate of the operand size. */
export const F_TAIL_V = 1 << 13;
/** Trailing bytes are a memory offset of the address size. */
export const F_TAIL_O = 1 << 14;
/** Trailing bytes are a far pointer. */
export const F_TAIL_A = 1 << 15;
/** Position of the count of fixed trailing bytes. */
export const TAIL_SHIFT = 16;

/** Cells with this bit lead to a group of sixteen cells instead of an entry. */
export const GROUP_BIT = 0x8000;

/** Expanded tables. */
export interface DecodeTables {
  /** Cell by (64-bit mode, map, prefix column, opcode): `mode64 << 12 | map << 10 | column << 8 | opcode`. */
  readonly root: Uint16Array;
  /** Groups: `group * 16 + (register form ? 8 : 0) + reg`; a second level is indexed by r/m. */
  readonly groups: Uint16Array;
  /** Operation by entry. */
  readonly op: Uint16Array;
  /** `F_*` flags by entry. */
  readonly flags: Uint32Array;
  /** Operand codes, three per entry. */
  readonly operands: Uint16Array;
  /** What the processor must have, by entry: an index into {@link features}. */
  readonly feature: Uint8Array;
  /** Operation where it has not, by entry. */
  readonly without: Uint16Array;
  /** All that encodings ask of a processor; the first is nothing. */
  readonly features: readonly string[];
}

const COLUMNS = ['np', '66', 'F3', 'F2'] as const;
const MAPS: readonly (readonly [prefix: string, map: number])[] = [
  ['0F 38 ', 2],
  ['0F 3A ', 3],
  ['0F ', 1],
  ['', 0],
];
const FLAG_WORDS: Readonly<Record<string, number>> = {
  lock: F_LOCK,
  d64: F_D64 | F_SIZE_OS,
  f64: F_F64 | F_SIZE_OS,
  b: F_SIZE_B,
  os: F_SIZE_OS,
  z: F_SIZE_Z,
  modrm: F_MODRM,
  vex: F_VEX | F_MODRM,
  rexb: F_REX_B,
  no66: F_NO_66,
};
const OTHER_WORDS: ReadonlySet<string> = new Set([...COLUMNS, 'i64', 'o64']);

interface Where {
  readonly map: number;
  readonly opcodes: readonly number[];
  /** Group slots (register form * 8 + reg), or undefined when the row is the whole opcode. */
  readonly slots: readonly number[] | undefined;
  /** r/m of a whole ModRM byte. */
  readonly rm: number | undefined;
  readonly hasCondition: boolean;
}

function parseWhere(text: string): Where {
  const found = MAPS.find(
    ([prefix]) => text.startsWith(prefix) && /^[0-9A-F]{2}(?![0-9A-F])/.test(text.slice(prefix.length)),
  );
  const match =
    found &&
    /^([0-9A-F]{2})(\+|cc)?( \/([0-7]))?( ([mr]))?( \(([C-F][0-9A-F])\))?$/.exec(text.slice(found[0].length));
  if (!found || !match) throw new Error(`cannot read the opcode of row ${text}`);
  const [, hex, spread, , reg, , form, , whole] = match;
  const first = Number.parseInt(hex ?? '', 16);
  const count = spread === '+' ? 8 : spread === 'cc' ? 16 : 1;
  const opcodes = Array.from({ length: count }, (_, n) => first + n);
  const common = { map: found[1], opcodes, hasCondition: spread === 'cc' };
  if (whole !== undefined) {
    const modRm = Number.parseInt(whole, 16);
    return { ...common, slots: [8 + ((modRm >> 3) & 7)], rm: modRm & 7 };
  }
  if (reg === undefined && form === undefined) return { ...common, slots: undefined, rm: undefined };
  const regs = reg === undefined ? [0, 1, 2, 3, 4, 5, 6, 7] : [Number(reg)];
  const forms = form === 'm' ? [0] : form === 'r' ? [8] : [0, 8];
  return { ...common, slots: forms.flatMap((base) => regs.map((n) => base + n)), rm: undefined };
}

/** Number and kind of the bytes after ModRM, SIB and displacement, as `F_TAIL_*` flags and a fixed count. */
function tailOf(codes: readonly number[]): number {
  let flags = 0;
  for (const code of codes) {
    const addressing = code & 0xff;
    const width = code >> 8;
    if (addressing === A_O) flags |= F_TAIL_O;
    else if (addressing === A_A) flags |= F_TAIL_A;
    else if (addressing === A_I || addressing === A_U || addressing === A_J || addressing === A_I2) {
      if (width === W_Z) flags |= F_TAIL_Z;
      else if (width === W_V) flags |= F_TAIL_V;
      else flags += (1 << (width - W_B)) << TAIL_SHIFT;
    }
  }
  return flags;
}

/** A place in the tables, and whether an entry may be put there. */
interface Cells {
  readonly cells: Uint16Array | number[];
  readonly index: number;
}

/**
 * Expands the encodings of all operations.
 *
 * @param table Operations by number.
 * @param isRest Operations that get what the others leave free.
 * @param otherFeatures What else is to be among {@link DecodeTables.features}.
 * @throws Error for an encoding that cannot be read, or that collides with another.
 */
export function expand(
  table: readonly Operation[],
  isRest: (op: number) => boolean,
  otherFeatures: readonly string[],
): DecodeTables {
  const root = new Uint16Array(2 << 12);
  const groups: number[] = [];
  const op: number[] = [OP.INVALID];
  const flags: number[] = [0];
  const operands: number[] = [0, 0, 0];
  const feature: number[] = [0];
  const without: number[] = [OP.INVALID];
  const features: string[] = ['', ...otherFeatures];

  const featureIndex = (text: string): number => {
    const known = features.indexOf(text);
    return known < 0 ? features.push(text) - 1 : known;
  };
  const numberOf = (name: string): number => {
    const number = OP[name as OpName];
    if (number === undefined) throw new Error(`no operation is named ${name}`);
    return number;
  };
  const addEntry = (number: number, codeText: string, entryFlags: number, featureText: string): number => {
    const codes = codeText === '' ? [] : codeText.split(',').map(operandCode);
    let all = entryFlags | tailOf(codes);
    if (featureText !== '') all |= F_FEATURE;
    if (codes.some(needsModRm)) all |= F_MODRM;
    if (codes.some((code) => (code & 0xff) === A_R)) all |= F_NO_MEMORY;
    op.push(number);
    flags.push(all);
    operands.push(codes[0] ?? 0, codes[1] ?? 0, codes[2] ?? 0);
    feature.push(featureIndex(featureText));
    without.push(numberOf(table[number]!.without ?? 'INVALID'));
    return op.length - 1;
  };
  /** The cells of a group, made of what was there; undefined if that is an entry and may stay. */
  const groupAt = ({ cells, index }: Cells, where: string, rest: boolean): number | undefined => {
    const cell = cells[index] ?? 0;
    if (cell & GROUP_BIT) return cell & ~GROUP_BIT;
    if (cell !== 0) {
      if (rest) return undefined;
      throw new Error(`${where} makes a group of an opcode that is taken`);
    }
    const id = groups.length / 16;
    groups.push(...new Array<number>(16).fill(0));
    cells[index] = GROUP_BIT | id;
    return id;
  };
  const put = ({ cells, index }: Cells, entry: number, where: string, rest: boolean): void => {
    const cell = cells[index] ?? 0;
    if (cell === 0) cells[index] = entry;
    else if (!rest) throw new Error(`${where} collides with another encoding`);
    else if (cell & GROUP_BIT) {
      const id = cell & ~GROUP_BIT;
      for (let slot = 0; slot < 16; slot++) put({ cells: groups, index: id * 16 + slot }, entry, where, true);
    }
  };

  const add = (number: number, encoding: Encoding, rest: boolean): void => {
    const [where, codeText = '', attributes = '', featureText = '', alternative] = encoding;
    const at = parseWhere(where);
    const words = attributes === '' ? [] : attributes.split(' ');
    let entryFlags = at.hasCondition ? F_CC : 0;
    for (const word of words) {
      const flag = FLAG_WORDS[word];
      if (flag === undefined && !OTHER_WORDS.has(word))
        throw new Error(`${where}: unknown attribute ${word}`);
      entryFlags |= flag ?? 0;
    }
    const columns = COLUMNS.flatMap((word, column) => (words.includes(word) ? [column] : []));
    if (columns.length > 0 && columns.every((column) => column >= 2)) entryFlags |= F_REP_IS_OPCODE;
    if (at.slots !== undefined) entryFlags |= F_MODRM;
    const entry = addEntry(number, codeText, entryFlags | (alternative ? F_ALTERNATIVE : 0), featureText);
    if (alternative) {
      const [name, codes, otherFeature = featureText] = alternative;
      addEntry(numberOf(name), codes, entryFlags, otherFeature);
    }
    const modes = words.includes('i64') ? [0] : words.includes('o64') ? [1] : [0, 1];
    for (const mode of modes) {
      for (const column of columns.length > 0 ? columns : [0, 1, 2, 3]) {
        for (const opcode of at.opcodes) {
          const place = { cells: root, index: (mode << 12) | (at.map << 10) | (column << 8) | opcode };
          if (at.slots === undefined) {
            put(place, entry, where, rest);
            continue;
          }
          const group = groupAt(place, where, rest);
          if (group === undefined) continue;
          for (const slot of at.slots) {
            const inGroup = { cells: groups, index: group * 16 + slot };
            if (at.rm === undefined) {
              put(inGroup, entry, where, rest);
              continue;
            }
            const whole = groupAt(inGroup, where, rest);
            if (whole !== undefined) put({ cells: groups, index: whole * 16 + at.rm }, entry, where, rest);
          }
        }
      }
    }
  };
  for (const rest of [false, true])
    table.forEach((operation, number) => {
      if (isRest(number) === rest) for (const encoding of operation.at) add(number, encoding, rest);
    });
  return {
    root,
    groups: Uint16Array.from(groups),
    op: Uint16Array.from(op),
    flags: Uint32Array.from(flags),
    operands: Uint16Array.from(operands),
    feature: Uint8Array.from(feature),
    without: Uint16Array.from(without),
    features,
  };
}
