/** What `-accel kvm,...` and `-machine kernel_irqchip=` say. */

/** Options of the KVM model, under the kernel's module parameter names. */
export interface KvmOptions {
  /** Extended page tables; false: shadow paging. Default true. */
  readonly ept: boolean;
  /** "Virtualize APIC accesses": an APIC-access page. Default true. */
  readonly flexpriority: boolean;
  /** Real mode and unpaged protected mode without tricks; needs EPT. Default true. */
  readonly unrestrictedGuest: boolean;
  /** The local APICs are in the kernel; false: in user space (`kernel_irqchip=off`). Default true. */
  readonly kernelIrqchip: boolean;
}

/** A current Intel host. */
export const DEFAULT_KVM_OPTIONS: KvmOptions = {
  ept: true,
  flexpriority: true,
  unrestrictedGuest: true,
  kernelIrqchip: true,
};
