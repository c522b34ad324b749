/** When a run is looked at. */
import { describe, expect, it } from 'vitest';
import type { Machine } from '../src/index.ts';
import { Looks } from '../src/scenario/run.ts';

/** A machine whose turns have 7 instructions. */
function counter(): { machine: Machine; count: { retired: number } } {
  const count = { retired: 0 };
  const machine = {
    get retired() {
      return count.retired;
    },
    run: ({ instructions }: { instructions: number }) => {
      count.retired += Math.ceil(instructions / 7) * 7;
      return 'budget';
    },
  };
  return { machine: machine as unknown as Machine, count };
}

describe('looks', () => {
  it('come when the turn ends in which a multiple is reached', () => {
    const { machine } = counter();
    const looks = new Looks(machine, () => 100);
    const at: number[] = [];
    for (let n = 0; n < 3; n++) {
      looks.run(Number.POSITIVE_INFINITY);
      expect(looks.due).toBe(true);
      at.push(machine.retired);
      looks.taken();
    }
    expect(at).toEqual([105, 203, 301]);
  });

  it('do not come at the end of a run that is no multiple, and stay due until they are taken', () => {
    const { machine } = counter();
    const looks = new Looks(machine, () => 100);
    looks.run(50);
    expect([machine.retired, looks.due]).toEqual([56, false]);
    looks.run(1000);
    looks.run(1000);
    expect([machine.retired, looks.due]).toEqual([105, true]);
  });

  it('are planned anew when the machine was taken back, and when there are to be fewer', () => {
    const { machine, count } = counter();
    const looks = new Looks(machine, (retired) => (retired < 1000 ? 100 : 500));
    count.retired = 910;
    looks.run(1e6);
    looks.taken();
    looks.run(1e6);
    expect(machine.retired).toBe(1505);
    count.retired = 14;
    looks.run(1e6);
    expect(machine.retired).toBe(105);
  });
});
