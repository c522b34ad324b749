/** A local APIC as its processor reaches it without the bus: pending vector, CR8 and MSRs. */
import type { LocalApicPort } from '@smm/cpu-core';
import type { LocalApic } from '@smm/xapic';

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
      const ok = apic.writeMsr(index, value);
      time.touched();
      return ok;
    },
  };
}
