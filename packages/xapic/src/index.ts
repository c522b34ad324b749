/**
 * Local APIC (xAPIC and x2APIC) and the APIC bus: IPIs, SMI, NMI, INIT, SIPI, timer, priorities.
 * @packageDocumentation
 */
export {};
