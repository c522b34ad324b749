/** Host profiles: named sets of quirks. A profile chooses KVM and its quirks; the chipset stays as it is. */

import type { FirmwareQuirk } from '@smm/edk2-relocation';
import { SmmError } from '@smm/x86-defs';
import { ACCELERATOR_NAMES, type AcceleratorName, findAccelerator } from './accel/accelerators.ts';
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
  readonly accelerator: AcceleratorName;
  /** Host profile name; default {@link DEFAULT_HOST}. */
  readonly host?: string | undefined;
  /** `+Q1` adds a quirk, `-Q1` removes one that the host has. */
  readonly quirks?: readonly string[] | undefined;
}

/** The host profile that counts, if any does. Throws `SmmError` `HOST_UNKNOWN`. */
export function hostOf({ accelerator, host = DEFAULT_HOST }: SwitchChoice): HostProfile | undefined {
  return findAccelerator(accelerator).onHost ? findHost(host) : undefined;
}

/**
 * Ids of the quirks in force. Throws `SmmError` `QUIRK_SYNTAX`, `QUIRK_UNKNOWN`, `QUIRK_NOT_SHOWN`, `QUIRK_CONFLICT` or
 * `QUIRK_NO_EFFECT`.
 */
export function quirksInForce(choice: SwitchChoice): string[] {
  const ids = new Set(hostOf(choice)?.quirks);
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
      const other = ACCELERATOR_NAMES.find((name) => actsUnder(name, effects))!;
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
function actsUnder(accelerator: AcceleratorName, effects: QuirkEffects): boolean {
  if (effects.firmware !== undefined || effects.emptyLeaf0B === true) return true;
  return findAccelerator(accelerator).isAbout(effects);
}

/** Resolves host and quirks to switches. */
export function resolveSwitches(choice: SwitchChoice): Switches {
  const kvm: KvmSwitches = {
    privateSlotsPerAddressSpace: false,
    smiFromIcr: true,
    apicIdOnInit: 'kept',
    leaveSmmTrace: 'old-smbase',
    traceForm: 'current',
    ...hostOf(choice)?.kvm,
  };
  const accelerator = findAccelerator(choice.accelerator);
  const behaviour = { ...accelerator.behaviour };
  const firmware: FirmwareQuirk[] = [];
  let emptyLeaf0B = false;
  for (const id of quirksInForce(choice)) {
    const effects: QuirkEffects = findQuirk(id).effects;
    Object.assign(kvm, effects.kvm);
    if (effects.firmware !== undefined) firmware.push(effects.firmware);
    Object.assign(behaviour, accelerator.quirkBehaviour(effects));
    emptyLeaf0B ||= effects.emptyLeaf0B ?? false;
  }
  return { behaviour, emptyLeaf0B, kvm, firmware };
}
