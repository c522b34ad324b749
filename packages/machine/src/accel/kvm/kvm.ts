/**
 * The `kvm` accelerator: memory slots in two address spaces, EPT or shadow paging filled lazily, the APIC-access page,
 * exits and trace events. The guest, the processors and the chipset are the same objects as under `tcg`.
 */
import { TX_DEBUG, TX_DMA } from '@smm/bus';
import {
  type IoPort,
  type MemoryPort,
  type PageWalker,
  type ProcessorObserver,
  TRANSLATED_DEVICE,
  TRANSLATED_FAULT,
  TRANSLATED_RAM,
  TRANSLATED_SHUTDOWN,
  type TranslateRequest,
  type TranslateResult,
} from '@smm/cpu-core';
import { installPrivateSlots, MemorySlots, QEMU_IDENTITY_MAP_GPA, QEMU_TSS_GPA } from '@smm/mmu-ept';
import { APIC_PAGE } from '../../platform/apic-page.ts';
import type { Accelerator } from '../accelerator.ts';
import { EptStrategy } from './ept-strategy.ts';
import { ExitTrace, INTR_INFO_HOST_TIMER, KVM_EXIT, VMX_EXIT } from './exits.ts';
import { kvmObserver } from './observer.ts';
import type { KvmPorts } from './ports.ts';
import { ShadowStrategy } from './shadow-strategy.ts';
import { synchronizeSlots } from './slots.ts';
import { KVM_APIC_ACCESS, KVM_FAULT, KVM_MMIO, KVM_RAM, KvmAnswer, type KvmMmu } from './strategy.ts';

// Routes of device accesses: the low 12 bits say how, the rest is the host page where there is one.
/** Memory that the machine watches: straight to the bus, no exit. */
const ROUTE_BUS = 0;
/** No slot: the instruction is emulated. */
const ROUTE_MMIO = 1;
/** The APIC-access page. */
const ROUTE_APIC_ACCESS = 2;
/** A private slot's page where the local APIC would be. */
const ROUTE_MEMORY = 3;

/** The KVM-like accelerator. */
export class KvmAccelerator implements Accelerator, PageWalker {
  readonly name = 'kvm';
  readonly saveStates = { clearUnused: true, interruptShadow: true };
  readonly apics: Accelerator['apics'];
  /** Every IN is an exit. */
  readonly hidesTimeReads = false;
  readonly pageWalker: PageWalker = this;
  readonly memory: MemoryPort;
  readonly io: IoPort;
  readonly observer: ProcessorObserver;
  /** Exits so far. */
  readonly exits: ExitTrace;
  readonly #p: KvmPorts;
  readonly #words8: Uint8Array;
  #slots: MemorySlots = new MemorySlots();
  #mmu!: KvmMmu;
  readonly #answer = new KvmAnswer();

  constructor(ports: KvmPorts) {
    this.#p = ports;
    const { apicIdOnInit, smiFromIcr } = ports.switches;
    const inKernel = ports.options.kernelIrqchip;
    this.apics = {
      flavour: inKernel ? 'kvm-2015' : 'sdm',
      behaviour: { apicIdOnInit, smiFromIcr },
      inKernel,
    };
    this.#words8 = new Uint8Array(ports.buffer);
    this.exits = new ExitTrace(ports.recorder, ports.processor, ports.rip);
    this.observer = kvmObserver(this.exits, ports, {
      flushed: (cr3) => this.#mmu.flushed?.(cr3),
      invlpg: (cr3, linear) => this.#mmu.invlpg?.(cr3, linear),
    });
    this.reset();
    const { bus, space } = ports;
    this.memory = {
      read: (gpa, size, attrs, route) => this.#read(gpa, size, attrs, route),
      write: (gpa, size, value, attrs, route) => this.#write(gpa, size, value, attrs, route),
      readBlock: (gpa, into, attrs) => space.readBlock(gpa, into, attrs),
      writeBlock: (gpa, bytes, attrs) => space.writeBlock(gpa, bytes, attrs),
    };
    this.io = {
      in: (port, size, attrs) => {
        this.#ioExit(attrs & 0xffff, port, size, true);
        const value = bus.in(port, size, attrs);
        this.#pio(attrs & 0xffff, port, size, value, false);
        return value;
      },
      out: (port, size, value, attrs) => {
        this.#ioExit(attrs & 0xffff, port, size, false);
        this.#pio(attrs & 0xffff, port, size, value, true);
        bus.out(port, size, value, attrs);
      },
    };
  }

  get exitCounts(): ReadonlyMap<number, number> {
    return this.exits.counts;
  }

  translate(request: TranslateRequest, out: TranslateResult): void {
    const answer = this.#answer;
    this.#mmu.translate(request, answer);
    switch (answer.kind) {
      case KVM_RAM:
        out.gpaPage = answer.gpaPage;
        if (answer.gpaPage === APIC_PAGE) {
          // A private slot's page that is not the APIC-access page: plain memory, but watched, so that the trace can
          // tell.
          out.route = answer.hostPage + ROUTE_MEMORY;
          out.outcome = TRANSLATED_DEVICE;
          return;
        }
        out.outcome = TRANSLATED_RAM;
        out.hostPage = answer.hostPage;
        out.pageSize = answer.pageSize;
        out.readable = answer.readable;
        out.writable = answer.writable;
        out.executable = answer.executable;
        return;
      case KVM_FAULT:
        out.outcome = TRANSLATED_FAULT;
        out.errorCode = answer.errorCode;
        return;
      case KVM_MMIO:
      case KVM_APIC_ACCESS:
        out.route = answer.kind === KVM_MMIO ? ROUTE_MMIO : ROUTE_APIC_ACCESS;
        out.outcome = TRANSLATED_DEVICE;
        out.gpaPage = answer.gpaPage;
        return;
      default:
        out.outcome = TRANSLATED_SHUTDOWN;
        out.reason = answer.reason;
    }
  }

  mapChanged(): void {
    if (synchronizeSlots(this.#slots, this.#p.space)) this.#mmu.zapAll();
  }

  turnStarts(processor: number): void {
    this.exits.resume(processor);
  }

  turnEnded(processor: number, preempted: boolean): void {
    if (!preempted) return;
    const { rip } = this.#p.processor(processor).state;
    this.exits.exit(processor, VMX_EXIT.EXTERNAL_INTERRUPT, 0n, INTR_INFO_HOST_TIMER, rip);
  }

  reset(): void {
    const { options, pages, switches } = this.#p;
    this.#slots = new MemorySlots();
    const host = {
      read32: (a: number) => pages.read32(a),
      write32: (a: number, v: number) => pages.write32(a, v),
    };
    const privateSlots = installPrivateSlots(this.#slots, host, pages, {
      perAddressSpace: switches.privateSlotsPerAddressSpace,
      apicAccessPage: options.flexpriority && options.kernelIrqchip,
      ...(options.unrestrictedGuest ? {} : { identityMapGpa: QEMU_IDENTITY_MAP_GPA, tssGpa: QEMU_TSS_GPA }),
    });
    const shared = {
      ports: this.#p,
      slots: this.#slots,
      exits: this.exits,
      apicAccessHostPage: privateSlots.apicAccessHostPage,
    };
    this.#mmu = options.ept ? new EptStrategy(shared) : new ShadowStrategy(shared);
    this.exits.restore({ inGuest: [], counts: [] });
    synchronizeSlots(this.#slots, this.#p.space);
  }

  save(): unknown {
    return { slots: this.#slots.save(), mmu: this.#mmu.save(), exits: this.exits.save() };
  }

  restore(state: unknown): void {
    const saved = state as { slots: never; mmu: never; exits: never };
    this.#slots.restore(saved.slots);
    this.#mmu.restore(saved.mmu);
    this.exits.restore(saved.exits);
  }

  #read(gpa: number, size: 1 | 2 | 4, attrs: number, route: number): number {
    const page = gpa - (gpa % 4096);
    const { bus } = this.#p;
    const vcpu = attrs & 0xffff;
    const kind = route % 4096;
    if (kind === ROUTE_MEMORY) {
      let value = 0;
      for (let i = size - 1; i >= 0; i--)
        value = value * 256 + this.#words8[route - kind + (gpa - page) + i]!;
      bus.apicRead(gpa, value, attrs, 'memory');
      return value;
    }
    if (kind === ROUTE_BUS) return bus.read(gpa, size, attrs);
    if (attrs & TX_DEBUG) return bus.read(this.#busAddress(vcpu, gpa), size, attrs);
    if (kind === ROUTE_APIC_ACCESS) this.exits.exit(vcpu, VMX_EXIT.APIC_ACCESS, BigInt(gpa & 0xfff));
    this.exits.emulate(vcpu);
    const value = bus.read(this.#busAddress(vcpu, gpa), size, attrs | this.#busAttrs(vcpu, page));
    this.#mmio(vcpu, false, gpa, size, value);
    if (!this.#inKernel(vcpu, page)) this.exits.userspace(vcpu, KVM_EXIT.MMIO);
    this.exits.resume(vcpu);
    return value;
  }

  #write(gpa: number, size: 1 | 2 | 4, value: number, attrs: number, route: number): void {
    const page = gpa - (gpa % 4096);
    const { bus } = this.#p;
    const vcpu = attrs & 0xffff;
    const kind = route % 4096;
    if (kind === ROUTE_MEMORY) {
      const host = route - kind + (gpa - page);
      for (let i = 0; i < size; i++) this.#words8[host + i] = value >>> (8 * i);
      this.#p.written(host, size);
      bus.apicWrite(gpa, value, attrs, 'memory');
      return;
    }
    if (kind === ROUTE_BUS) {
      bus.write(gpa, size, value, attrs);
      return;
    }
    const apicAccess = kind === ROUTE_APIC_ACCESS;
    if (apicAccess) this.exits.exit(vcpu, VMX_EXIT.APIC_ACCESS, BigInt(0x1000 | (gpa & 0xfff)));
    // The end-of-interrupt register has a fast path without the emulator.
    if (!apicAccess || (gpa & 0xff0) !== 0xb0) this.exits.emulate(vcpu);
    this.#mmio(vcpu, true, gpa, size, value);
    bus.write(this.#busAddress(vcpu, gpa), size, value, attrs | this.#busAttrs(vcpu, page));
    if (!this.#inKernel(vcpu, page)) this.exits.userspace(vcpu, KVM_EXIT.MMIO);
    this.exits.resume(vcpu);
  }

  /** The in-kernel local APIC answers here. */
  #inKernel(vcpu: number, page: number): boolean {
    return (
      page === (this.#apicMoved(vcpu) ? this.#p.apicPage(vcpu) : APIC_PAGE) && this.#p.options.kernelIrqchip
    );
  }

  #apicMoved(vcpu: number): boolean {
    const base = this.#p.apicPage(vcpu);
    return base !== APIC_PAGE && base >= 0 && this.#p.options.kernelIrqchip;
  }

  /**
   * An in-kernel local APIC answers where IA32_APIC_BASE says, but memory slots come first: it never lies over RAM.
   * With the APICs in user space the page stays where it is. Linux 4.4 arch/x86/kvm/lapic.c, apic_mmio_in_range.
   */
  #busAddress(vcpu: number, gpa: number): number {
    const offset = gpa % 4096;
    return this.#apicMoved(vcpu) && gpa - offset === this.#p.apicPage(vcpu) ? APIC_PAGE + offset : gpa;
  }

  /** Where the APIC has gone from, QEMU's region for interrupt messages is left: it answers as it does to a device. */
  #busAttrs(vcpu: number, page: number): number {
    return page === APIC_PAGE && this.#apicMoved(vcpu) ? TX_DMA : 0;
  }

  #mmio(vcpu: number, write: boolean, gpa: number, len: number, val: number): void {
    this.#p.recorder.emit(vcpu, {
      name: 'kvm_mmio',
      vcpu,
      type: write ? 2 : 1,
      len,
      gpa: BigInt(gpa),
      val: BigInt(val),
    });
  }

  #ioExit(vcpu: number, port: number, size: number, isIn: boolean): void {
    this.exits.exit(vcpu, VMX_EXIT.IO_INSTRUCTION, BigInt(port * 0x1_0000 + (isIn ? 8 : 0) + size - 1));
  }

  #pio(vcpu: number, port: number, size: number, val: number, write: boolean): void {
    this.#p.recorder.emit(vcpu, { name: 'kvm_pio', vcpu, write, port, size, count: 1, val });
    this.exits.userspace(vcpu, KVM_EXIT.IO);
    this.exits.resume(vcpu);
  }
}
