/**
 * The catalogue of known faults and differences, as data. Every entry says what was before and after, and whether this
 * machine can show it. Sources: the commits named in the rows; edk2-devel, "SMBASE relocation", October 2015.
 */
import { SmmError } from '@smm/x86-defs';
import type { QuirkEffects } from './switches.ts';

/** One row of the catalogue. */
export interface Quirk {
  /** Stable id, `Q1`... */
  readonly id: string;
  /** One line. */
  readonly title: string;
  /** Where the fault was: KVM, QEMU, edk2, OVMF. */
  readonly component: string;
  /**
   * Commit or name of the change that ended it; where nothing is known to have: where it is tracked, or was measured.
   */
  readonly commit: string;
  /** Nothing is known to have ended it. */
  readonly open?: boolean;
  /** Behaviour with the quirk. */
  readonly before: string;
  /** Behaviour without it. */
  readonly after: string;
  /** What a user sees. */
  readonly symptom: string;
  /** How sure the history is: read in the source, measured, the change known by its words, from memory. */
  readonly confidence: 'read' | 'measured' | 'named' | 'memory';
  /**
   * Where its history was found again: words of the change, a bug, a pull request. Absent where it was looked for in
   * vain, so that it rests on `confidence` alone.
   */
  readonly lookedUp?: string;
  /** Whether this machine and this firmware can show it. */
  readonly status: 'shown' | 'not shown yet';
  /** The switches it sets; none where it is not shown yet. */
  readonly effects: QuirkEffects;
}

const none: QuirkEffects = {};

/** For entries that are in the catalogue by name alone. */
const PLACEHOLDER = 'Placeholder.';

/** {@link Quirk.lookedUp} of those that were found. Bugs and pull requests are edk2's. */
const LOOKED_UP: Readonly<Record<string, string>> = {
  Q1: 'KVM: x86: map/unmap private slots in __x86_set_memory_region',
  Q4: 'KVM: x86: avoid simultaneous queueing of both IRQ and SMI',
  Q10: 'bug 230',
  Q11: 'bug 216',
  Q16: 'bug 2929',
  Q17: 'PR 6138',
  Q18: 'issue 10293',
  Q19: 'bug 4368',
  Q20: 'bug 4682',
  Q21: 'bug 4338',
  Q22: 'PR 11238',
  Q23: 'PR 11024',
  Q26: 'kvm: x86: fix RSM when PCID is non-zero',
  Q27: 'KVM: x86: clear SMM flags before loading state while leaving SMM',
  Q28: 'KVM: x86: Fix INIT signal handling in various CPU states',
  Q29: 'KVM: x86: smm: preserve interrupt shadow in SMRAM',
  Q30: 'hw/pci-host/q35.c, mch_update_smram',
  Q32: 'PR 13164',
  Q33: 'PR 12570',
};

const ROWS: readonly Quirk[] = [
  {
    id: 'Q1',
    title: 'Private memory slots have their own pages in the SMM address space',
    component: 'KVM',
    commit: 'f0d648bdf0a5',
    before:
      'The APIC-access page, the real-mode TSS and the identity page table get one host page per address space; the SMM copies stay zero.',
    after: 'One host page serves both address spaces.',
    symptom:
      "In SMM the local APIC reads as zero RAM: an AP takes CPU 0's SMBASE and the BSP hangs in SmmRelocateBases. Without unrestricted guest the zero identity page table stops the first instruction in SMM; the zero TSS only matters to real-mode INT or port I/O in SMM.",
    confidence: 'read',
    status: 'shown',
    effects: { kvm: { privateSlotsPerAddressSpace: true } },
  },
  {
    id: 'Q2',
    title: 'An SMI does not wake a halted VCPU',
    component: 'KVM',
    commit: '7391773933b8',
    before: 'The request stays pending and the thread goes back to sleep.',
    after: 'The VCPU becomes runnable and enters SMM.',
    symptom: 'The BSP hangs at the first SMI IPI; the AP never enters SMM.',
    confidence: 'memory',
    status: 'shown',
    effects: { kvmBehaviour: { smiWakesHalted: false } },
  },
  {
    id: 'Q3',
    title: 'RSM clears the low 15 bits of SMBASE',
    component: 'QEMU TCG',
    commit: 'target-i386: allow any alignment for SMBASE (October 2015)',
    before: 'The loaded SMBASE is masked with FFFF8000h.',
    after: 'Any SMBASE is taken.',
    symptom: 'Tiles of 800h bytes collapse onto one SMBASE; the first normal SMI runs garbage.',
    confidence: 'memory',
    status: 'shown',
    effects: { tcgBehaviour: { smbaseMask: 0xffff_8000 } },
  },
  {
    id: 'Q4',
    title: 'SMI entered while an interrupt is being re-injected',
    component: 'KVM',
    commit: 'c43203cab1e2',
    before: 'SMM is entered from the request loop even with an event in flight; VM entry fails.',
    after: 'SMIs are taken in event injection, only when nothing is re-injected.',
    symptom: 'KVM: entry failed, hardware error 0x80000021, EIP=00008000.',
    confidence: 'read',
    status: 'not shown yet',
    effects: none,
  },
  {
    id: 'Q5',
    title: 'GetInitialApicId trusts an empty CPUID leaf 0Bh',
    component: 'edk2',
    commit: '4af3ae1463',
    before:
      'Leaf 0Bh is used whenever the maximum leaf reaches it; on processors where it is zero every CPU has initial id 0.',
    after: 'Leaf 0Bh is used only if EBX[15:0] is not zero.',
    symptom: 'All CPUs report initial APIC id 0.',
    confidence: 'read',
    status: 'shown',
    effects: { firmware: 'Q5', emptyLeaf0B: true },
  },
  {
    id: 'Q6',
    title: 'The save-state map is picked by the wrong CPUID leaf',
    component: 'edk2',
    commit: 'e9b3a6c926',
    before: 'Bit 29 of EDX is tested in leaf 1 instead of leaf 80000001h.',
    after: 'Leaf 80000001h is tested.',
    symptom: 'On a 64-bit processor the 32-bit map is used: SMBASE goes to the wrong place.',
    confidence: 'read',
    status: 'shown',
    effects: { firmware: 'Q6' },
  },
  {
    id: 'Q7',
    title: 'SMBASE written at 7EF8h of the AMD64 map',
    component: 'OVMF',
    commit: '4036b4e57c, fixed by c1fcd80bf4',
    before: 'The SMBASE field of the 32-bit map is written whatever the processor saved.',
    after: 'The field is chosen by the saved revision identifier.',
    symptom: 'Nobody is relocated: every CPU keeps 30000h.',
    confidence: 'read',
    status: 'shown',
    effects: { firmware: 'Q7' },
  },
  {
    id: 'Q8',
    title: 'A taken 16-bit jump above 64 KiB in SmmStartup',
    component: 'edk2',
    commit: '8d4d55b15b',
    before: 'SmmStartup has a conditional jump while EIP is above FFFFh in 16-bit code.',
    after: 'The code is straight until the far jump.',
    symptom: 'EIP loses its upper half and the processor runs garbage in SMM.',
    confidence: 'read',
    status: 'shown',
    effects: { firmware: 'Q8' },
  },
  {
    id: 'Q9',
    title: 'Reserved bits set in PAE PDPTEs',
    component: 'edk2',
    commit: '881520ea67',
    before: 'Bits 1 and 2 of the PDPTEs are set.',
    after: 'They are clear.',
    symptom: 'VM entry fails when paging is enabled with EPT; on bare hardware setting CR0.PG faults.',
    confidence: 'read',
    status: 'shown',
    effects: { firmware: 'Q9' },
  },
  {
    id: 'Q10',
    title: 'A normal SMI reaches one processor only',
    component: 'OVMF',
    commit: '9b1e378811, bb0f18b0bc, a316d7ac91',
    before: 'APM_CNT raises the SMI on the writing processor alone and nobody gathers the others.',
    after: 'Relaxed synchronisation, then broadcast SMIs.',
    symptom: 'Each SMI costs the whole synchronisation timeout and the other processors do not take part.',
    confidence: 'read',
    status: 'shown',
    effects: { firmware: 'Q10' },
  },
  {
    id: 'Q11',
    title: 'An AP leaves HLT after an SMI during S3 and runs overwritten code',
    component: 'edk2',
    commit: '4a0f88dd64, 45e3440ac2, ec8a387700',
    before:
      'On resume from S3 APs are left in HLT in the start-up page below 1 MiB, which belongs to the OS. An SMI wakes them, and where RSM does not restart HLT (KVM, QEMU 7.2) they go on with what the OS has there.',
    after: 'They are left in a HLT loop in memory that the OS does not use.',
    symptom: 'After S3 an AP dies at the first SMI that the OS causes.',
    confidence: 'read',
    status: 'shown',
    effects: { firmware: 'Q11' },
  },
  ...(
    [
      ['Q12', 'Stale Present and Run flags on S3', 'edk2', '56e4a7d726, e78a2a49ee', 'read'],
      ['Q13', 'Stale SMST fields or a wrong BSP index on S3', 'edk2', '6011381199, f6b0cb17b1', 'read'],
      ['Q14', 'S3 waits for absent hot-plug processors', 'edk2', '90e11edd16', 'read'],
      ['Q15', 'A dynamic PCD read during S3 resume fails', 'edk2', 'bb767506b2', 'read'],
      [
        'Q16',
        'Hot-plug around a broadcast SMI leaves the BSP stuck in SMM',
        'OVMF',
        '020bb4b46d, cbccf99592',
        'read',
      ],
      ['Q17', 'Hot-unplug: APs leave SMM before the BSP finishes', 'OVMF', '121af960e2', 'read'],
      ['Q19', 'A HOB look-up at S3 fails and firmware dead-loops', 'edk2', 'a1386bb252', 'read'],
      ['Q20', 'A missing SMM base HOB is dereferenced', 'edk2', 'edc6681206', 'read'],
      ['Q21', 'Synchronisation data is initialised before it is allocated', 'edk2', 'cb4820b6c1', 'read'],
      ['Q22', 'An AP misses one of two releases', 'edk2', 'd49364779c', 'read'],
      ['Q23', 'SMRAM leaks with every S3 cycle', 'edk2', '28653a1c8a', 'read'],
      [
        'Q26',
        'RSM with a PCID other than 0 fails',
        'KVM',
        'fae1a3e775cc (by its words; the number is from memory)',
        'named',
      ],
      ['Q27', 'RSM loads state with the SMM flag still set', 'KVM', '9ec19493fb86', 'named'],
      ['Q28', 'INIT in VMX root mode, SMM or with GIF clear', 'KVM', '4b9852f4f389', 'named'],
      ['Q29', 'The interrupt shadow is lost over an SMI', 'KVM', 'fb28875fd7da', 'named'],
      ['Q30', 'D_LCK is not implemented on Q35', 'QEMU', 'a change of unknown date', 'named'],
    ] as const
  ).map(([id, title, component, commit, confidence]) => notShown(id, title, component, commit, confidence)),
  {
    id: 'Q24',
    title: 'No PAUSE in WaitForSemaphore',
    component: 'edk2',
    commit: '9001b750df',
    before: 'Processors spin in SMM without PAUSE.',
    after: 'The loop has a PAUSE.',
    symptom: 'SMIs take long with hundreds of processors; nothing hangs.',
    confidence: 'read',
    status: 'shown',
    effects: { firmware: 'Q24' },
  },
  {
    id: 'Q25',
    title: 'The low pages are no-execute and SmmStartup does not enable NXE',
    component: 'edk2',
    commit: 'd4d87596c1',
    before:
      'The page tables that SMM borrows from the BSP mark the first pages no-execute; without EFER.NXE that bit is reserved.',
    after: 'SmmStartup sets EFER.NXE when the processor has NX.',
    symptom: 'The first access to the save state in SMM is a page fault.',
    confidence: 'read',
    status: 'shown',
    effects: { firmware: 'Q25' },
  },
  {
    id: 'Q31',
    title: 'QEMU 7.2 TCG: SMI and INIT around wait-for-SIPI and SMM',
    component: 'QEMU TCG 7.2',
    commit: 'measured on 7.2.22',
    open: true,
    before:
      'An SMI wakes a never-started AP with reset state, INIT is taken inside SMM, the first SMI after an INIT is lost if the AP still waits for its SIPI, EIP is not cut to 16 bits in big real mode, the auto-HALT field is not written, and the PDPTEs of PAE paging are no registers: they are read from memory at each walk, and their reserved bits are not checked.',
    after:
      'As the SDM says: SMI latched until SIPI, INIT latched until RSM, EIP cut, auto-HALT restart, PDPTE registers, #GP for bad PDPTEs.',
    symptom: 'Firmware that sends SMIs to waiting APs behaves differently.',
    confidence: 'measured',
    status: 'shown',
    effects: {
      tcgBehaviour: {
        smiInWaitForSipi: 'wakes',
        initBlockedInSmm: false,
        firstSmiAfterInitLost: true,
        truncateNearBranchTo16: false,
        autoHaltRestart: false,
        checkPdptes: false,
      },
    },
  },
  ...(
    [
      ['Q33', 'MmControlPei does not negotiate: only the BSP gets the MMI', 'OVMF', 'fe89a63da4', 'read'],
    ] as const
  ).map(([id, title, component, commit, confidence]) => notShown(id, title, component, commit, confidence)),
  ...(
    [
      ['Q18', 'INIT-SIPI-SIPI while an AP is in SMM drops the SIPI', 'edk2', 'edk2 bug 4132', 'read'],
      ['Q32', 'An AP consumes no SIPI and the BSP spins in WaitApWakeup', 'OVMF', 'edk2 PR 13164', 'read'],
    ] as const
  ).map(([id, title, component, commit, confidence]) => ({
    ...notShown(id, title, component, commit, confidence),
    open: true,
  })),
];

/** All quirks, by id. */
export const QUIRKS: readonly Quirk[] = ROWS.map((quirk) => {
  const lookedUp = LOOKED_UP[quirk.id];
  return lookedUp === undefined ? quirk : { ...quirk, lookedUp };
});

/** How it ended, a clause: `ended by f0d648bdf0a5`, `open (edk2 PR 13164)`. */
export function endingOf({
  commit,
  open,
}: {
  readonly commit: string;
  readonly open?: boolean | undefined;
}): string {
  return open === true ? `open (${commit})` : `ended by ${commit}`;
}

function notShown(
  id: string,
  title: string,
  component: string,
  commit: string,
  confidence: 'read' | 'named' | 'memory',
): Quirk {
  return {
    id,
    title,
    component,
    commit,
    before: PLACEHOLDER,
    after: PLACEHOLDER,
    symptom: PLACEHOLDER,
    confidence,
    status: 'not shown yet',
    effects: none,
  };
}

/** Finds a quirk; throws `SmmError` `QUIRK_UNKNOWN` or, for one without a mechanism here, `QUIRK_NOT_SHOWN`. */
export function findQuirk(id: string): Quirk {
  const quirk = QUIRKS.find((row) => row.id.toLowerCase() === id.toLowerCase());
  if (quirk === undefined) {
    throw new SmmError(
      'QUIRK_UNKNOWN',
      `there is no quirk ${id}`,
      `Use one of ${QUIRKS.filter((row) => row.status === 'shown')
        .map((row) => row.id)
        .join(', ')}; 'smm quirks' lists them.`,
      { id },
    );
  }
  if (quirk.status !== 'shown') {
    throw new SmmError(
      'QUIRK_NOT_SHOWN',
      `${quirk.id} (${quirk.title}) is in the catalogue, but this machine has no mechanism for it yet`,
      `Use one of ${QUIRKS.filter((row) => row.status === 'shown')
        .map((row) => row.id)
        .join(', ')}.`,
      { id },
    );
  }
  return quirk;
}
