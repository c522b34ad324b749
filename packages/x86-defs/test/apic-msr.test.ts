/** MSR numbers and APIC names: no number twice, families in step, offsets that match the x2APIC mapping. */
import * as defs from '@smm/x86-defs';
import { describe, expect, it } from 'vitest';

const entries = Object.entries(defs as Record<string, unknown>).filter(
  (entry): entry is [string, number] => typeof entry[1] === 'number',
);

describe('MSR numbers', () => {
  const msrs = entries.filter(([name]) => /^(IA32_|MSR_)/.test(name));

  it('no two names share a number', () => {
    const byNumber = new Map<number, string[]>();
    for (const [name, number] of msrs) byNumber.set(number, [...(byNumber.get(number) ?? []), name]);
    expect([...byNumber.values()].filter((names) => names.length > 1)).toEqual([]);
    expect(msrs.length).toBeGreaterThan(80);
  });

  // Numbers that appear in firmware and kernel logs, typed in from there.
  it.each([
    ['IA32_APIC_BASE', 0x1b],
    ['IA32_EFER', 0xc000_0080],
    ['IA32_MTRRCAP', 0xfe],
    ['IA32_MTRR_DEF_TYPE', 0x2ff],
    ['IA32_MTRR_FIX4K_F8000', 0x26f],
    ['IA32_TSC_DEADLINE', 0x6e0],
    ['IA32_MCG_CAP', 0x179],
    ['IA32_SYSENTER_EIP', 0x176],
    ['IA32_KERNEL_GS_BASE', 0xc000_0102],
  ])('%s is %i', (name, number) => {
    expect(Object.fromEntries(msrs)[name]).toBe(number);
  });

  it('the fixed MTRRs of 4 KiB ranges follow each other', () => {
    const names = ['C0000', 'C8000', 'D0000', 'D8000', 'E0000', 'E8000', 'F0000', 'F8000'];
    const numbers = names.map((name) => Object.fromEntries(msrs)[`IA32_MTRR_FIX4K_${name}`]);
    expect(numbers).toEqual(names.map((_, i) => 0x268 + i));
  });
});

describe('ICR values of edk2', () => {
  it('are made of the named bits', () => {
    const { APIC_DEST_ALLBUT, APIC_DM_INIT, APIC_DM_SMI, APIC_DM_STARTUP, APIC_INT_ASSERT } = defs;
    expect(APIC_DM_SMI | APIC_INT_ASSERT).toBe(0x4200);
    expect(APIC_DEST_ALLBUT | APIC_DM_SMI | APIC_INT_ASSERT).toBe(0xc_4200);
    expect(APIC_DM_INIT | APIC_INT_ASSERT).toBe(0x4500);
    expect(APIC_DM_STARTUP | APIC_INT_ASSERT | 0x87).toBe(0x4687);
  });
});
