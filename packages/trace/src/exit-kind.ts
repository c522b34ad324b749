/** What a VM exit means, whichever vendor's processor made it. */
import { ISA } from './exit-reason.ts';
import type { KvmExit } from './kvm-events.ts';
import { SVM_EXIT } from './svm-exits.ts';
import { EXIT_REASON } from './symbols.ts';

const FAILED_VM_ENTRY = 0x8000_0000;
const BASIC = 0xffff;

type Reason = Pick<KvmExit, 'exitReason' | 'isa'>;

function is(exit: Reason, vmx: number | undefined, svm: number | undefined): boolean {
  return exit.isa === ISA.VMX
    ? (exit.exitReason & BASIC) === vmx && exit.exitReason < FAILED_VM_ENTRY
    : exit.exitReason === svm;
}

/** The VCPU executed HLT. */
export const isHalt = (exit: Reason): boolean => is(exit, EXIT_REASON.HLT, SVM_EXIT.HLT);

/** The VCPU met an exception that it could not deliver: a triple fault. */
export const isTripleFault = (exit: Reason): boolean => is(exit, EXIT_REASON.TRIPLE_FAULT, SVM_EXIT.SHUTDOWN);

/** An access to the local APIC's page that VMX hands to KVM. */
export const isApicAccess = (exit: Reason): boolean => is(exit, EXIT_REASON.APIC_ACCESS, undefined);

/** A violation of EPT or of nested page tables. */
export const isTableViolation = (exit: Reason): boolean => is(exit, EXIT_REASON.EPT_VIOLATION, SVM_EXIT.NPF);

/** The VCPU executed RSM, which SVM intercepts; under VMX it arrives as #UD. */
export const isRsm = (exit: Reason): boolean => is(exit, undefined, SVM_EXIT.RSM);

/** The processor refused to run the guest's state. */
export function isFailedEntry({ exitReason, isa }: Reason): boolean {
  return isa === ISA.VMX ? exitReason >= FAILED_VM_ENTRY : exitReason === SVM_EXIT.INVALID;
}

/** Exits that only a virtualised local APIC makes (APICv, AVIC): reads of it then need no exit. */
export function isVirtualisedApic({ exitReason, isa }: Reason): boolean {
  return isa === ISA.VMX
    ? exitReason === EXIT_REASON.EOI_INDUCED || exitReason === EXIT_REASON.APIC_WRITE
    : exitReason === SVM_EXIT.AVIC_INCOMPLETE_IPI || exitReason === SVM_EXIT.AVIC_UNACCELERATED_ACCESS;
}
