/**
 * The local interrupt pins LINT0 and LINT1 and their LVT entries.
 * Source: Intel SDM Vol. 3, "Local Vector Table", "Valid Interrupt Vectors".
 */
import {
  APIC_DM_EXTINT,
  APIC_DM_FIXED,
  APIC_DM_INIT,
  APIC_DM_NMI,
  APIC_DM_SMI,
  APIC_INPUT_POLARITY,
  APIC_LVT_LEVEL_TRIGGER,
  APIC_LVT_MASKED,
  APIC_LVT_REMOTE_IRR,
  APIC_MODE_MASK,
  APIC_VECTOR_MASK,
} from '@smm/x86-defs';
import type { Acceptance, ApicMessage } from './messages.ts';
import { SLOT_LVT0 } from './slots.ts';

/** 0 is LINT0, 1 is LINT1. */
export type LintPin = 0 | 1;

const PIN_MODES: readonly number[] = [APIC_DM_FIXED, APIC_DM_SMI, APIC_DM_NMI, APIC_DM_INIT];

/** Levels of the two pins, and what they deliver through the LVT words. */
export class LintPins {
  /** Electrical levels, true is high. */
  readonly levels: [boolean, boolean] = [false, false];
  readonly #words: Uint32Array;
  readonly #deliver: (message: ApicMessage) => Acceptance;

  constructor(words: Uint32Array, deliver: (message: ApicMessage) => Acceptance) {
    this.#words = words;
    this.#deliver = deliver;
  }

  /** Drives a pin; a rise to active delivers what the LVT entry says (ExtINT is a level: see `extInt`). */
  set(pin: LintPin, level: boolean): void {
    const before = this.#active(pin);
    this.levels[pin] = level;
    if (!before && this.#active(pin)) this.#deliverEntry(pin);
  }

  /** True while a pin in ExtINT mode is active and not masked. */
  get extInt(): boolean {
    return this.#passes(0, APIC_DM_EXTINT) || this.#passes(1, APIC_DM_EXTINT);
  }

  /** A level-triggered vector ended: the entry accepts its pin again, and at once if it is still active. */
  endOfInterrupt(vector: number): void {
    for (const pin of [0, 1] as const) {
      const lvt = this.#words[SLOT_LVT0 + pin]!;
      if ((lvt & APIC_LVT_REMOTE_IRR) === 0 || (lvt & APIC_VECTOR_MASK) !== vector) continue;
      this.#words[SLOT_LVT0 + pin] = lvt & ~APIC_LVT_REMOTE_IRR;
      this.look(pin);
    }
  }

  /** The LVT entry was written: a level-triggered pin that is active delivers now; edges that came before are lost. */
  look(pin: LintPin): void {
    if (this.#isLevel(pin) && this.#passes(pin, APIC_DM_FIXED)) this.#deliverEntry(pin);
  }

  #deliverEntry(pin: LintPin): void {
    const lvt = this.#words[SLOT_LVT0 + pin]!;
    const deliveryMode = lvt & APIC_MODE_MASK;
    if ((lvt & APIC_LVT_MASKED) !== 0 || !PIN_MODES.includes(deliveryMode)) return;
    const level = this.#isLevel(pin);
    if (level && (lvt & APIC_LVT_REMOTE_IRR) !== 0) return;
    const trigger = level ? 'level' : 'edge';
    const taken = this.#deliver({ deliveryMode, vector: lvt & APIC_VECTOR_MASK, trigger, level: true });
    if (level && taken !== 'ignored') this.#words[SLOT_LVT0 + pin] = lvt | APIC_LVT_REMOTE_IRR;
  }

  /** Only LINT0 in fixed mode can be level triggered: the manual has software use LINT1 with edges alone. */
  #isLevel(pin: LintPin): boolean {
    const lvt = this.#words[SLOT_LVT0 + pin]!;
    return pin === 0 && (lvt & APIC_MODE_MASK) === APIC_DM_FIXED && (lvt & APIC_LVT_LEVEL_TRIGGER) !== 0;
  }

  #active(pin: LintPin): boolean {
    return this.levels[pin] !== ((this.#words[SLOT_LVT0 + pin]! & APIC_INPUT_POLARITY) !== 0);
  }

  #passes(pin: LintPin, deliveryMode: number): boolean {
    const lvt = this.#words[SLOT_LVT0 + pin]!;
    return (lvt & (APIC_LVT_MASKED | APIC_MODE_MASK)) === deliveryMode && this.#active(pin);
  }
}
