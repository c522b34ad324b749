/** Rules about RSM where none belongs, and about SMIs without end. */
import type { Finding, TraceFacts } from './diagnosis.ts';
import { hexOf, known, who } from './diagnosis.ts';
import type { TraceEvent } from './events.ts';
import { isHalt, isRsm } from './exit-kind.ts';
import { type SmmEpisode, vcpuOf } from './smm-episodes.ts';
import { EXCEPTIONS } from './symbols.ts';

const RSM_BYTES = [0x0f, 0xaa];
/** Events within which an exception belongs to the instruction before. */
const NEAR = 4;
/** SMIs in a row at one instruction that are a storm, and nanoseconds between two of them at most. */
const STORM = 32;
const STORM_GAP = 1e6;

function rsmRip(event: TraceEvent): bigint | undefined {
  if (event.name === 'kvm_emulate_insn') {
    return RSM_BYTES.every((byte, i) => event.insn?.[i] === byte) ? event.rip : undefined;
  }
  return event.name === 'kvm_exit' && isRsm(event) ? event.guestRip : undefined;
}

/** An RSM that goes back into a guest's guest. */
export function rsmIntoNestedGuest(facts: TraceFacts): Finding[] {
  // VCPUs that have left SMM and not run since, with the index of the leaving.
  const left = new Map<number, number>();
  for (const [next, event] of facts.events.entries()) {
    const vcpu = vcpuOf(event);
    const leave = left.get(vcpu);
    if (event.name === 'kvm_enter_smm' && !event.entering) left.set(vcpu, next);
    else if (event.name === 'kvm_enter_smm' || event.name === 'kvm_entry') left.delete(vcpu);
    if (event.name !== 'kvm_nested_vmrun' || leave === undefined) continue;
    const rsm = facts.events.findIndex(
      (each, index) => index < leave && index >= leave - NEAR && rsmRip(each) !== undefined,
    );
    return [
      {
        id: 'rsm-into-nested-guest',
        title: 'RSM goes back into a nested guest',
        sentence: `${who(vcpu)} executed RSM and went back into a guest that the guest itself runs (nested virtualisation): the SMI had interrupted that one, and KVM must restore both.`,
        ...known(vcpu),
        evidence: facts.evidence([rsm < 0 ? undefined : rsm, leave, next]),
        confidence: 'proved',
      },
    ];
  }
  return [];
}

/** An RSM of a VCPU that has left SMM already. */
export function rsmOutsideSmm(facts: TraceFacts): Finding[] {
  if (!facts.complete) return [];
  const left = new Set<number>();
  for (const [index, event] of facts.events.entries()) {
    const vcpu = vcpuOf(event);
    if (event.name === 'kvm_enter_smm') {
      if (event.entering) left.delete(vcpu);
      else left.add(vcpu);
    }
    const rip = left.has(vcpu) && event.name === 'kvm_emulate_insn' ? rsmRip(event) : undefined;
    if (rip === undefined) continue;
    const after = facts.events.slice(index + 1, index + 1 + NEAR);
    // On Intel hosts an RSM in SMM is emulated too, and the leaving follows.
    if (after.some((each) => each.name === 'kvm_enter_smm' && each.vcpu === vcpu && !each.entering)) continue;
    const at = after.findIndex((each) => each.name === 'kvm_inj_exception' && vcpuOf(each) === vcpu);
    const raised = after[at];
    const name =
      raised?.name === 'kvm_inj_exception'
        ? EXCEPTIONS.find(([n]) => n === raised.exception)?.[1]
        : undefined;
    return [
      {
        id: 'rsm-outside-smm',
        title: 'RSM outside SMM',
        sentence: `${who(vcpu)} executed RSM at RIP ${hexOf(rip)} after it had left SMM${name === undefined ? '' : `, and got ${name}`}: it runs the SMI handler's code without being in SMM.`,
        ...known(vcpu),
        evidence: facts.evidence([
          index - 1 >= 0 ? index - 1 : undefined,
          index,
          at < 0 ? undefined : index + 1 + at,
        ]),
        confidence: 'proved',
      },
    ];
  }
  return [];
}

/** RIP that a VCPU is at between two stays in SMM, if it does not move. */
function standstill(facts: TraceFacts, one: SmmEpisode, next: SmmEpisode): bigint | undefined {
  if (one.leave === undefined || next.enter === undefined) return undefined;
  if (facts.timed && facts.at(next.enter).ts - facts.at(one.leave).ts > STORM_GAP) return undefined;
  const rips = new Set<bigint>();
  for (const index of facts.between(one.vcpu, one.leave, next.enter)) {
    const event = facts.at(index);
    if (event.name === 'kvm_entry' && event.rip !== undefined) rips.add(event.rip);
    if (event.name === 'kvm_exit' && event.guestRip !== undefined) rips.add(event.guestRip);
    if (event.name === 'smm_enter' || event.name === 'smm_rsm') rips.add(event.rip);
    // A CPU that waits in HLT is where it was, without a storm.
    if (event.name === 'smm_halt' || (event.name === 'kvm_exit' && isHalt(event))) return undefined;
  }
  return rips.size === 1 ? [...rips][0] : undefined;
}

/** One SMI after the other, between which the interrupted code does not get on. */
export function smiStorm(facts: TraceFacts): Finding[] {
  const runs = new Map<number, { first: SmmEpisode; last: SmmEpisode; count: number; rip: bigint }>();
  const previous = new Map<number, SmmEpisode>();
  for (const episode of facts.episodes) {
    const { vcpu } = episode;
    const one = previous.get(vcpu);
    previous.set(vcpu, episode);
    const rip = one && standstill(facts, one, episode);
    const run = runs.get(vcpu);
    if (one === undefined || rip === undefined) {
      if (run && run.count >= STORM) break;
      runs.delete(vcpu);
    } else if (run && run.rip === rip) {
      run.count++;
      run.last = episode;
    } else {
      runs.set(vcpu, { first: one, last: episode, count: 2, rip });
    }
  }
  const storm = [...runs.entries()].find(([, { count }]) => count >= STORM);
  if (!storm) return [];
  const [vcpu, { first, last, count, rip }] = storm;
  return [
    {
      id: 'smi-storm',
      title: 'SMIs without end',
      sentence: `${who(vcpu)} entered SMM ${count} times in a row at RIP ${hexOf(rip)} without getting on in between: what asks for the SMI is not taken back by its handler.`,
      ...known(vcpu),
      evidence: facts.evidence([first.enter, first.leave, last.enter]),
      confidence: 'likely',
    },
  ];
}
