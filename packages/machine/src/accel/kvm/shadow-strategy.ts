/**
 * Shadow paging (`ept=0`): the processor runs on tables that the hypervisor makes from the guest's, one page per fault.
 */
import type { TranslateRequest } from '@smm/cpu-core';
import {
  ShadowMmu,
  type ShadowMmuState,
  TRANSLATE_APIC_ACCESS,
  TRANSLATE_OK,
  TRANSLATE_PAGE_FAULT,
} from '@smm/mmu-ept';
import { CR0_PG, PF_VECTOR } from '@smm/x86-defs';
import { pagingStateOf, takeRegisters } from '../../platform/paging.ts';
import { INTR_INFO_PAGE_FAULT, VMX_EXIT } from './exits.ts';
import {
  hostMemoryOf,
  KVM_APIC_ACCESS,
  KVM_FAULT,
  KVM_MMIO,
  KVM_SHUTDOWN,
  type KvmAnswer,
  type KvmMmu,
  type KvmMmuParts,
} from './strategy.ts';

/** More faults than this for one access cannot come from filling tables. */
const MAX_FAULTS = 16;

/** KVM's shadow MMU. */
export class ShadowStrategy implements KvmMmu {
  readonly #parts: KvmMmuParts;
  readonly #shadow: ShadowMmu;
  readonly #paging;

  constructor(parts: KvmMmuParts) {
    this.#parts = parts;
    const { pages, features } = parts.ports;
    this.#shadow = new ShadowMmu(parts.slots, {
      ...hostMemoryOf(parts.ports),
      allocateTablePage: () => pages.allocateTablePage(),
      freeTablePage: (address) => pages.freeTablePage(address),
    });
    this.#shadow.apicAccessHostPage = parts.apicAccessHostPage;
    this.#paging = pagingStateOf(features);
  }

  translate(request: TranslateRequest, answer: KvmAnswer): void {
    const { ports, exits } = this.#parts;
    const { smm, processor, linear, user } = request;
    const access = request.access as 0 | 1 | 2;
    const paging = this.#paging;
    takeRegisters(paging, request);
    for (let tries = 0; tries < MAX_FAULTS; tries++) {
      const t = this.#shadow.translate(paging, smm, linear, access, user, request.debug);
      if (t.outcome === TRANSLATE_OK) {
        answer.found(t, this.#parts.apicAccessHostPage);
        answer.gpaPage = t.gpa;
        return;
      }
      if (t.outcome === TRANSLATE_APIC_ACCESS) {
        answer.kind = KVM_APIC_ACCESS;
        answer.gpaPage = t.gpa - (t.gpa % 4096);
        return;
      }
      if (t.outcome === TRANSLATE_PAGE_FAULT) {
        answer.kind = KVM_FAULT; // debug walks only
        answer.errorCode = t.errorCode;
        return;
      }
      if (request.debug) {
        answer.kind = KVM_MMIO; // a debugger must not cause exits
        answer.gpaPage = t.gpa - (t.gpa % 4096);
        return;
      }
      const { errorCode } = t;
      const address = BigInt.asUintN(64, BigInt(linear));
      exits.exit(processor, VMX_EXIT.EXCEPTION_NMI, address, INTR_INFO_PAGE_FAULT);
      ports.recorder.emit(processor, {
        name: 'kvm_page_fault',
        vcpu: processor,
        guestRip: ports.rip(processor),
        faultAddress: address,
        errorCode: BigInt(errorCode),
      });
      const fault = this.#shadow.handleFault(paging, smm, linear, access, user);
      if (fault.kind === 'mapped') {
        exits.entry(processor);
        continue;
      }
      if (fault.kind === 'page-fault') {
        ports.recorder.emit(processor, {
          name: 'kvm_inj_exception',
          vcpu: processor,
          exception: PF_VECTOR,
          hasError: true,
          errorCode: fault.errorCode,
          reinjected: false,
        });
        exits.entry(processor);
        answer.kind = KVM_FAULT;
        answer.errorCode = fault.errorCode;
        return;
      }
      answer.kind = KVM_MMIO;
      answer.gpaPage = fault.gpa - (fault.gpa % 4096);
      return;
    }
    answer.kind = KVM_SHUTDOWN;
    answer.reason = `an access to 0x${linear.toString(16)} made ${MAX_FAULTS} shadow page faults without getting on`;
  }

  flushed(cr3: number): void {
    this.#paging.cr0 = CR0_PG;
    this.#paging.cr3 = cr3;
    this.#shadow.flush(this.#paging);
  }

  invlpg(cr3: number, linear: number): void {
    this.#paging.cr0 = CR0_PG;
    this.#paging.cr3 = cr3;
    this.#shadow.invlpg(this.#paging, linear);
  }

  zapAll(): void {
    this.#shadow.zapAll();
  }

  save(): ShadowMmuState {
    return this.#shadow.save();
  }

  restore(state: unknown): void {
    this.#shadow.restore(state as ShadowMmuState);
  }
}
