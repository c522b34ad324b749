/** Save states that QEMU wrote, decoded and re-encoded byte for byte. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  SAVE_STATE_AMD64,
  SAVE_STATE_LEGACY32_QEMU,
  type SaveStateLayout,
  type SmmSaveState,
} from '@smm/x86-defs';
import { describe, expect, it } from 'vitest';
import {
  inScratch,
  missingTools,
  nasmFile,
  type QemuProgram,
  qemuOutput,
} from '../../../tests/support/qemu.ts';
import { decodeSaveState, encodeSaveState } from '../src/index.ts';

const missing = missingTools('nasm', 'qemu-system-i386', 'qemu-system-x86_64');
const FILLER = 0xa5;
const RAM_BYTES = 16 * 0x10_0000;

/** The 512 bytes at 3FE00h after an SMI, in RAM that was full of A5h. */
function saveAreaFromQemu(program: QemuProgram, defines: string[]): Uint8Array {
  return inScratch((path) => {
    const rom = nasmFile(join(import.meta.dirname, 'support/save-state.asm'), defines);
    const ram = path('ram');
    writeFileSync(ram, new Uint8Array(RAM_BYTES).fill(FILLER));
    const memory = `memory-backend-file,id=m,size=16M,mem-path=${ram},share=on`;
    qemuOutput({
      program,
      rom,
      machine: 'q35,smm=on,memory-backend=m',
      args: ['-m', '16', '-object', memory],
    });
    return new Uint8Array(readFileSync(ram).subarray(0x3fe00, 0x40000));
  });
}

/** What save-state.asm has loaded when the SMI comes. */
function expectedState(layout: SaveStateLayout, long: boolean): SmmSaveState {
  const seg = (selector: number, attributes: number, base: number, limit: number) => ({
    selector,
    attributes,
    limit,
    base: BigInt(base),
  });
  const narrow = [
    0x3f0de380n,
    0x1c0de1c1n,
    0x1d0de1d2n,
    0x1e0de1e3n,
    0x1f0de1f4n,
    0x2a0de2a5n,
    0x2b0de2b6n,
    0x2c0de2c7n,
  ];
  const wide = [
    ...[0x3f0de3f0de3f0d80n, 0x1c0de1c0de1c0de1n, 0x1d0de1d0de1d0de2n, 0x1e0de1e0de1e0de3n],
    ...[0x1f0de1f0de1f0de4n, 0x2a0de2a0de2a0de5n, 0x2b0de2b0de2b0de6n, 0x2c0de2c0de2c0de7n],
    ...[0x2d0de2d0de2d0de8n, 0x2e0de2e0de2e0de9n, 0x2f0de2f0de2f0dean, 0x3a0de3a0de3a0debn],
    ...[0x3b0de3b0de3b0decn, 0x3c0de3c0de3c0dedn, 0x3d0de3d0de3d0deen, 0x3e0de3e0de3e0defn],
  ];
  return {
    gpr: long ? wide : [...narrow, ...new Array<bigint>(8).fill(0n)],
    rip: 0xf0803n,
    rflags: 0xd7n,
    cr0: long ? 0xe000_0011n : 0x6000_0011n,
    cr3: long ? 0x1000n : 0x12_3000n,
    cr4: long ? 0x20n : 0x10n,
    efer: long ? 0x500n : 0n,
    dr6: 0xffff_0ff0n,
    dr7: 0x400n,
    es: seg(0x1b, 0x40f3, 0x34_5600, 0x1_789a),
    cs: long ? seg(0x50, 0xa09b, 0, 0xffff_ffff) : seg(0x08, 0xc09b, 0, 0xffff_ffff),
    ss: seg(0x10, 0xc093, 0, 0xffff_ffff),
    ds: seg(0x10, 0xc093, 0, 0xffff_ffff),
    fs: seg(0x20, 0xd093, 0x12ab_cdef, 0xf567_8fff),
    gs: seg(0x28, 0x0091, 0x1234, 0xfff),
    ldtr: seg(0x30, 0x0082, 0x6_0000, 0x17),
    // QEMU caches the descriptor as it was before LTR marked it busy.
    tr: seg(0x38, 0x0089, 0x7_0000, 0x67),
    gdtr: { limit: 0x57, base: 0xf0900n },
    idtr: { limit: 0x3ff, base: 0x56_7890n },
    smbase: 0x3_0000,
    revision: layout.revision,
    autoHaltRestart: false,
    ioRestart: 0,
    interruptShadow: 0,
  };
}

describe.skipIf(missing !== undefined)(`save states of real QEMU ${missing ?? ''}`, () => {
  it.each([
    { binary: 'qemu-system-i386' as const, layout: SAVE_STATE_LEGACY32_QEMU, long: false },
    { binary: 'qemu-system-x86_64' as const, layout: SAVE_STATE_AMD64, long: false },
    { binary: 'qemu-system-x86_64' as const, layout: SAVE_STATE_AMD64, long: true },
  ])('$binary, long mode $long: every field and every unused byte', ({ binary, layout, long }) => {
    const area = saveAreaFromQemu(binary, long ? ['-DLONG'] : []);
    const state = expectedState(layout, long);
    // QEMU leaves the restart fields as they were: the only bytes of ours it does not write.
    const untouched = layout.fields.filter((f) =>
      ['ioRestart', 'autoHaltRestart', 'interruptShadow'].includes(f.name),
    );
    for (const field of untouched) {
      for (let i = 0; i < field.width; i++) expect(area[field.offset + i - layout.areaOffset]).toBe(FILLER);
    }
    const decoded = decodeSaveState(layout, area);
    expect({ ...decoded, autoHaltRestart: false, ioRestart: 0 }).toEqual(state);

    const ours = new Uint8Array(0x200).fill(FILLER);
    encodeSaveState(layout, state, ours);
    for (const field of untouched) {
      const at = field.offset - layout.areaOffset;
      ours.fill(FILLER, at, at + field.width);
    }
    expect(Buffer.from(ours).toString('hex')).toBe(Buffer.from(area).toString('hex'));
  });
});
