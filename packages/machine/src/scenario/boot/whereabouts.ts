/** Whether a processor runs firmware, by how its addresses are translated. */
import { EFER_LMA, SEG_CS } from '@smm/x86-defs';
import type { Machine } from '../../machine.ts';

/** Where a processor executes: its linear address, and the guest-physical one that it means, if any. */
function whereIs(machine: Machine, id: number): { linear: bigint; physical: number | undefined } {
  const { state } = machine.processors[id]!;
  const linear = BigInt.asUintN(
    (state.efer & EFER_LMA) === 0 ? 32 : 64,
    state.rip + BigInt(state.segBase(SEG_CS)),
  );
  return { linear, physical: machine.debug.physicalOf(id, linear) };
}

/**
 * Where a processor executes, if its page tables leave addresses as they are, as firmware's do; undefined: this is no
 * firmware. Source: UEFI specification, "Handoff State" of each processor architecture.
 */
export function firmwareAddress(machine: Machine, id: number): number | undefined {
  const { linear, physical } = whereIs(machine, id);
  return physical !== undefined && BigInt(physical) === linear ? physical : undefined;
}

/** Code runs outside SMM where addresses mean others: an operating system has set up paging of its own. */
export function isBeyondFirmware(machine: Machine, id: number): boolean {
  if (machine.processors[id]!.state.smm) return false;
  const { linear, physical } = whereIs(machine, id);
  return physical !== undefined && BigInt(physical) !== linear;
}
