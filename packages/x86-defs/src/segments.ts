/**
 * Segment registers, attribute bits (16-bit save-state form) and system descriptor types. Intel SDM Vol. 3, "Segment
 * Descriptors".
 */

/** Index of ES in SDM encoding order. */
export const SEG_ES = 0;
/** Index of CS. */
export const SEG_CS = 1;
/** Index of SS. */
export const SEG_SS = 2;
/** Index of DS. */
export const SEG_DS = 3;
/** Index of FS. */
export const SEG_FS = 4;
/** Index of GS. */
export const SEG_GS = 5;
/** Index of LDTR in the processor's segment array. */
export const SEG_LDTR = 6;
/** Index of TR in the processor's segment array. */
export const SEG_TR = 7;

/** Attribute: accessed (type bit 0). */
export const SEG_ATTR_A = 0x0001;
/** Attribute: writable data / readable code (type bit 1). */
export const SEG_ATTR_RW = 0x0002;
/** Attribute: expand-down data / conforming code (type bit 2). */
export const SEG_ATTR_DC = 0x0004;
/** Attribute: executable (type bit 3). */
export const SEG_ATTR_CODE = 0x0008;
/** Attribute: code or data (1), system (0). */
export const SEG_ATTR_S = 0x0010;
/** Attribute: DPL field, 2 bits at 5. */
export const SEG_ATTR_DPL_SHIFT = 5;
/** Attribute: present. */
export const SEG_ATTR_P = 0x0080;
/** Attribute: available to software. */
export const SEG_ATTR_AVL = 0x1000;
/** Attribute: 64-bit code. */
export const SEG_ATTR_L = 0x2000;
/** Attribute: default operand size 32 / big stack. */
export const SEG_ATTR_DB = 0x4000;
/** Attribute: limit was scaled by 4 KiB. */
export const SEG_ATTR_G = 0x8000;

/** System descriptor type: 16-bit TSS (available). */
export const DESC_TYPE_TSS16_AVAIL = 0x1;
/** System descriptor type: LDT. */
export const DESC_TYPE_LDT = 0x2;
/** System descriptor type: 16-bit TSS (busy). */
export const DESC_TYPE_TSS16_BUSY = 0x3;
/** System descriptor type: 16-bit call gate. */
export const DESC_TYPE_CALL_GATE16 = 0x4;
/** System descriptor type: task gate. */
export const DESC_TYPE_TASK_GATE = 0x5;
/** System descriptor type: 16-bit interrupt gate. */
export const DESC_TYPE_INT_GATE16 = 0x6;
/** System descriptor type: 16-bit trap gate. */
export const DESC_TYPE_TRAP_GATE16 = 0x7;
/** System descriptor type: 32/64-bit TSS (available). */
export const DESC_TYPE_TSS_AVAIL = 0x9;
/** System descriptor type: 32/64-bit TSS (busy). */
export const DESC_TYPE_TSS_BUSY = 0xb;
/** System descriptor type: 32/64-bit call gate. */
export const DESC_TYPE_CALL_GATE = 0xc;
/** System descriptor type: 32/64-bit interrupt gate. */
export const DESC_TYPE_INT_GATE = 0xe;
/** System descriptor type: 32/64-bit trap gate. */
export const DESC_TYPE_TRAP_GATE = 0xf;
