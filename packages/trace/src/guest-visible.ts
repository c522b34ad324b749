/** What a guest could notice of an event: the common language of two runs under different accelerators. */
import type { TraceEvent } from './events.ts';
import { EXCEPTIONS, USERSPACE_EXIT, USERSPACE_EXITS } from './symbols.ts';
import type { Symbols } from './template.ts';

/** The local APIC's page, whose accesses `kvm_apic` tells better. */
const APIC_PAGE = 0xfee00n;

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
  | 'suspend'
  | 'resume'
  | 'pio'
  | 'debugcon'
  | 'exception'
  | 'msr'
  | 'cr'
  | 'cpuid'
  | 'mmio'
  | 'interrupt'
  | 'user-exit'
  | 'end';

/** One guest-visible fact. */
export interface GuestVisible {
  /** Index of the VCPU that it happens to; -1 where the trace does not tell. */
  readonly vcpu: number;
  /** What kind of fact. */
  readonly kind: GuestVisibleKind;
  /** Everything that two runs must agree on, as text; equal texts are equal facts. */
  readonly fact: string;
}

/** MSRs whose value is time: IA32_TIME_STAMP_COUNTER, IA32_MPERF, IA32_APERF, IA32_TSC_DEADLINE. */
const TIME_MSRS: ReadonlySet<number> = new Set([0x10, 0xe7, 0xe8, 0x6e0]);

/** Exits to user space that are the end of a VCPU, and those that only let QEMU have a look. */
const ENDS: readonly number[] = [
  USERSPACE_EXIT.SHUTDOWN,
  USERSPACE_EXIT.FAIL_ENTRY,
  USERSPACE_EXIT.INTERNAL_ERROR,
];
const PASSING: readonly number[] = [0, 2, 6, 7, 10];

function nameOf(symbols: Symbols, value: number): string {
  return symbols.find(([n]) => n === value)?.[1] ?? h(value);
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
    case 'kvm_inj_exception':
      if (event.reinjected) return undefined;
      return [
        'exception',
        `exception ${nameOf(EXCEPTIONS, event.exception)}${event.errorCode ? ` error code ${h(event.errorCode)}` : ''}`,
      ];
    case 'kvm_inj_virq':
      return event.reinjected ? undefined : ['interrupt', `interrupt ${h(event.vector)}`];
    case 'kvm_msr': {
      if (TIME_MSRS.has(event.ecx)) return undefined;
      const verb = event.write
        ? `MSR ${h(event.ecx)} <- ${h(event.data)}`
        : `MSR ${h(event.ecx)} = ${h(event.data)}`;
      return ['msr', `${verb}${event.exception ? ' (#GP)' : ''}`];
    }
    case 'kvm_cr':
      return ['cr', `CR${event.cr} ${event.write ? '<-' : '='} ${h(event.val)}`];
    case 'kvm_cpuid': {
      const registers = [event.rax, event.rbx, event.rcx, event.rdx].map(h).join(' ');
      return [
        'cpuid',
        `CPUID ${h(event.function)}${event.index === undefined ? '' : `.${h(event.index)}`} = ${registers}`,
      ];
    }
    case 'kvm_mmio':
      if (event.type === 0 || event.gpa >> 12n === APIC_PAGE) return undefined;
      return [
        'mmio',
        `MMIO ${h(event.gpa)} length ${event.len} ${event.type === 2 ? '<-' : '='} ${h(event.val)}`,
      ];
    case 'kvm_userspace_exit':
      if (event.errno < 0 || PASSING.includes(event.reason)) return undefined;
      return [
        ENDS.includes(event.reason) ? 'end' : 'user-exit',
        `exit to user space ${nameOf(USERSPACE_EXITS, event.reason)}`,
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
    case 'smm_suspend':
      return ['suspend', 'suspends the machine to RAM'];
    case 'smm_resume':
      return ['resume', `resumes the machine, woken by ${event.cause}`];
    case 'smm_debugcon':
      return ['debugcon', `prints "${event.text}"`];
    default:
      return undefined;
  }
}

/**
 * The guest-visible fact of an event, if it has one. VM exits and entries, times and addresses of interrupted
 * instructions are not guest-visible. Whether an APIC access reached the APIC or a
 * page of memory is not a fact either: only the value and the effects are.
 */
export function guestVisible(event: TraceEvent): GuestVisible | undefined {
  const found = kvmFact(event) ?? machineFact(event);
  if (!found) return undefined;
  return { vcpu: event.vcpu ?? -1, kind: found[0], fact: found[1] };
}
