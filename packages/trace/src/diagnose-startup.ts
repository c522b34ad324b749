/** Rules about INIT and SIPI: processors that do not start. */
import type { Finding, TraceFacts } from './diagnosis.ts';
import { hexOf, known, who } from './diagnosis.ts';
import type { TraceEvent } from './events.ts';
import { vcpuOf } from './smm-episodes.ts';

const INIT = 5;
const SIPI = 6;
/** Events that only a VCPU that runs records. */
const RUNS: ReadonlySet<string> = new Set(['kvm_entry', 'kvm_exit', 'smm_sipi', 'smm_enter']);

/** Delivery mode of an interrupt that a local APIC accepts; KVM calls the APIC by the number of its VCPU. */
function accepted(event: TraceEvent): { vcpu: number; mode: number; vector: number } | undefined {
  if (event.name !== 'kvm_apic_accept_irq') return undefined;
  return { vcpu: event.apicid, mode: (event.dm >> 8) & 7, vector: event.vec };
}

function runsAfter(facts: TraceFacts, vcpu: number, index: number): boolean {
  return facts.events.slice(index + 1).some((event) => vcpuOf(event) === vcpu && RUNS.has(event.name));
}

/** A SIPI that comes while its processor is in SMM, which loses it (Q18, edk2 issue 10293). */
export function sipiInSmm(facts: TraceFacts): Finding[] {
  if (!facts.complete) return [];
  const startups = facts.events.flatMap((event, index) => {
    const irq = accepted(event);
    return irq?.mode === SIPI || irq?.mode === INIT ? [{ ...irq, index }] : [];
  });
  if (startups.length === 0) return [];
  for (const episode of facts.episodes) {
    const { vcpu, enter, leave } = episode;
    const end = leave ?? facts.events.length;
    const startup = startups.filter(
      (irq) => irq.vcpu === vcpu && enter !== undefined && irq.index > enter && irq.index < end,
    );
    const sipis = startup.filter(({ mode }) => mode === SIPI);
    const last = sipis.at(-1);
    if (!last || leave === undefined || leave + 1 >= facts.events.length) continue;
    if (runsAfter(facts, vcpu, leave)) continue;
    return [
      {
        id: 'sipi-in-smm',
        quirk: 'Q18',
        title: 'A SIPI came while its CPU was in SMM',
        sentence: `${who(vcpu)} accepted ${sipis.length > 1 ? `${sipis.length} SIPIs` : 'a SIPI'} (vector ${hexOf(last.vector)}) while it was in SMM, left SMM, and is not seen to run after that: INIT and SIPI are blocked in SMM, and a SIPI that comes then is lost, so that the CPU waits for one for ever. This is the signature of edk2 issue 10293 (open): the CPU that sends INIT-SIPI-SIPI does not wait until all CPUs have left SMM.`,
        ...known(vcpu),
        evidence: facts.evidence([enter, ...startup.map(({ index }) => index), leave]),
        confidence: 'likely',
      },
    ];
  }
  return [];
}

/** An AP that gets INIT and SIPI outside SMM and never runs. */
export function apNeverStarts(facts: TraceFacts): Finding[] {
  if (!facts.complete || facts.machine) return [];
  for (const [index, event] of facts.events.entries()) {
    const irq = accepted(event);
    if (irq?.mode !== SIPI || runsAfter(facts, irq.vcpu, index) || !facts.goesOnLongAfter(index)) continue;
    const { vcpu, vector } = irq;
    const inSmm = facts.episodes.some(
      (each) =>
        each.vcpu === vcpu && (each.enter ?? -1) < index && (each.leave ?? facts.events.length) > index,
    );
    // A VCPU that never shows by any event may have a thread that was not recorded.
    if (inSmm || !facts.events.some((each) => vcpuOf(each) === vcpu)) continue;
    return [
      {
        id: 'ap-never-starts',
        title: 'An AP never answers INIT-SIPI-SIPI',
        sentence: `${who(vcpu)} was sent a SIPI (vector ${hexOf(vector)}, start address ${hexOf(vector << 12)}) and is not seen to run after it.`,
        ...known(vcpu),
        evidence: facts.evidence([index]),
        confidence: 'likely',
      },
    ];
  }
  return [];
}
