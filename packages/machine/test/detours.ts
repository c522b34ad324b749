/** What a machine may do that must leave no trace when it is restored, for the tests of snapshots. */
import { SmmError } from '@smm/x86-defs';
import type { Machine } from '../src/index.ts';

/** Runs on for so many instructions, or until nobody executes any for long: a timer may tick while all sleep. */
function runOn(machine: Machine, length: number): void {
  let asked = 0;
  machine.runTo(machine.retired + length, () => ++asked > QUESTIONS);
}
/** Questions of a run whether to go on, some milliseconds each. */
const QUESTIONS = 100;

/** A bus transaction's attributes. */
const FIRST_PROCESSOR = 0;
/** Neither memory of SMM nor flash: a debugger may write here. */
const WRITABLE = [0, 0x8_0000, 0x10_0000, 0x20_0000] as const;

/** Kinds of detours; `length` is a whole number above 0, which is a count of instructions where there is one. */
export const DETOURS: Readonly<Record<string, (machine: Machine, length: number) => void>> = {
  run: runOn,
  turn: (machine, length) => machine.runTurn(length),
  reset: (machine, length) => {
    machine.reset({ seed: length, slice: 1 + (length % 50) });
    runOn(machine, length);
  },
  'the reset line': (machine, length) => {
    machine.systemReset();
    runOn(machine, length);
  },
  steps: (machine, length) => {
    for (let i = 0; i < length % 100; i++) machine.step(i % machine.processors.length);
  },
  'memory written': (machine, length) => {
    for (const base of WRITABLE)
      for (let at = 0; at < 0x8_0000; at += 0x1000 + length)
        machine.debug.writePhysical(base + at, Uint8Array.of(0xf4, 0xcc));
    runOn(machine, length);
  },
  'ports written': (machine, length) => {
    for (let i = 0; i < 200; i++)
      machine.ports.out((i * 37 + length) & 0xfff, 1, (i * 0x35 + length) & 0xff, FIRST_PROCESSOR);
    runOn(machine, length);
  },
  input: (machine, length) => {
    const { serial, keyboard } = machine.chipset.devices;
    for (let i = 0; i < 20; i++) serial?.receive((i + length) & 0x7f);
    for (const down of [true, false]) keyboard?.keyboard.key('Escape', down);
    runOn(machine, length);
  },
  events: (machine, length) => {
    for (const processor of machine.processors) processor.raiseNmi();
    machine.processors[length % machine.processors.length]!.raiseSmi();
    runOn(machine, length);
    machine.processors[0]!.raiseInit();
    runOn(machine, length);
  },
};

/** Whatever comes of it: a guest may do by then what is not modelled. */
export function detour(machine: Machine, kind: string, length: number): void {
  try {
    DETOURS[kind]!(machine, length);
  } catch (error) {
    if (!SmmError.isInstance(error)) throw error;
  }
}
