/** Writes and reads SMM save-state areas by the layout tables of x86-defs. */
import {
  SAVE_STATE_GPRS,
  type SaveStateFieldName,
  type SaveStateLayout,
  type SegmentState,
  SmmError,
  type SmmSaveState,
  UnmodelledError,
} from '@smm/x86-defs';
import { accessesOf, type FieldAccess } from './field-access.ts';

/** How an accelerator writes a map. */
export interface SaveStateOptions {
  /** Zero all bytes first, as KVM does; QEMU leaves unused bytes as they were. Default false. */
  readonly clearUnused?: boolean;
  /** Write and read the interrupt shadow where the map has a field for it (KVM from 6.2 on). Default false: it reads 0. */
  readonly interruptShadow?: boolean;
}

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
  checkComplete(layout);
  encode(layout, accessesOf(layout), state, area, options);
}

function encode(
  layout: SaveStateLayout,
  fields: readonly FieldAccess[],
  state: SmmSaveState,
  area: Uint8Array,
  options: SaveStateOptions,
): void {
  checkSize(layout, area);
  if (options.clearUnused === true) area.fill(0);
  const view = viewOf(area);
  for (const field of fields) {
    if (field.name === 'interruptShadow' && options.interruptShadow !== true) continue;
    field.store(view, field.get(state));
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
  checkComplete(layout);
  return decode(layout, accessesOf(layout), area, options);
}

function decode(
  layout: SaveStateLayout,
  fields: readonly FieldAccess[],
  area: Uint8Array,
  options: SaveStateOptions,
): SmmSaveState {
  checkSize(layout, area);
  const state = emptyState();
  const view = viewOf(area);
  for (const field of fields) {
    if (field.name === 'interruptShadow' && options.interruptShadow !== true) continue;
    field.set(state, field.load(view));
  }
  return state;
}

function viewOf(area: Uint8Array): DataView {
  return new DataView(area.buffer, area.byteOffset, area.byteLength);
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
  const parts = accessesOf(layout).filter((field) => field.name === name);
  if (parts.length === 0) return undefined;
  const view = viewOf(area);
  return parts.reduce((value, field) => value | field.load(view), 0n);
}

/** A layout with its options, in the shape a processor model wants. */
export class SaveStateCodec {
  /** The map in use. */
  readonly layout: SaveStateLayout;
  readonly #options: SaveStateOptions;
  readonly #fields: readonly FieldAccess[];

  /** Throws `UnmodelledError` `SAVE_STATE_LAYOUT` for a map that is not fully published. */
  constructor(layout: SaveStateLayout, options: SaveStateOptions = {}) {
    checkComplete(layout);
    this.layout = layout;
    this.#options = options;
    this.#fields = accessesOf(layout);
  }

  /** Revision identifier that the map writes, 32 bit. */
  get revision(): number {
    return this.layout.revision;
  }

  /** Writes `state` over `area`: see {@link encodeSaveState}. */
  save(state: SmmSaveState, area: Uint8Array): void {
    encode(this.layout, this.#fields, state, area, this.#options);
  }

  /** Reads a state: see {@link decodeSaveState}. */
  restore(area: Uint8Array): SmmSaveState {
    return decode(this.layout, this.#fields, area, this.#options);
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
