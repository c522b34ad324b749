/**
 * Where an attack ends otherwise than its header says, and why that is right there. Nothing here may leak the secret.
 */
import type { Configuration } from './run-here.ts';

/** One difference. */
export interface Deviation {
  /** Name of the attack. */
  readonly attack: string;
  /** Accelerators, or real QEMU. */
  readonly where: readonly (Configuration['accelerator'] | 'qemu')[];
  /** What is printed there; undefined: not run there. */
  readonly log: readonly string[] | undefined;
  /** Why. */
  readonly reason: string;
}

/** All of them. */
export const DEVIATIONS: readonly Deviation[] = [
  {
    attack: 'closed-compatible',
    where: ['qemu'],
    log: ['deadbeef', 'deadbeef', 'x', 'end'],
    reason:
      'without a graphics adapter QEMU shows RAM at A0000h to everybody: its closed range is a window into PCI memory, and where no device ' +
      'lies in it the RAM below shows through',
  },
  ...['walk-flags-rom', 'walk-flags-secure-flash', 'walk-flags-plain-flash', 'walk-through-devices'].map(
    (attack): Deviation => ({
      attack,
      where: ['qemu'],
      log: undefined,
      reason:
        'QEMU 7.2 repeats a walk until its flags stick, so a processor whose tables lie in ROM, flash or registers hangs',
    }),
  ),
  {
    attack: 'walk-through-tseg',
    where: ['kvm', 'kvm,ept=0'],
    log: ['#0e/0000', 's', 'end'],
    reason:
      'KVM reads tables through memory slots; a table without a slot is a fault of a page that is not present',
  },
  {
    attack: 'walk-through-devices',
    where: ['kvm', 'kvm,ept=0'],
    log: ['#0e/0000', '00000001', '#0e/0000', '#0e/0000', '#0e/0000', 'end'],
    reason:
      'as for walk-through-tseg; in the APIC page it reads the memory of its private slot, which is zero',
  },
  {
    attack: 'lapic-to-hole',
    where: ['kvm', 'kvm,ept=0'],
    log: ['00050014 ffffffff', 's', '00050014', 'end'],
    reason:
      'an in-kernel local APIC goes where IA32_APIC_BASE says, if no memory slot is there; QEMU keeps its page',
  },
  {
    attack: 'lapic-to-hole',
    where: ['qemu'],
    log: ['00000000 00050014', 's', '00050014', 'end'],
    reason: 'where nothing answers QEMU reads zeros',
  },
  {
    attack: 'lapic-over-tseg',
    where: ['kvm', 'kvm,ept=0'],
    log: ['10f08900 s 00000000', '10f00900 s 00000000', '00008900 s 12345678', '00050014', 'end'],
    reason:
      'outside SMM no memory slot is at TSEG, so an in-kernel local APIC that is moved there answers; in SMM the slot comes first',
  },
  {
    attack: 'high-smram',
    where: ['qemu'],
    log: ['00000000', 's', 'end'],
    reason: 'where nothing answers QEMU reads zeros',
  },
  {
    attack: 'wrap-around',
    where: ['qemu'],
    log: ['#0e/0008', 's', 'end'],
    reason:
      'QEMU 7.2 leaves P clear in the error code of a reserved bit; the SDM has it set (Vol. 3, "Interrupt 14")',
  },
  {
    attack: 'dma-to-smram',
    where: ['qemu'],
    log: ['s', 's'],
    reason: 'TSEG as a command is all-ones, a transfer of 4 GiB, at which QEMU is busy for minutes',
  },
  ...['smbase-nowhere', 'smbase-at-apic'].flatMap((attack): Deviation[] => [
    {
      attack,
      where: ['qemu'],
      log: undefined,
      reason: 'QEMU ends itself when code is fetched from where nothing is',
    },
    {
      attack,
      where: ['kvm', 'kvm,ept=0'],
      log: [],
      reason: 'KVM enters SMM with an empty IDT: the fault has no gate, and the processor shuts down',
    },
  ]),
  {
    attack: 'smbase-in-plain-flash',
    where: ['tcg'],
    log: [],
    reason:
      'in which order and widths a save state is stored no manual says; stored in ascending order its last cycles leave ' +
      'the chip showing status, which is no handler',
  },
];
