/**
 * Guest page-table walkers, KVM memory slots in two address spaces, EPT and shadow paging.
 * @packageDocumentation
 */
export {};
