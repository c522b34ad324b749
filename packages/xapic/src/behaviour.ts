/** Where implementations differ from each other and from the manual: every switch, and the named sets of them. */
import type { ApicRegisterName } from './registers.ts';

/** Named sets of switches. */
export type ApicFlavour = 'sdm' | 'kvm-2015' | 'qemu-7.2';

/** The switches. One machine has one set: give it to its `ApicBus`. */
export interface ApicBehaviour {
  /**
   * Whether a software-written xAPIC id survives INIT. The manual: kept. KVM before Linux d28bc9dd25ce set it back to
   * the VCPU number at every INIT.
   */
  readonly apicIdOnInit: 'kept' | 'reset';
  /** Whether a software-written xAPIC id survives RESET. QEMU 7.2 keeps it. */
  readonly apicIdOnPowerUp: 'kept' | 'reset';
  /** Whether delivery mode SMI does anything. KVM before Linux 4.2 ignored it. */
  readonly smiFromIcr: boolean;
  /** Whether an ExtINT message (I/O APIC, MSI) starts an acknowledge cycle. KVM and QEMU drop it. */
  readonly extIntMessages: boolean;
  /** Registers whose writable bits differ from the table's `mask`. */
  readonly writableBits: Readonly<Partial<Record<ApicRegisterName, number>>>;
  /**
   * Error status. `latched`: collected inside, shown after a write to ESR, raises LVT Error (the manual). `live`: shown
   * at once, never cleared by a write, no interrupt (QEMU). `absent`: always 0 (KVM).
   */
  readonly errorStatus: 'latched' | 'live' | 'absent';
  /**
   * Fixed interrupts with vectors 0-15. `error`: recorded in ESR, not delivered (the manual). `held`: set in IRR, below
   * every priority, so never delivered (KVM). `delivered`: 1-15 like any vector while PPR is 0 (QEMU).
   */
  readonly illegalVectors: 'error' | 'held' | 'delivered';
  /**
   * Accesses that are not an aligned dword. `extract`: reads inside the register's dword give its bytes, others 0,
   * writes are ignored (KVM; the manual leaves them undefined). `dword`: any size below 4 reads 0 and writes nothing,
   * and the low four offset bits do not count (QEMU).
   */
  readonly partialAccess: 'extract' | 'dword';
  /**
   * While SVR bit 8 is clear. `held`: nothing fixed is accepted, what is in IRR stays deliverable (the manual: "held").
   * `blocked`: nothing accepted, nothing delivered (KVM). `collected`: accepted, nothing delivered (QEMU).
   */
  readonly softwareDisabled: 'held' | 'blocked' | 'collected';
  /** Whether clearing SVR bit 8 sets the LVT mask bits and holds them set. QEMU does not. */
  readonly softwareDisableMasksLvt: boolean;
  /** Trigger mode of fixed IPIs. The manual: always edge since the Pentium 4. KVM and QEMU take ICR bit 15. */
  readonly ipiTrigger: 'edge' | 'as-written';
  /** Lowest-priority arbitration: least PPR, in turn (KVM 2015), or the first in order of registration (QEMU). */
  readonly lowestPriority: 'priority' | 'in-turn' | 'first';
  /**
   * Who hears a physical destination when software gave several APICs one id: every one of them, the last in order of
   * registration (KVM's map), or the one whose initial id it is, else the first (QEMU).
   */
  readonly sharedId: 'every' | 'last' | 'owner';
  /** Whether logical destination FFh (all ones) reaches every APIC even without a matching LDR. */
  readonly logicalBroadcast: boolean;
  /**
   * Clearing IA32_APIC_BASE.EN: registers go to their reset values, keep theirs, or the APIC is gone for good (QEMU).
   */
  readonly globalDisable: 'reset' | 'kept' | 'permanent';
  /** Whether a write to offset 0 of the page is an MSI (QEMU, where both live at one address). */
  readonly msiAtOffsetZero: boolean;
  /** Shortest period of the periodic timer, in nanoseconds. */
  readonly timerMinPeriodNs: number;
}

/** Intel SDM Vol. 3, "Advanced Programmable Interrupt Controller (APIC)", Pentium 4 and later. */
const SDM: ApicBehaviour = {
  apicIdOnInit: 'kept',
  apicIdOnPowerUp: 'reset',
  smiFromIcr: true,
  extIntMessages: true,
  writableBits: {},
  errorStatus: 'latched',
  illegalVectors: 'error',
  partialAccess: 'extract',
  softwareDisabled: 'held',
  softwareDisableMasksLvt: true,
  ipiTrigger: 'edge',
  lowestPriority: 'priority',
  sharedId: 'every',
  logicalBroadcast: true,
  globalDisable: 'reset',
  msiAtOffsetZero: false,
  timerMinPeriodNs: 0,
};

/** The switch settings behind each name. `kvm-2015` is Linux 4.4 with d28bc9dd25ce; history is set by hand on top. */
export const APIC_FLAVOURS: Readonly<Record<ApicFlavour, ApicBehaviour>> = {
  sdm: SDM,
  'kvm-2015': {
    ...SDM,
    extIntMessages: false,
    writableBits: {
      ICR_LOW: 0xffff_efff,
      LVT_TIMER: 0x7_10ff,
      LVT_THERMAL: 0x1_17ff,
      LVT_PERF: 0x1_17ff,
      LVT_LINT0: 0x1_f7ff,
      LVT_LINT1: 0x1_f7ff,
      LVT_ERROR: 0x1_10ff,
      DIVIDE: 0xffff_ffff,
    },
    errorStatus: 'absent',
    illegalVectors: 'held',
    softwareDisabled: 'blocked',
    ipiTrigger: 'as-written',
    lowestPriority: 'in-turn',
    sharedId: 'last',
    globalDisable: 'kept',
    timerMinPeriodNs: 200_000,
  },
  'qemu-7.2': {
    ...SDM,
    apicIdOnPowerUp: 'kept',
    extIntMessages: false,
    writableBits: {
      SVR: 0x1ff,
      ICR_LOW: 0xffff_ffff,
      ICR_HIGH: 0xffff_ffff,
      LVT_TIMER: 0xffff_ffff,
      LVT_THERMAL: 0xffff_ffff,
      LVT_PERF: 0xffff_ffff,
      LVT_LINT0: 0xffff_ffff,
      LVT_LINT1: 0xffff_ffff,
      LVT_ERROR: 0xffff_ffff,
    },
    errorStatus: 'live',
    illegalVectors: 'delivered',
    partialAccess: 'dword',
    softwareDisabled: 'collected',
    softwareDisableMasksLvt: false,
    ipiTrigger: 'as-written',
    lowestPriority: 'first',
    sharedId: 'owner',
    logicalBroadcast: false,
    globalDisable: 'permanent',
    msiAtOffsetZero: true,
  },
};
