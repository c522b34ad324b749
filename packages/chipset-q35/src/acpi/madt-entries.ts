/** Entries of the MADT. Source: ACPI specification 6.4, "Multiple APIC Description Table (MADT)". */
import { little } from './aml.ts';

/** APIC ids from here on need x2APIC entries. */
export const FIRST_X2APIC_ID = 0xff;
const ENABLED = 1;
/** Override: active high, level-triggered. */
const LEVEL_HIGH = 0x0d;

/** A local APIC, or x2APIC where the id needs one. `enabled`: the processor is there. */
export function localApicEntry(processor: number, apicId: number, enabled: boolean): number[] {
  const flags = little(enabled ? ENABLED : 0, 4);
  return apicId < FIRST_X2APIC_ID
    ? [0, 8, processor, apicId, ...flags]
    : [9, 16, 0, 0, ...little(apicId, 4), ...flags, ...little(processor, 4)];
}

/** LINT1 of every local APIC is NMI; `wide`: there are x2APIC entries. */
export function nmiEntry(wide: boolean): number[] {
  return wide ? [10, 12, 0, 0, ...little(0xffff_ffff, 4), 1, 0, 0, 0] : [4, 6, 0xff, 0, 0, 1];
}

/**
 * An I/O APIC at the start of the interrupt numbers, and the ISA lines that are unlike the rule.
 * @param address - guest-physical
 */
export function ioapicEntries(address: number): number[] {
  const override = (line: number, pin: number, flags: number): number[] => [
    ...[2, 10, 0, line],
    ...[...little(pin, 4), ...little(flags, 2)],
  ];
  return [
    ...[1, 12, 0, 0, ...little(address, 4), ...little(0, 4)],
    ...override(0, 2, 0),
    ...[5, 9, 10, 11].flatMap((line) => override(line, line, LEVEL_HIGH)),
  ];
}
