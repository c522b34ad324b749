/**
 * SMM save-state codecs for every layout, SMRAM and TSEG decoding and locking, SMBASE tile checks.
 * @packageDocumentation
 */
export type { SaveStateOptions } from './save-state-codec.ts';
export { decodeSaveState, encodeSaveState, readSaveStateField, SaveStateCodec } from './save-state-codec.ts';
export type { SmramDecodeOptions } from './smram-decode.ts';
export { decodeSmram, tsegSizeBytes } from './smram-decode.ts';
export type { SmramExtent, TileCheckOptions, TileProblem } from './tiles.ts';
export { checkTiles } from './tiles.ts';
