/** RIP arithmetic that both tiers share. */
import type { Insn } from '../insn.ts';
import * as L from '../layout.ts';
import type { Processor } from '../processor.ts';
import type { CpuState } from '../state.ts';

/** RIP of the instruction after one at `rip`: wraps at 4 GiB outside 64-bit code. */
export function nextRip(mode: number, rip: bigint, length: number): bigint {
  const next = rip + BigInt(length);
  return (mode & L.MODE_CODE_MASK) === 2 ? BigInt.asUintN(64, next) : BigInt.asUintN(32, next);
}

/** Moves RIP on by an instruction's length, as {@link nextRip} does. */
export function advanceRip(state: CpuState, length: number): void {
  const low = state.get32(L.ST_RIP) + length;
  state.set32(L.ST_RIP, low);
  if (low <= 0xffff_ffff || (state.mode & L.MODE_CODE_MASK) !== 2) return;
  state.set32(L.ST_RIP + 4, state.get32(L.ST_RIP + 4) + 1);
}

/**
 * Target of a near relative branch in code of mode `mode`, which need not be the processor's now: cut to operand size.
 * Intel SDM Vol. 2, "Jcc", operation section.
 */
export function relativeTarget(cpu: Processor, mode: number, insn: Insn, next: bigint): bigint {
  const target = next + BigInt(insn.imm);
  if ((mode & L.MODE_CODE_MASK) === 2) return BigInt.asUintN(64, target);
  if (insn.size === 2 && cpu.behaviour.truncateNearBranchTo16) return BigInt.asUintN(16, target);
  return BigInt.asUintN(32, target);
}

/** True if the 64-bit value is a canonical 48-bit address. */
export function isCanonical(address: bigint): boolean {
  return BigInt.asIntN(48, address) === BigInt.asIntN(64, address);
}
