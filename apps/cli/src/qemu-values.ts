/** Parsers of option values in QEMU's words. */
import { MAX_PROCESSORS } from '@smm/edk2-relocation';
import type { KvmOptions } from '@smm/machine';
import { UsageError } from './usage-error.ts';

/** `-smp 2`, `-smp cpus=2`. */
export function parseSmp(text: string): number {
  const members = text.split(',');
  let cpus: number | undefined;
  for (const member of members) {
    const [key = '', value] = member.includes('=') ? member.split('=') : ['cpus', member];
    if (key === 'maxcpus' && value === String(cpus)) continue;
    if (key !== 'cpus' || cpus !== undefined) {
      throw new UsageError(
        `-smp ${text}: '${member}' is not known here`,
        'Write -smp N or -smp cpus=N; sockets, cores, threads and hot-plug are not modelled.',
      );
    }
    cpus = wholeNumber('-smp', value ?? '');
  }
  return checkCpus(cpus ?? Number.NaN);
}

/** A number of CPUs that xAPIC ids can tell apart. */
export function checkCpus(cpus: number): number {
  if (cpus >= 1 && cpus <= MAX_PROCESSORS) return cpus;
  throw new UsageError(
    `-smp ${cpus}: a machine with ${cpus} CPUs cannot be built`,
    cpus > MAX_PROCESSORS
      ? `Use -smp 1 to ${MAX_PROCESSORS}: more CPUs need x2APIC ids, which this firmware does not use.`
      : `Use -smp 1 to ${MAX_PROCESSORS}.`,
    { cpus },
  );
}

/** `-m 512`, `-m 512M`, `-m 2G`, `-m size=2097152k`: MiB. */
export function parseMemory(text: string): number {
  const [, digits = '', unit = ''] = /^(?:size=)?(\d+(?:\.\d+)?)([bkmgt]?)b?$/i.exec(text) ?? [];
  const mib = digits === '' ? Number.NaN : Number(digits) * MIB_PER_UNIT[unit.toLowerCase()]!;
  if (Number.isInteger(mib)) return mib;
  throw new UsageError(
    digits === '' ? `-m ${text} is not a memory size` : `-m ${text} is not a whole number of MiB`,
    'Write MiB (-m 2048), or a number with M or G (-m 2G).',
  );
}

/** QEMU's suffixes, docs/system "-m". */
const MIB_PER_UNIT: Readonly<Record<string, number>> = {
  '': 1,
  b: 2 ** -20,
  k: 2 ** -10,
  m: 1,
  g: 2 ** 10,
  t: 2 ** 20,
};

/** What `-accel` and `-machine` say. */
export interface AcceleratorChoice {
  /** Accelerator, if named. */
  readonly accelerator: 'tcg' | 'kvm' | undefined;
  /** Options of the KVM model. */
  readonly kvm: Partial<KvmOptions>;
}

const KVM_KEYS: Readonly<Record<string, keyof KvmOptions>> = {
  ept: 'ept',
  flexpriority: 'flexpriority',
  unrestricted_guest: 'unrestrictedGuest',
  kernel_irqchip: 'kernelIrqchip',
};

/** `-accel tcg`, `-accel kvm,ept=0,flexpriority=0,unrestricted_guest=0,kernel_irqchip=off`. */
export function parseAccel(text: string): AcceleratorChoice {
  const [name = '', ...options] = text.split(',');
  const accelerator = acceleratorName('-accel', name);
  if (accelerator === 'tcg' && options.length > 0) {
    throw new UsageError(
      `-accel ${text}: tcg has no options here`,
      `Write -accel tcg; ${Object.keys(KVM_KEYS).join(', ')} belong to -accel kvm.`,
    );
  }
  return { accelerator, kvm: kvmOptions(`-accel ${text}`, options) };
}

/** `-machine q35`, `-machine q35,accel=kvm,kernel_irqchip=off,smm=on`. */
export function parseMachine(text: string): AcceleratorChoice {
  let accelerator: AcceleratorChoice['accelerator'];
  const options: string[] = [];
  for (const [index, member] of text.split(',').entries()) {
    const [key = '', value] = member.split('=');
    const name = value === undefined && index === 0 ? member : key === 'type' ? value : undefined;
    if (name !== undefined) {
      if (!/^(q35|pc-q35-[\w.+-]+)$/.test(name)) {
        throw new UsageError(
          `-machine ${name} is not modelled`,
          'Use -machine q35: SMM with TSEG needs its chipset.',
        );
      }
    } else if (key === 'accel') {
      accelerator = acceleratorName('-machine accel=', value ?? '');
    } else if (key === 'smm') {
      if (!onOff(`-machine ${text}`, key, value)) {
        throw new UsageError('-machine smm=off leaves nothing to relocate', 'Leave smm=off out.');
      }
    } else {
      options.push(member);
    }
  }
  const kvm = kvmOptions(`-machine ${text}`, options, ['kernel_irqchip']);
  return { accelerator, kvm };
}

function acceleratorName(option: string, name: string): 'tcg' | 'kvm' {
  if (name === 'tcg' || name === 'kvm') return name;
  throw new UsageError(`${option} ${name}: there is no such accelerator here`, 'Use tcg or kvm.');
}

function kvmOptions(
  where: string,
  options: readonly string[],
  allowed = Object.keys(KVM_KEYS),
): Partial<KvmOptions> {
  const kvm: Partial<Record<keyof KvmOptions, boolean>> = {};
  for (const option of options) {
    const [key = '', value] = option.split('=');
    const name = key.replaceAll('-', '_');
    const member = KVM_KEYS[name];
    if (member === undefined || !allowed.includes(name)) {
      throw new UsageError(
        `${where}: '${option}' is not known`,
        `Known here: ${allowed.join(', ')}, each with =0 or =1.`,
      );
    }
    if (kvm[member] !== undefined) throw new UsageError(`${where}: ${name} is given twice`, 'Give it once.');
    kvm[member] = onOff(where, name, value);
  }
  return kvm;
}

function onOff(where: string, key: string, value: string | undefined): boolean {
  if (/^(1|on|y|yes|true)$/i.test(value ?? '')) return true;
  if (/^(0|off|n|no|false)$/i.test(value ?? '')) return false;
  throw new UsageError(
    `${where}: ${key}=${value ?? ''} is neither on nor off`,
    `Write ${key}=1 or ${key}=0.`,
  );
}

/** A whole number, decimal, or hexadecimal after 0x. */
export function wholeNumber(option: string, text: string): number {
  const value = /^(\d+|0x[0-9a-f]+)$/i.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) {
    throw new UsageError(
      `${option} ${text} is not a whole number`,
      `Write ${option} with digits, such as ${option} 2.`,
    );
  }
  return value;
}

/** One of a few words. */
export function oneOf<const T extends string>(option: string, text: string, words: readonly T[]): T {
  const word = words.find((each) => each === text);
  if (word === undefined)
    throw new UsageError(`${option} ${text} is not known`, `Use ${option} ${words.join(' or ')}.`);
  return word;
}
