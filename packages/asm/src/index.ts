/**
 * A small x86 assembler (16, 32 and 64 bit, NASM syntax subset) for firmware and tests, byte-compared with nasm.
 * @packageDocumentation
 */
export {};
