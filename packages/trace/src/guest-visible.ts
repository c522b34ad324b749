/** What a guest could notice of an event: the common language of two runs under different accelerators. */
import type { TraceEvent } from './events.ts';

/** Kinds of guest-visible facts. */
export type GuestVisibleKind =
  | 'apic-read'
  | 'apic-write'
  | 'smm-enter'
  | 'smm-leave'
  | 'smbase-write'
  | 'ipi'
  | 'init'
  | 'sipi'
  | 'halt'
  | 'shutdown'
  | 'pio'
  | 'debugcon';

/** One guest-visible fact. */
export interface GuestVisible {
  /** Index of the VCPU that it happens to. */
  readonly vcpu: number;
  /** What kind of fact. */
  readonly kind: GuestVisibleKind;
  /** Everything that two runs must agree on, as text; equal texts are equal facts. */
  readonly fact: string;
}

/** Local APIC registers whose value is time: the timer's current count. */
const CURRENT_COUNT = 0x390;

function h(value: bigint | number): string {
  return `0x${value.toString(16)}`;
}

function kvmFact(event: TraceEvent): [GuestVisibleKind, string] | undefined {
  switch (event.name) {
    case 'kvm_apic':
      if (event.reg === CURRENT_COUNT) return undefined;
      return event.write
        ? ['apic-write', `APIC ${h(event.reg)} <- ${h(event.val)}`]
        : ['apic-read', `APIC ${h(event.reg)} = ${h(event.val)}`];
    case 'kvm_enter_smm':
      return event.entering
        ? ['smm-enter', `enters SMM, SMBASE ${h(event.smbase)}`]
        : ['smm-leave', `leaves SMM, SMBASE ${h(event.smbase)}`];
    case 'kvm_apic_ipi':
      return ['ipi', `IPI ${h(event.icrLow)} to ${h(event.destId)}`];
    case 'kvm_pio':
      return [
        'pio',
        `${event.write ? 'OUT' : 'IN'} port ${h(event.port)} size ${event.size} count ${event.count} value ${h(event.val)}`,
      ];
    default:
      return undefined;
  }
}

function machineFact(event: TraceEvent): [GuestVisibleKind, string] | undefined {
  switch (event.name) {
    case 'smm_apic_read':
      if (event.register === CURRENT_COUNT) return undefined;
      return ['apic-read', `APIC ${h(event.register)} = ${h(event.value)}`];
    case 'smm_apic_write':
      return ['apic-write', `APIC ${h(event.register)} <- ${h(event.value)}`];
    case 'smm_enter':
      return ['smm-enter', `enters SMM, SMBASE ${h(event.smbase)}`];
    case 'smm_rsm':
      return ['smm-leave', `leaves SMM, SMBASE ${h(event.newSmbase)}`];
    case 'smm_smbase_write':
      return ['smbase-write', `SMBASE field at ${h(event.gpa)} <- ${h(event.value)}`];
    case 'smm_ipi':
      return ['ipi', `IPI ${h(event.icrLow)} to ${h(event.dest)}`];
    case 'smm_init':
      return ['init', 'takes INIT'];
    case 'smm_sipi':
      return ['sipi', `takes SIPI ${h(event.vector)}`];
    case 'smm_halt':
      return ['halt', 'halts'];
    case 'smm_shutdown':
      return ['shutdown', 'shuts down'];
    case 'smm_debugcon':
      return ['debugcon', `prints "${event.text}"`];
    default:
      return undefined;
  }
}

/**
 * The guest-visible fact of an event, if it has one. VM exits and entries, injected interrupts, times and
 * addresses of interrupted instructions are not guest-visible. Whether an APIC access reached the APIC or a
 * page of memory is not a fact either: only the value and the effects are.
 */
export function guestVisible(event: TraceEvent): GuestVisible | undefined {
  const found = kvmFact(event) ?? machineFact(event);
  if (!found) return undefined;
  return { vcpu: event.vcpu ?? event.cpu, kind: found[0], fact: found[1] };
}
