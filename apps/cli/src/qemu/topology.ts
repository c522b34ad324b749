/** `-smp`: how many CPUs there are and how they lie. Rules of QEMU's smp_parse() (hw/core/machine-smp.c). */
import { checkCpus, wholeNumber } from '../qemu-values.ts';
import { UsageError } from '../usage-error.ts';
import type { KeyValues } from './keyval.ts';

/** CPUs as QEMU counts them; each level's count is within the one above. */
export interface SmpTopology {
  /** CPUs that are there. */
  readonly cpus: number;
  /** CPUs that there is room for. */
  readonly maxCpus: number;
  /** Sockets. */
  readonly sockets: number;
  /** Dies of a socket. */
  readonly dies: number;
  /** Cores of a die. */
  readonly cores: number;
  /** Threads of a core. */
  readonly threads: number;
}

/**
 * What is left out is worked out as QEMU does: cores take what is open, on machines before 6.2 sockets do. Throws
 * `UsageError`.
 * @param members - of `-smp`, without the ones that are ignored
 */
export function smpTopology(members: KeyValues, preferSockets = false): SmpTopology {
  const text = [...members].map(([key, value]) => `${key}=${value}`).join(',');
  const given = (key: string): number => {
    const value = members.get(key);
    if (value === undefined) return 0;
    const number = wholeNumber(`-smp ${key}=`, value);
    if (number > 0) return number;
    if (key === 'cpus') checkCpus(number);
    throw new UsageError(`-smp ${text}: ${key} is 0`, `Write ${key}=1 or more, or leave it out.`);
  };
  let [cpus, maxCpus, sockets, cores, threads] = [
    given('cpus'),
    given('maxcpus'),
    given('sockets'),
    given('cores'),
    given('threads'),
  ];
  const dies = given('dies') || 1;
  if (cpus === 0 && maxCpus === 0) {
    sockets ||= 1;
    cores ||= 1;
    threads ||= 1;
  } else {
    maxCpus ||= cpus;
    if (preferSockets) {
      const open = sockets === 0;
      if (open) {
        cores ||= 1;
        threads ||= 1;
        sockets = Math.floor(maxCpus / (dies * cores * threads));
      }
    }
    if (cores === 0) {
      sockets ||= 1;
      threads ||= 1;
      cores = Math.floor(maxCpus / (sockets * dies * threads));
    } else if (sockets === 0) {
      threads ||= 1;
      sockets = Math.floor(maxCpus / (dies * cores * threads));
    }
    threads ||= Math.floor(maxCpus / (sockets * dies * cores));
  }
  maxCpus ||= sockets * dies * cores * threads;
  cpus ||= maxCpus;
  checkCpus(cpus);
  if (sockets * dies * cores * threads !== maxCpus) {
    throw new UsageError(
      `-smp ${text}: ${sockets} sockets * ${dies} dies * ${cores} cores * ${threads} threads are not ${maxCpus} CPUs`,
      'The product must be maxcpus, which is the number of CPUs unless given.',
    );
  }
  if (maxCpus < cpus) {
    throw new UsageError(
      `-smp ${text}: maxcpus=${maxCpus} is less than ${cpus} CPUs`,
      'Give maxcpus at least the number of CPUs.',
    );
  }
  return { cpus, maxCpus, sockets, dies, cores, threads };
}

/**
 * APIC ids of the first `count` CPUs, as QEMU assigns them: thread, core, die and socket each in a field of as many
 * bits as its count needs. Source: Intel SDM Vol. 3, "Hierarchical Mapping of Shared Resources"; QEMU,
 * include/hw/i386/topology.h.
 */
export function apicIds({ dies, cores, threads }: SmpTopology, count: number): number[] {
  const bits = (n: number): number => (n <= 1 ? 0 : 32 - Math.clz32(n - 1));
  return Array.from({ length: count }, (_, index) => {
    const thread = index % threads;
    const core = Math.floor(index / threads) % cores;
    const die = Math.floor(index / (threads * cores)) % dies;
    const socket = Math.floor(index / (threads * cores * dies));
    const [t, c, d] = [bits(threads), bits(cores), bits(dies)];
    return thread + core * 2 ** t + die * 2 ** (t + c) + socket * 2 ** (t + c + d);
  });
}
