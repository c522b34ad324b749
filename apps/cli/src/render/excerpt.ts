/**
 * Trace lines in the form in which people paste them into mails: without task and time, `...` where lines are left out.
 */
import { type Diagnosis, formatEvent, formatMessage, type TraceEvent, type TraceForm } from '@smm/trace';

/** Width of `kvm_page_fault:` and the like, as the mail of October 2015 has it. */
const NAME_WIDTH = 18;

/**
 * The lines around the evidence of a diagnosis: its VCPU's KVM events from an entry to the next. Without KVM events,
 * the evidence itself.
 */
export function evidenceExcerpt(
  diagnosis: Diagnosis,
  events: readonly TraceEvent[],
  form: TraceForm,
): string[] {
  const proof = diagnosis.evidence.flatMap(({ index }) =>
    index !== undefined && isKvm(events[index]) ? [index] : [],
  );
  if (proof.length === 0) return diagnosis.evidence.map(({ line }) => line);
  const mine = events.flatMap((event, index) =>
    isKvm(event) && event.vcpu === diagnosis.vcpu ? [index] : [],
  );
  const shown = new Set(proof);
  for (const [at, index] of mine.entries()) {
    if (!shown.has(index) || !proof.includes(index)) continue;
    const before = mine[at - 1];
    if (before !== undefined && events[before]?.name === 'kvm_entry' && events[index]?.name === 'kvm_exit') {
      shown.add(before);
    }
    if (isApicExit(events[index])) {
      for (const next of mine.slice(at + 1)) {
        shown.add(next);
        if (events[next]?.name === 'kvm_entry') break;
      }
    }
  }
  return withGaps(
    [...shown].sort((a, b) => a - b),
    events,
    form,
    diagnosis.vcpu,
  );
}

const EXIT_APIC_ACCESS = 44;

function isApicExit(event: TraceEvent | undefined): boolean {
  return event?.name === 'kvm_exit' && (event.exitReason & 0xffff) === EXIT_APIC_ACCESS;
}

function isKvm(event: TraceEvent | undefined): event is TraceEvent {
  return event?.name.startsWith('kvm_') ?? false;
}

function withGaps(
  indices: readonly number[],
  events: readonly TraceEvent[],
  form: TraceForm,
  vcpu: number | undefined,
): string[] {
  const lines: string[] = [];
  let last: number | undefined;
  for (const index of indices) {
    const left =
      last === undefined
        ? []
        : events.slice(last + 1, index).filter((event) => isKvm(event) && event.vcpu === vcpu);
    if (left.length > 0) lines.push('...');
    lines.push(mailLine(events[index]!, form));
    last = index;
  }
  return lines;
}

/** One event as the mail shows it: `kvm_entry:        vcpu 1`. */
function mailLine(event: TraceEvent, form: TraceForm): string {
  // The name that a form gives to an event stands in its full line, before the message.
  const message = formatMessage(event, { form });
  const full = formatEvent(event, { form });
  const name = /\d\.\d{6}: (\S+:)/.exec(full)?.[1] ?? `${event.name}:`;
  return `${name.padEnd(NAME_WIDTH - 1)} ${message.trim()}`;
}
