/** What a guest noticed, in the words of an explanation. */
import type { DivergenceSide } from '@smm/trace';
import { APIC_EOI, APIC_ICR, APIC_ICR2, APIC_ID } from '@smm/x86-defs';

const REGISTER_NAMES: Readonly<Record<number, string>> = {
  [APIC_ID]: 'APIC_ID',
  [APIC_EOI]: 'APIC_EOI',
  [APIC_ICR]: 'APIC_ICR',
  [APIC_ICR2]: 'APIC_ICR2',
};

/** One side of a divergence: `reads APIC_ID as 0x0 from an ordinary page of memory`. */
export function factInWords(side: DivergenceSide | undefined): string {
  if (side === undefined) return 'does nothing more';
  const { event, fact } = side;
  if (event.name !== 'smm_apic_read' && event.name !== 'smm_apic_write') return fact;
  const register = REGISTER_NAMES[event.register] ?? `APIC register 0x${event.register.toString(16)}`;
  const isApic = event.reached === 'apic';
  return event.name === 'smm_apic_read'
    ? `reads ${register} as 0x${event.value.toString(16)} from ${isApic ? 'its local APIC' : 'an ordinary page of memory'}`
    : `writes 0x${event.value.toString(16)} to ${register}${isApic ? '' : ', which an ordinary page of memory takes'}`;
}
