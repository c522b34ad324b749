/** Why a known fault does no harm to a run that relocates, and what such a run loses all the same. */
import { firstDivergence, type SmmApicRead, type SmmApicWrite, type TraceEvent } from '@smm/trace';
import { APIC_DM_SMI, APIC_ICR, APIC_ID, APIC_MODE_MASK, SMM_DEFAULT_SMBASE } from '@smm/x86-defs';
import type { Quirk } from '../../quirks.ts';
import { traceFormOf } from '../causes.ts';
import { factInWords } from './explain-facts.ts';
import type { TracedRun } from './traced-run.ts';

/** One or two sentences on why `quirk` does not keep `run` from relocating; `without` is the same run without it. */
export function whyHarmless(quirk: Quirk, run: TracedRun, without: TracedRun): string {
  const reason = quirk.effects.kvm?.privateSlotsPerAddressSpace === true ? apicPageReason(run) : undefined;
  return `${quirk.id} (${quirk.title}): ${reason === undefined ? '' : `${reason} `}${difference(run, without)}`;
}

/** What was lost in SMM although every CPU is relocated: register writes that reached memory, CPUs that stayed away. */
export function lostInSmm({ events, report }: TracedRun): string[] {
  const losses: string[] = [];
  const lost = events.filter(
    (event): event is SmmApicWrite =>
      event.name === 'smm_apic_write' && event.inSmm && event.reached === 'memory',
  );
  const smis = lost.filter(
    ({ register, value }) => register === APIC_ICR && (value & APIC_MODE_MASK) === APIC_DM_SMI,
  );
  if (lost.length > 0) {
    const what = smis.length === 0 ? '' : `, among them ${counted(smis.length, 'SMI IPI')}`;
    losses.push(
      `${counted(lost.length, 'write')} to local APIC registers from SMM went to an ordinary page and never reached an APIC${what}.`,
    );
  }
  const { firstSmi } = report;
  if (firstSmi !== undefined && firstSmi.entered < firstSmi.of) {
    losses.push(
      `The first normal SMI reached ${firstSmi.entered} of ${firstSmi.of} CPUs: the CPU that takes it gathers the others by SMI IPIs.`,
    );
  }
  return losses;
}

/** What the APIC page did for the relocation, where KVM gives SMM a page of its own. */
function apicPageReason({ events, report, options }: TracedRun): string {
  const reads = relocationReads(events);
  const fromMemory = reads.filter(({ reached }) => reached === 'memory');
  if (reads.length === 0) {
    const why =
      options.edk2 === '2024' ? ', for since SmmRelocationLib the BSP tells each AP its SMBASE' : '';
    return `no CPU reads its APIC ID in SMM while it relocates${why}, so the page that answers in place of the APIC misleads nobody.`;
  }
  if (fromMemory.length === 0) {
    return `the ${counted(reads.length, 'APIC ID read')} in SMM reached the local APIC, for this configuration has no APIC-access page to lose.`;
  }
  if (report.cpus.length === 1) {
    return 'the APIC ID read in SMM got 0 from an ordinary page, and 0 happens to be the APIC ID of the only CPU.';
  }
  return `${counted(fromMemory.length, 'APIC ID read')} in SMM got what an ordinary page holds, which happened to be right.`;
}

/** Reads of the APIC ID register in the stays in SMM that began at the default SMBASE. */
function relocationReads(events: readonly TraceEvent[]): SmmApicRead[] {
  const relocating = new Set<number>();
  const reads: SmmApicRead[] = [];
  for (const event of events) {
    if (event.name === 'smm_enter' && event.smbase === BigInt(SMM_DEFAULT_SMBASE)) relocating.add(event.vcpu);
    if (event.name === 'smm_rsm') relocating.delete(event.vcpu);
    if (event.name === 'smm_apic_read' && event.register === APIC_ID && relocating.has(event.vcpu)) {
      reads.push(event);
    }
  }
  return reads;
}

/** How far the guest noticed the fault at all. */
function difference(run: TracedRun, without: TracedRun): string {
  const { first } = firstDivergence(run.events, without.events, { form: traceFormOf(run.options) });
  if (first === undefined) return 'The guest notices no difference to the same run without it.';
  return `The first that the guest notices of it: VCPU ${first.vcpu} ${factInWords(first.a)}; without the fault it ${factInWords(first.b)}.`;
}

function counted(count: number, what: string): string {
  return count === 1 ? `1 ${what}` : `${count} ${what}s`;
}
