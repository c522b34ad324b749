/** Machines told as plain data, so that another process can build the same one. */
import { createHash } from 'node:crypto';
import type { TierName } from '@smm/cpu-core';
import {
  Boot,
  type BootOptions,
  encodeSnapshot,
  type Machine,
  prepareRelocation,
  type RelocationOptions,
  RelocationParts,
} from '../src/index.ts';
import { type Architecture, readOvmf } from './ovmf.ts';

/** A relocation by our firmware, or a boot of Debian's OVMF. */
export type Recipe =
  | { readonly relocation: RelocationOptions }
  | { readonly ovmf: Architecture; readonly options: Omit<BootOptions, 'code' | 'vars'> };

const parts = new RelocationParts();

/** The machine at power-on. */
export function machineOf(recipe: Recipe, tier: TierName): Machine {
  if ('relocation' in recipe) return prepareRelocation({ ...recipe.relocation, tier, parts }).machine;
  return new Boot({ ...readOvmf(recipe.ovmf), ...recipe.options, tier }).machine;
}

/** Equal for equal states of whole machines. */
export function hashOf(machine: Machine): string {
  return createHash('sha256').update(encodeSnapshot(machine.save())).digest('hex');
}
