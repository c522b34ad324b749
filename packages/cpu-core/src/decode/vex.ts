/**
 * Lengths behind VEX, EVEX and XOP prefixes (Intel SDM volume 2, "Intel AVX Instruction Format" and "Intel AVX-512
 * Encoding"; AMD64 APM volume 6 for XOP). No vector instruction of these spaces is modelled and their opcode maps are
 * not checked: whatever has a map that exists decodes to `VEX_UNMODELLED`.
 */

/** Payload bytes between the first byte of the prefix and the opcode. */
export function vexPayload(first: number): number {
  return first === 0xc5 ? 1 : first === 0x62 ? 3 : 2;
}

/** The prefix names an encoding space that does not exist: #UD. */
export const VEX_INVALID = -1;
/** The opcode has no ModRM byte (VZEROUPPER, VZEROALL). */
export const VEX_NO_MODRM = -2;

/**
 * Bytes that follow ModRM, SIB and displacement, or `VEX_INVALID` or `VEX_NO_MODRM`.
 *
 * @param first First prefix byte: C4, C5 (VEX), 62 (EVEX) or 8F (XOP).
 * @param p0 First payload byte.
 * @param p1 Second payload byte (EVEX has a fixed bit there).
 * @param opcode The opcode byte after the payload.
 */
export function vexTail(first: number, p0: number, p1: number, opcode: number): number {
  if (first === 0x8f) {
    const map = p0 & 0x1f;
    return map === 8 ? 1 : map === 9 ? 0 : map === 10 ? 4 : VEX_INVALID;
  }
  const evex = first === 0x62;
  if (evex && ((p0 & 8) !== 0 || (p1 & 4) === 0)) return VEX_INVALID;
  const map = first === 0xc5 ? 1 : evex ? p0 & 7 : p0 & 0x1f;
  if (map === 1) {
    if (opcode === 0x77 && !evex) return VEX_NO_MODRM;
    const immediate =
      (opcode >= 0x70 && opcode <= 0x73) || opcode === 0xc2 || (opcode >= 0xc4 && opcode <= 0xc6);
    return immediate ? 1 : 0;
  }
  if (map === 2) return 0;
  if (map === 3) return 1;
  return evex && (map === 5 || map === 6) ? 0 : VEX_INVALID;
}
