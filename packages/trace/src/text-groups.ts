/** Reads the conversions of one print format, each from its piece of the words, into the members of an event. */
import { fitInteger, fitNumber, type RawRecord } from './c-layout.ts';
import type { TraceEventName } from './events.ts';
import { EVENT_TABLE, membersFromRaw, type NumberMember, numberMember } from './table.ts';
import type { Conversion } from './template.ts';

/** Members of an event. */
export type Members = Record<string, unknown>;

/**
 * Reads one piece: into `members`, or, if other pieces speak of the same field, into `raw`. False if it says nothing
 * that fits.
 */
type GroupReader = (said: string, members: Members, raw: RawRecord) => boolean;

/** The readers of a print format's conversions. */
export interface Groups {
  /** One for each conversion, in order. */
  readonly read: readonly GroupReader[];
  /** True if some of them fill the record. */
  readonly needRecord: boolean;
}

/** Digits that a `number` holds exactly. */
const EXACT_DIGITS = { 10: 15, 16: 13 } as const;
/** Words whose meaning is remembered, for each conversion, and how long they may be. */
const MOST_WORDS = 512;
const LONGEST_WORD = 64;

/** Value of at most 13 hexadecimal digits in lower case. */
function smallHex(text: string, at: number): number {
  let value = 0;
  for (let i = at; i < text.length; i++) {
    const code = text.charCodeAt(i);
    value = 16 * value + (code > 57 ? code - 87 : code - 48);
  }
  return value;
}

/** The number that a text of a {@link Conversion.number} says, as the member holds it. */
function numberOf(text: string, base: 10 | 16, { big, type }: NumberMember): number | bigint {
  const at = base === 16 && text.startsWith('0x') ? 2 : 0;
  if (text.length - at <= EXACT_DIGITS[base]) {
    const value = base === 16 ? smallHex(text, at) : Number(text);
    if (!big) return fitNumber(type, value);
    return value < 0 ? BigInt.asUintN(64, BigInt(value)) : BigInt(value);
  }
  const value = BigInt(base === 16 && at === 0 ? `0x${text}` : text);
  return big ? BigInt.asUintN(64, value) : Number(fitInteger(type, value));
}

function numberReader(base: 10 | 16, own: NumberMember): GroupReader {
  const { member } = own;
  return (said, members) => {
    members[member] = numberOf(said, base, own);
    return true;
  };
}

/** Reads words that always mean the same. */
function wordReader(name: TraceEventName, { read }: Conversion): GroupReader {
  const known = new Map<string, readonly (readonly [member: string, value: unknown])[]>();
  return (said, members) => {
    let means = known.get(said);
    if (!means) {
      const raw: RawRecord = {};
      if (!read(said, raw)) return false;
      means = Object.entries(membersFromRaw(name, raw));
      if (known.size >= MOST_WORDS) known.clear();
      if (said.length <= LONGEST_WORD) known.set(said, means);
    }
    for (let i = 0; i < means.length; i++) members[means[i]![0]] = means[i]![1];
    return true;
  };
}

const REC = /REC->(\w+)/g;

/** Fields that a conversion speaks of; undefined if that cannot be told. */
function fieldsOf({ arg, asks = [] }: Conversion): ReadonlySet<string> | undefined {
  const fields = new Set([...[...arg.matchAll(REC)].map(([, field = '']) => field), ...asks]);
  return fields.size > 0 ? fields : undefined;
}

/** The readers of a print format's conversions. */
export function groupsOf(name: TraceEventName, conversions: readonly Conversion[]): Groups {
  const { untold = {} } = EVENT_TABLE[name];
  let needRecord = Object.keys(untold).length > 0;
  const read = conversions.map((conversion): GroupReader => {
    const fields = fieldsOf(conversion);
    const isAlone =
      fields &&
      [...fields].every((field) => !Object.hasOwn(untold, field)) &&
      conversions.every(
        (other) => other === conversion || ![...(fieldsOf(other) ?? [])].some((field) => fields.has(field)),
      ) &&
      conversions.filter((other) => other === conversion).length === 1;
    const { number } = conversion;
    const own = isAlone && number ? numberMember(name, number.field) : undefined;
    if (own && number) return numberReader(number.base, own);
    if (isAlone && !number) return wordReader(name, conversion);
    needRecord = true;
    return (said, _members, raw) => conversion.read(said, raw);
  });
  return { read, needRecord };
}
