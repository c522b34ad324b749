/** Files as the programs of this repository read and write them. */
export { FileError, fileError } from './file-error.ts';
export { openRandom, type RandomFile, readBounded, readPieces } from './input.ts';
export { type ClaimOptions, type Content, claimOutput, type Output } from './output.ts';
export { sameFile } from './same-file.ts';
export { type StreamExits, watchStandardStreams } from './standard-streams.ts';
export { openStore, type StoreFile } from './store.ts';
