/** Writes and reads SMM save-state areas by the layout tables of x86-defs. */
import {
  SAVE_STATE_GPRS,
  type SaveStateField,
  type SaveStateFieldName,
  type SaveStateLayout,
  type SegmentState,
  SmmError,
  type SmmSaveState,
  UnmodelledError,
} from '@smm/x86-defs';

/** How an accelerator writes a map. */
export interface SaveStateOptions {
  /** Zero all bytes first, as KVM does; QEMU leaves unused bytes as they were. Default false. */
  readonly clearUnused?: boolean;
  /** Write and read the interrupt shadow where the map has a field for it (KVM from 6.2 on). Default false: it reads 0. */
  readonly interruptShadow?: boolean;
}

/** Bits of segment attributes that a map keeps: all but limit 19:16. */
const ATTRIBUTE_MASK = 0xf0ffn;

/**
 * Writes `state` into `area`, the `8000h - layout.areaOffset` bytes that end at SMBASE+FFFFh, in place. Values wider than their field are cut, as the
 * processor does. Throws `SmmError` `SAVE_STATE_SIZE` for another size, `UnmodelledError` `SAVE_STATE_LAYOUT` for a map that is not fully published.
 */
export function encodeSaveState(
  layout: SaveStateLayout,
  state: SmmSaveState,
  area: Uint8Array,
  options: SaveStateOptions = {},
): void {
  checkUsable(layout, area);
  if (options.clearUnused === true) area.fill(0);
  for (const field of layout.fields) {
    if (field.name === 'interruptShadow' && options.interruptShadow !== true) continue;
    store(layout, field, area, toField(field, stateValue(state, field.name)));
  }
}

/**
 * Reads a state from an area written by {@link encodeSaveState} or a guest. What the map has no field for is 0: r8 to r15 and EFER in the 32-bit ones.
 * Throws as {@link encodeSaveState}.
 */
export function decodeSaveState(
  layout: SaveStateLayout,
  area: Uint8Array,
  options: SaveStateOptions = {},
): SmmSaveState {
  checkUsable(layout, area);
  const state = emptyState();
  for (const field of layout.fields) {
    if (field.name === 'interruptShadow' && options.interruptShadow !== true) continue;
    assign(state, field.name, fromField(field, load(layout, field, area)));
  }
  return state;
}

/**
 * One value out of an area, whatever else is known about the map: for diagnosis, and for maps without a codec. Undefined when the map has no such field.
 * Throws `SmmError` `SAVE_STATE_SIZE` for an area of another size.
 */
export function readSaveStateField(
  layout: SaveStateLayout,
  area: Uint8Array,
  name: SaveStateFieldName,
): bigint | undefined {
  checkSize(layout, area);
  const parts = layout.fields.filter((field) => field.name === name);
  if (parts.length === 0) return undefined;
  return parts.reduce((value, field) => value | fromField(field, load(layout, field, area)), 0n);
}

/** A layout with its options, in the shape a processor model wants. */
export class SaveStateCodec {
  /** The map in use. */
  readonly layout: SaveStateLayout;
  readonly #options: SaveStateOptions;

  /** Throws `UnmodelledError` `SAVE_STATE_LAYOUT` for a map that is not fully published. */
  constructor(layout: SaveStateLayout, options: SaveStateOptions = {}) {
    checkComplete(layout);
    this.layout = layout;
    this.#options = options;
  }

  /** Revision identifier that the map writes, 32 bit. */
  get revision(): number {
    return this.layout.revision;
  }

  /** Writes `state` over `area`: see {@link encodeSaveState}. */
  save(state: SmmSaveState, area: Uint8Array): void {
    encodeSaveState(this.layout, state, area, this.#options);
  }

  /** Reads a state: see {@link decodeSaveState}. */
  restore(area: Uint8Array): SmmSaveState {
    return decodeSaveState(this.layout, area, this.#options);
  }
}

function checkComplete(layout: SaveStateLayout): void {
  if (layout.complete) return;
  throw new UnmodelledError(
    'SAVE_STATE_LAYOUT',
    `the ${layout.name} save-state map is not published in full: RSM could not restore hidden segment parts`,
    'Use one of the other maps, or readSaveStateField for single values.',
    { layout: layout.name },
  );
}

function checkSize(layout: SaveStateLayout, area: Uint8Array): void {
  const expected = 0x8000 - layout.areaOffset;
  if (area.length === expected) return;
  throw new SmmError(
    'SAVE_STATE_SIZE',
    `a ${layout.name} save-state area has ${expected} bytes, not ${area.length}`,
    `Pass the bytes from SMBASE+${(layout.areaOffset + 0x8000).toString(16)}h to SMBASE+FFFFh.`,
    { layout: layout.name, expected, actual: area.length },
  );
}

function checkUsable(layout: SaveStateLayout, area: Uint8Array): void {
  checkComplete(layout);
  checkSize(layout, area);
}

function toField(field: SaveStateField, value: bigint): bigint {
  const shift = BigInt(field.shift ?? 0);
  return shift >= 0n ? value >> shift : value << -shift;
}

function fromField(field: SaveStateField, stored: bigint): bigint {
  const shift = BigInt(field.shift ?? 0);
  const value = shift >= 0n ? stored << shift : stored >> -shift;
  return field.name.endsWith('.attributes') ? value & ATTRIBUTE_MASK : value;
}

function load(layout: SaveStateLayout, field: SaveStateField, area: Uint8Array): bigint {
  const at = field.offset - layout.areaOffset;
  let value = 0n;
  for (let i = field.width - 1; i >= 0; i--) value = (value << 8n) | BigInt(area[at + i]!);
  return value;
}

function store(layout: SaveStateLayout, field: SaveStateField, area: Uint8Array, value: bigint): void {
  const at = field.offset - layout.areaOffset;
  let rest = value;
  for (let i = 0; i < field.width; i++) {
    area[at + i] = Number(rest & 0xffn);
    rest >>= 8n;
  }
}

function stateValue(state: SmmSaveState, name: SaveStateFieldName): bigint {
  const gpr = (SAVE_STATE_GPRS as readonly string[]).indexOf(name);
  if (gpr >= 0) return state.gpr[gpr] ?? 0n;
  const [register, part] = name.split('.') as [keyof SmmSaveState, keyof SegmentState | undefined];
  const whole = state[register];
  const value = part === undefined ? whole : (whole as SegmentState)[part];
  if (part === 'attributes') return BigInt(value as number) & ATTRIBUTE_MASK;
  return BigInt(value as number | bigint | boolean);
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

function assign(state: SmmSaveState, name: SaveStateFieldName, value: bigint): void {
  const gpr = (SAVE_STATE_GPRS as readonly string[]).indexOf(name);
  if (gpr >= 0) {
    state.gpr[gpr] = value;
    return;
  }
  const [register, part] = name.split('.') as [string, string | undefined];
  if (register === 'autoHaltRestart') {
    state.autoHaltRestart = (value & 1n) !== 0n;
    return;
  }
  const target = (part === undefined ? state : state[register as keyof SmmSaveState]) as unknown as Record<
    string,
    number | bigint
  >;
  const member = part ?? register;
  const previous = target[member]!;
  // A value may come in parts (Intel 64 table bases): the rest is still 0.
  target[member] = WIDE.has(member) ? (previous as bigint) | value : narrow(member, value);
}

function narrow(member: string, value: bigint): number {
  return Number(member === 'selector' || member === 'attributes' ? value & 0xffffn : value);
}

function emptyState(): SmmSaveState {
  const segment = (): SegmentState => ({ selector: 0, attributes: 0, limit: 0, base: 0n });
  return {
    gpr: SAVE_STATE_GPRS.map(() => 0n),
    rip: 0n,
    rflags: 0n,
    cr0: 0n,
    cr3: 0n,
    cr4: 0n,
    efer: 0n,
    dr6: 0n,
    dr7: 0n,
    es: segment(),
    cs: segment(),
    ss: segment(),
    ds: segment(),
    fs: segment(),
    gs: segment(),
    ldtr: segment(),
    tr: segment(),
    gdtr: { limit: 0, base: 0n },
    idtr: { limit: 0, base: 0n },
    smbase: 0,
    revision: 0,
    autoHaltRestart: false,
    ioRestart: 0,
    interruptShadow: 0,
  };
}
