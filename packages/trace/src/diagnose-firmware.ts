/**
 * Rules that read the firmware's own words in the trace: the debug log of this project's firmware and of edk2 with the
 * 2015 debug patch.
 */
import { PF_VECTOR } from '@smm/x86-defs';
import type { Finding, TraceFacts } from './diagnosis.ts';
import { hexOf } from './diagnosis.ts';

/** Page-fault error code: a reserved bit was set in a paging-structure entry. */
const PF_RSVD = 8;

/**
 * An exception handler in SMM that wrote a line and stopped: Q25 if it was a page fault by a reserved bit on the first
 * stay.
 */
export function exceptionInSmm(facts: TraceFacts): Finding[] {
  for (const episode of facts.episodes) {
    for (const index of episode.inside) {
      const event = facts.at(index);
      const match =
        event.name === 'smm_debugcon'
          ? /^SMM exception ([0-9A-F]+) error ([0-9A-F]+) at ([0-9A-F]+)/.exec(event.text)
          : null;
      if (match === null) continue;
      const [vector, errorCode, rip] = match.slice(1).map((digits) => Number.parseInt(digits, 16)) as [
        number,
        number,
        number,
      ];
      const reserved = vector === PF_VECTOR && (errorCode & PF_RSVD) !== 0;
      const why = reserved
        ? ': an entry of the page tables has a reserved bit set. With no-execute pages that is so as long as EFER.NXE is clear, and SMM starts with EFER zero.'
        : '.';
      return [
        {
          id: 'exception-in-smm',
          ...(reserved && { quirk: 'Q25' }),
          title: 'An exception in SMM',
          sentence: `VCPU ${episode.vcpu} met exception ${vector} (error code ${hexOf(errorCode)}) at RIP ${hexOf(rip)} in SMM and stays in the handler${why}`,
          vcpu: episode.vcpu,
          evidence: facts.evidence([episode.enter, index]),
          confidence: reserved ? 'likely' : 'possible',
        },
      ];
    }
  }
  return [];
}

/**
 * A firmware that says that a CPU has done its first SMI when that CPU has not: it does not wait, and what follows is a
 * race.
 */
export function relocationNotAwaited(facts: TraceFacts): Finding[] {
  for (const [index, event] of facts.events.entries()) {
    const match =
      event.name === 'smm_debugcon'
        ? /APIC ID 0x([0-9A-F]+) has processed its first SMI/i.exec(event.text)
        : null;
    if (match === null) continue;
    const vcpu = facts.vcpuWithApicId(Number.parseInt(match[1]!, 16));
    if (vcpu === undefined || !facts.complete) continue;
    const first = facts.firsts.get(vcpu);
    if (first?.leave !== undefined && first.leave < index) continue;
    return [
      {
        id: 'relocation-not-awaited',
        title: 'The firmware does not wait for a CPU to be relocated',
        sentence: `The firmware says that APIC ID ${hexOf(vcpu)} has processed its first SMI, but VCPU ${vcpu} ${first?.enter !== undefined && first.enter < index ? 'is still in it' : 'has not even entered SMM'}: the CPUs share one save area at 0x3fe00 and the code at 0x38000, so what becomes of them depends on who comes first.`,
        vcpu,
        evidence: facts.evidence([first?.enter, index, first?.leave]),
        confidence: 'proved',
      },
    ];
  }
  return [];
}
