/** Register slots (byte offset / 16) that the model names. */
import {
  APIC_DFR,
  APIC_ESR,
  APIC_ICR,
  APIC_ICR2,
  APIC_ID,
  APIC_IRR,
  APIC_ISR,
  APIC_LDR,
  APIC_LVR,
  APIC_LVT0,
  APIC_LVTERR,
  APIC_LVTT,
  APIC_SPIV,
  APIC_TASKPRI,
  APIC_TMR,
} from '@smm/x86-defs';

/** Slot of APIC_ID. */
export const SLOT_ID = APIC_ID >> 4;
/** Slot of APIC_LVR. */
export const SLOT_LVR = APIC_LVR >> 4;
/** Slot of APIC_TASKPRI. */
export const SLOT_TPR = APIC_TASKPRI >> 4;
/** Slot of APIC_LDR. */
export const SLOT_LDR = APIC_LDR >> 4;
/** Slot of APIC_DFR. */
export const SLOT_DFR = APIC_DFR >> 4;
/** Slot of APIC_SPIV. */
export const SLOT_SVR = APIC_SPIV >> 4;
/** Slot of APIC_ISR. */
export const SLOT_ISR = APIC_ISR >> 4;
/** Slot of APIC_TMR. */
export const SLOT_TMR = APIC_TMR >> 4;
/** Slot of APIC_IRR. */
export const SLOT_IRR = APIC_IRR >> 4;
/** Slot of APIC_ESR. */
export const SLOT_ESR = APIC_ESR >> 4;
/** Slot of APIC_ICR. */
export const SLOT_ICR = APIC_ICR >> 4;
/** Slot of APIC_ICR2. */
export const SLOT_ICR2 = APIC_ICR2 >> 4;
/** Slot of APIC_LVTT. */
export const SLOT_LVTT = APIC_LVTT >> 4;
/** Slot of APIC_LVT0. */
export const SLOT_LVT0 = APIC_LVT0 >> 4;
/** Slot of APIC_LVTERR. */
export const SLOT_LVTERR = APIC_LVTERR >> 4;
