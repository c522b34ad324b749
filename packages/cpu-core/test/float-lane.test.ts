/** Corners of exact SSE arithmetic that random operands hardly come to. */
import { expect, test } from 'vitest';
import { FloatLane, MXCSR_OE, MXCSR_PE } from '../src/system/float/lane.ts';

test.each([4, 8] as const)('an unmasked overflow of %i bytes is never taken for a tiny result', (width) => {
  const fraction = BigInt(width === 4 ? 23 : 52);
  const top = width === 4 ? 254n : 2046n;
  const odd = (top << fraction) | 1n;
  // All masked but overflow, FTZ: whatever exponent comes of it.
  const lane = new FloatLane(width, 0xfb80);
  for (let exponent = top / 2n + 1n; exponent <= top; exponent++) {
    const { flags } = lane.compute('MUL', odd, (exponent << fraction) | 3n);
    expect(flags, `exponent ${exponent}`).toBe(MXCSR_OE | MXCSR_PE);
  }
});
