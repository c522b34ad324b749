import { relocate } from '@smm/machine';

// The guest of the edk2-devel mail of 2015-10-21: 32-bit, two VCPUs, KVM. On the mail's host, then on a fixed one.
for (const host of ['rhel7-3.10.0-323', 'linux-4.4']) {
  const { outcome, cpus } = relocate({ cpus: 2, bitness: 32, accelerator: 'kvm', host });
  console.log(host, outcome, cpus.map(({ smbase }) => smbase.toString(16)).join(' '));
  if (outcome === 'stuck') console.log(`CPU 0 ${cpus[0]?.waitingOn}`);
}
// => rhel7-3.10.0-323 stuck 30000 7ffc1000
// => CPU 0 spins on mRebased[1]
// => linux-4.4 relocated 7ffc1000 7ffc1800
