/**
 * IA32_APIC_BASE: modes and the legal ways between them.
 * Source: Intel SDM Vol. 3, "Detecting and Enabling x2APIC Mode", "x2APIC State Transitions".
 */
import { APIC_BASE_BSP, APIC_BASE_ENABLE, APIC_BASE_X2APIC_ENABLE } from '@smm/x86-defs';

/** Operating mode of a local APIC. */
export type ApicMode = 'disabled' | 'xapic' | 'x2apic';

/** Mode that a value stands for; undefined for EXTD without EN, which is illegal. */
export function apicModeOf(base: number): ApicMode | undefined {
  const flags = base % 0x1000;
  if ((flags & APIC_BASE_ENABLE) === 0) return flags & APIC_BASE_X2APIC_ENABLE ? undefined : 'disabled';
  return flags & APIC_BASE_X2APIC_ENABLE ? 'x2apic' : 'xapic';
}

/**
 * Whether WRMSR may go from one mode to another: disabled to xAPIC to x2APIC to disabled, xAPIC to disabled, or stay.
 */
export function isLegalTransition(from: ApicMode, to: ApicMode): boolean {
  if (from === to || to === 'disabled') return true;
  return (from === 'disabled' && to === 'xapic') || (from === 'xapic' && to === 'x2apic');
}

/** True when a value sets a bit that a processor of this physical address width reserves. */
export function hasReservedBits(base: bigint, physicalAddressBits: number): boolean {
  const flags = BigInt(APIC_BASE_BSP | APIC_BASE_X2APIC_ENABLE | APIC_BASE_ENABLE);
  const page = (1n << BigInt(physicalAddressBits)) - 0x1000n;
  return (base & ~(flags | page)) !== 0n;
}
