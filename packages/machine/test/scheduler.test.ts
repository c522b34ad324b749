/** The scheduler by itself: rounds, lengths of turns, and that it is a function of its seed. */
import { describe, expect, it } from 'vitest';
import { Scheduler } from '../src/scheduler.ts';

const EVERYBODY = [0, 1, 2, 3];

interface Turn {
  readonly processor: number;
  readonly slice: number;
}

function deal(scheduler: Scheduler): Turn | undefined {
  const processor = scheduler.deal();
  return processor < 0 ? undefined : { processor, slice: scheduler.slice };
}

function rounds(scheduler: Scheduler, many: number): Turn[][] {
  return Array.from({ length: many }, () => {
    scheduler.startRound([...EVERYBODY]);
    const turns: Turn[] = [];
    for (let turn = deal(scheduler); turn !== undefined; turn = deal(scheduler)) turns.push(turn);
    return turns;
  });
}

describe.each([1, 7, 1000])('slices of %i', (slice) => {
  it('without a seed everybody has full turns in order', () => {
    for (const round of rounds(new Scheduler({ seed: 0, slice }), 3))
      expect(round).toEqual(EVERYBODY.map((processor) => ({ processor, slice })));
  });

  it('with a seed everybody has one turn a round, of 1 to twice the slice, in every order', () => {
    const all = rounds(new Scheduler({ seed: 3, slice }), 1000);
    const lengths = all.flat().map((turn) => turn.slice);
    expect([Math.min(...lengths) <= 1 + slice / 100, Math.max(...lengths) >= 2 * slice * 0.99]).toEqual([
      true,
      true,
    ]);
    expect(Math.min(...lengths)).toBeGreaterThanOrEqual(1);
    expect(Math.max(...lengths)).toBeLessThanOrEqual(2 * slice);
    const orders = all.map((round) => round.map(({ processor }) => processor));
    for (const order of orders) expect([...order].sort()).toEqual(EVERYBODY);
    expect(new Set(orders.map(String)).size).toBe(24);
  });

  it('goes on from a saved state as it would have, whatever the schedule was', () => {
    const a = new Scheduler({ seed: 9, slice });
    rounds(a, 5);
    a.startRound([...EVERYBODY]);
    deal(a);
    const b = new Scheduler({ seed: 1, slice: slice + 5 });
    b.restore(a.save());
    for (let turn = deal(a); turn !== undefined; turn = deal(a)) expect(deal(b)).toEqual(turn);
    expect(rounds(b, 5)).toEqual(rounds(a, 5));
  });
});
