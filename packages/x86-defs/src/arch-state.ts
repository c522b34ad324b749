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
  /** Instruction pointer of the interrupted flow: offset in CS. */
  rip: bigint;
  /** RFLAGS. */
  rflags: bigint;
  /** CR0. */
  cr0: bigint;
  /** CR3: guest-physical page-table base and its flags. */
  cr3: bigint;
  /** CR4. */
  cr4: bigint;
  /** IA32_EFER; 0 in layouts that have no place for it. */
  efer: bigint;
  /** DR6. */
  dr6: bigint;
  /** DR7. */
  dr7: bigint;
  /** ES. */
  es: SegmentState;
  /** CS. */
  cs: SegmentState;
  /** SS; its DPL is the CPL. */
  ss: SegmentState;
  /** DS. */
  ds: SegmentState;
  /** FS. */
  fs: SegmentState;
  /** GS. */
  gs: SegmentState;
  /** LDTR. */
  ldtr: SegmentState;
  /** Task register. */
  tr: SegmentState;
  /** GDTR. */
  gdtr: DescriptorTableState;
  /** IDTR. */
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
