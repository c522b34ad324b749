/**
 * Which architectural events are VM exits, and what the trace shows for them. Linux 4.4 arch/x86/kvm/vmx.c, exit
 * handlers.
 */
import type { ProcessorObserver } from '@smm/cpu-core';
import { IA32_EFER } from '@smm/x86-defs';
import type { ExitTrace } from './exits.ts';
import { INTR_INFO_INVALID_OPCODE, VMX_EXIT } from './exits.ts';
import type { KvmPorts } from './ports.ts';

/** What shadow paging must be told. */
export interface TableEvents {
  /** Translations of the tables at `cr3` were flushed. */
  flushed(cr3: number): void;
  /** INVLPG. */
  invlpg(cr3: number, linear: number): void;
}

/** The observer of a KVM machine's processors. */
export function kvmObserver(exits: ExitTrace, ports: KvmPorts, tables: TableEvents): ProcessorObserver {
  const { recorder, options, switches, processor } = ports;
  return {
    smiEntered(vcpu, smbase, rip, halted) {
      // The kick that takes it out of the guest
      if (!halted) exits.exit(vcpu, VMX_EXIT.EXTERNAL_INTERRUPT, 0n, 0x8000_00f2n, rip);
      recorder.emit(vcpu, { name: 'kvm_enter_smm', vcpu, smbase: BigInt(smbase), entering: true });
      exits.resume(vcpu);
    },
    rsmStarting(vcpu, rip) {
      exits.exit(vcpu, VMX_EXIT.EXCEPTION_NMI, 0n, INTR_INFO_INVALID_OPCODE, rip);
      exits.emulate(vcpu);
    },
    smmLeft(vcpu, oldSmbase, newSmbase) {
      tables.flushed(processor(vcpu).state.cr3);
      const smbase = BigInt(switches.leaveSmmTrace === 'new-smbase' ? newSmbase : oldSmbase);
      recorder.emit(vcpu, { name: 'kvm_enter_smm', vcpu, smbase, entering: false });
      exits.resume(vcpu);
    },
    halted(vcpu, rip) {
      exits.exit(vcpu, VMX_EXIT.HLT, 0n, 0n, rip);
    },
    woken(vcpu) {
      exits.outside(vcpu);
      recorder.emit(vcpu, { name: 'kvm_vcpu_wakeup', vcpu, ns: 0n, waited: true, valid: true });
    },
    interruptDelivered(vcpu, vector, kind) {
      if (kind === 'interrupt') {
        recorder.emit(vcpu, { name: 'kvm_inj_virq', vcpu, vector, soft: false, reinjected: false });
        exits.resume(vcpu);
      }
    },
    shutdown(vcpu, _reason, rip) {
      exits.exit(vcpu, VMX_EXIT.TRIPLE_FAULT, 0n, 0n, rip);
      exits.userspace(vcpu, 8);
    },
    cpuid(vcpu, leaf, subleaf, eax, ebx, ecx, edx, rip) {
      exits.exit(vcpu, VMX_EXIT.CPUID, 0n, 0n, rip);
      recorder.emit(vcpu, {
        name: 'kvm_cpuid',
        vcpu,
        function: leaf,
        index: subleaf,
        rax: BigInt(eax),
        rbx: BigInt(ebx),
        rcx: BigInt(ecx),
        rdx: BigInt(edx),
        found: true,
        usedMaxBasic: false,
      });
      exits.resume(vcpu);
    },
    msr(vcpu, write, index, value, fault, rip) {
      if (write && index === IA32_EFER) tables.flushed(processor(vcpu).state.cr3);
      exits.exit(vcpu, write ? VMX_EXIT.MSR_WRITE : VMX_EXIT.MSR_READ, 0n, 0n, rip);
      recorder.emit(vcpu, { name: 'kvm_msr', vcpu, write, ecx: index, data: value, exception: fault });
      exits.resume(vcpu);
    },
    controlRegister(vcpu, write, register, gpr, value, rip) {
      if (write && register !== 8)
        tables.flushed(register === 3 ? Number(value & 0xf_ffff_ffff_ffffn) : processor(vcpu).state.cr3);
      // Reads of CR0 and CR4 come from the shadows, CR3 is the guest's own under EPT, CR8 needs no exit with a TPR
      // shadow.
      const exiting = register === 3 ? !options.ept : register === 8 ? !options.flexpriority : write;
      if (!exiting) return;
      const info = register | (write ? 0 : 0x10) | (gpr << 8);
      exits.exit(vcpu, VMX_EXIT.CR_ACCESS, BigInt(info), 0n, rip);
      recorder.emit(vcpu, { name: 'kvm_cr', vcpu, write, cr: register, val: value });
      exits.resume(vcpu);
    },
    instruction(vcpu, name, operand, rip) {
      if (name === 'INVLPG') tables.invlpg(processor(vcpu).state.cr3, operand);
      if (name === 'INVLPG' && !options.ept) {
        exits.exit(vcpu, VMX_EXIT.INVLPG, BigInt(operand), 0n, rip);
        exits.resume(vcpu);
      } else if (name === 'WBINVD') {
        exits.exit(vcpu, VMX_EXIT.WBINVD, 0n, 0n, rip);
        exits.resume(vcpu);
      }
    },
  };
}
