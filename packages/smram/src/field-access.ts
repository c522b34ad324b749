/** How one row of a save-state layout reaches its bytes and its member of the state: worked out once per layout, since an SMI uses every row. */
import {
  SAVE_STATE_GPRS,
  type SaveStateField,
  type SaveStateFieldName,
  type SaveStateLayout,
  type SegmentState,
  type SmmSaveState,
} from '@smm/x86-defs';

/** Bits of segment attributes that a map keeps: all but limit 19:16. */
const ATTRIBUTE_MASK = 0xf0ffn;

/** One field, ready for use. */
export interface FieldAccess {
  /** Name of the row. */
  readonly name: SaveStateFieldName;
  /** The stored value as the state has it. */
  load(area: DataView): bigint;
  /** Writes the state's value as the map stores it. */
  store(area: DataView, value: bigint): void;
  /** The state's value. */
  get(state: SmmSaveState): bigint;
  /** Puts a value into the state; one that comes in parts (Intel 64 table bases) is put together. */
  set(state: SmmSaveState, value: bigint): void;
}

/** Accesses to all fields of a layout, in its order. */
export function accessesOf(layout: SaveStateLayout): readonly FieldAccess[] {
  return layout.fields.map((field) => ({
    name: field.name,
    ...bytesAccess(layout, field),
    ...memberAccess(field.name),
  }));
}

function bytesAccess(layout: SaveStateLayout, field: SaveStateField): Pick<FieldAccess, 'load' | 'store'> {
  const at = field.offset - layout.areaOffset;
  const shift = BigInt(Math.abs(field.shift ?? 0));
  const right = (field.shift ?? 0) >= 0;
  const attributes = field.name.endsWith('.attributes');
  return {
    load(area) {
      const stored = loadBytes(area, at, field.width);
      const value = shift === 0n ? stored : right ? stored << shift : stored >> shift;
      return attributes ? value & ATTRIBUTE_MASK : value;
    },
    store(area, value) {
      storeBytes(area, at, field.width, shift === 0n ? value : right ? value >> shift : value << shift);
    },
  };
}

function loadBytes(area: DataView, at: number, width: number): bigint {
  if (width === 8) return area.getBigUint64(at, true);
  return BigInt(
    width === 4 ? area.getUint32(at, true) : width === 2 ? area.getUint16(at, true) : area.getUint8(at),
  );
}

function storeBytes(area: DataView, at: number, width: number, value: bigint): void {
  if (width === 8) area.setBigUint64(at, value, true);
  else {
    const low = Number(value & 0xffff_ffffn);
    if (width === 4) area.setUint32(at, low, true);
    else if (width === 2) area.setUint16(at, low, true);
    else area.setUint8(at, low);
  }
}

/** Members whose type is bigint; all others are numbers. */
const WIDE: ReadonlySet<string> = new Set([
  'rip',
  'rflags',
  'cr0',
  'cr3',
  'cr4',
  'efer',
  'dr6',
  'dr7',
  'base',
]);

function memberAccess(name: SaveStateFieldName): Pick<FieldAccess, 'get' | 'set'> {
  const gpr = (SAVE_STATE_GPRS as readonly string[]).indexOf(name);
  if (gpr >= 0) {
    return {
      get: (state) => state.gpr[gpr] ?? 0n,
      set: (state, value) => {
        state.gpr[gpr] = value;
      },
    };
  }
  if (name === 'autoHaltRestart') {
    return {
      get: (state) => (state.autoHaltRestart ? 1n : 0n),
      set: (state, value) => {
        state.autoHaltRestart = (value & 1n) !== 0n;
      },
    };
  }
  const [register, part] = name.split('.') as [keyof SmmSaveState, keyof SegmentState | undefined];
  const member = part ?? register;
  const holder = (state: SmmSaveState): Record<string, number | bigint> =>
    (part === undefined ? state : state[register]) as unknown as Record<string, number | bigint>;
  if (WIDE.has(member)) {
    return {
      get: (state) => holder(state)[member] as bigint,
      set: (state, value) => {
        const target = holder(state);
        target[member] = (target[member] as bigint) | value;
      },
    };
  }
  const attributes = member === 'attributes';
  const mask = attributes || member === 'selector' ? 0xffffn : 0xffff_ffff_ffff_ffffn;
  return {
    get: (state) => {
      const value = BigInt(holder(state)[member]!);
      return attributes ? value & ATTRIBUTE_MASK : value;
    },
    set: (state, value) => {
      holder(state)[member] = Number(value & mask);
    },
  };
}
