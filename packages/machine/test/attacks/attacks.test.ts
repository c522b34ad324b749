/**
 * Every attacker program of this folder in all six configurations and on real QEMU: it prints what its header says, and
 * the secret in SMRAM reaches neither the debug port nor registers nor memory outside SMRAM. Secure flash keeps every
 * byte. Both tiers end in the same state.
 */
import { describe, expect, it } from 'vitest';
import { type Attack, attacks, SECRET } from './support/attack.ts';
import { DEVIATIONS, type Deviation } from './support/deviations.ts';
import { CONFIGURATIONS, runHere } from './support/run-here.ts';
import { haveQemu, runQemu } from './support/run-qemu.ts';

const available = haveQemu();
if (!available) console.warn('QEMU is not installed (apt install qemu-system-x86): attacks do not run on it');

const ALL = attacks();

function deviation(attack: Attack, where: Deviation['where'][number]): Deviation | undefined {
  return DEVIATIONS.find((row) => row.attack === attack.name && row.where.includes(where));
}

function check(
  attack: Attack,
  expected: readonly string[],
  { log, leaks, flash }: { log: readonly string[]; leaks: readonly string[]; flash: Uint8Array },
): void {
  expect(log).toEqual(expected);
  expect(log.join('\n')).not.toContain(SECRET.slice(0, 8));
  expect(leaks).toEqual([]);
  if (attack.secure) expect(Buffer.compare(flash, attack.image)).toBe(0);
}

describe.each(ALL)('$name: $title', (attack) => {
  const states = new Map<string, readonly string[]>();
  it.each(CONFIGURATIONS)('under $accelerator, $tier', (configuration) => {
    const { accelerator } = configuration;
    const other = deviation(attack, accelerator);
    if (other !== undefined && other.log === undefined) return;
    const outcome = runHere(attack, configuration);
    check(attack, other?.log ?? attack.log, outcome);
    expect(outcome.state).toEqual(states.get(accelerator) ?? outcome.state);
    states.set(accelerator, outcome.state);
  });

  it.skipIf(!available)('on real QEMU', async () => {
    const other = deviation(attack, 'qemu');
    if (other !== undefined && other.log === undefined) return;
    const expected = other?.log ?? attack.log;
    check(attack, expected, await runQemu(attack, expected.length));
  });
});

it('every deviation names an attack', () => {
  const names = ALL.map(({ name }) => name);
  expect(DEVIATIONS.filter(({ attack }) => !names.includes(attack))).toEqual([]);
});
