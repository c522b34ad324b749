/** Finds what went wrong in an SMBASE relocation, from a trace of ours or a real one. */
import { apicPageInSmm, privatePageInSmm } from './diagnose-apic-page.ts';
import { deathIn, shutdownInSmm, smiNeverTaken, smiTakenByOne, smmNeverLeft } from './diagnose-delivery.ts';
import { exceptionInSmm, relocationNotAwaited } from './diagnose-firmware.ts';
import {
  duplicateApicId,
  sharedSmbase,
  smbaseMasked,
  smbaseNotRelocated,
  wrongSmbase,
} from './diagnose-smbase.ts';
import { type Diagnosis, type DiagnosisContext, TraceFacts } from './diagnosis.ts';
import type { TraceEvent } from './events.ts';

/** Diagnoses that a run which relocated every CPU can still have. */
const OF_GOOD_OUTCOMES: ReadonlySet<string> = new Set([
  'apic-page-in-smm',
  'smi-taken-by-one',
  'smi-ignored-while-halted',
]);

/**
 * Diagnoses of a trace, causes only: what another diagnosis explains is left out. A run that went well has none.
 * KVM's tracepoints suffice; the machine's own events make the answer sharper, and so does `context`.
 */
export function diagnose(events: readonly TraceEvent[], context: DiagnosisContext = {}): Diagnosis[] {
  const facts = new TraceFacts(events, context);
  let found = causes(facts);
  if (found.length === 0) found = symptoms(facts);
  return context.outcome === 'relocated' ? found.filter(({ id }) => OF_GOOD_OUTCOMES.has(id)) : found;
}

function causes(facts: TraceFacts): Diagnosis[] {
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
  return [...explained, ...shared, ...twins, ...ignored];
}

/** What the trace shows when no cause was recognised. */
function symptoms(facts: TraceFacts): Diagnosis[] {
  for (const rule of [
    exceptionInSmm,
    shutdownInSmm,
    wrongSmbase,
    smiTakenByOne,
    smmNeverLeft,
    smiNeverTaken,
  ]) {
    const found = rule(facts);
    if (found.length > 0) return found;
  }
  return [];
}
