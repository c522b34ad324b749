/**
 * An `SmmSaveState` as an array of 32-bit words: the form in which a processor hands it to a codec at every SMI,
 * without a bigint on the way. A 64-bit value is two words, the low one first.
 */
import type { SegmentState, SmmSaveState } from './arch-state.ts';
import {
  SAVE_STATE_GPRS,
  SAVE_STATE_SEGMENTS,
  type SaveStateFieldName,
  type SaveStateSegment,
} from './save-state-layouts.ts';

/** Index of the first word of each member. */
export const SAVE_WORD = {
  /** 16 general registers, two words each. */
  gpr: 0,
  /** Instruction pointer, two words, as all up to DR7. */
  rip: 32,
  /** RFLAGS. */
  rflags: 34,
  /** CR0. */
  cr0: 36,
  /** CR3. */
  cr3: 38,
  /** CR4. */
  cr4: 40,
  /** IA32_EFER. */
  efer: 42,
  /** DR6. */
  dr6: 44,
  /** DR7. */
  dr7: 46,
  /**
   * Segments in the order of `SAVE_STATE_SEGMENTS`, {@link SAVE_WORDS_PER_SEGMENT} each: selector, attributes, limit,
   * base (two words).
   */
  segments: 48,
  /** Limit, base (two words). */
  gdtr: 88,
  /** Limit, base (two words). */
  idtr: 91,
  /** SMBASE, guest-physical. */
  smbase: 94,
  /** SMM revision identifier. */
  revision: 95,
  /** 1 or 0. */
  autoHaltRestart: 96,
  /** I/O instruction restart field. */
  ioRestart: 97,
  /** Interrupt shadow. */
  interruptShadow: 98,
} as const;

/** Words of a segment. */
export const SAVE_WORDS_PER_SEGMENT = 5;
/** Words in all. */
export const SAVE_STATE_WORDS = 99;

/** Where a field of a map is among the words. */
export interface SaveStateWord {
  /** Its first word. */
  readonly index: number;
  /** It has two words. */
  readonly wide: boolean;
}

const WIDE = ['rip', 'rflags', 'cr0', 'cr3', 'cr4', 'efer', 'dr6', 'dr7'] as const;
const NARROW = ['smbase', 'revision', 'autoHaltRestart', 'ioRestart', 'interruptShadow'] as const;
const SEGMENT_PARTS = { selector: 0, attributes: 1, limit: 2, base: 3 } as const;
const TABLE_PARTS = { limit: 0, base: 1 } as const;

const BY_NAME: ReadonlyMap<string, SaveStateWord> = new Map([
  ...SAVE_STATE_GPRS.map((name, n) => [name, { index: SAVE_WORD.gpr + 2 * n, wide: true }] as const),
  ...WIDE.map((name) => [name, { index: SAVE_WORD[name], wide: true }] as const),
  ...NARROW.map((name) => [name, { index: SAVE_WORD[name], wide: false }] as const),
  ...SAVE_STATE_SEGMENTS.flatMap((segment) =>
    Object.entries(SEGMENT_PARTS).map(
      ([part, at]) =>
        [`${segment}.${part}`, { index: segmentWord(segment) + at, wide: part === 'base' }] as const,
    ),
  ),
  ...(['gdtr', 'idtr'] as const).flatMap((table) =>
    Object.entries(TABLE_PARTS).map(
      ([part, at]) => [`${table}.${part}`, { index: SAVE_WORD[table] + at, wide: part === 'base' }] as const,
    ),
  ),
]);

/** First word of a segment. */
function segmentWord(segment: SaveStateSegment): number {
  return SAVE_WORD.segments + SAVE_STATE_SEGMENTS.indexOf(segment) * SAVE_WORDS_PER_SEGMENT;
}

/** Where a field is among the words. */
export function saveStateWord(name: SaveStateFieldName): SaveStateWord {
  return BY_NAME.get(name)!;
}

/** Writes a state into {@link SAVE_STATE_WORDS} words. Values are cut to their width. */
export function packSaveState(state: SmmSaveState, words: Uint32Array): void {
  const put64 = (at: number, value: bigint): void => {
    words[at] = Number(BigInt.asUintN(32, value));
    words[at + 1] = Number(BigInt.asUintN(32, value >> 32n));
  };
  for (let n = 0; n < SAVE_STATE_GPRS.length; n++) put64(SAVE_WORD.gpr + 2 * n, state.gpr[n] ?? 0n);
  for (const name of WIDE) put64(SAVE_WORD[name], state[name]);
  for (const name of NARROW) words[SAVE_WORD[name]] = Number(state[name]);
  for (const name of SAVE_STATE_SEGMENTS) {
    const at = segmentWord(name);
    words[at] = state[name].selector;
    words[at + SEGMENT_PARTS.attributes] = state[name].attributes;
    words[at + SEGMENT_PARTS.limit] = state[name].limit;
    put64(at + SEGMENT_PARTS.base, state[name].base);
  }
  for (const name of ['gdtr', 'idtr'] as const) {
    words[SAVE_WORD[name]] = state[name].limit;
    put64(SAVE_WORD[name] + TABLE_PARTS.base, state[name].base);
  }
}

/** The state that words hold. */
export function unpackSaveState(words: Uint32Array): SmmSaveState {
  const get64 = (at: number): bigint => BigInt(words[at]!) | (BigInt(words[at + 1]!) << 32n);
  const segment = (name: SaveStateSegment): SegmentState => {
    const at = segmentWord(name);
    return {
      selector: words[at]!,
      attributes: words[at + SEGMENT_PARTS.attributes]!,
      limit: words[at + SEGMENT_PARTS.limit]!,
      base: get64(at + SEGMENT_PARTS.base),
    };
  };
  const table = (name: 'gdtr' | 'idtr') => ({
    limit: words[SAVE_WORD[name]]!,
    base: get64(SAVE_WORD[name] + TABLE_PARTS.base),
  });
  return {
    gpr: SAVE_STATE_GPRS.map((_, n) => get64(SAVE_WORD.gpr + 2 * n)),
    rip: get64(SAVE_WORD.rip),
    rflags: get64(SAVE_WORD.rflags),
    cr0: get64(SAVE_WORD.cr0),
    cr3: get64(SAVE_WORD.cr3),
    cr4: get64(SAVE_WORD.cr4),
    efer: get64(SAVE_WORD.efer),
    dr6: get64(SAVE_WORD.dr6),
    dr7: get64(SAVE_WORD.dr7),
    es: segment('es'),
    cs: segment('cs'),
    ss: segment('ss'),
    ds: segment('ds'),
    fs: segment('fs'),
    gs: segment('gs'),
    ldtr: segment('ldtr'),
    tr: segment('tr'),
    gdtr: table('gdtr'),
    idtr: table('idtr'),
    smbase: words[SAVE_WORD.smbase]!,
    revision: words[SAVE_WORD.revision]!,
    autoHaltRestart: words[SAVE_WORD.autoHaltRestart] !== 0,
    ioRestart: words[SAVE_WORD.ioRestart]!,
    interruptShadow: words[SAVE_WORD.interruptShadow]!,
  };
}
