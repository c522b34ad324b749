/** Rules about INIT and SIPI: processors that do not start. */
import type { Finding, TraceFacts } from './diagnosis.ts';
import { hexOf, known, who } from './diagnosis.ts';
import type { TraceEvent } from './events.ts';
import { lastByVcpu, vcpuOf } from './smm-episodes.ts';

const INIT = 5;
const SIPI = 6;
/** Events that only a VCPU that runs records. */
const RUNS: ReadonlySet<string> = new Set(['kvm_entry', 'kvm_exit', 'smm_sipi', 'smm_enter']);

/** Delivery mode of an interrupt that a local APIC accepts; KVM calls the APIC by the number of its VCPU. */
function accepted(event: TraceEvent): { vcpu: number; mode: number; vector: number } | undefined {
  if (event.name !== 'kvm_apic_accept_irq') return undefined;
  return { vcpu: event.apicid, mode: (event.dm >> 8) & 7, vector: event.vec };
}

interface Startup {
  readonly mode: number;
  readonly vector: number;
  readonly index: number;
}

/** Takes off what lies before `end`, and gives what lies behind `enter`; `own` is in order, the first one last. */
function takeBetween(own: Startup[], enter: number, end: number): Startup[] {
  const taken: Startup[] = [];
  for (let next = own.at(-1); next && next.index < end; next = own.at(-1)) {
    if (next.index > enter) taken.push(next);
    own.pop();
  }
  return taken;
}

/** A SIPI that comes while its processor is in SMM, which loses it (Q18, edk2 issue 10293). */
export function sipiInSmm(facts: TraceFacts): Finding[] {
  if (!facts.complete) return [];
  const startups = new Map<number, Startup[]>();
  for (const [index, event] of facts.events.entries()) {
    const irq = accepted(event);
    if (irq?.mode !== SIPI && irq?.mode !== INIT) continue;
    const own = startups.get(irq.vcpu) ?? [];
    startups.set(irq.vcpu, own);
    own.push({ ...irq, index });
  }
  if (startups.size === 0) return [];
  for (const own of startups.values()) own.reverse();
  const lastRun = lastByVcpu(facts.events, RUNS);
  for (const episode of facts.episodes) {
    const { vcpu, enter, leave } = episode;
    const end = leave ?? facts.events.length;
    const startup = enter === undefined ? [] : takeBetween(startups.get(vcpu) ?? [], enter, end);
    const sipis = startup.filter(({ mode }) => mode === SIPI);
    const last = sipis.at(-1);
    if (!last || leave === undefined || leave + 1 >= facts.events.length) continue;
    if ((lastRun.get(vcpu) ?? -1) > leave) continue;
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
  const lastRun = lastByVcpu(facts.events, RUNS);
  const seen = new Set(facts.events.map(vcpuOf));
  for (const [index, event] of facts.events.entries()) {
    const irq = accepted(event);
    if (irq?.mode !== SIPI || (lastRun.get(irq.vcpu) ?? -1) > index || !facts.goesOnLongAfter(index))
      continue;
    const { vcpu, vector } = irq;
    // A VCPU that never shows by any event may have a thread that was not recorded.
    if (facts.inSmm(vcpu, index) || !seen.has(vcpu)) continue;
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
