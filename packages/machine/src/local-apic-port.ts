/** A local APIC as its processor reaches it without the bus: pending vector, CR8 and MSRs. */
import type { LocalApicPort } from '@smm/cpu-core';
import { IA32_APIC_BASE, UnmodelledError } from '@smm/x86-defs';
import type { LocalApic } from '@smm/xapic';
import { APIC_PAGE } from './apic-page.ts';

/** Adapts an APIC. `sync` brings virtual time up to date, `touched` tells that timers may have moved. */
export function localApicPort(apic: LocalApic, time: { sync(): void; touched(): void }): LocalApicPort {
  return {
    pendingVector: () => apic.pendingVector(),
    acknowledge: () => apic.acknowledge(),
    getCr8: () => apic.cr8,
    setCr8: (value) => {
      apic.cr8 = value;
    },
    readMsr: (index) => {
      time.sync();
      return apic.readMsr(index);
    },
    writeMsr: (index, value) => {
      time.sync();
      if (index === IA32_APIC_BASE && (value & 0xf_ffff_ffff_f000n) !== BigInt(APIC_PAGE)) {
        throw new UnmodelledError(
          'APIC_BASE_MOVED',
          `processor ${apic.initialId} moves its local APIC to 0x${(value & 0xf_ffff_ffff_f000n).toString(16)}`,
          'Keep IA32_APIC_BASE at FEE00000h: a moved local APIC (as in the 2015 "memory sinkhole") is not modelled.',
          { value },
        );
      }
      const ok = apic.writeMsr(index, value);
      time.touched();
      return ok;
    },
  };
}
