/**
 * Intel Q35 and ICH9 devices: MCH with SMRAM and TSEG, LPC with APM and SMI control, PM timer, CMOS, debug port, PCI configuration.
 * @packageDocumentation
 */
export {};
