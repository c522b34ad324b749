/**
 * KVM's private memory slots: pages that KVM itself puts into the guest-physical space of both address spaces.
 *
 * Before Linux f0d648bdf0a5 ("KVM: x86: map/unmap private slots in __x86_set_memory_region") each address space got
 * host pages of its own, and KVM initialised only those of address space 0. Since then both share one mapping.
 * Sources: that commit; relocation facts, "Memslots".
 */
import { SmmError } from '@smm/x86-defs';
import {
  APIC_ACCESS_PAGE_PRIVATE_MEMSLOT,
  AS_NORMAL,
  AS_SMM,
  IDENTITY_PAGETABLE_PRIVATE_MEMSLOT,
  type MemorySlots,
  TSS_PRIVATE_MEMSLOT,
} from './memory-slots.ts';
import { PAGE_SIZE } from './paging-bits.ts';
import type { HostMemory } from './table-memory.ts';

/** Guest-physical address of the APIC-access page: the default local APIC base. */
export const APIC_ACCESS_PAGE_GPA = 0xfee0_0000;
/** Where QEMU asks KVM to put the identity-map page table (KVM_SET_IDENTITY_MAP_ADDR). */
export const QEMU_IDENTITY_MAP_GPA = 0xfeff_c000;
/** Where QEMU asks KVM to put the three pages of the real-mode TSS (KVM_SET_TSS_ADDR). */
export const QEMU_TSS_GPA = 0xfeff_d000;

/** Entry flags E7h of the identity map: PS, D, A, U/S, R/W, P. */
const IDENTITY_ENTRY_FLAGS = 0xe7;
/** TSS without the maps behind it. Intel SDM Vol. 3, "Task-State Segment (TSS)". */
const TSS_BASE_SIZE = 0x68;
/** Software interrupt redirection bit map of virtual-8086 mode: one bit per vector. */
const TSS_REDIRECTION_SIZE = 256 / 8;
/** I/O permission bit map: one bit per port. */
const TSS_IOPB_SIZE = 65536 / 8;

/** Which private slots a virtual machine has, and how. Addresses are guest-physical. */
export interface PrivateSlotOptions {
  /** True: the behaviour before f0d648bdf0a5, a zeroed copy per address space. False: one copy for both. */
  readonly perAddressSpace: boolean;
  /** Put the APIC-access page at {@link APIC_ACCESS_PAGE_GPA} (in-kernel irqchip with "virtualize APIC accesses"). */
  readonly apicAccessPage?: boolean;
  /** Put the identity-map page table here (needed without unrestricted guest). */
  readonly identityMapGpa?: number;
  /** Put the real-mode TSS here, three pages. */
  readonly tssGpa?: number;
}

/** Host pages for the private slots. */
export interface HostPageAllocator {
  /** Returns the host-physical address of `sizeBytes` **zeroed** bytes, page-aligned and contiguous. */
  allocate(sizeBytes: number): number;
}

/** Where the private slots ended up. */
export interface PrivateSlots {
  /**
   * Host page that the processor compares against for APIC-access exits (APIC_ACCESS_ADDR of the VMCS): always
   * the one that **address space 0** has at FEE00000h. -1 without an APIC-access page.
   */
  readonly apicAccessHostPage: number;
}

/**
 * Creates the private slots as KVM does and writes the identity map and the TSS through address space 0 alone.
 * Throws what {@link MemorySlots.set} throws.
 */
export function installPrivateSlots(
  slots: MemorySlots,
  host: HostMemory,
  pages: HostPageAllocator,
  options: PrivateSlotOptions,
): PrivateSlots {
  const install = (id: number, gpa: number, sizeBytes: number): void => {
    let hostOffset = pages.allocate(sizeBytes);
    for (const asId of [AS_NORMAL, AS_SMM] as const) {
      if (asId === AS_SMM && options.perAddressSpace) hostOffset = pages.allocate(sizeBytes);
      slots.set({ id, asId, gpa, sizeBytes, hostOffset, readonly: false });
    }
  };
  const { apicAccessPage = false, identityMapGpa, tssGpa } = options;
  if (tssGpa !== undefined) {
    install(TSS_PRIVATE_MEMSLOT, tssGpa, 3 * PAGE_SIZE);
    writeRealModeTss(host, slots.hostAddress(AS_NORMAL, tssGpa));
  }
  if (identityMapGpa !== undefined) {
    install(IDENTITY_PAGETABLE_PRIVATE_MEMSLOT, identityMapGpa, PAGE_SIZE);
    writeIdentityMap(host, slots.hostAddress(AS_NORMAL, identityMapGpa));
  }
  if (apicAccessPage) install(APIC_ACCESS_PAGE_PRIVATE_MEMSLOT, APIC_ACCESS_PAGE_GPA, PAGE_SIZE);
  return { apicAccessHostPage: apicAccessPage ? slots.hostAddress(AS_NORMAL, APIC_ACCESS_PAGE_GPA) : -1 };
}

/** Writes 1,024 entries that map 4 MiB pages onto themselves to the page at `hostAddress`. */
export function writeIdentityMap(host: HostMemory, hostAddress: number): void {
  if (hostAddress < 0) {
    throw new SmmError(
      'MMU_IDENTITY_MAP',
      'the identity map has no host page',
      'Install its memory slot first.',
    );
  }
  for (let i = 0; i < 1024; i++) {
    host.write32(hostAddress + i * 4, ((i << 22) | IDENTITY_ENTRY_FLAGS) >>> 0);
  }
}

/**
 * Writes a TSS whose interrupt redirection and I/O maps let virtual-8086 mode run like real mode (all bits 0),
 * closed by the byte FFh that the processor requires, to three zeroed pages at `hostAddress`.
 */
function writeRealModeTss(host: HostMemory, hostAddress: number): void {
  // The I/O map base is the 16-bit field at 66h, the high half of the word at 64h.
  host.write32(hostAddress + 0x64, (TSS_BASE_SIZE + TSS_REDIRECTION_SIZE) << 16);
  const lastByte = TSS_BASE_SIZE + TSS_REDIRECTION_SIZE + TSS_IOPB_SIZE;
  host.write32(hostAddress + (lastByte & ~3), 0xff << ((lastByte & 3) * 8));
}
