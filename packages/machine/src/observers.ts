/** Observers that turn what processors and local APICs do into trace events. */
import type { ProcessorObserver } from '@smm/cpu-core';
import type { ApicObserver } from '@smm/xapic';
import type { Recorder } from './recorder.ts';

/** The machine's own events, the same under every accelerator; undefined while nobody listens. */
export function machineObserver(recorder: Recorder): ProcessorObserver | undefined {
  if (!recorder.on) return undefined;
  return {
    smiEntered: (vcpu, smbase, rip) =>
      recorder.emit(vcpu, { name: 'smm_enter', vcpu, smbase: BigInt(smbase), rip }),
    smmLeft: (vcpu, oldSmbase, newSmbase, rip) =>
      recorder.emit(vcpu, {
        name: 'smm_rsm',
        vcpu,
        oldSmbase: BigInt(oldSmbase),
        newSmbase: BigInt(newSmbase),
        rip,
      }),
    halted: (vcpu, rip) => recorder.emit(vcpu, { name: 'smm_halt', vcpu, rip }),
    woken: (vcpu) => recorder.emit(vcpu, { name: 'smm_wake', vcpu }),
    initTaken: (vcpu) => recorder.emit(vcpu, { name: 'smm_init', vcpu }),
    sipiTaken: (vcpu, vector) => recorder.emit(vcpu, { name: 'smm_sipi', vcpu, vector }),
    shutdown: (vcpu, reason, rip) => {
      recorder.emit(vcpu, { name: 'smm_shutdown', vcpu, rip });
      recorder.emit(vcpu, { name: 'smm_note', vcpu, text: `shutdown: ${reason}` });
    },
    unknownMsr: (vcpu, write, index, value, rip) => {
      const msr = `MSR ${index.toString(16)}h`;
      const what = write
        ? `${msr} is not modelled: the guest's ${value.toString(16)}h is forgotten`
        : `${msr} is not modelled: the guest reads 0`;
      recorder.emit(vcpu, {
        name: 'smm_note',
        vcpu,
        text: `${what} at rip ${rip.toString(16)}h, as under QEMU's TCG`,
      });
    },
  };
}

/**
 * IPIs for everybody, register accesses and acceptances as KVM's tracepoints when the APICs are in the kernel; empty
 * while nobody listens.
 */
export function apicObserver(recorder: Recorder, inKernel: boolean): ApicObserver {
  if (!recorder.on) return {};
  const kvm: ApicObserver = {
    access: (apic, write, reg, value) =>
      recorder.emit(apic, {
        name: 'kvm_apic',
        vcpu: apic,
        write,
        reg,
        val: BigInt(value),
      }),
    accept: (apic, message) =>
      recorder.emit(apic, {
        name: 'kvm_apic_accept_irq',
        apicid: apic,
        dm: message.deliveryMode,
        tm: message.trigger === 'level' ? 1 : 0,
        vec: message.vector,
      }),
    eoi: (apic, vector) =>
      recorder.emit(apic, {
        name: 'kvm_eoi',
        vcpu: apic,
        apicid: apic,
        vector,
      }),
  };
  return {
    ...(inKernel ? kvm : {}),
    ipi: ({ from, icrLow, destination }) => {
      if (inKernel) {
        recorder.emit(from, {
          name: 'kvm_apic_ipi',
          vcpu: from,
          icrLow,
          destId: destination,
        });
      }
      recorder.emit(from, { name: 'smm_ipi', vcpu: from, icrLow, dest: destination });
    },
  };
}
