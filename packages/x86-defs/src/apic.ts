/**
 * Local APIC register offsets and bits, under the names of Linux (`asm/apicdef.h`), which KVM's traces use too.
 * Intel SDM Vol. 3, "Advanced Programmable Interrupt Controller (APIC)"; the SDM's own register names are in brackets.
 */

/** Guest-physical address of the local APIC page after RESET. */
export const APIC_DEFAULT_PHYS_BASE = 0xfee0_0000;
/** Size in bytes of the local APIC page. */
export const APIC_PAGE_SIZE = 0x1000;

/** [Local APIC ID] offset; the id is in bits 31:24 (xAPIC), 31:0 (x2APIC). */
export const APIC_ID = 0x020;
/** [Local APIC Version] offset. */
export const APIC_LVR = 0x030;
/** [TPR] task priority offset. */
export const APIC_TASKPRI = 0x080;
/** [APR] arbitration priority offset (P6 family only). */
export const APIC_ARBPRI = 0x090;
/** [PPR] processor priority offset. */
export const APIC_PROCPRI = 0x0a0;
/** [EOI] end of interrupt offset. */
export const APIC_EOI = 0x0b0;
/** [RRD] remote read offset (P6 family only). */
export const APIC_RRR = 0x0c0;
/** [LDR] logical destination offset. */
export const APIC_LDR = 0x0d0;
/** [DFR] destination format offset. */
export const APIC_DFR = 0x0e0;
/** [SVR] spurious interrupt vector offset. */
export const APIC_SPIV = 0x0f0;
/** [ISR] first of eight in-service registers. */
export const APIC_ISR = 0x100;
/** [TMR] first of eight trigger mode registers. */
export const APIC_TMR = 0x180;
/** [IRR] first of eight interrupt request registers. */
export const APIC_IRR = 0x200;
/** [ESR] error status offset. */
export const APIC_ESR = 0x280;
/** [LVT CMCI] corrected machine check interrupt offset. */
export const APIC_LVTCMCI = 0x2f0;
/** [ICR] interrupt command, bits 31:0; writing it sends. */
export const APIC_ICR = 0x300;
/** [ICR] interrupt command, bits 63:32: the destination. */
export const APIC_ICR2 = 0x310;
/** [LVT Timer] offset. */
export const APIC_LVTT = 0x320;
/** [LVT Thermal Sensor] offset. */
export const APIC_LVTTHMR = 0x330;
/** [LVT Performance Monitoring Counters] offset. */
export const APIC_LVTPC = 0x340;
/** [LVT LINT0] offset. */
export const APIC_LVT0 = 0x350;
/** [LVT LINT1] offset. */
export const APIC_LVT1 = 0x360;
/** [LVT Error] offset. */
export const APIC_LVTERR = 0x370;
/** [Initial Count] offset. */
export const APIC_TMICT = 0x380;
/** [Current Count] offset. */
export const APIC_TMCCT = 0x390;
/** [DCR] divide configuration offset. */
export const APIC_TDCR = 0x3e0;
/** [SELF IPI] offset (x2APIC only). */
export const APIC_SELF_IPI = 0x3f0;

/** Version register: EOI-broadcast suppression is supported. */
export const APIC_LVR_DIRECTED_EOI = 0x0100_0000;

/** SVR: software enable. */
export const APIC_SPIV_APIC_ENABLED = 0x0100;
/** SVR: focus processor checking disabled (P6, Pentium). */
export const APIC_SPIV_FOCUS_DISABLED = 0x0200;
/** SVR: no EOI broadcast to I/O APICs. */
export const APIC_SPIV_DIRECTED_EOI = 0x1000;

/** DFR: flat model (bits 31:28 all ones). */
export const APIC_DFR_FLAT = 0xffff_ffff;
/** DFR: cluster model (bits 31:28 zero). */
export const APIC_DFR_CLUSTER = 0x0fff_ffff;

/** ESR: send checksum error (P6, Pentium). */
export const APIC_ESR_SEND_CS = 0x01;
/** ESR: receive checksum error (P6, Pentium). */
export const APIC_ESR_RECV_CS = 0x02;
/** ESR: send accept error (P6, Pentium). */
export const APIC_ESR_SEND_ACC = 0x04;
/** ESR: receive accept error (P6, Pentium). */
export const APIC_ESR_RECV_ACC = 0x08;
/** ESR: lowest-priority IPI sent by a processor that cannot. */
export const APIC_ESR_REDIRECTABLE_IPI = 0x10;
/** ESR: an illegal vector (0-15) was sent. */
export const APIC_ESR_SENDILL = 0x20;
/** ESR: an illegal vector (0-15) was received. */
export const APIC_ESR_RECVILL = 0x40;
/** ESR: access to a reserved register address. */
export const APIC_ESR_ILLREGA = 0x80;

/** ICR and LVT: vector, bits 7:0. */
export const APIC_VECTOR_MASK = 0xff;
/** ICR and LVT: delivery mode, bits 10:8. */
export const APIC_MODE_MASK = 0x0700;
/** Delivery mode: fixed. */
export const APIC_DM_FIXED = 0x0000;
/** Delivery mode: lowest priority. */
export const APIC_DM_LOWEST = 0x0100;
/** Delivery mode: SMI. */
export const APIC_DM_SMI = 0x0200;
/** Delivery mode: remote read (82489DX, P6), reserved today. */
export const APIC_DM_REMRD = 0x0300;
/** Delivery mode: NMI. */
export const APIC_DM_NMI = 0x0400;
/** Delivery mode: INIT. */
export const APIC_DM_INIT = 0x0500;
/** Delivery mode: start-up IPI (SIPI). */
export const APIC_DM_STARTUP = 0x0600;
/** Delivery mode: ExtINT (LVT and I/O APIC only). */
export const APIC_DM_EXTINT = 0x0700;
/** ICR: destination is an APIC id. */
export const APIC_DEST_PHYSICAL = 0x0000;
/** ICR: destination is a logical address. */
export const APIC_DEST_LOGICAL = 0x0800;
/** ICR and LVT: delivery status, read-only (1 = send pending). */
export const APIC_ICR_BUSY = 0x1000;
/** ICR: level, 1 = assert. */
export const APIC_INT_ASSERT = 0x4000;
/** ICR: trigger mode, 1 = level. */
export const APIC_INT_LEVELTRIG = 0x8000;
/** ICR: destination shorthand, bits 19:18. */
export const APIC_SHORT_MASK = 0xc_0000;
/** ICR shorthand: none, the destination field counts. */
export const APIC_DEST_NOSHORT = 0x0_0000;
/** ICR shorthand: self. */
export const APIC_DEST_SELF = 0x4_0000;
/** ICR shorthand: all including self. */
export const APIC_DEST_ALLINC = 0x8_0000;
/** ICR shorthand: all excluding self. */
export const APIC_DEST_ALLBUT = 0xc_0000;

/** LVT: input pin polarity, 1 = active low (LINT0, LINT1). */
export const APIC_INPUT_POLARITY = 0x2000;
/** LVT: remote IRR, read-only (LINT0, LINT1). */
export const APIC_LVT_REMOTE_IRR = 0x4000;
/** LVT: level triggered (LINT0, LINT1). */
export const APIC_LVT_LEVEL_TRIGGER = 0x8000;
/** LVT: masked. */
export const APIC_LVT_MASKED = 0x1_0000;
/** LVT timer: mode, bits 18:17 (0 is one-shot). */
export const APIC_LVT_TIMER_MODE_MASK = 0x6_0000;
/** LVT timer: periodic mode. */
export const APIC_LVT_TIMER_PERIODIC = 0x2_0000;
/** LVT timer: TSC-deadline mode. */
export const APIC_LVT_TIMER_TSCDEADLINE = 0x4_0000;

/** Lowest legal interrupt vector; 0-15 are reserved. */
export const APIC_FIRST_VECTOR = 16;
/** xAPIC destination field: every local APIC. */
export const APIC_BROADCAST = 0xff;
/** x2APIC destination field: every local APIC. */
export const X2APIC_BROADCAST = 0xffff_ffff;

/** IA32_APIC_BASE: this processor is the bootstrap processor. */
export const APIC_BASE_BSP = 0x100;
/** IA32_APIC_BASE: x2APIC mode (SDM: EXTD). */
export const APIC_BASE_X2APIC_ENABLE = 0x400;
/** IA32_APIC_BASE: global enable (SDM: EN). */
export const APIC_BASE_ENABLE = 0x800;
/** First MSR of the x2APIC range; register offset `n` is MSR `X2APIC_MSR_BASE + n / 16`. */
export const X2APIC_MSR_BASE = 0x800;
/** Last MSR of the range reserved for the x2APIC. */
export const X2APIC_MSR_LAST = 0x8ff;

/** MSI address: constant part, bits 31:20. Intel SDM Vol. 3, "Message Address Register Format". */
export const MSI_ADDR_BASE = 0xfee0_0000;
/** MSI address: destination mode, 1 = logical. */
export const MSI_ADDR_DEST_MODE_LOGICAL = 0x4;
/** MSI address: redirection hint. */
export const MSI_ADDR_REDIRECTION_HINT = 0x8;
