/** How the KVM model translates: the contract of its two MMUs. */
import type { TranslateRequest } from '@smm/cpu-core';
import {
  type HostMemory,
  type MemorySlots,
  RIGHT_EXEC,
  RIGHT_READ,
  RIGHT_WRITE,
  type Translation,
} from '@smm/mmu-ept';
import type { ExitTrace } from './exits.ts';
import type { KvmPorts } from './ports.ts';

/** The page is memory of a slot. */
export const KVM_RAM = 0;
/** The guest gets a page fault. */
export const KVM_FAULT = 1;
/** No slot, or a write to a read-only one: the instruction is emulated. The exit is already in the trace. */
export const KVM_MMIO = 2;
/** The APIC-access page: every access exits. */
export const KVM_APIC_ACCESS = 3;
/** The processor cannot go on. */
export const KVM_SHUTDOWN = 4;

/** Answer of a {@link KvmMmu}, filled in place. */
export class KvmAnswer {
  /** `KVM_*`. */
  kind = KVM_RAM;
  /** Guest-physical address of the page. */
  gpaPage = 0;
  /** `KVM_RAM`: host offset of the page. */
  hostPage = 0;
  /** `KVM_RAM`: bytes of the page in the guest's tables. */
  pageSize = 0x1000;
  /** `KVM_RAM`: may be read without asking again. */
  readable = false;
  /** `KVM_RAM`: may be written without asking again. */
  writable = false;
  /** `KVM_RAM`: may be fetched without asking again. */
  executable = false;
  /** `KVM_FAULT`: page-fault error code. */
  errorCode = 0;
  /** `KVM_SHUTDOWN`: why. */
  reason = '';

  /** A walk ended well. A debugger's goes through the APIC-access page, whose host page is given, and says so. */
  found(t: Translation, apicAccessHostPage: number): void {
    this.kind = t.hostPage === apicAccessHostPage ? KVM_APIC_ACCESS : KVM_RAM;
    this.hostPage = t.hostPage;
    this.pageSize = t.pageSizeBytes;
    this.readable = (t.tlbRights & RIGHT_READ) !== 0;
    this.writable = (t.tlbRights & RIGHT_WRITE) !== 0;
    this.executable = (t.tlbRights & RIGHT_EXEC) !== 0;
  }
}

/** The machine's memory for what KVM writes there on the guest's behalf, and tables of its own. */
export function hostMemoryOf({ pages, written }: KvmPorts): HostMemory {
  return {
    read32: (address) => pages.read32(address),
    write32: (address, value) => {
      pages.write32(address, value);
      written(address, 4);
    },
  };
}

/** What both MMUs are built from. */
export interface KvmMmuParts {
  /** Surroundings. */
  readonly ports: KvmPorts;
  /** Memory slots. */
  readonly slots: MemorySlots;
  /** Where exits are recorded. */
  readonly exits: ExitTrace;
  /** Host page whose touch is an APIC access, -1 for none. */
  readonly apicAccessHostPage: number;
}

/** EPT or shadow paging. */
export interface KvmMmu {
  /** Translates one page, taking and handling exits on the way. */
  translate(request: TranslateRequest, answer: KvmAnswer): void;
  /**
   * A processor flushed its TLB for the page tables at `cr3`. Nothing to do where the processor walks the guest's own
   * tables.
   */
  flushed?(cr3: number): void;
  /** A processor executed INVLPG. */
  invlpg?(cr3: number, linear: number): void;
  /** Slots went away. */
  zapAll(): void;
  /** Copies the state out. */
  save(): unknown;
  /** Puts a saved state back. */
  restore(state: unknown): void;
}
