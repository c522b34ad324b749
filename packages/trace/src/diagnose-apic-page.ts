/** Rules about pages that KVM keeps for itself and that SMM got a copy of: the local APIC's, above all. */
import type { Finding, TraceFacts } from './diagnosis.ts';
import { hexOf } from './diagnosis.ts';
import type { TraceEvent } from './events.ts';
import { isApicAccess, isTableViolation, isVirtualisedApic } from './exit-kind.ts';
import { ISA } from './exit-reason.ts';
import { type SmmEpisode, vcpuOf } from './smm-episodes.ts';
import { APIC_REGISTERS, EXIT_REASON } from './symbols.ts';

const APIC_PAGE = 0xfee00n;
/** Guest-physical pages of the identity map and the TSS: QEMU's places, then the kernel's default. */
const PRIVATE_PAGES = new Map([
  [0xfeffcn, 'identity-map page table'],
  [0xfffbcn, 'identity-map page table'],
  [0xfeffdn, 'real-mode TSS'],
  [0xfeffen, 'real-mode TSS'],
  [0xfefffn, 'real-mode TSS'],
]);
/** VM-exit interruption information of a #PF: valid, error code, hardware exception, vector 14. */
const PAGE_FAULT_INFO = 0x80000b0en;
const OFFSET_MASK = 0xfffn;
const APIC_ID = 0x20n;
const ICR_LOW = 0x300n;
/** How far from the machine's own event KVM's line of the same moment can stand. */
const NEIGHBOURS = 6;

/** Address of a fault in KVM's MMU, whether by an EPT violation or by a #PF under shadow paging. */
function faultAddress(event: TraceEvent): bigint | undefined {
  if (event.name === 'kvm_page_fault') return event.faultAddress;
  if (event.name !== 'kvm_exit' || event.isa !== ISA.VMX || event.exitReason !== EXIT_REASON.EXCEPTION_NMI) {
    return undefined;
  }
  const info = event.intrInfo === undefined ? event.info2 : BigInt(event.intrInfo);
  return info === PAGE_FAULT_INFO || event.info2 === PAGE_FAULT_INFO ? event.info1 : undefined;
}

function isApicPage(address: bigint | undefined): address is bigint {
  return address !== undefined && (address & 0xffff_ffffn) >> 12n === APIC_PAGE;
}

/** An access that some local APIC, in the kernel or in user space, got to see. */
function reachesApic(event: TraceEvent): boolean {
  if (event.name === 'kvm_apic') return true;
  if (event.name === 'kvm_exit') return isApicAccess(event);
  if (event.name === 'kvm_mmio') return isApicPage(event.gpa);
  return (event.name === 'smm_apic_read' || event.name === 'smm_apic_write') && event.reached === 'apic';
}

interface Touch {
  readonly episode: SmmEpisode;
  readonly index: number;
  readonly address: bigint;
  readonly write: boolean;
}

/** Accesses to the APIC's page in SMM that no APIC saw. */
function touchesOf(facts: TraceFacts, episode: SmmEpisode, machine: boolean): Touch[] {
  const touches: Touch[] = [];
  const lastReach = machine
    ? -1
    : episode.inside.map((index) => reachesApic(facts.at(index))).lastIndexOf(true);
  const rips = machine || episode.leave !== undefined ? undefined : ripsOf(facts, episode);
  for (const [i, index] of episode.inside.entries()) {
    const event = facts.at(index);
    if (machine) {
      if ((event.name === 'smm_apic_read' || event.name === 'smm_apic_write') && event.reached === 'memory') {
        const address = (APIC_PAGE << 12n) | BigInt(event.register);
        touches.push({ episode, index, address, write: event.name === 'smm_apic_write' });
      }
      continue;
    }
    const address = faultAddress(event);
    if (!isApicPage(address)) continue;
    // A fixed KVM also faults once, to map the APIC-access page; then the access exits and is emulated.
    if (lastReach > i) continue;
    if (rips?.goesOnAfter(i) === false) continue;
    const write = event.name === 'kvm_page_fault' && ((event.errorCode ?? 0n) & 2n) !== 0n;
    touches.push({ episode, index, address, write });
  }
  return touches;
}

/**
 * Whether the VCPU is seen at another instruction after the `i`th event of a stay: what an access before shows is over
 * then.
 */
function ripsOf(facts: TraceFacts, episode: SmmEpisode): { readonly goesOnAfter: (i: number) => boolean } {
  const ripAt = (i: number): bigint | undefined => {
    const event = facts.at(episode.inside[i]!);
    return event.name === 'kvm_exit' ? event.guestRip : undefined;
  };
  const here: (bigint | undefined)[] = [];
  let rip: bigint | undefined;
  for (const i of episode.inside.keys()) {
    rip = ripAt(i) ?? rip;
    here.push(rip);
  }
  // The last exit, and the last one at another instruction.
  let last = here.length - 1;
  while (last >= 0 && ripAt(last) === undefined) last--;
  let other = last;
  while (other >= 0 && (ripAt(other) ?? rip) === rip) other--;
  return { goesOnAfter: (i) => (i < last && rip !== here[i]) || i < other };
}

/** The VM exit and the MMU fault of an access, which a trace has only the first time. */
function faultsOf(facts: TraceFacts, episode: SmmEpisode): number[] {
  return episode.inside.filter((index, i) => {
    if (isApicPage(faultAddress(facts.at(index)))) return true;
    const next = episode.inside[i + 1];
    const event = facts.at(index);
    const isViolation = event.name === 'kvm_exit' && isTableViolation(event);
    return isViolation && next !== undefined && isApicPage(faultAddress(facts.at(next)));
  });
}

function registerName(address: bigint): string {
  const offset = Number(address & OFFSET_MASK);
  return APIC_REGISTERS.find(([value]) => value === offset)?.[1] ?? `offset ${hexOf(offset)}`;
}

function upper(address: bigint): string {
  return address.toString(16).toUpperCase();
}

function consequence(facts: TraceFacts, episode: SmmEpisode): string {
  const { vcpu, left } = episode;
  if (episode.leave === undefined) return `VCPU ${vcpu} does not leave SMM in this trace`;
  if (left === undefined) return `VCPU ${vcpu} left SMM; its new SMBASE is not in the trace`;
  const owner = facts.ownerOf(left, vcpu);
  const planned = facts.planned(vcpu);
  const whose = owner === undefined ? '' : `, which is CPU ${owner}'s`;
  const plan = planned === undefined || planned === left ? '' : ` (${hexOf(planned)} was planned)`;
  return `VCPU ${vcpu} left SMM with SMBASE ${hexOf(left)}${whose}${plan}`;
}

/** First access after a stay in SMM that did reach the APIC: its VM exit and all that it shows until the next entry. */
function accessOutside(facts: TraceFacts, episode: SmmEpisode): number[] {
  if (episode.leave === undefined) return [];
  const inSmm = new Set(facts.episodes.flatMap(({ inside }) => inside));
  const shown: number[] = [];
  for (let index = episode.leave + 1; index < facts.events.length; index++) {
    const event = facts.at(index);
    if (vcpuOf(event) !== episode.vcpu || inSmm.has(index)) continue;
    if (shown.length > 0 && event.name === 'kvm_entry') break;
    if (reachesApic(event) || (shown.length > 0 && event.name === 'kvm_emulate_insn')) shown.push(index);
    if (shown.length > 0 && event.name === 'smm_apic_read') break;
  }
  return shown;
}

/** KVM's own line of an entry or a leaving, where the trace has both. */
function kvmLine(
  facts: TraceFacts,
  vcpu: number,
  boundary: number | undefined,
  entering: boolean,
): number | undefined {
  if (boundary === undefined || facts.at(boundary).name === 'kvm_enter_smm') return undefined;
  const from = Math.max(0, boundary - NEIGHBOURS);
  const at = facts.events
    .slice(from, boundary + NEIGHBOURS + 1)
    .findIndex(
      (event) => event.name === 'kvm_enter_smm' && event.vcpu === vcpu && event.entering === entering,
    );
  return at < 0 ? undefined : from + at;
}

/** True if the accesses did no harm: every SMBASE is right, and nothing was written that an APIC should have got. */
function isHarmless(facts: TraceFacts, touches: readonly Touch[]): boolean {
  if (touches.some(({ write }) => write)) return false;
  if (facts.vcpus === 1 && touches.every(({ episode }) => episode.vcpu === 0)) return true;
  return touches.every(({ episode }) => {
    const planned = facts.planned(episode.vcpu);
    return planned !== undefined && episode.left === planned;
  });
}

/** Stays of other VCPUs that left with the same SMBASE and never reached an APIC: the page was mapped by then. */
function silentStays(facts: TraceFacts, main: SmmEpisode): SmmEpisode[] {
  return facts.episodes.filter(
    (episode) =>
      episode !== main &&
      episode.vcpu !== main.vcpu &&
      episode.left !== undefined &&
      episode.left === main.left &&
      facts.isWrong(episode) === true &&
      !episode.inside.some((index) => reachesApic(facts.at(index))),
  );
}

/** Q1 is VMX's, of kernels before its fix, and shows by absent exits, which a trace with gaps does not tell. */
function couldLackApicPage(facts: TraceFacts): boolean {
  const svm = facts.events.some((event) => event.name === 'kvm_exit' && event.isa !== ISA.VMX);
  return !svm && !facts.modern && facts.complete;
}

/** Reads of a local APIC that the processor virtualises need no exit, so that a missing exit tells nothing. */
function isApicVirtualised(facts: TraceFacts): boolean {
  return facts.events.some((event) => event.name === 'kvm_exit' && isVirtualisedApic(event));
}

/** An APIC page touched in SMM without an APIC access (Q1). */
export function apicPageInSmm(facts: TraceFacts): Finding[] {
  const machine = facts.events.some(({ name }) => name === 'smm_apic_read' || name === 'smm_apic_write');
  if (!machine && !couldLackApicPage(facts)) return [];
  const touches = facts.episodes.flatMap((episode) => touchesOf(facts, episode, machine));
  if (touches.length === 0 || isHarmless(facts, touches)) return [];
  const main =
    touches.find(({ episode }) => facts.isWrong(episode)) ??
    touches.find(({ write, address }) => write && (address & OFFSET_MASK) === ICR_LOW) ??
    touches.find(({ write }) => write) ??
    touches.find(({ episode }) => episode.vcpu !== 0) ??
    touches[0]!;
  const { episode, address, write } = main;
  const outside = accessOutside(facts, episode);
  const wrong = facts.isWrong(episode) === true;
  const touched = `VCPU ${episode.vcpu} ${write ? 'wrote' : 'read'} ${upper(address)} (${registerName(address)}) in SMM without an APIC access: an ordinary page of memory answered in place of the local APIC`;
  const lost = !wrong && (write || (address & OFFSET_MASK) !== APIC_ID);
  const identity = wrong ? "so it took another CPU's identity" : 'so what it read there was not its APIC id';
  const outcome = lost
    ? 'so nothing that it writes there reaches the APIC, and an IPI sent from SMM is lost'
    : `${identity}: ${consequence(facts, episode)}`;
  const proof = outside.length > 0 ? ' Outside SMM its accesses to the same page do reach the APIC.' : '';
  const others = silentStays(facts, episode);
  const virtualised = !machine && isApicVirtualised(facts);
  if (virtualised && !wrong) return [];
  return [
    {
      id: 'apic-page-in-smm',
      quirk: 'Q1',
      title: 'The local APIC is not there in SMM',
      sentence: `${touched}, ${outcome}.${proof}`,
      vcpu: episode.vcpu,
      evidence: facts.evidence([
        kvmLine(facts, episode.vcpu, episode.enter, true),
        episode.enter,
        ...faultsOf(facts, episode),
        main.index,
        kvmLine(facts, episode.vcpu, episode.leave, false),
        episode.leave,
        ...outside,
        ...others.flatMap(({ enter, leave }) => [enter, leave]),
      ]),
      confidence: !virtualised && (wrong || outside.length > 0 || machine) ? 'proved' : 'likely',
    },
  ];
}

/** The identity map or the TSS that KVM runs real mode with, zero in SMM (Q1's other faces). */
export function privatePageInSmm(
  facts: TraceFacts,
  died: (episode: SmmEpisode) => number | undefined,
): Finding[] {
  if (!facts.machine && !couldLackApicPage(facts)) return [];
  for (const episode of facts.episodes) {
    const death = died(episode);
    if (episode.leave !== undefined || death === undefined) continue;
    const fault = episode.inside.find((index) => {
      const address = faultAddress(facts.at(index));
      return address !== undefined && PRIVATE_PAGES.has(address >> 12n);
    });
    if (fault === undefined) continue;
    const address = faultAddress(facts.at(fault)) ?? 0n;
    return [
      {
        id: 'private-page-in-smm',
        quirk: 'Q1',
        title: "KVM's own pages are empty in SMM",
        sentence: `VCPU ${episode.vcpu} entered SMM, and KVM got an empty page at ${upper(address)}, its ${PRIVATE_PAGES.get(address >> 12n)}: without unrestricted guest mode the first instruction of SMM cannot run.`,
        vcpu: episode.vcpu,
        evidence: facts.evidence([episode.enter, fault, death]),
        confidence: 'likely',
      },
    ];
  }
  return [];
}
