/** Rules about CPUs that sleep: what an SMI does to one that has been left in HLT. */
import { deathOf } from './diagnose-death.ts';
import { type Finding, hexOf, known, type TraceFacts, who } from './diagnosis.ts';
import { isHalt } from './exit-kind.ts';
import { vcpuOf } from './smm-episodes.ts';

/**
 * A CPU that was halted when an SMI came, left SMM and died before it halted again: what lies behind its HLT is no
 * longer its code. After S3 this is how edk2 left APs before 4a0f88dd64 (Q11).
 */
export function hltLeftAfterSmi(facts: TraceFacts): Finding[] {
  const resume = facts.events.findIndex(({ name }) => name === 'smm_resume');
  for (const [index, event] of facts.events.entries()) {
    if (deathOf(event)?.kind !== 'shutdown') continue;
    const vcpu = vcpuOf(event);
    const last = facts.episodes
      .filter((episode) => episode.vcpu === vcpu && episode.leave !== undefined && episode.leave < index)
      .at(-1);
    if (last?.enter === undefined || last.leave === undefined) continue;
    const halt = haltBefore(facts, vcpu, last.enter);
    if (halt === undefined || haltBefore(facts, vcpu, index, last.leave) !== undefined) continue;
    const slept = resume >= 0 && resume < index;
    const rip = deathOf(event)?.rip;
    return [
      {
        id: 'hlt-left-after-smi',
        ...(slept && { quirk: 'Q11' }),
        title: 'An AP left HLT after an SMI and died',
        sentence: `${who(vcpu)} was halted when an SMI came; RSM went on behind HLT, and it shut down there${rip === undefined ? '' : `, at RIP ${hexOf(rip)}`}: the memory behind its HLT holds other code by then${slept ? ', for after S3 that page belongs to the operating system' : ''}.`,
        ...known(vcpu),
        evidence: facts.evidence([slept ? resume : undefined, halt, last.enter, last.leave, index]),
        confidence: slept ? 'likely' : 'possible',
        ...(!slept && {
          causes: [
            {
              quirk: 'Q11',
              text: 'the firmware left the AP in memory that the operating system uses, after S3',
              confidence: 'possible' as const,
            },
          ],
        }),
      },
    ];
  }
  return [];
}

/** Index of the VCPU's halt that nothing ended before `index`; not looked for up to `after`. */
function haltBefore(facts: TraceFacts, vcpu: number, index: number, after = -1): number | undefined {
  for (let i = index - 1; i > after; i--) {
    const event = facts.at(i);
    if (vcpuOf(event) !== vcpu) continue;
    if (event.name === 'smm_halt' || (event.name === 'kvm_exit' && isHalt(event))) return i;
    if (event.name === 'smm_rsm' || event.name === 'smm_init' || event.name === 'smm_sipi') return undefined;
  }
  return undefined;
}
