/** Architectural processor state as plain data: what SMM save-state maps, snapshots and debuggers exchange. */

/** One segment register or LDTR/TR with its hidden part. */
export interface SegmentState {
  /** Selector, 16 bit. */
  selector: number;
  /**
   * Attributes, 16 bit, as the AMD64 save-state map stores them: (descriptor high dword >> 8) & F0FFh.
   * Type 3:0, S 4, DPL 6:5, P 7, AVL 12, L 13, D/B 14, G 15. Hidden "unusable" is P = 0.
   */
  attributes: number;
  /** Limit in bytes (already scaled by G), unsigned 32 bit. */
  limit: number;
  /** Base, linear address, 64 bit. */
  base: bigint;
}

/** GDTR or IDTR. */
export interface DescriptorTableState {
  /** Limit in bytes, 16 bit. */
  limit: number;
  /** Base, linear address, 64 bit. */
  base: bigint;
}

/** The state that an SMM save-state map can hold. Every address is linear unless said; bigints are unsigned 64 bit. */
export interface SmmSaveState {
  /** RAX RCX RDX RBX RSP RBP RSI RDI R8..R15. */
  gpr: bigint[];
  rip: bigint;
  rflags: bigint;
  cr0: bigint;
  cr3: bigint;
  cr4: bigint;
  efer: bigint;
  dr6: bigint;
  dr7: bigint;
  es: SegmentState;
  cs: SegmentState;
  ss: SegmentState;
  ds: SegmentState;
  fs: SegmentState;
  gs: SegmentState;
  ldtr: SegmentState;
  tr: SegmentState;
  gdtr: DescriptorTableState;
  idtr: DescriptorTableState;
  /** SMBASE, guest-physical, 32 bit. */
  smbase: number;
  /** SMM revision identifier, 32 bit. */
  revision: number;
  /** Auto-HALT restart field: the SMI found the processor in HLT (written), resume into HLT (read). */
  autoHaltRestart: boolean;
  /** I/O instruction restart field, 8 or 16 bit as the layout has it. */
  ioRestart: number;
  /** Interrupt shadow saved by KVM >= 6.2, 8 bit; 0 where the layout has no such field. */
  interruptShadow: number;
}
