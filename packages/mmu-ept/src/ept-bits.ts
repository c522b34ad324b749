/**
 * EPT entry bits and exit qualifications. Intel SDM Vol. 3, "The Extended Page Table Mechanism (EPT)", and
 * "Exit Qualification for EPT Violations" / "Exit Qualification for APIC-Access VM Exits".
 */
import { ACCESS_EXEC, ACCESS_READ, type Access } from './paging-bits.ts';

/** EPT entry: accessed (bit 8), meaningful when the tables use accessed and dirty flags. */
export const EPT_A = 0x100;
/** EPT leaf: dirty (bit 9), meaningful when the tables use accessed and dirty flags. */
export const EPT_D = 0x200;
/** EPT entry above level 1: maps a page. */
export const EPT_PS = 0x80;
/** EPT leaf: memory type write-back (6) in bits 5:3. */
export const EPT_MEMTYPE_WB = 6 << 3;
/** Rights 110b (write and execute without read): never valid; KVM marks MMIO with it. */
export const EPT_RIGHTS_MMIO = 6;

/** EPT-violation qualification: the access was a data read. */
export const EPT_QUAL_READ = 0x001;
/** EPT-violation qualification: the access was a data write. */
export const EPT_QUAL_WRITE = 0x002;
/** EPT-violation qualification: the access was an instruction fetch. */
export const EPT_QUAL_FETCH = 0x004;
/** EPT-violation qualification: shift of the three rights of the walked entries, AND'ed (bits 5:3). */
export const EPT_QUAL_RIGHTS_SHIFT = 3;
/** EPT-violation qualification: the guest-linear-address field is valid. */
export const EPT_QUAL_LINEAR_VALID = 0x080;
/** EPT-violation qualification: the access was to the translation of the linear address, not to a paging structure. */
export const EPT_QUAL_FINAL = 0x100;

/** Base qualification of an access to the final translation of a linear address. */
export const EPT_ORIGIN_FINAL = 0x180;
/** Base qualification of an access to a guest paging structure during a page walk. */
export const EPT_ORIGIN_WALK = 0x080;
/** Base qualification of an access without a linear address, such as the load of PDPTEs at MOV to CR3. */
export const EPT_ORIGIN_PHYSICAL = 0;

/** APIC-access type in qualification bits 15:12 of an access to a paging structure (guest-physical access). */
export const APIC_ACCESS_GUEST_PHYSICAL = 0xf;
/** APIC-access type in qualification bits 15:12: linear access during event delivery. */
export const APIC_ACCESS_EVENT_DELIVERY = 0x3;

/**
 * Exit qualification of an APIC access at byte `offset` of the page: type 0 linear read, 1 linear write, 2 fetch.
 * Event delivery (type 3) is the caller's to know.
 */
export function apicAccessQualification(offset: number, access: Access): number {
  const type = access === ACCESS_EXEC ? 2 : access === ACCESS_READ ? 0 : 1;
  return (type << 12) | (offset & 0xfff);
}
