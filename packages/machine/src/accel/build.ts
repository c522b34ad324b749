/** Builds the accelerator that a machine's options name. */
import { isObject, isOneOf, isShape, type OptionCheck } from '@smm/x86-defs';
import type { KvmSwitches } from '../switches.ts';
import type { Accelerator } from './accelerator.ts';
import { KvmAccelerator } from './kvm/kvm.ts';
import type { KvmOptions } from './kvm/options.ts';
import type { KvmPorts } from './kvm/ports.ts';
import { TcgAccelerator } from './tcg.ts';

/** An accelerator as a machine is built with it; with options for `kvm`. */
export type AcceleratorChoice =
  | 'tcg'
  | {
      /** What the command line of QEMU and the module parameters of KVM choose. */
      readonly options: KvmOptions;
      /** Which KVM it is. */
      readonly switches: KvmSwitches;
    };

/** What any accelerator may work on. */
export type AcceleratorPorts = Omit<KvmPorts, 'options' | 'switches'>;

/** Checks an {@link AcceleratorChoice}. */
export const isAcceleratorChoice: OptionCheck = (option, value) => {
  if (typeof value === 'object') isShape({ options: isObject, switches: isObject })(option, value);
  else isOneOf(['tcg'])(option, value);
};

/** Builds it. */
export function buildAccelerator(choice: AcceleratorChoice, ports: AcceleratorPorts): Accelerator {
  if (choice === 'tcg') return new TcgAccelerator(ports);
  return new KvmAccelerator({ ...ports, options: choice.options, switches: choice.switches });
}
