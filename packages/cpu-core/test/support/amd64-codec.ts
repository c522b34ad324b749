/** The AMD64 save-state layout for tests: offsets from SMBASE+FE00h. AMD APM Vol. 2, "SMRAM State-Save Area". */
import { packSaveState, type SegmentState, unpackSaveState } from '@smm/x86-defs';
import type { SaveStateCodec } from '../../src/ports.ts';

const SEGMENTS = ['es', 'cs', 'ss', 'ds', 'fs', 'gs'] as const;
/** RIP in the save area. */
export const SAVE_RIP = 0x178;
/** SMBASE in the save area. */
export const SAVE_SMBASE = 0x100;
/** Revision identifier in the save area. */
export const SAVE_REVISION = 0xfc;
/** Auto-HALT restart in the save area. */
export const SAVE_AUTO_HALT = 0xc9;
export const SAVE_CR0 = 0x158;
export const SAVE_CR4 = 0x148;

export function amd64Codec(): SaveStateCodec {
  const segmentAt = (v: DataView, at: number): SegmentState => ({
    selector: v.getUint16(at, true),
    attributes: v.getUint16(at + 2, true),
    limit: v.getUint32(at + 4, true),
    base: v.getBigUint64(at + 8, true),
  });
  const writeSegment = (v: DataView, at: number, s: SegmentState) => {
    v.setUint16(at, s.selector, true);
    v.setUint16(at + 2, s.attributes, true);
    v.setUint32(at + 4, s.limit, true);
    v.setBigUint64(at + 8, s.base, true);
  };
  const quads = [
    ['efer', 0xd0],
    ['cr4', SAVE_CR4],
    ['cr3', 0x150],
    ['cr0', SAVE_CR0],
    ['dr7', 0x160],
    ['dr6', 0x168],
    ['rflags', 0x170],
    ['rip', SAVE_RIP],
  ] as const;
  return {
    revision: 0x2_0064,
    save(words, area) {
      const state = unpackSaveState(words);
      const v = new DataView(area.buffer, area.byteOffset, area.length);
      SEGMENTS.forEach((name, i) => {
        writeSegment(v, i * 16, state[name]);
      });
      writeSegment(v, 0x70, state.ldtr);
      writeSegment(v, 0x90, state.tr);
      v.setUint32(0x64, state.gdtr.limit, true);
      v.setBigUint64(0x68, state.gdtr.base, true);
      v.setUint32(0x84, state.idtr.limit, true);
      v.setBigUint64(0x88, state.idtr.base, true);
      v.setUint8(SAVE_AUTO_HALT, state.autoHaltRestart ? 1 : 0);
      v.setUint8(0xcb, state.interruptShadow);
      v.setUint32(SAVE_REVISION, state.revision, true);
      v.setUint32(SAVE_SMBASE, state.smbase, true);
      for (const [name, at] of quads) v.setBigUint64(at, state[name], true);
      state.gpr.forEach((value, n) => {
        v.setBigUint64(0x1f8 - 8 * n, value, true);
      });
    },
    restore(area, words) {
      const v = new DataView(area.buffer, area.byteOffset, area.length);
      const quad = (at: number) => v.getBigUint64(at, true);
      const state = {
        gpr: Array.from({ length: 16 }, (_, n) => quad(0x1f8 - 8 * n)),
        rip: quad(SAVE_RIP),
        rflags: quad(0x170),
        cr0: quad(SAVE_CR0),
        cr3: quad(0x150),
        cr4: quad(SAVE_CR4),
        efer: quad(0xd0),
        dr6: quad(0x168),
        dr7: quad(0x160),
        es: segmentAt(v, 0),
        cs: segmentAt(v, 0x10),
        ss: segmentAt(v, 0x20),
        ds: segmentAt(v, 0x30),
        fs: segmentAt(v, 0x40),
        gs: segmentAt(v, 0x50),
        ldtr: segmentAt(v, 0x70),
        tr: segmentAt(v, 0x90),
        gdtr: { limit: v.getUint32(0x64, true), base: quad(0x68) },
        idtr: { limit: v.getUint32(0x84, true), base: quad(0x88) },
        smbase: v.getUint32(SAVE_SMBASE, true),
        revision: v.getUint32(SAVE_REVISION, true),
        autoHaltRestart: (v.getUint8(SAVE_AUTO_HALT) & 1) !== 0,
        ioRestart: 0,
        interruptShadow: v.getUint8(0xcb),
      };
      packSaveState(state, words);
    },
  };
}
