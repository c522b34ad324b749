/** Register names as the assembler understands them. */

/** Kinds of registers that an operand can name. */
type RegisterClass = 'general' | 'segment' | 'control' | 'debug' | 'xmm' | 'ip';

/** One register: `code` is the number in ModRM (0-15), `size` its width in bits. */
export interface Register {
  /** Lower-case name. */
  readonly name: string;
  /** What sort of register it is. */
  readonly class: RegisterClass;
  /** Encoding number, 0-15. */
  readonly code: number;
  /** Width in bits. */
  readonly size: number;
  /** SPL, BPL, SIL, DIL: byte registers that exist only under a REX prefix. */
  readonly needsRex: boolean;
  /** AH, CH, DH, BH: byte registers that a REX prefix hides. */
  readonly forbidsRex: boolean;
}

const LEGACY = ['ax', 'cx', 'dx', 'bx', 'sp', 'bp', 'si', 'di'];
const LEGACY_BYTE = ['al', 'cl', 'dl', 'bl', 'ah', 'ch', 'dh', 'bh'];

function build(): ReadonlyMap<string, Register> {
  const all = new Map<string, Register>();
  const add = (
    name: string,
    kind: RegisterClass,
    code: number,
    size: number,
    needsRex = false,
    forbidsRex = false,
  ) => all.set(name, { name, class: kind, code, size, needsRex, forbidsRex });
  LEGACY.forEach((name, code) => {
    add(name, 'general', code, 16);
    add(`e${name}`, 'general', code, 32);
    add(`r${name}`, 'general', code, 64);
    if (code >= 4) add(`${name}l`, 'general', code, 8, true);
  });
  LEGACY_BYTE.forEach((name, code) => {
    add(name, 'general', code, 8, false, code >= 4);
  });
  for (let code = 8; code < 16; code++) {
    add(`r${code}`, 'general', code, 64);
    add(`r${code}d`, 'general', code, 32);
    add(`r${code}w`, 'general', code, 16);
    add(`r${code}b`, 'general', code, 8);
  }
  ['es', 'cs', 'ss', 'ds', 'fs', 'gs'].forEach((name, code) => {
    add(name, 'segment', code, 16);
  });
  for (let code = 0; code < 16; code++) {
    add(`cr${code}`, 'control', code, 0);
    add(`dr${code}`, 'debug', code, 0);
    add(`xmm${code}`, 'xmm', code, 128);
  }
  return all;
}

/** All registers by lower-case name. */
export const REGISTERS: ReadonlyMap<string, Register> = build();

/** Segment-override prefix bytes in the order ES CS SS DS FS GS. Intel SDM volume 2, "Instruction Prefixes". */
export const SEGMENT_PREFIXES: readonly number[] = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];
