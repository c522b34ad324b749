/** The proof of an endless loop in pieces: whoever looks in between changes nothing, and may give up. */
import { describe, expect, it } from 'vitest';
import {
  prepareRelocation,
  proveEndlessLoop,
  proveInPieces,
  runInPieces,
  runRelocation,
} from '../src/index.ts';
import { flat } from './flat-rom.ts';
import { MAIL, parts } from './runs.ts';

describe('the proof of an endless loop', () => {
  const hang = () => {
    const machine = flat('cli\njmp $');
    machine.run({ instructions: 1000 });
    return machine;
  };

  it('yields before each processor when it is asked to, and comes to the same', () => {
    const pieces = proveInPieces(hang(), () => true);
    expect(pieces.next()).toEqual({ done: false, value: undefined });
    const proof = pieces.next();
    expect(proof.value).toMatchObject({ loops: [{ id: 0, period: 1 }] });
    expect(proveEndlessLoop(hang())).toEqual(proof.value);
  });

  it('ends its watch when it is given up', () => {
    const machine = hang();
    const pieces = proveInPieces(machine, () => true);
    pieces.next();
    pieces.return(undefined);
    machine.step(0);
    expect(machine.watched().reads.size).toBe(0);
  });

  it('of a relocation that hangs does not depend on interruptions', () => {
    const whole = runRelocation(prepareRelocation({ ...MAIL, parts }));
    const pieces = runInPieces(prepareRelocation({ ...MAIL, parts, interrupt: () => true }));
    let step = pieces.next();
    let yields = 0;
    for (; step.done !== true; step = pieces.next()) yields++;
    expect(step.value).toEqual(whole);
    expect(yields).toBeGreaterThan(2);
  });
});
