/**
 * What a processor needs from outside. The types live here, with the consumer; the machine checks that its parts fit.
 */
/** The engine's memory: a `WebAssembly.Memory` fits. It is created at its final size and never grows. */
export interface RamWindow {
  /** The bytes. A host offset is an index into it. */
  readonly buffer: ArrayBufferLike;
}

/** Kind of access: data read. */
export const ACCESS_READ = 0;
/** Kind of access: data write. */
export const ACCESS_WRITE = 1;
/** Kind of access: instruction fetch. */
export const ACCESS_EXEC = 2;

/** What a translation is asked about. The processor reuses one object; do not keep it. */
export interface TranslateRequest {
  /** Processor index. */
  processor: number;
  /** Linear address: 0..2^32-1, or canonical as a signed number. */
  linear: number;
  /** `ACCESS_READ`, `ACCESS_WRITE` or `ACCESS_EXEC`. */
  access: number;
  /** User-mode access (CPL 3 and not an implicit supervisor access). */
  user: boolean;
  /** The processor is in SMM. */
  smm: boolean;
  /** A debugger looks: no accessed/dirty bits, no exits. */
  debug: boolean;
  /** CR0. */
  cr0: number;
  /** CR3, exact as a number. */
  cr3: number;
  /** CR4. */
  cr4: number;
  /** EFER. */
  efer: number;
  /** RFLAGS.AC. */
  rflagsAc: boolean;
  /** PAE paging: the four PDPTE registers as {low, high} halves; null: the walk reads memory, or needs none. */
  pdptes: Uint32Array | null;
}

/** The page is memory in the window. */
export const TRANSLATED_RAM = 0;
/** The page is a device (or nothing): go through {@link MemoryPort}. */
export const TRANSLATED_DEVICE = 1;
/** Page fault with `errorCode`. */
export const TRANSLATED_FAULT = 2;
/** The processor cannot go on: it enters shutdown; `reason` says why. */
export const TRANSLATED_SHUTDOWN = 3;

/** Answer of a {@link PageWalker}, filled in place. */
export interface TranslateResult {
  /** `TRANSLATED_*`. */
  outcome: number;
  /** RAM: host offset of the 4 KiB page. */
  hostPage: number;
  /** RAM, device: guest-physical address of the 4 KiB page. */
  gpaPage: number;
  /**
   * RAM: bytes of the page that the guest's tables map; INVLPG in any part of it drops all of it. 4096 unless the
   * page walker sets it.
   */
  pageSize: number;
  /** RAM: this privilege class may read without asking again. */
  readable: boolean;
  /** RAM: this privilege class may write without asking again (writable and already dirty, not ROM). */
  writable: boolean;
  /** RAM: this privilege class may fetch without asking again. */
  executable: boolean;
  /** Fault: page-fault error code (PFERR_*). */
  errorCode: number;
  /** Shutdown: why, one sentence. */
  reason: string;
  /**
   * Device: an opaque number that comes back with each access to the page, see {@link MemoryPort}; 0 unless the
   * translator sets it.
   */
  route: number;
  /**
   * The walk went to devices: what is decoded, mapped or due may have changed. Left alone by a page walker whose walks
   * never do.
   */
  deviceTouched: boolean;
}

/** Linear to host translation: guest paging, slots or decoding, EPT: whatever the accelerator does. */
export interface PageWalker {
  /** Translates one page. Called on every TLB miss. */
  translate(request: TranslateRequest, result: TranslateResult): void;
}

/** Guest-physical accesses that are not plain RAM, and blocks for save states. */
export interface MemoryPort {
  /**
   * Reads from a device page; unsigned. `attrs` as in `@smm/bus` TxAttrs, `route` as the translation of the page
   * answered it.
   */
  read(gpa: number, size: 1 | 2 | 4, attrs: number, route: number): number;
  /** Writes to a device page. */
  write(gpa: number, size: 1 | 2 | 4, value: number, attrs: number, route: number): void;
  /** Reads bytes of guest-physical memory as the initiator sees it. */
  readBlock(gpa: number, into: Uint8Array, attrs: number): void;
  /** Writes bytes of guest-physical memory as the initiator sees it. */
  writeBlock(gpa: number, bytes: Uint8Array, attrs: number): void;
}

/** IN and OUT. */
export interface IoPort {
  /** Reads a port; unsigned. */
  in(port: number, size: 1 | 2 | 4, attrs: number): number;
  /** Writes a port. */
  out(port: number, size: 1 | 2 | 4, value: number, attrs: number): void;
}

/** The processor's local APIC. */
export interface LocalApicPort {
  /** Highest vector deliverable now, or -1. Includes ExtINT. */
  pendingVector(): number;
  /** Acknowledges it: moves IRR to ISR and returns the vector. */
  acknowledge(): number;
  /** CR8: task priority bits 7:4. */
  getCr8(): number;
  /** Writes CR8 (0..15). */
  setCr8(value: number): void;
  /** MSRs 1Bh, 6E0h and 800h-8FFh; undefined means #GP. */
  readMsr(index: number): bigint | undefined;
  /** Writes such an MSR; false means #GP. */
  writeMsr(index: number, value: bigint): boolean;
}

/**
 * SMM save-state codec of the layout in use. The 512 bytes are those at SMBASE+FE00h; states are words as `SAVE_WORD`
 * of `@smm/x86-defs` counts them.
 */
export interface SaveStateCodec {
  /** Revision identifier that the layout writes. */
  readonly revision: number;
  /**
   * Writes a state over `area` (512 bytes, holding what memory held). Both arrays are the processor's, and the same
   * each time.
   */
  save(words: Uint32Array, area: Uint8Array): void;
  /** Reads a state back into `words`, all of them. */
  restore(area: Uint8Array, words: Uint32Array): void;
}

/** Virtual time as a processor sees it. */
export interface TimePort {
  /**
   * Time-stamp counter before the processor's own offset, at this processor's current instruction. Whoever lets a
   * processor read it by itself (`Shortcuts.tsc`) counts whole nanoseconds here.
   */
  tsc(processor: number): bigint;
}

/**
 * A counter of virtual time that an I/O port shows: `ticksAt(ns, frequencyHz) & mask` of `@smm/bus`. Reading it changes
 * nothing, so that the processor may compute it without asking {@link IoPort}.
 */
export interface TimeCounter {
  /** The port. */
  readonly port: number;
  /** Width of the access that reads the whole counter, bytes; others are {@link IoPort}'s. */
  readonly size: 1 | 2 | 4;
  /** Ticks per second. */
  readonly frequencyHz: number;
  /** Bits that the counter has, from bit 0 on. */
  readonly mask: number;
}

/**
 * Watches a processor. Every method is optional and must not change anything. RIPs are those of the instruction at
 * hand.
 */
export interface ProcessorObserver {
  /** An SMI was accepted. `rip` is the interrupted RIP, `halted` whether it woke the processor from HLT. */
  smiEntered?(processor: number, smbase: number, rip: bigint, halted: boolean): void;
  /** About to execute RSM (still in SMM). */
  rsmStarting?(processor: number, rip: bigint): void;
  /** RSM done. */
  smmLeft?(processor: number, oldSmbase: number, newSmbase: number, rip: bigint): void;
  /** HLT executed. */
  halted?(processor: number, rip: bigint): void;
  /** Left HLT because of `cause`. */
  woken?(processor: number, cause: 'smi' | 'nmi' | 'interrupt' | 'init'): void;
  /** INIT taken. */
  initTaken?(processor: number): void;
  /** SIPI taken. */
  sipiTaken?(processor: number, vector: number): void;
  /** Exception or interrupt about to be delivered. */
  interruptDelivered?(
    processor: number,
    vector: number,
    kind: 'exception' | 'interrupt' | 'nmi' | 'software',
    errorCode: number | undefined,
    rip: bigint,
  ): void;
  /** Shutdown entered. */
  shutdown?(processor: number, reason: string, rip: bigint): void;
  /** CPUID executed. */
  cpuid?(
    processor: number,
    leaf: number,
    subleaf: number,
    eax: number,
    ebx: number,
    ecx: number,
    edx: number,
    rip: bigint,
  ): void;
  /** RDMSR or WRMSR executed; `fault` if it raised #GP. */
  msr?(processor: number, write: boolean, index: number, value: bigint, fault: boolean, rip: bigint): void;
  /** RDMSR or WRMSR of an MSR that the model does not have, and `unknownMsr` is 'zero'. */
  unknownMsr?(processor: number, write: boolean, index: number, value: bigint, rip: bigint): void;
  /** MOV to or from a control register (also CLTS, LMSW); `gpr` is the general register number. */
  controlRegister?(
    processor: number,
    write: boolean,
    register: number,
    gpr: number,
    value: bigint,
    rip: bigint,
  ): void;
  /** PAUSE, WBINVD, INVLPG and other instructions that a hypervisor may intercept. */
  instruction?(
    processor: number,
    name: 'PAUSE' | 'WBINVD' | 'INVD' | 'INVLPG' | 'RDTSC' | 'MWAIT' | 'MONITOR',
    operand: number,
    rip: bigint,
  ): void;
}

/** Documented differences between real processors, QEMU and KVM. Defaults follow the SDM. */
export interface ProcessorBehaviour {
  /** SMI wakes a halted processor (false: KVM before 7391773933b8). Default true. */
  smiWakesHalted: boolean;
  /**
   * RSM returns into HLT when the auto-HALT field is still set (false: QEMU and KVM, field never written). Default
   * true.
   */
  autoHaltRestart: boolean;
  /** INIT is latched while in SMM (false: QEMU 7.2 TCG takes it). Default true. */
  initBlockedInSmm: boolean;
  /**
   * An SMI to a processor in wait-for-SIPI: latched until SIPI, or it wakes with reset state (QEMU 7.2). Default
   * 'latched'.
   */
  smiInWaitForSipi: 'latched' | 'wakes';
  /** The first SMI after an INIT is lost if the processor still waits for its SIPI (QEMU 7.2). Default false. */
  firstSmiAfterInitLost: boolean;
  /**
   * The PDPTEs of PAE paging are registers, loaded and checked as the SDM says (false: QEMU's TCG, which reads them
   * from memory when it walks). Default true.
   */
  checkPdptes: boolean;
  /** Bits of SMBASE that RSM keeps (FFFF8000h: QEMU before 'allow any alignment for SMBASE'). Default FFFFFFFFh. */
  smbaseMask: number;
  /**
   * A taken near branch with 16-bit operand size cuts EIP to 16 bits (false: QEMU 7.2 in big real mode). Default true.
   */
  truncateNearBranchTo16: boolean;
  /** IDTR is set to base 0, limit 0 on SMM entry (KVM) or kept (QEMU). Default 'kept'. */
  smmEntryIdtr: 'kept' | 'zero';
  /**
   * RSM takes SMBASE from the save state only if the saved revision has the relocation bit (QEMU), or always (KVM).
   * Default true.
   */
  rsmChecksRevision: boolean;
  /**
   * RDMSR and WRMSR of an MSR that the model does not have: #GP, or it reads 0 and forgets what is written (QEMU's
   * TCG, on which operating systems have come to rely). Default 'fault'.
   */
  unknownMsr: 'fault' | 'zero';
}

/** Behaviour by the SDM. */
export const SDM_BEHAVIOUR: Readonly<ProcessorBehaviour> = Object.freeze({
  smiWakesHalted: true,
  autoHaltRestart: true,
  initBlockedInSmm: true,
  smiInWaitForSipi: 'latched',
  firstSmiAfterInitLost: false,
  checkPdptes: true,
  smbaseMask: 0xffff_ffff,
  truncateNearBranchTo16: true,
  smmEntryIdtr: 'kept',
  rsmChecksRevision: true,
  unknownMsr: 'fault',
});
