/**
 * Runs that go well show no failure, whatever the accelerator, the host, the form of their trace and how much of it
 * there is.
 */
import { couldHideFailure, diagnose, formatTrace, parseTraceText, type TraceEvent } from '@smm/trace';
import { describe, expect, it } from 'vitest';
import { sized } from '../../../tests/support/form.ts';
import { type RelocationOptions, traced } from '../src/index.ts';
import { parts } from './runs.ts';

const MODES: readonly RelocationOptions[] = [
  {},
  { accelerator: 'kvm', host: 'linux-current' },
  { accelerator: 'kvm', host: 'linux-current', kvm: { ept: false } },
  { accelerator: 'kvm', host: 'linux-4.4' },
];
const SEEDS = sized([1], [1, 2, 3, 4]);
const CPUS = sized([3], [1, 2, 3, 4]);

const CONFIGURATIONS = MODES.flatMap((mode) =>
  SEEDS.flatMap((seed) =>
    CPUS.flatMap((cpus) =>
      sized([64] as const, [32, 64] as const).map(
        (bitness): RelocationOptions => ({ ...mode, cpus, bitness, schedule: { seed, slice: 10_000 } }),
      ),
    ),
  ),
);

/** Diagnoses of a trace as a stranger has it: as text, with nothing known beside it. */
function ofText(events: readonly TraceEvent[], form: '2015' | 'current'): readonly string[] {
  const { events: read, counts, notes, planned } = parseTraceText(formatTrace(events, { form }));
  expect(counts).toMatchObject({ events: events.length, notUnderstood: 0 });
  const found = diagnose(read, { form, notes, planned, complete: !couldHideFailure(counts) });
  return found.map(({ id, sentence }) => `${id}: ${sentence}`);
}

describe('a run that goes well has no diagnosis', () => {
  it.each(CONFIGURATIONS.map((options) => [JSON.stringify(options), options] as const))(
    '%s',
    (label, options) => {
      const { events, report } = traced(label, { ...options, parts });
      expect(report.outcome).toBe('relocated');
      const kvm = events.filter(({ name }) => name.startsWith('kvm_'));
      expect(diagnose(events)).toEqual([]);
      for (const form of ['2015', 'current'] as const) {
        expect(ofText(events, form)).toEqual([]);
        if (kvm.length > 0) expect(ofText(kvm, form)).toEqual([]);
      }
    },
  );
});
