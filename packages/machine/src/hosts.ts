/** Host profiles: named sets of quirks. A profile chooses KVM and its quirks; the chipset stays as it is. */

import { SDM_BEHAVIOUR } from '@smm/cpu-core';
import type { FirmwareQuirk } from '@smm/edk2-relocation';
import { SmmError } from '@smm/x86-defs';
import { findQuirk } from './quirks.ts';
import type { KvmSwitches, QuirkEffects, Switches } from './switches.ts';

/** One host. */
export interface HostProfile {
  /** Name for `--host`. */
  readonly name: string;
  /** One line. */
  readonly title: string;
  /** Quirks by id. */
  readonly quirks: readonly string[];
  /** QEMU's name of its processor: what `-cpu host` is. */
  readonly processor: string;
  /** History that is no fault of its own: trace forms and the like. */
  readonly kvm: Partial<KvmSwitches>;
}

const in2015: Partial<KvmSwitches> = { leaveSmmTrace: 'new-smbase', traceForm: '2015' };

/** All hosts. */
export const HOSTS: readonly HostProfile[] = [
  {
    name: 'rhel7-3.10.0-323',
    title:
      "the mail's host: RHEL 7 kernel 3.10.0-323 with 'clean up kvm_arch_vcpu_runnable' and 'fix SMI to halted VCPU'",
    quirks: ['Q1'],
    processor: 'Haswell-noTSX',
    kvm: { ...in2015, apicIdOnInit: 'reset' },
  },
  {
    name: 'rhel7-3.10.0-323-stock',
    title: 'the same kernel without the two backports',
    quirks: ['Q1', 'Q2'],
    processor: 'Haswell-noTSX',
    kvm: { ...in2015, apicIdOnInit: 'reset' },
  },
  {
    name: 'linux-4.4',
    title: 'Linux 4.4, January 2016: both faults fixed',
    quirks: [],
    processor: 'Haswell-noTSX',
    kvm: in2015,
  },
  {
    name: 'linux-current',
    title: 'a current Linux (6.12)',
    quirks: [],
    processor: 'Icelake-Server',
    kvm: {},
  },
];

/** The host used when none is named. */
export const DEFAULT_HOST = 'linux-current';

/** Finds a host; throws `SmmError` `HOST_UNKNOWN`. */
export function findHost(name: string): HostProfile {
  const host = HOSTS.find((row) => row.name === name);
  if (host === undefined) {
    throw new SmmError(
      'HOST_UNKNOWN',
      `there is no host ${name}`,
      `Use one of ${HOSTS.map((row) => row.name).join(', ')}.`,
      {
        name,
      },
    );
  }
  return host;
}

/** What decides the switches. */
export interface SwitchChoice {
  /** With `tcg` no host counts, and quirks that are about KVM alone are refused. */
  readonly accelerator: 'tcg' | 'kvm';
  /** Host profile name; default {@link DEFAULT_HOST}. */
  readonly host?: string | undefined;
  /** `+Q1` adds a quirk, `-Q1` removes one that the host has. */
  readonly quirks?: readonly string[] | undefined;
}

/**
 * Ids of the quirks in force. Throws `SmmError` `QUIRK_SYNTAX`, `QUIRK_UNKNOWN`, `QUIRK_NOT_SHOWN`, `QUIRK_CONFLICT` or
 * `QUIRK_NO_EFFECT`.
 */
export function quirksInForce(choice: SwitchChoice): string[] {
  const ids = new Set(choice.accelerator === 'kvm' ? findHost(choice.host ?? DEFAULT_HOST).quirks : []);
  const seen = new Set<string>();
  for (const item of choice.quirks ?? []) {
    const match = /^([+-])(.+)$/.exec(item);
    if (match === null) {
      throw new SmmError(
        'QUIRK_SYNTAX',
        `'${item}' does not say whether to add or to remove`,
        `Write +${item} or -${item}.`,
        {
          item,
        },
      );
    }
    const { id, effects } = findQuirk(match[2]!);
    if (seen.has(id)) {
      throw new SmmError(
        'QUIRK_CONFLICT',
        `${id} is named twice`,
        'Name each quirk once, with + or with -.',
        { id },
      );
    }
    seen.add(id);
    if (match[1] === '+' && !actsUnder(choice.accelerator, effects)) {
      const other = choice.accelerator === 'tcg' ? 'kvm' : 'tcg';
      throw new SmmError(
        'QUIRK_NO_EFFECT',
        `${id} has no effect under ${choice.accelerator}: it is about ${other}`,
        `Use -accel ${other}, or leave the quirk out.`,
        { id, accelerator: choice.accelerator },
      );
    }
    if (match[1] === '+') ids.add(id);
    else ids.delete(id);
  }
  return [...ids];
}

/** Whether any effect of a quirk is about this accelerator or about the guest. */
function actsUnder(accelerator: 'tcg' | 'kvm', effects: QuirkEffects): boolean {
  if (effects.firmware !== undefined || effects.emptyLeaf0B === true) return true;
  return accelerator === 'tcg'
    ? effects.tcgBehaviour !== undefined
    : effects.kvm !== undefined || effects.kvmBehaviour !== undefined;
}

/** Resolves host and quirks to switches. */
export function resolveSwitches(choice: SwitchChoice): Switches {
  const kvm: KvmSwitches = {
    privateSlotsPerAddressSpace: false,
    smiFromIcr: true,
    apicIdOnInit: 'kept',
    leaveSmmTrace: 'old-smbase',
    traceForm: 'current',
    ...(choice.accelerator === 'kvm' ? findHost(choice.host ?? DEFAULT_HOST).kvm : {}),
  };
  // KVM never writes the auto-HALT field, always loads SMBASE at RSM and zeroes IDTR on SMM entry.
  const behaviour =
    choice.accelerator === 'kvm'
      ? { autoHaltRestart: false, rsmChecksRevision: false, smmEntryIdtr: 'zero' as const }
      : { ...SDM_BEHAVIOUR };
  const firmware: FirmwareQuirk[] = [];
  let emptyLeaf0B = false;
  for (const id of quirksInForce(choice)) {
    const effects: QuirkEffects = findQuirk(id).effects;
    Object.assign(kvm, effects.kvm);
    if (effects.firmware !== undefined) firmware.push(effects.firmware);
    Object.assign(behaviour, choice.accelerator === 'kvm' ? effects.kvmBehaviour : effects.tcgBehaviour);
    emptyLeaf0B ||= effects.emptyLeaf0B ?? false;
  }
  return { behaviour, emptyLeaf0B, kvm, firmware };
}
