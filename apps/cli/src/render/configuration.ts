/** A configuration in words. */
import { DEFAULT_HOST, quirksInForce, type RelocationOptions } from '@smm/machine';
import { counted } from './text.ts';

/** `32-bit, 2 CPUs, 2048 MiB, edk2 2015, TSEG 8 MiB, kvm on rhel7-3.10.0-323 (Q1)`. */
export function describeConfiguration(options: RelocationOptions): string {
  const { cpus = 1, memoryMiB = 2048, bitness = 64, cpu, schedule } = options;
  return [
    `${bitness}-bit`,
    counted(cpus, 'CPU'),
    ...(cpu === undefined ? [] : [`-cpu ${cpu}`]),
    `${memoryMiB} MiB`,
    describeFirmware(options),
    describeHost(options),
    ...(schedule === undefined ? [] : [`seed ${schedule.seed}, slice ${schedule.slice}`]),
  ].join(', ');
}

/** Accelerator, host, options and quirks: `kvm on linux-current, ept=0`. */
export function describeHost(options: RelocationOptions): string {
  const { accelerator = 'tcg', host, quirks, kvm = {} } = options;
  const inForce = quirksInForce({ accelerator, host, quirks });
  const list = inForce.length === 0 ? '' : ` (${inForce.join(', ')})`;
  if (accelerator === 'tcg') return `tcg${list}`;
  const switches = [
    ...(kvm.ept === undefined ? [] : [`ept=${Number(kvm.ept)}`]),
    ...(kvm.flexpriority === undefined ? [] : [`flexpriority=${Number(kvm.flexpriority)}`]),
    ...(kvm.unrestrictedGuest === undefined ? [] : [`unrestricted_guest=${Number(kvm.unrestrictedGuest)}`]),
    ...(kvm.kernelIrqchip === undefined ? [] : [`kernel_irqchip=${kvm.kernelIrqchip ? 'on' : 'off'}`]),
  ];
  return [`kvm on ${host ?? DEFAULT_HOST}${list}`, ...switches].join(', ');
}

function describeFirmware({ rom, edk2 = '2015', tsegMb = 8, waitForRebased, s3 }: RelocationOptions): string {
  if (rom !== undefined) return `a ROM of ${rom.length} bytes`;
  return `edk2 ${edk2}${waitForRebased === false ? ' without the wait for mRebased' : ''}, TSEG ${tsegMb} MiB${s3 === true ? ', S3' : ''}`;
}
