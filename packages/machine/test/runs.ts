/** Runs shared by the tests of one file: equal options are run once. */
import type { TraceEvent } from '@smm/trace';
import { formatMessage } from '@smm/trace';
import { type RelocationOptions, RelocationParts, type TracedRun, traced } from '../src/index.ts';

/** The host of the mail, two VCPUs, 32-bit. */
export const MAIL: RelocationOptions = {
  cpus: 2,
  bitness: 32,
  accelerator: 'kvm',
  host: 'rhel7-3.10.0-323',
};

/** Firmware and interpreter of this test file. */
export const parts = new RelocationParts();

const runs = new Map<string, TracedRun>();

/** A configuration, run with its whole trace. */
export function run(options: RelocationOptions): TracedRun {
  const key = JSON.stringify(options);
  let found = runs.get(key);
  if (found === undefined) {
    found = traced(key, { ...options, parts });
    runs.set(key, found);
  }
  return found;
}

/** Trace lines in the form of 2015 without task and time: `kvm_apic: apic_read APIC_ID = 0x1000000`. */
export function lines(events: readonly TraceEvent[]): string[] {
  return events.map((event) => `${event.name}: ${formatMessage(event, { form: '2015' })}`);
}

/** Index of the first line from `from` on that matches; fails the test with the pattern if there is none. */
export function find(text: readonly string[], pattern: RegExp, from = 0): number {
  for (let i = from; i < text.length; i++) if (pattern.test(text[i]!)) return i;
  throw new Error(`no line matches ${pattern} from line ${from} on`);
}
