/** Snapshots of one processor: its architectural fields, flags evaluated so that equal states are equal bytes. */
import { SmmError } from '@smm/x86-defs';
import * as L from '../layout.ts';
import type { CpuState } from '../state.ts';
import { type FieldClass, stretches } from '../state-page.ts';

/** A processor at rest between two calls of `run`. Plain data: it may be hashed, compared, posted or stored. */
export interface ProcessorSnapshot {
  /** Changes with the fields and their order. */
  version: 3;
  /**
   * The architectural fields of the state page and its counters, in its order, little-endian; status flags in RFLAGS.
   */
  fields: Uint8Array;
  /** What it remembers of translations: `engine/saved-translations.ts`. */
  translations: Uint8Array;
}

const VERSION = 3;
const WHOLE: readonly FieldClass[] = ['architectural', 'counter'];
const SAVED = stretches(L.STATE_FIELDS, WHOLE);
const REPEATING = stretches(L.STATE_FIELDS, ['architectural']);

function copyOut(s: CpuState, from: typeof SAVED): Uint8Array {
  const bytes = new Uint8Array(from.reduce((sum, [, length]) => sum + length, 0));
  const data = new DataView(bytes.buffer);
  let at = 0;
  for (const [offset, length] of from) {
    bytes.set(s.views.u8.subarray(s.base + offset, s.base + offset + length), at);
    const flags = at + L.ST_EFLAGS - offset;
    if (offset <= L.ST_EFLAGS && L.ST_EFLAGS < offset + length) data.setUint32(flags, s.rflags, true);
    at += length;
  }
  return bytes;
}

/** The architectural fields and counters. */
export function savedFields(s: CpuState): Uint8Array {
  return copyOut(s, SAVED);
}

/** Copies a processor's state out. */
export function saveProcessor(s: CpuState, translations: Uint8Array): ProcessorSnapshot {
  return { version: VERSION, fields: savedFields(s), translations };
}

/** The architectural fields without counters: what a loop comes back to. */
export function repeatingState(s: CpuState): Uint8Array {
  return copyOut(s, REPEATING);
}

/**
 * Copies a snapshot in. The caller recomputes the mode word and puts translations back.
 * @throws SmmError `SNAPSHOT_VERSION` for one of another version or length.
 */
export function restoreProcessor(s: CpuState, snapshot: ProcessorSnapshot): void {
  const { version, fields } = snapshot;
  const length = SAVED.reduce((sum, [, bytes]) => sum + bytes, 0);
  if (version !== VERSION || fields.length !== length) {
    throw new SmmError(
      'SNAPSHOT_VERSION',
      `a processor's snapshot has version ${version} and ${fields?.length} bytes; this code reads version ${VERSION} with ${length}`,
      'Restore with the release that saved it.',
      { version, length: fields?.length },
    );
  }
  let at = 0;
  for (const [offset, bytes] of SAVED) {
    s.views.u8.set(fields.subarray(at, at + bytes), s.base + offset);
    at += bytes;
  }
  s.set32(L.ST_CC_OP, L.CC_EAGER);
  s.set32(L.ST_EXIT_REQUEST, 0);
}
