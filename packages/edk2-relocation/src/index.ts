/**
 * SMBASE relocation as edk2 does it, as guest machine code: flash images in the 2015 and the 2024 shape, 32- and 64-bit, tile planning and log formats.
 * @packageDocumentation
 */
export {};
