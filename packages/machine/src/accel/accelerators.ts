/** What is known of each accelerator before a machine is built: all that depends on its name alone. */
import { type ProcessorBehaviour, SDM_BEHAVIOUR } from '@smm/cpu-core';
import type { TraceForm } from '@smm/trace';
import {
  oneOf,
  SAVE_STATE_AMD64,
  SAVE_STATE_LEGACY32_KVM,
  SAVE_STATE_LEGACY32_QEMU,
  type SaveStateLayout,
} from '@smm/x86-defs';
import type { KvmSwitches, QuirkEffects } from '../switches.ts';
import type { AcceleratorChoice } from './build.ts';
import { DEFAULT_KVM_OPTIONS, type KvmOptions } from './kvm/options.ts';

/** Names for `-accel`. */
export const ACCELERATOR_NAMES = ['tcg', 'kvm'] as const;
/** A name for `-accel`. */
export type AcceleratorName = (typeof ACCELERATOR_NAMES)[number];

/** A way out of a hang: QEMU's words for it, and the options that they mean. */
type AcceleratorRemedy = readonly [change: string, options: Partial<KvmOptions>];

/** One accelerator. */
export interface AcceleratorRow {
  /** It is part of a host's kernel: host profiles and their quirks count. */
  readonly onHost: boolean;
  /** The processors with everything fixed. */
  readonly behaviour: Partial<ProcessorBehaviour>;
  /** Accelerator under which the same guest runs without a host's faults; left out where it is this one. */
  readonly reference?: AcceleratorName;
  /** What a quirk changes of the processors. */
  quirkBehaviour(effects: QuirkEffects): Partial<ProcessorBehaviour> | undefined;
  /** Whether a quirk has effects of this accelerator's own. */
  isAbout(effects: QuirkEffects): boolean;
  /** SMM save-state map of `qemu-system-i386` (32) or `qemu-system-x86_64` (64), for a CPU with long mode or not. */
  saveState(bitness: 32 | 64, longMode: boolean): SaveStateLayout;
  /** The words of its traces. */
  traceForm(kvm: KvmSwitches): TraceForm;
  /** What a machine is built with. */
  choice(options: Partial<KvmOptions>, switches: KvmSwitches): AcceleratorChoice;
  /** Changes that may help, likeliest first. */
  remedies(options: Partial<KvmOptions>): readonly AcceleratorRemedy[];
  /** What a report must say about the options. */
  notes(options: Partial<KvmOptions>): readonly string[];
}

const TCG: AcceleratorRow = {
  onHost: false,
  // What QEMU does with MSRs that it does not know.
  behaviour: { ...SDM_BEHAVIOUR, unknownMsr: 'zero' },
  quirkBehaviour: ({ tcgBehaviour }) => tcgBehaviour,
  isAbout: ({ tcgBehaviour }) => tcgBehaviour !== undefined,
  saveState: (bitness) => (bitness === 64 ? SAVE_STATE_AMD64 : SAVE_STATE_LEGACY32_QEMU),
  traceForm: () => '2015',
  choice: () => 'tcg',
  remedies: () => [],
  notes: () => [],
};

const USER_SPACE_APICS =
  'kernel_irqchip=off puts the local APICs into user space: KVM has no APIC-access page then, and SMM sees the same ' +
  'registers. That QEMU of 2015 could then only be killed with SIGKILL is a fault of that program and not modelled.';

const KVM: AcceleratorRow = {
  onHost: true,
  // KVM never writes the auto-HALT field, always loads SMBASE at RSM and zeroes IDTR on SMM entry.
  behaviour: { autoHaltRestart: false, rsmChecksRevision: false, smmEntryIdtr: 'zero' },
  reference: 'tcg',
  quirkBehaviour: ({ kvmBehaviour }) => kvmBehaviour,
  isAbout: ({ kvm, kvmBehaviour }) => kvm !== undefined || kvmBehaviour !== undefined,
  saveState: (_bitness, longMode) => (longMode ? SAVE_STATE_AMD64 : SAVE_STATE_LEGACY32_KVM),
  traceForm: ({ traceForm }) => traceForm,
  choice: (options, switches) => ({ options: { ...DEFAULT_KVM_OPTIONS, ...options }, switches }),
  remedies: (options) => [
    ...remedy('-accel kvm,flexpriority=0', 'flexpriority', options),
    ...remedy('-accel kvm,ept=0', 'ept', options),
    ...remedy('-machine kernel_irqchip=off', 'kernelIrqchip', options),
  ],
  notes: ({ kernelIrqchip }) => (kernelIrqchip === false ? [USER_SPACE_APICS] : []),
};

const ROWS: Readonly<Record<AcceleratorName, AcceleratorRow>> = { tcg: TCG, kvm: KVM };

/** The row of an accelerator. Throws `SmmError` `OPTION_VALUE` for a name that is none. */
export function findAccelerator(name: AcceleratorName): AcceleratorRow {
  oneOf('accelerator', name, ACCELERATOR_NAMES);
  return ROWS[name];
}

/** Turns an option off, unless it is. */
function remedy(
  change: string,
  option: keyof KvmOptions,
  options: Partial<KvmOptions>,
): readonly AcceleratorRemedy[] {
  return options[option] === false ? [] : [[change, { ...options, [option]: false }]];
}
