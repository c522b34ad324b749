/**
 * How one row of a save-state layout reaches its bytes and its words of the state: worked out once per layout, since an
 * SMI uses every row.
 */
import {
  type SaveStateField,
  type SaveStateFieldName,
  type SaveStateLayout,
  saveStateWord,
} from '@smm/x86-defs';

/** Bits of segment attributes that a map keeps: all but limit 19:16. */
const ATTRIBUTE_MASK = 0xf0ff;

/** One field, ready for use. Flat, for it is read many times at every SMI. */
export interface FieldAccess {
  /** Name of the row. */
  readonly name: SaveStateFieldName;
  /** Offset of its bytes in the area. */
  readonly at: number;
  /** How many they are. */
  readonly width: 1 | 2 | 4 | 8;
  /** Index of its word; of the low one of two if `width` is 8. */
  readonly word: number;
  /** The field holds the word shifted left by so many bits. */
  readonly shift: number;
  /** Bits of the word that are stored, and loaded. */
  readonly kept: number;
  /** Bits of the word that mean something, of those that are loaded. */
  readonly meant: number;
}

/** Accesses to all fields of a layout, in its order. */
export function accessesOf(layout: SaveStateLayout): readonly FieldAccess[] {
  return layout.fields.map((field) => accessOf(layout, field));
}

function accessOf(layout: SaveStateLayout, { name, offset, width, shift = 0 }: SaveStateField): FieldAccess {
  const { index, wide } = saveStateWord(name);
  const high = shift === 32;
  if ((width === 8 || high) && !wide) throw new RangeError(`${name} has one word, not two`);
  if (shift > 0 && !high) throw new RangeError(`${name}: fields hold words, or words shifted left`);
  const attributes = name.endsWith('.attributes');
  return {
    name,
    at: offset - layout.areaOffset,
    width,
    word: high ? index + 1 : index,
    shift: high ? 0 : -shift,
    kept: attributes ? ATTRIBUTE_MASK : 0xffff_ffff,
    meant: name === 'autoHaltRestart' ? 1 : name.endsWith('.selector') ? 0xffff : 0xffff_ffff,
  };
}

/** Writes a field's words as the map stores them. */
export function storeField(area: DataView, words: Uint32Array, field: FieldAccess): void {
  const { at, word } = field;
  const value = (words[word]! & field.kept) << field.shift;
  switch (field.width) {
    case 8:
      area.setInt32(at, value, true);
      area.setInt32(at + 4, words[word + 1]!, true);
      return;
    case 4:
      area.setInt32(at, value, true);
      return;
    case 2:
      area.setInt16(at, value, true);
      return;
    default:
      area.setInt8(at, value);
  }
}

/** The (low) word of a field as the map stores it, unsigned. */
export function loadField(area: DataView, field: FieldAccess): number {
  const { at } = field;
  const stored =
    field.width >= 4
      ? area.getUint32(at, true)
      : field.width === 2
        ? area.getUint16(at, true)
        : area.getUint8(at);
  return ((stored >>> field.shift) & field.kept) >>> 0;
}
