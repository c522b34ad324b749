import { checkTiles, decodeSaveState, decodeSmram, encodeSaveState } from '@smm/smram';
import { SAVE_STATE_AMD64 } from '@smm/x86-defs';

// A save-state area, as it lies at SMBASE+FE00h. Move SMBASE and write it back.
const area = new Uint8Array(0x200);
const state = decodeSaveState(SAVE_STATE_AMD64, area);
encodeSaveState(SAVE_STATE_AMD64, { ...state, smbase: 0x7ffc1800 }, area);
console.log(decodeSaveState(SAVE_STATE_AMD64, area).smbase.toString(16)); // => 7ffc1800

// Who sees what with G_SMRAME and an 8 MB TSEG enabled, in a machine with 2 GB below 4 GB?
const registers = { smram: 0x0a, esmramc: 0x3d, tsegmb: 0, tolud: 0, extTsegMb: 16, defaultSmbaseCtl: 0 };
const tseg = decodeSmram(registers, { topOfLowRam: 0x80000000 }).find((range) => range.name === 'tseg');
console.log(tseg?.start.toString(16), tseg?.outside); // => 7f800000 hole

// Two processors one tile apart are fine, half a tile apart are not.
console.log(checkTiles([0x7ffc1000, 0x7ffc1800], 0x800).length); // => 0
console.log(checkTiles([0x7ffc1000, 0x7ffc1200], 0x800)[0]?.kind); // => overlap
