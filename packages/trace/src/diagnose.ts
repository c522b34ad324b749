/** Finds what went wrong in SMM and around it, from a trace of ours or a real one, and from logs beside it. */
import { COLLECT } from './collect.ts';
import { apicPageInSmm, privatePageInSmm } from './diagnose-apic-page.ts';
import { cpuDied, deathIn, emulationFailed, entryFailedInSmm, shutdownInSmm } from './diagnose-death.ts';
import { smiNeverTaken, smiTakenByOne, smmNeverLeft } from './diagnose-delivery.ts';
import { exceptionInSmm, relocationNotAwaited } from './diagnose-firmware.ts';
import { diagnoseNotes } from './diagnose-notes.ts';
import { rsmIntoNestedGuest, rsmOutsideSmm, smiStorm } from './diagnose-rsm.ts';
import { hltLeftAfterSmi } from './diagnose-sleep.ts';
import {
  duplicateApicId,
  sharedSmbase,
  smbaseMasked,
  smbaseNotRelocated,
  wrongSmbase,
} from './diagnose-smbase.ts';
import { apNeverStarts, sipiInSmm } from './diagnose-startup.ts';
import { type Diagnosis, type DiagnosisContext, type Finding, TraceFacts } from './diagnosis.ts';
import type { TraceEvent } from './events.ts';

/** Diagnoses that a run which relocated every CPU can still have. */
const OF_GOOD_OUTCOMES: ReadonlySet<string> = new Set([
  'apic-page-in-smm',
  'smi-taken-by-one',
  'smi-ignored-while-halted',
]);

/**
 * Diagnoses of a trace, causes only: what another diagnosis explains is left out. A run that went well has none.
 * KVM's tracepoints suffice; the machine's own events make the answer sharper, and so does `context`. Events whose
 * times are not in order, as in a listing CPU by CPU, are put into order first.
 */
export function diagnose(events: readonly TraceEvent[], context: DiagnosisContext = {}): Diagnosis[] {
  const { outcome, cut = false, notes = [] } = context;
  const order = orderOf(cut ? events.slice(0, -1) : events);
  const facts = new TraceFacts(
    order.map((index) => events[index]!),
    context,
  );
  let found = causes(facts);
  if (found.length === 0) found = symptoms(facts);
  if (outcome === 'relocated') found = found.filter(({ id }) => OF_GOOD_OUTCOMES.has(id));
  const ids = new Set(found.map(({ id }) => id));
  const all = [...found, ...diagnoseNotes(notes).filter(({ id }) => !ids.has(id))];
  return all.map((finding) => ({
    ...finding,
    evidence: finding.evidence.map(({ index, line }) =>
      index === undefined ? { line } : { index: order[index]!, line },
    ),
    collect: COLLECT[finding.id],
  }));
}

/** Indices of the events in order of time; as they are where the times are in order. */
function orderOf(events: readonly TraceEvent[]): number[] {
  const order = events.map((_event, index) => index);
  const sorted = events.every(({ ts }, index) => index === 0 || ts >= events[index - 1]!.ts);
  return sorted ? order : order.sort((a, b) => events[a]!.ts - events[b]!.ts || a - b);
}

function causes(facts: TraceFacts): Finding[] {
  const pages = [...apicPageInSmm(facts), ...privatePageInSmm(facts, (episode) => deathIn(facts, episode))];
  const masked = smbaseMasked(facts);
  const kept = smbaseNotRelocated(facts);
  const ignored = smiNeverTaken(facts).filter(({ quirk }) => quirk !== undefined);
  const explained = [...pages, ...masked, ...kept];
  // CPUs that share an SMBASE because of one of these meet there later; that is no race.
  const shared = explained.length > 0 ? [] : sharedSmbase(facts);
  const impatient = explained.length > 0 ? [] : relocationNotAwaited(facts);
  if (impatient.length > 0) return impatient;
  const twins = explained.length + shared.length > 0 ? [] : duplicateApicId(facts);
  return [
    ...explained,
    ...shared,
    ...twins,
    ...ignored,
    ...sipiInSmm(facts),
    ...rsmIntoNestedGuest(facts),
    ...rsmOutsideSmm(facts),
  ];
}

/** What the trace shows when no cause was recognised. */
function symptoms(facts: TraceFacts): Finding[] {
  for (const rule of [
    exceptionInSmm,
    entryFailedInSmm,
    shutdownInSmm,
    hltLeftAfterSmi,
    wrongSmbase,
    cpuDied,
    emulationFailed,
    smiTakenByOne,
    smmNeverLeft,
    smiNeverTaken,
    apNeverStarts,
    smiStorm,
  ]) {
    const found = rule(facts);
    if (found.length > 0) return found;
  }
  return [];
}
