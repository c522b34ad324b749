/** Rules about CPUs that stop for good: shutdown, failed VM entry, an instruction that KVM cannot emulate. */
import type { Finding, PossibleCause, TraceFacts } from './diagnosis.ts';
import { hexOf, known, who } from './diagnosis.ts';
import type { TraceEvent } from './events.ts';
import { isFailedEntry, isTripleFault } from './exit-kind.ts';
import { ISA } from './exit-reason.ts';
import type { KvmEmulateInsn } from './kvm-events.ts';
import { DEFAULT_SMBASE, type SmmEpisode, vcpuOf } from './smm-episodes.ts';
import { EXCEPTIONS, USERSPACE_EXIT } from './symbols.ts';

/** EIP that fits 16 bits: where a taken 16-bit branch above 64 KB ends up. */
const SIXTEEN_BITS = 0xffffn;
/** VM-entry interruption information: valid. */
const VALID = 0x8000_0000;
/** Nested page fault error code: an instruction fetch. */
const FETCH = 1n << 4n;
/** Events of one VCPU that a death is looked at with. */
const BEFORE = 6;
/** Deaths that are told. */
const MOST_DEATHS = 4;

/** How a VCPU ends. */
interface Death {
  readonly kind: 'shutdown' | 'entry' | 'emulation' | 'internal';
  readonly isa?: number;
  readonly rip?: bigint | undefined;
}

/** How an event ends its VCPU, if it does. */
export function deathOf(event: TraceEvent): Death | undefined {
  if (event.name === 'smm_shutdown') return { kind: 'shutdown', rip: event.rip };
  if (event.name === 'kvm_exit') {
    if (isFailedEntry(event)) return { kind: 'entry', isa: event.isa, rip: event.guestRip };
    return isTripleFault(event) ? { kind: 'shutdown', isa: event.isa, rip: event.guestRip } : undefined;
  }
  if (event.name !== 'kvm_userspace_exit' || event.errno < 0) return undefined;
  if (event.reason === USERSPACE_EXIT.FAIL_ENTRY) return { kind: 'entry' };
  if (event.reason === USERSPACE_EXIT.SHUTDOWN) return { kind: 'shutdown' };
  return event.reason === USERSPACE_EXIT.INTERNAL_ERROR ? { kind: 'internal' } : undefined;
}

/** Index of the event that ends a VCPU during a stay in SMM. */
export function deathIn(facts: TraceFacts, episode: SmmEpisode): number | undefined {
  return episode.inside.find((index) => deathOf(facts.at(index)) !== undefined);
}

/** Indices of a VCPU's last events before `index`, newest first. */
function before(facts: TraceFacts, vcpu: number, index: number, count: number): number[] {
  const found: number[] = [];
  for (let i = index - 1; i >= 0 && found.length < count; i--)
    if (vcpuOf(facts.at(i)) === vcpu) found.push(i);
  return found;
}

/** Index of the event that shows that something was being injected when a VCPU entered SMM, if it was. */
function injectionAt(facts: TraceFacts, episode: SmmEpisode, death: number): number | undefined {
  const around = [...before(facts, episode.vcpu, episode.enter ?? death, BEFORE), ...episode.inside];
  return around.find((index) => {
    const event = facts.at(index);
    if (event.name === 'kvm_inj_virq' || event.name === 'kvm_inj_exception') return index < death;
    return event.name === 'kvm_entry' && event.intrInfo !== undefined && event.intrInfo >= VALID;
  });
}

const Q4_TEXT =
  "an event was still being injected when the state was switched to SMM's, as KVM did before commit c43203cab1e2";
const BIG_REAL_MODE: PossibleCause = {
  text: 'the host runs without unrestricted guest mode (old processors, nested virtualisation), so that the 4 GB segments that SMM begins with cannot be entered',
  confidence: 'possible',
};

/** Causes of a failed entry at SMM's first instruction, by vendor. */
export function causesOfFailedSmmEntry(isa: number | undefined, modern: boolean): PossibleCause[] {
  if (isa === ISA.SVM) return [];
  const mended = modern ? '; by its words this kernel is newer than that, so that it would be a relapse' : '';
  return [{ quirk: 'Q4', text: `${Q4_TEXT}${mended}`, confidence: 'possible' }, BIG_REAL_MODE];
}

/** VMRUN's and VM entry's own words. */
function refusal(isa: number | undefined): string {
  if (isa === ISA.SVM) return "VMRUN refused the guest's state (invalid_guest_state: VMEXIT_INVALID)";
  return isa === ISA.VMX
    ? "the VM entry failed: the processor refused the guest's state"
    : 'the next VM entry failed';
}

/** A VM entry that fails in SMM: Q4 if an event was being injected. */
export function entryFailedInSmm(facts: TraceFacts): Finding[] {
  for (const episode of facts.episodes) {
    const index = deathIn(facts, episode);
    const death = index === undefined ? undefined : deathOf(facts.at(index));
    if (index === undefined || death?.kind !== 'entry') continue;
    const { vcpu, smbase = DEFAULT_SMBASE } = episode;
    const isa = death.isa ?? isaOf(facts);
    const injection = isa === ISA.SVM ? undefined : injectionAt(facts, episode, index);
    const isQ4 = injection !== undefined && !facts.modern;
    return [
      {
        id: 'vm-entry-failed-in-smm',
        ...(isQ4 && { quirk: 'Q4' }),
        title: 'VM entry failed in SMM',
        sentence: `${who(vcpu)} entered SMM at SMBASE ${hexOf(smbase)}, and ${refusal(isa)}${isQ4 ? `: ${Q4_TEXT}` : ''}.`,
        ...known(vcpu),
        evidence: facts.evidence([
          injection,
          episode.enter,
          ...episode.inside.filter((each) => each < index).slice(-2),
          index,
        ]),
        confidence: isQ4 ? 'likely' : 'proved',
        ...(!isQ4 && { causes: causesOfFailedSmmEntry(isa, facts.modern) }),
      },
    ];
  }
  return [];
}

/** Vendor of the host, where any exit tells. */
function isaOf(facts: TraceFacts): number | undefined {
  const exit = facts.events.find((event) => event.name === 'kvm_exit');
  return exit?.name === 'kvm_exit' ? exit.isa : undefined;
}

/** A CPU that shuts down in SMM: Q8 if EIP was cut to 16 bits. */
export function shutdownInSmm(facts: TraceFacts): Finding[] {
  for (const episode of facts.episodes) {
    const index = deathIn(facts, episode);
    if (episode.leave !== undefined || index === undefined) continue;
    const death = deathOf(facts.at(index));
    if (death?.kind !== 'shutdown' && death?.kind !== 'internal') continue;
    const { vcpu, smbase = DEFAULT_SMBASE } = episode;
    const { rip } = death;
    const cut = smbase === DEFAULT_SMBASE && (rip === undefined || rip <= SIXTEEN_BITS);
    const why = cut
      ? ': it ran into code that is none. A branch taken above 64 KB with 16-bit operand size cuts EIP and ends so.'
      : ', at an exception that it could not deliver.';
    return [
      {
        id: 'shutdown-in-smm',
        ...(cut && { quirk: 'Q8' }),
        title: 'A CPU shuts down in SMM',
        sentence: `${who(vcpu)} entered SMM at SMBASE ${hexOf(smbase)} and shut down there${rip === undefined ? '' : ` at RIP ${hexOf(rip)}`}${why}`,
        ...known(vcpu),
        evidence: facts.evidence([
          episode.enter,
          ...episode.inside.filter((each) => each < index).slice(-2),
          index,
        ]),
        confidence: cut && rip !== undefined ? 'likely' : 'possible',
      },
    ];
  }
  return [];
}

function insnText({ rip, insn = [] }: KvmEmulateInsn): string {
  const bytes = insn.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
  return `the instruction at RIP ${hexOf(rip)} (${bytes === '' ? 'its bytes could not be fetched' : bytes})`;
}

/** What a VCPU last did before it died, in words. */
function lastDeeds(facts: TraceFacts, recent: readonly number[]): { words: string[]; rip?: bigint } {
  const words: string[] = [];
  let rip: bigint | undefined;
  let fetch: bigint | undefined;
  for (const index of recent) {
    const event = facts.at(index);
    if (event.name === 'kvm_inj_exception') {
      const name = EXCEPTIONS.find(([n]) => n === event.exception)?.[1] ?? `exception ${event.exception}`;
      words.push(`${name} was injected before`);
    }
    if (event.name === 'kvm_page_fault' && (event.errorCode ?? 0n) & FETCH && fetch === undefined)
      fetch = event.faultAddress;
    if (event.name === 'kvm_emulate_insn' && event.failed) rip ??= event.rip;
    if (event.name === 'kvm_exit' || event.name === 'kvm_entry') {
      rip ??= event.name === 'kvm_exit' ? event.guestRip : event.rip;
    }
  }
  if (fetch !== undefined) {
    words.push(
      `it fetched instructions from guest-physical page ${hexOf(fetch & ~0xfffn)}, where KVM found no memory to map`,
    );
  }
  return { words, ...(rip !== undefined && { rip }) };
}

/** CPUs that die outside SMM, each VCPU once. */
export function cpuDied(facts: TraceFacts): Finding[] {
  const inSmm = new Set(facts.episodes.filter(({ leave }) => leave === undefined).map(({ vcpu }) => vcpu));
  const found = new Map<number, Finding>();
  for (const [index, event] of facts.events.entries()) {
    const death = deathOf(event);
    const vcpu = vcpuOf(event);
    if (!death || inSmm.has(vcpu) || found.has(vcpu)) continue;
    if (found.size === MOST_DEATHS) break;
    const recent = before(facts, vcpu, index, BEFORE);
    const { words, rip = death.rip } = lastDeeds(facts, recent);
    const at = death.rip ?? rip;
    // The exit to user space that follows says the same once more.
    const told = facts.events.findIndex(
      (later, i) => i > index && vcpuOf(later) === vcpu && later.name === 'kvm_userspace_exit',
    );
    const failed = recent
      .map((i) => facts.at(i))
      .find((each) => each.name === 'kvm_emulate_insn' && each.failed);
    const what =
      death.kind === 'entry'
        ? `could not be entered: ${refusal(death.isa)}`
        : death.kind === 'internal'
          ? `stopped with an internal error of KVM${failed?.name === 'kvm_emulate_insn' ? `, which could not emulate ${insnText(failed)}` : ''}`
          : 'shut down: an exception that it could not deliver (a triple fault)';
    found.set(vcpu, {
      id: death.kind === 'entry' ? 'vm-entry-failed' : 'cpu-died',
      title: death.kind === 'entry' ? 'VM entry failed' : 'A CPU died',
      sentence: `${who(vcpu)} ${what}${at === undefined || failed !== undefined ? '' : `, at RIP ${hexOf(at)}`}${words.length > 0 ? `; ${words.join('; ')}` : ''}. The trace does not hold its IDT, GDT and registers.`,
      ...known(vcpu),
      evidence: facts.evidence([...recent.slice(0, 4), index, told < 0 ? undefined : told]),
      confidence: 'proved',
    });
  }
  return [...found.values()];
}

/** Instructions that KVM failed to emulate and then gave the guest an exception for. */
export function emulationFailed(facts: TraceFacts): Finding[] {
  for (const [index, event] of facts.events.entries()) {
    if (event.name !== 'kvm_emulate_insn' || !event.failed) continue;
    const vcpu = vcpuOf(event);
    const next = facts.events.findIndex(
      (later, i) => i > index && i < index + BEFORE && later.name === 'kvm_inj_exception',
    );
    const raised = next < 0 ? undefined : facts.at(next);
    const name =
      raised?.name === 'kvm_inj_exception'
        ? EXCEPTIONS.find(([n]) => n === raised.exception)?.[1]
        : undefined;
    const fault = facts.events
      .slice(Math.max(0, index - BEFORE), index)
      .filter((each) => each.name === 'kvm_page_fault')
      .at(-1);
    const where = fault?.name === 'kvm_page_fault' ? ` for an access to ${hexOf(fault.faultAddress)}` : '';
    return [
      {
        id: 'emulation-failed',
        title: 'KVM could not emulate an instruction',
        sentence: `${who(vcpu)}: KVM had to emulate ${insnText(event)}${where} and could not${name === undefined ? '' : `; the guest got ${name} instead`}.`,
        ...known(vcpu),
        evidence: facts.evidence([
          index - 1 >= 0 ? index - 1 : undefined,
          index,
          next < 0 ? undefined : next,
        ]),
        confidence: 'proved',
      },
    ];
  }
  return [];
}
