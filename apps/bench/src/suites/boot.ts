/** Whole systems: unmodified OVMF, as Debian ships it, from power-on to the shell's prompt. */
import { existsSync } from 'node:fs';
import type { TierName } from '@smm/cpu-core';
import { type Effort, type Measurement, measured, type Progress } from '../measurement.ts';
import { ourName } from '../peers/ours.ts';
import { qemuTcg } from '../peers/qemu.ts';
import { type BootCost, bootQemu } from '../peers/qemu-boot.ts';
import { hasProc } from '../process-tree.ts';
import { CHILD_SCRIPT, runChild } from '../run-child.ts';

const FOLDER = '/usr/share/OVMF';

/** Builds that require SMM, and the packages that bring them. */
const FIRMWARE = {
  x64: {
    package: 'ovmf',
    code: `${FOLDER}/OVMF_CODE_4M.secboot.fd`,
    vars: `${FOLDER}/OVMF_VARS_4M.fd`,
  },
  ia32: {
    package: 'ovmf-ia32',
    code: `${FOLDER}/OVMF32_CODE_4M.secboot.fd`,
    vars: `${FOLDER}/OVMF32_VARS_4M.fd`,
  },
} as const;
type Architecture = keyof typeof FIRMWARE;

/** A machine that boots. */
interface Configuration {
  readonly architecture: Architecture;
  readonly cpus: number;
  readonly skipCountdown: boolean;
}

/** Who boots it. */
export interface Booter {
  readonly name: string;
  readonly version: string | undefined;
  readonly boot: (configuration: Configuration) => Promise<BootCost & { readonly note?: string }>;
}

/** Our machine, run by `script`: one process for each boot. */
export function ourBooter(
  tier: TierName,
  accelerator: 'tcg' | 'kvm',
  script = CHILD_SCRIPT,
  suffix = '',
  version = 'this tree',
): Booter {
  return {
    name: `${ourName({ tier, accelerator })}${suffix}`,
    version,
    boot: async ({ architecture, cpus, skipCountdown }) => {
      const { code, vars } = FIRMWARE[architecture];
      const request = { do: 'boot', code, vars, cpus, tier, accelerator, skipCountdown } as const;
      const { answer, seconds, wall } = await runChild<'boot'>(request, script);
      if (answer.outcome !== 'shell') throw new Error(`${answer.outcome}: ${answer.summary}`);
      return { seconds, wall, memory: answer.memory, note: `${answer.instructions} instructions` };
    },
  };
}

/** One machine on one emulator. */
interface Subject {
  readonly configuration: Configuration;
  readonly booter: Booter;
  readonly costs: BootCost[];
  note: string | undefined;
  failure: Pick<Measurement, 'status' | 'note'> | undefined;
}

/** What to boot. */
export interface BootPlan {
  /** Firmware. */
  readonly architectures: readonly Architecture[];
  /** Numbers of processors. */
  readonly cpus: readonly number[];
  /** Names of emulators. */
  readonly peers: readonly string[];
}

/** Everything. */
export const ALL_BOOTS: BootPlan = {
  architectures: ['x64', 'ia32'],
  cpus: [1, 2, 4, 8],
  peers: ['smm-tier1', 'smm-tier0', 'smm-tier1-kvm', 'qemu-tcg'],
};

/** The number of processors that is also booted with the countdown skipped, and under `kvm`. */
const USUAL_CPUS = 2;

/** Every machine with the countdown as the firmware has it, and one of each firmware with it skipped. */
function configurations({ architectures, cpus }: BootPlan): Configuration[] {
  return architectures.flatMap((architecture) =>
    cpus.flatMap((count) =>
      (count === USUAL_CPUS ? [false, true] : [false]).map((skipCountdown) => ({
        architecture,
        cpus: count,
        skipCountdown,
      })),
    ),
  );
}

/** This tree's machines, and QEMU. */
async function usualBooters(): Promise<Booter[]> {
  const qemu: Booter = {
    name: 'qemu-tcg',
    version: hasProc() ? await qemuTcg.version() : undefined,
    boot: ({ architecture, cpus, skipCountdown }) => bootQemu(FIRMWARE[architecture], cpus, skipCountdown),
  };
  return [
    ourBooter('translator', 'tcg'),
    ourBooter('interpreter', 'tcg'),
    ourBooter('translator', 'kvm'),
    qemu,
  ];
}

/** Boots everything in turn, on those of `all` that the plan names. */
export async function runBoots(
  plan: BootPlan,
  { samples }: Effort,
  progress: Progress,
  all?: readonly Booter[],
): Promise<Measurement[]> {
  const booters = (all ?? (await usualBooters())).filter(({ name }) => plan.peers.includes(name));
  const subjects = configurations(plan).flatMap((configuration) =>
    booters
      .filter(({ name }) => configuration.cpus === USUAL_CPUS || !name.endsWith('-kvm'))
      .map((booter): Subject => {
        const failure = whyMissing(configuration, booter);
        return { configuration, booter, costs: [], note: undefined, failure };
      }),
  );
  for (let sample = 1; sample <= samples; sample++) {
    for (const subject of subjects) {
      if (subject.failure !== undefined) continue;
      progress(`round ${sample} of ${samples}: ${nameOf(subject.configuration)} on ${subject.booter.name}`);
      try {
        const { note, ...cost } = await subject.booter.boot(subject.configuration);
        subject.costs.push(cost);
        subject.note = note;
      } catch (error) {
        subject.failure = { status: 'failed', note: error instanceof Error ? error.message : String(error) };
      }
    }
  }
  return subjects.flatMap(rows);
}

function whyMissing({ architecture }: Configuration, { version }: Booter): Subject['failure'] {
  const firmware = FIRMWARE[architecture];
  if (!existsSync(firmware.code) || !existsSync(firmware.vars))
    return { status: 'missing', note: `package ${firmware.package} is not installed` };
  return version === undefined ? { status: 'missing', note: 'not installed' } : undefined;
}

function nameOf({ architecture, cpus, skipCountdown }: Configuration): string {
  return `${architecture}, ${cpus} CPU${cpus === 1 ? '' : 's'}${skipCountdown ? ', no countdown' : ''}`;
}

function rows({ configuration, booter, costs, note, failure }: Subject): Measurement[] {
  const row = {
    suite: 'boot',
    name: nameOf(configuration),
    peer: booter.name,
    ...(booter.version !== undefined && { version: booter.version }),
    ...(note !== undefined && { note }),
  };
  if (failure !== undefined) return [{ ...row, unit: 's', ...failure, samples: [] }];
  return [
    measured(
      { ...row, unit: 's' },
      costs.map(({ seconds }) => seconds),
    ),
    measured(
      { ...row, unit: 's wall' },
      costs.map(({ wall }) => wall),
    ),
    measured(
      { ...row, suite: 'memory', unit: 'MiB' },
      costs.map(({ memory }) => memory / 2 ** 20),
    ),
  ];
}
