/** Extended page tables, filled on violations. */
import type { TranslateRequest } from '@smm/cpu-core';
import {
  AS_NORMAL,
  AS_SMM,
  GuestWalker,
  identityMapState,
  NestedWalker,
  type PagingState,
  pageFaultErrorCode,
  QEMU_IDENTITY_MAP_GPA,
  SlotTableMemory,
  TdpMmu,
  type TdpMmuState,
  TRANSLATE_APIC_ACCESS,
  TRANSLATE_EPT_VIOLATION,
  TRANSLATE_OK,
  TRANSLATE_PAGE_FAULT,
  WALK_OK,
  WALK_PAGE_FAULT,
} from '@smm/mmu-ept';
import { CR0_PG } from '@smm/x86-defs';
import { pagingStateOf, takeRegisters } from '../../platform/paging.ts';
import { VMX_EXIT } from './exits.ts';
import {
  hostMemoryOf,
  KVM_APIC_ACCESS,
  KVM_FAULT,
  KVM_MMIO,
  KVM_RAM,
  KVM_SHUTDOWN,
  type KvmAnswer,
  type KvmMmu,
  type KvmMmuParts,
} from './strategy.ts';

/** More exits than this for one access cannot come from filling tables. */
const MAX_EXITS = 64;

/** KVM's two-dimensional paging. */
export class EptStrategy implements KvmMmu {
  readonly #parts: KvmMmuParts;
  readonly #tdp: TdpMmu;
  readonly #walker: NestedWalker;
  readonly #paging;
  readonly #softwareTables: SlotTableMemory;
  readonly #softwareWalker: GuestWalker;
  readonly #identity = identityMapState(QEMU_IDENTITY_MAP_GPA);

  constructor(parts: KvmMmuParts) {
    this.#parts = parts;
    const { pages, features } = parts.ports;
    this.#tdp = new TdpMmu(parts.slots, pages, {
      accessedDirty: false,
      executeOnly: false,
      hostMaxPhyAddr: 46,
    });
    const host = hostMemoryOf(parts.ports);
    this.#walker = new NestedWalker(host);
    this.#softwareTables = new SlotTableMemory(parts.slots, host, AS_NORMAL);
    this.#softwareWalker = new GuestWalker(this.#softwareTables);
    this.#walker.apicAccessHostPage = parts.apicAccessHostPage;
    this.#paging = pagingStateOf(features);
  }

  translate(request: TranslateRequest, answer: KvmAnswer): void {
    const { ports, exits } = this.#parts;
    const { smm, processor } = request;
    const identity = !ports.options.unrestrictedGuest && (request.cr0 & CR0_PG) === 0;
    const paging = identity ? this.#identity : this.#paging;
    if (!identity) takeRegisters(paging, request);
    for (let tries = 0; tries < MAX_EXITS; tries++) {
      const t = this.#walker.walk(
        this.#tdp.tables(smm),
        paging,
        request.linear,
        request.access as 0 | 1 | 2,
        request.user,
        request.debug,
      );
      answer.gpaPage = t.gpa - (t.gpa & 0xfff);
      if (t.outcome === TRANSLATE_OK) {
        answer.found(t, this.#parts.apicAccessHostPage);
        return;
      }
      if (t.outcome === TRANSLATE_PAGE_FAULT) {
        if (identity) {
          this.#brokenIdentityMap(request, answer, t.errorCode);
          return;
        }
        answer.kind = KVM_FAULT;
        answer.errorCode = t.errorCode;
        return;
      }
      if (request.debug) {
        this.#emulate(paging, request, answer); // a debugger must not fill tables
        return;
      }
      if (t.outcome === TRANSLATE_APIC_ACCESS) {
        if (t.tableAccess) this.#emulate(paging, request, answer);
        else answer.kind = KVM_APIC_ACCESS;
        return;
      }
      if (t.outcome === TRANSLATE_EPT_VIOLATION) {
        const { gpa, qualification } = t;
        exits.exit(processor, VMX_EXIT.EPT_VIOLATION, BigInt(qualification));
        ports.recorder.emit(processor, {
          name: 'kvm_page_fault',
          vcpu: processor,
          guestRip: ports.rip(processor),
          faultAddress: BigInt(gpa),
          errorCode: BigInt(qualification),
        });
        if (this.#tdp.handleViolation(smm, gpa, qualification) === 'mapped') {
          exits.entry(processor);
          continue;
        }
        if (t.tableAccess) this.#emulate(paging, request, answer);
        else answer.kind = KVM_MMIO;
        return;
      }
      const { gpa, mmio, mmioGeneration } = t;
      exits.exit(processor, VMX_EXIT.EPT_MISCONFIG, 0n);
      const meaning = this.#tdp.handleMisconfig(smm, gpa, mmio, mmioGeneration);
      if (meaning === 'mmio') {
        if (t.tableAccess) this.#emulate(paging, request, answer);
        else answer.kind = KVM_MMIO;
        return;
      }
      if (meaning === 'corrupt') {
        answer.kind = KVM_SHUTDOWN;
        answer.reason = `EPT misconfiguration at guest-physical 0x${gpa.toString(16)}`;
        return;
      }
      exits.entry(processor);
    }
    answer.kind = KVM_SHUTDOWN;
    answer.reason = `an access to 0x${request.linear.toString(16)} made ${MAX_EXITS} EPT exits without getting on`;
  }

  /**
   * What KVM's instruction emulator does for one access: it walks the guest's tables in software, through the slots.
   * Flags in ROM and flash are left alone, a table without a slot is a page fault. Nothing of it goes into tables or
   * TLBs. Linux 4.4 arch/x86/kvm/paging_tmpl.h, walk_addr_generic.
   */
  #emulate(paging: PagingState, request: TranslateRequest, answer: KvmAnswer): void {
    const { exits, slots } = this.#parts;
    const { processor, linear, user, smm, debug } = request;
    const access = request.access as 0 | 1 | 2;
    const asId = smm ? AS_SMM : AS_NORMAL;
    this.#softwareTables.asId = asId;
    const w = this.#softwareWalker.walk(paging, linear, access, user, debug);
    if (!debug) exits.entry(processor);
    if (w.outcome !== WALK_OK) {
      answer.kind = KVM_FAULT;
      answer.errorCode =
        w.outcome === WALK_PAGE_FAULT ? w.errorCode : pageFaultErrorCode(paging, access, user, 0);
      return;
    }
    answer.gpaPage = w.gpa;
    answer.hostPage = slots.hostAddress(asId, w.gpa);
    const memory = answer.hostPage >= 0 && answer.hostPage !== this.#parts.apicAccessHostPage;
    answer.kind = memory ? KVM_RAM : KVM_MMIO;
    answer.readable = answer.writable = answer.executable = false;
  }

  zapAll(): void {
    this.#tdp.zapAll();
  }

  save(): TdpMmuState {
    return this.#tdp.save();
  }

  restore(state: unknown): void {
    this.#tdp.restore(state as TdpMmuState);
  }

  /**
   * Unpaged guest code runs on KVM's identity page table; in the SMM address space of old kernels that table is zero.
   */
  #brokenIdentityMap(request: TranslateRequest, answer: KvmAnswer, errorCode: number): void {
    const { exits } = this.#parts;
    if (!request.debug)
      exits.exit(request.processor, VMX_EXIT.EXCEPTION_NMI, BigInt(request.linear), 0x8000_0b0en);
    answer.kind = KVM_SHUTDOWN;
    answer.reason =
      `page fault (error code ${errorCode}) in the identity page table at 0x${QEMU_IDENTITY_MAP_GPA.toString(16)} ` +
      `of ${request.smm ? 'the SMM' : 'the normal'} address space: its entry for 0x${request.linear.toString(16)} is not present`;
  }
}
