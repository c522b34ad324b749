/** Writes and reads SMM save-state areas by the layout tables of x86-defs. */
import {
  checkOptions,
  isFlag,
  maybe,
  packSaveState,
  SAVE_STATE_WORDS,
  type SaveStateFieldName,
  type SaveStateLayout,
  SmmError,
  type SmmSaveState,
  UnmodelledError,
  unpackSaveState,
} from '@smm/x86-defs';
import { accessesOf, type FieldAccess, loadField, storeField } from './field-access.ts';

/** How an accelerator writes a map. */
export interface SaveStateOptions {
  /** Zero all bytes first, as KVM does; QEMU leaves unused bytes as they were. Default false. */
  readonly clearUnused?: boolean;
  /**
   * Write and read the interrupt shadow where the map has a field for it (KVM from 6.2 on). Default false: it reads 0.
   */
  readonly interruptShadow?: boolean;
}

/**
 * Writes `state` into `area`, the `8000h - layout.areaOffset` bytes that end at SMBASE+FFFFh, in place. Values wider
 * than their field are cut, as the processor does. Throws `SmmError` `SAVE_STATE_SIZE` for another size,
 * `UnmodelledError` `SAVE_STATE_LAYOUT` for a map that is not fully published.
 */
export function encodeSaveState(
  layout: SaveStateLayout,
  state: SmmSaveState,
  area: Uint8Array,
  options: SaveStateOptions = {},
): void {
  const words = new Uint32Array(SAVE_STATE_WORDS);
  packSaveState(state, words);
  new SaveStateCodec(layout, options).save(words, area);
}

/**
 * Reads a state from an area written by {@link encodeSaveState} or a guest. What the map has no field for is 0: r8 to
 * r15 and EFER in the 32-bit ones. Throws as {@link encodeSaveState}.
 */
export function decodeSaveState(
  layout: SaveStateLayout,
  area: Uint8Array,
  options: SaveStateOptions = {},
): SmmSaveState {
  const words = new Uint32Array(SAVE_STATE_WORDS);
  new SaveStateCodec(layout, options).restore(area, words);
  return unpackSaveState(words);
}

function viewOf(area: Uint8Array): DataView {
  return new DataView(area.buffer, area.byteOffset, area.byteLength);
}

/**
 * One value out of an area, whatever else is known about the map: for diagnosis, and for maps without a codec.
 * Undefined when the map has no such field. Throws `SmmError` `SAVE_STATE_SIZE` for an area of another size.
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
  const start = Math.min(...parts.map(({ word }) => word));
  return parts.reduce((value, field) => {
    const high = field.width === 8 ? BigInt(view.getUint32(field.at + 4, true)) << 32n : 0n;
    return value | ((high | BigInt(loadField(view, field))) << (32n * BigInt(field.word - start)));
  }, 0n);
}

/** A layout with its options, in the shape a processor model wants: states are words as `SAVE_WORD` counts them. */
export class SaveStateCodec {
  /** The map in use. */
  readonly layout: SaveStateLayout;
  readonly #clearUnused: boolean;
  readonly #fields: readonly FieldAccess[];
  /** View of the area that came last: a processor brings the same one each time. */
  #view: DataView = new DataView(new ArrayBuffer(0));

  /** Throws `UnmodelledError` `SAVE_STATE_LAYOUT` for a map that is not fully published. */
  constructor(layout: SaveStateLayout, options: SaveStateOptions = {}) {
    checkComplete(layout);
    const flag = maybe(isFlag);
    checkOptions<SaveStateOptions>('the options of a save-state codec', options, {
      clearUnused: flag,
      interruptShadow: flag,
    });
    this.layout = layout;
    this.#clearUnused = options.clearUnused === true;
    this.#fields = accessesOf(layout).filter(
      ({ name }) => name !== 'interruptShadow' || options.interruptShadow === true,
    );
  }

  /** Revision identifier that the map writes, 32 bit. */
  get revision(): number {
    return this.layout.revision;
  }

  /** Writes a state over `area`, as {@link encodeSaveState}. */
  save(words: Uint32Array, area: Uint8Array): void {
    const view = this.#viewOf(area);
    if (this.#clearUnused) area.fill(0);
    for (const field of this.#fields) storeField(view, words, field);
  }

  /** Reads a state, as {@link decodeSaveState}, into `SAVE_STATE_WORDS` words. */
  restore(area: Uint8Array, words: Uint32Array): void {
    const view = this.#viewOf(area);
    words.fill(0);
    for (const field of this.#fields) {
      words[field.word] = loadField(view, field) & field.meant;
      if (field.width === 8) words[field.word + 1] = view.getUint32(field.at + 4, true);
    }
  }

  #viewOf(area: Uint8Array): DataView {
    checkSize(this.layout, area);
    const last = this.#view;
    if (last.buffer === area.buffer && last.byteOffset === area.byteOffset) return last;
    this.#view = viewOf(area);
    return this.#view;
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
