/**
 * A small x86 assembler (16, 32 and 64 bit, NASM syntax subset) for firmware and tests, byte-compared with nasm.
 * @packageDocumentation
 */
export { assemble, conditionNames, mnemonics } from './assemble.ts';
export { AsmError, type AsmErrorCode } from './errors.ts';
export type { AssembledProgram, AssembleOptions, ListingLine } from './program.ts';
