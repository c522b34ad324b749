/**
 * A complete SMP x86 machine with System Management Mode: processors, local APICs, memory and chipset composed under a TCG-like or KVM-like accelerator.
 * @packageDocumentation
 */
export {};
