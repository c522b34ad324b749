import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WiredOr } from '../src/index.ts';

describe('WiredOr', () => {
  it('is_up_while_any_driver_is_whatever_the_others_do', () => {
    const step = fc.record({ driver: fc.nat({ max: 2 }), level: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        let seen = false;
        let changes = 0;
        const wire = new WiredOr({
          set: (level) => {
            expect(level).toBe(!seen);
            seen = level;
            changes++;
          },
        });
        const inputs = [wire.input(), wire.input(), wire.input()];
        const levels = [false, false, false];
        for (const { driver, level } of steps) {
          inputs[driver]!.set(level);
          levels[driver] = level;
          expect(seen).toBe(levels.includes(true));
          expect(changes % 2 === 1).toBe(seen);
        }
      }),
    );
  });
});
