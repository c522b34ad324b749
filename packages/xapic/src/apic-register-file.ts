/** The stored words of one local APIC, with the table fitted to its options and flavour. */
import {
  APIC_LVR_DIRECTED_EOI,
  APIC_LVT_MASKED,
  APIC_LVT_TIMER_TSCDEADLINE,
  APIC_SPIV_APIC_ENABLED,
  APIC_SPIV_DIRECTED_EOI,
} from '@smm/x86-defs';
import type { ApicBehaviour } from './behaviour.ts';
import type { LocalApicOptions } from './options.ts';
import { APIC_REGISTER_BY_SLOT, APIC_REGISTERS, APIC_SLOTS, type ApicRegister } from './registers.ts';
import { SLOT_ID, SLOT_LVR, SLOT_SVR } from './slots.ts';

/** Words, rows and masks by register slot (byte offset / 16). */
export class ApicRegisterFile {
  /** Stored values; ID in xAPIC form. */
  readonly words = new Uint32Array(APIC_SLOTS);
  readonly #rows: (ApicRegister | undefined)[] = [...APIC_REGISTER_BY_SLOT];
  readonly #masks = new Uint32Array(APIC_SLOTS);
  readonly #x2masks = new Uint32Array(APIC_SLOTS);
  readonly #lvtSlots: readonly number[];
  readonly #version: number;
  readonly #initialId: number;
  readonly #disableMasksLvt: boolean;

  constructor(options: LocalApicOptions, behaviour: ApicBehaviour) {
    const { version = 0x14, lvtCount = 6, eoiBroadcastSuppression = false, tscDeadline = true } = options;
    this.#initialId = options.apicId;
    this.#disableMasksLvt = behaviour.softwareDisableMasksLvt;
    this.#version = version | ((lvtCount - 1) << 16) | (eoiBroadcastSuppression ? APIC_LVR_DIRECTED_EOI : 0);
    for (const row of APIC_REGISTERS) {
      const slot = row.offset >> 4;
      const refused = row.name === 'LVT_TIMER' && !tscDeadline ? APIC_LVT_TIMER_TSCDEADLINE : 0;
      const extra = row.name === 'SVR' && eoiBroadcastSuppression ? APIC_SPIV_DIRECTED_EOI : 0;
      if (row.name === 'LVT_CMCI' && lvtCount < 7) this.#rows[slot] = undefined;
      this.#masks[slot] = ((behaviour.writableBits[row.name] ?? row.mask) & ~refused) | extra;
      this.#x2masks[slot] = (row.x2mask & ~refused) | extra;
    }
    this.#lvtSlots = APIC_REGISTERS.filter((row) => row.effect === 'lvt' || row.effect === 'lvt-timer')
      .map((row) => row.offset >> 4)
      .filter((slot) => this.#rows[slot] !== undefined);
    this.setInitialId();
    this.reset();
  }

  /** The table's row of a slot; undefined where this APIC has nothing. */
  row(slot: number): ApicRegister | undefined {
    return this.#rows[slot];
  }

  /** Bits that WRMSR may set in x2APIC mode. */
  x2mask(slot: number): number {
    return this.#x2masks[slot]!;
  }

  /** Stores the writable bits of a value. */
  store(slot: number, value: number, x2apic: boolean): void {
    const mask = x2apic ? this.#x2masks[slot]! : this.#masks[slot]!;
    this.words[slot] = (this.words[slot]! & ~mask) | (value & mask);
  }

  /** Puts every register but the id to its reset value. */
  reset(): void {
    for (let slot = 0; slot < APIC_SLOTS; slot++) {
      if (slot !== SLOT_ID) this.words[slot] = this.#rows[slot]?.reset ?? 0;
    }
    this.words[SLOT_LVR] = this.#version;
  }

  /** Puts the initial id into the id register. */
  setInitialId(): void {
    this.words[SLOT_ID] = this.#initialId << 24;
  }

  /** SVR bit 8. */
  get softwareEnabled(): boolean {
    return (this.words[SLOT_SVR]! & APIC_SPIV_APIC_ENABLED) !== 0;
  }

  /** While SVR bit 8 is clear, the mask bit of every LVT entry is set and stays set (if the flavour has it so). */
  maskLvtWhileDisabled(): void {
    if (!this.#disableMasksLvt || this.softwareEnabled) return;
    for (const slot of this.#lvtSlots) this.words[slot] = this.words[slot]! | APIC_LVT_MASKED;
  }
}
