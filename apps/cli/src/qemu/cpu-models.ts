/** What is told about CPU models. */
import { CPU_MODELS, cpuModel } from '@smm/cpu-core';
import type { Io } from '../io.ts';
import { wrap } from '../render/text.ts';

/** The models that can be named, for `-cpu help`. */
export function renderCpuModels(io: Io): string {
  const hosts = 'host, the processor of --host (with -accel kvm)';
  return `${wrap(`CPU models: ${[...CPU_MODELS].sort().join(', ')}; each also with -v1; ${hosts}.`, io)}\n`;
}

/** One line about the features that a model has and this processor does not; undefined if it has all. */
export function lackingLine(cpu: string | undefined): string | undefined {
  const { lacking, name } = cpuModel(cpu ?? 'qemu64');
  if (lacking.length === 0) return undefined;
  return `Features of ${name} that this processor does not have: ${lacking.join(', ')}.`;
}
