/** Exceptions of SSE floating point. Intel SDM Vol. 1, "SIMD Floating-Point Exceptions". */
import { CR4_OSXMMEXCPT, UD_VECTOR, XM_VECTOR } from '@smm/x86-defs';
import * as L from '../../layout.ts';
import type { Processor } from '../../processor.ts';
import { MXCSR_DE, MXCSR_IE, MXCSR_ZE } from './lane.ts';

/** Exceptions that are found before a lane is computed. */
const EARLY = MXCSR_IE | MXCSR_DE | MXCSR_ZE;

/**
 * Sets the flags of all lanes of an instruction; #XM (#UD without CR4.OSXMMEXCPT) if one of them is unmasked, before
 * anything is written. Where one of those before the computation is unmasked, there was no computation.
 */
export function raiseSimd(cpu: Processor, flags: number): void {
  const { state } = cpu;
  const mxcsr = state.get32(L.ST_MXCSR);
  const unmasked = ~(mxcsr >> 7);
  const early = flags & EARLY;
  state.set32(L.ST_MXCSR, mxcsr | (early & unmasked ? early : flags));
  if (flags & unmasked) cpu.fault(state.cr4 & CR4_OSXMMEXCPT ? XM_VECTOR : UD_VECTOR);
}
