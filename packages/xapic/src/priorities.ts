/**
 * Interrupt priorities on the words of one local APIC.
 * Source: Intel SDM Vol. 3, "Interrupt, Task, and Processor Priority", "Interrupt Acceptance for Fixed Interrupts".
 */
import { SLOT_IRR, SLOT_ISR, SLOT_TMR, SLOT_TPR } from './slots.ts';
import { clearVector, highestVector, setVector, testVector } from './vector-bits.ts';

/** PPR: the task priority, or the class of the highest vector in service when that is higher. */
export function processorPriority(words: Uint32Array): number {
  const tpr = words[SLOT_TPR]! & 0xff;
  const inService = highestVector(words, SLOT_ISR);
  return inService >> 4 > tpr >> 4 ? inService & 0xf0 : tpr;
}

/**
 * Highest requested vector whose class is above that of PPR, or -1. With `classZero`, vectors 1-15 pass while PPR is 0.
 */
export function deliverableVector(words: Uint32Array, classZero: boolean): number {
  const vector = highestVector(words, SLOT_IRR);
  if (vector < 0) return -1;
  const ppr = processorPriority(words);
  if (classZero && ppr === 0) return vector || -1;
  return vector >> 4 > ppr >> 4 ? vector : -1;
}

/** Requests a vector and notes its trigger mode in TMR; true when it was requested already. */
export function requestVector(words: Uint32Array, vector: number, trigger: 'edge' | 'level'): boolean {
  const already = testVector(words, SLOT_IRR, vector);
  setVector(words, SLOT_IRR, vector);
  if (trigger === 'level') setVector(words, SLOT_TMR, vector);
  else clearVector(words, SLOT_TMR, vector);
  return already;
}

/** Moves a vector from IRR to ISR. */
export function beginService(words: Uint32Array, vector: number): void {
  clearVector(words, SLOT_IRR, vector);
  setVector(words, SLOT_ISR, vector);
}

/** Ends the highest vector in service and returns it, or -1. */
export function endService(words: Uint32Array): number {
  const vector = highestVector(words, SLOT_ISR);
  if (vector >= 0) clearVector(words, SLOT_ISR, vector);
  return vector;
}

/** Whether the vector was last accepted as level triggered. */
export function isLevelTriggered(words: Uint32Array, vector: number): boolean {
  return testVector(words, SLOT_TMR, vector);
}
