/** Random histories of requests, priorities, acknowledges and EOIs against a model made of plain sets. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { enable, makeRig, vectorsIn } from './rig.ts';

type Step =
  | { do: 'request'; vector: number; level: boolean }
  | { do: 'tpr'; value: number }
  | { do: 'cr8'; value: number }
  | { do: 'acknowledge' }
  | { do: 'eoi' };

/** Often of the same few classes, so that these meet. */
const near = fc.constantFrom(0x31, 0x35, 0x3f, 0x42, 0x48, 0xe1);
const vector = fc.oneof(fc.integer({ min: 16, max: 255 }), near);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('request' as const), vector, level: fc.boolean() }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('tpr' as const),
      value: fc.oneof(fc.integer({ min: 0, max: 255 }), near),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('cr8' as const), value: fc.integer({ min: 0, max: 15 }) }),
  },
  { weight: 3, arbitrary: fc.constant({ do: 'acknowledge' as const }) },
  { weight: 3, arbitrary: fc.constant({ do: 'eoi' as const }) },
);

/** The manual's rules on sets of numbers. */
class SetModel {
  irr = new Set<number>();
  isr = new Set<number>();
  tmr = new Set<number>();
  tpr = 0;
  eois: number[] = [];

  ppr(): number {
    const service = Math.max(0, ...this.isr);
    const serviceClass = Math.floor(service / 16);
    return Math.floor(this.tpr / 16) >= serviceClass ? this.tpr : serviceClass * 16;
  }

  deliverable(): number {
    const best = Math.max(-1, ...this.irr);
    return best >= 0 && Math.floor(best / 16) > Math.floor(this.ppr() / 16) ? best : -1;
  }

  acknowledge(): number {
    const best = this.deliverable();
    if (best < 0) return 0xff;
    this.irr.delete(best);
    this.isr.add(best);
    return best;
  }

  eoi(): void {
    const best = Math.max(-1, ...this.isr);
    this.isr.delete(best);
    if (this.tmr.has(best) && best >= 0) this.eois.push(best);
  }
}

const sorted = (set: Set<number>) => [...set].sort((a, b) => a - b);

it('irr_isr_tmr_ppr_and_intr_follow_the_rules_over_any_history', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { cpus, bus, eois } = makeRig(1);
      const { apic } = cpus[0]!;
      enable(apic);
      const model = new SetModel();
      for (const s of steps) {
        if (s.do === 'request') {
          const coalesced = model.irr.has(s.vector);
          model.irr.add(s.vector);
          if (s.level) model.tmr.add(s.vector);
          else model.tmr.delete(s.vector);
          const answer = bus.deliver({
            deliveryMode: 0,
            vector: s.vector,
            trigger: s.level ? 'level' : 'edge',
            level: true,
            destination: 0,
            destinationMode: 'physical',
          });
          expect(answer).toBe(coalesced ? 'coalesced' : 'accepted');
        } else if (s.do === 'tpr') {
          model.tpr = s.value;
          apic.writeRegister('TPR', s.value);
        } else if (s.do === 'cr8') {
          model.tpr = s.value * 16;
          apic.cr8 = s.value;
        } else if (s.do === 'acknowledge') {
          expect(apic.acknowledge()).toBe(model.acknowledge());
        } else {
          model.eoi();
          apic.writeRegister('EOI', 0);
        }
        expect(apic.pendingVector()).toBe(model.deliverable());
        expect(apic.intr).toBe(model.deliverable() >= 0);
        expect(apic.readRegister('PPR')).toBe(model.ppr());
        expect(apic.cr8).toBe(model.tpr >> 4);
        expect(vectorsIn(apic, 'IRR')).toEqual(sorted(model.irr));
        expect(vectorsIn(apic, 'ISR')).toEqual(sorted(model.isr));
        expect(vectorsIn(apic, 'TMR')).toEqual(sorted(model.tmr));
        expect(eois).toEqual(model.eois);
      }
    }),
    { numRuns: 200 },
  );
});
