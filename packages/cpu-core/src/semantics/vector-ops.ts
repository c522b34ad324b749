/** Operations on whole 128-bit vectors: what a back end has to know beside the scalar ones. */

/** Two operands, by the mnemonic that is nothing else: lanes apart, no memory. */
export type VectorOp =
  | 'PAND'
  | 'PANDN'
  | 'POR'
  | 'PXOR'
  | 'PCMPEQB'
  | 'PCMPEQW'
  | 'PCMPEQD'
  | 'PCMPGTB'
  | 'PCMPGTW'
  | 'PCMPGTD'
  | 'PADDB'
  | 'PADDW'
  | 'PADDD'
  | 'PADDQ'
  | 'PADDSB'
  | 'PADDSW'
  | 'PADDUSB'
  | 'PADDUSW'
  | 'PSUBB'
  | 'PSUBW'
  | 'PSUBD'
  | 'PSUBQ'
  | 'PSUBSB'
  | 'PSUBSW'
  | 'PSUBUSB'
  | 'PSUBUSW'
  | 'PMINUB'
  | 'PMINSW'
  | 'PMAXUB'
  | 'PMAXSW'
  | 'PAVGB'
  | 'PAVGW'
  | 'PMULLW'
  | 'PMULHW'
  | 'PMULHUW'
  | 'PMULUDQ'
  | 'PMADDWD'
  | 'PSADBW'
  | 'PACKSSWB'
  | 'PACKSSDW'
  | 'PACKUSWB'
  | 'PUNPCKLBW'
  | 'PUNPCKLWD'
  | 'PUNPCKLDQ'
  | 'PUNPCKLQDQ'
  | 'PUNPCKHBW'
  | 'PUNPCKHWD'
  | 'PUNPCKHDQ'
  | 'PUNPCKHQDQ';

/** Shifts of all lanes by one count. */
export type VectorShift = 'PSLLW' | 'PSLLD' | 'PSLLQ' | 'PSRLW' | 'PSRLD' | 'PSRLQ' | 'PSRAW' | 'PSRAD';

/** Bits of a lane, by the last letter of a mnemonic. */
export const LANE_BITS: Readonly<Record<string, 8 | 16 | 32 | 64>> = { B: 8, W: 16, D: 32, Q: 64 };

/** Lanes of a PUNPCK instruction: bits, and whether it takes the high halves. */
export function unpackLanes(op: string): readonly [bits: number, high: boolean] {
  const lanes = op.slice('PUNPCKx'.length); // BW, WD, DQ or QDQ
  return [LANE_BITS[lanes.charAt(0)]!, op.charAt(6) === 'H'];
}
