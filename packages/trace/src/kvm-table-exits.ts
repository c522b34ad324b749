/** Rows of the KVM tracepoints about running a VCPU: entries, exits, faults, SMM. */
import type { CField } from './c-layout.ts';
import { exitReason2015, exitReasonOfPlugin, exitReasonWithFlags } from './exit-reason.ts';
import { type KvmRows, same, VCPU } from './kvm-table-common.ts';
import { USERSPACE_EXITS } from './symbols.ts';
import {
  anyOf,
  type Conversion,
  dec,
  hex,
  integer,
  opt,
  pick,
  printSymbolic,
  type ReadTemplate,
  type Template,
} from './template.ts';

const EINTR = 4n;

/** Why KVM_RUN returned. */
const userspaceReason: Conversion = {
  spec: '%s',
  // The kernel writes `errno < 0`, which trace-cmd evaluates without sign, so that it never holds.
  arg: `(REC->errno & 0x80000000) ? ((REC->errno & 0xffffffff) == 0xfffffffc ? "restart" : "error") : ${printSymbolic('REC->reason', USERSPACE_EXITS)}`,
  pattern: `restart|error|${anyOf(USERSPACE_EXITS.map(([, name]) => name))}|KVM_EXIT_\\w+|0x[0-9a-f]{1,16}`,
  show: (raw) => {
    const errno = integer(raw, 'errno');
    if (errno < 0n) return errno === -EINTR ? 'restart' : 'error';
    const reason = integer(raw, 'reason');
    return USERSPACE_EXITS.find(([n]) => BigInt(n) === reason)?.[1] ?? `0x${reason.toString(16)}`;
  },
  read: (text, raw) => {
    raw['errno'] = text === 'restart' || text === 'error' ? -1n : 0n; // the number that follows tells which
    return true;
  },
};

/** The number after {@link userspaceReason}. */
const userspaceNumber: Conversion = {
  spec: '%d',
  arg: '(REC->errno & 0x80000000) ? (0x100000000 - (REC->errno & 0xffffffff)) : REC->reason',
  pattern: '\\d{1,20}',
  show: (raw) => {
    const errno = integer(raw, 'errno');
    return (errno < 0n ? -errno : integer(raw, 'reason')).toString();
  },
  read: (text, raw) => {
    const failed = integer(raw, 'errno') < 0n;
    raw['errno'] = failed ? -BigInt(text) : 0n;
    raw['reason'] = failed ? 0n : BigInt(text);
    return true;
  },
};

const SMM_FIELDS: readonly CField[] = [VCPU, ['u64', 'smbase', 'smbase'], ['bool', 'entering', 'entering']];
const SMM: Template = [
  'vcpu ',
  dec('vcpu_id'),
  ': ',
  pick('entering', 'entering', 'leaving'),
  ' SMM, smbase 0x',
  hex('smbase', '%llx'),
];

const EXIT_FIELDS: readonly CField[] = [
  ['unsigned int', 'exit_reason', 'exitReason'],
  ['unsigned long', 'guest_rip', 'guestRip'],
  ['u32', 'isa', 'isa'],
  ['u64', 'info1', 'info1'],
  ['u64', 'info2', 'info2'],
];
const EXIT_TAIL: Template = [
  ' rip 0x',
  hex('guest_rip', '%lx'),
  ' info ',
  hex('info1', '%llx'),
  ' ',
  hex('info2', '%llx'),
];
const INTERRUPT_INFO: ReadTemplate = [
  opt(' intr_info 0x', hex('intr_info', '%08x')),
  opt(' error_code 0x', hex('error_code', '%08x')),
];

/** A VM exit by any kernel, with what people cut out of its line. */
export const ANY_EXIT: ReadTemplate = [
  opt('vcpu ', dec('vcpu_id'), opt(',')),
  opt(' '),
  'reason ',
  exitReasonWithFlags('exit_reason'),
  opt(' rip 0x', hex('guest_rip', '%lx')),
  opt(' info ', hex('info1', '%llx'), ' ', hex('info2', '%llx'), opt(' intr ', hex('intr_info', '%x'))),
  opt(' info1 0x', hex('info1', '%llx')),
  opt(' info2 0x', hex('info2', '%llx')),
  ...INTERRUPT_INFO,
  opt(' requests 0x', hex('requests', '%llx')),
  opt(' vcpu ', dec('vcpu_id')),
];

/** A VM exit of Linux 5.10 and later, which {@link ANY_EXIT} also reads. */
export const EXIT_CURRENT: Template = [
  'vcpu ',
  dec('vcpu_id'),
  ' reason ',
  exitReasonWithFlags('exit_reason'),
  ' rip 0x',
  hex('guest_rip', '%lx'),
  ' info1 0x',
  hex('info1', '%016llx'),
  ' info2 0x',
  hex('info2', '%016llx'),
  ' intr_info 0x',
  hex('intr_info', '%08x'),
  ' error_code 0x',
  hex('error_code', '%08x'),
];

/** The record of {@link EXIT_CURRENT}. */
export const EXIT_CURRENT_FIELDS: readonly CField[] = [
  ...EXIT_FIELDS,
  ['u32', 'intr_info', 'intrInfo'],
  ['u32', 'error_code', 'errorCode'],
  VCPU,
];

/** Entries, exits, faults, SMM. */
export const EXIT_ROWS: KvmRows<
  | 'kvm_entry'
  | 'kvm_exit'
  | 'kvm_page_fault'
  | 'kvm_enter_smm'
  | 'kvm_userspace_exit'
  | 'kvm_vcpu_wakeup'
  | 'kvm_fpu'
> = {
  kvm_entry: {
    id: 1001,
    system: 'kvm',
    members: {
      vcpu: 'number',
      rip: 'bigint',
      immediateExit: 'boolean',
      intrInfo: 'number',
      errorCode: 'number',
      requests: 'bigint',
    },
    old: { fields: [VCPU], print: ['vcpu ', dec('vcpu_id')], extra: [['unsigned long', 'rip', 'rip']] },
    current: {
      fields: [VCPU, ['unsigned long', 'rip', 'rip'], ['bool', 'immediate_exit', 'immediateExit']],
      print: [
        'vcpu ',
        dec('vcpu_id'),
        ', rip 0x',
        hex('rip', '%lx'),
        pick('immediate_exit', '[immediate exit]', ''),
      ],
      plugin: [' vcpu ', dec('vcpu_id'), ' rip 0x', hex('rip', '%lx')],
    },
    readOnly: [
      ['u32', 'intr_info', 'intrInfo'],
      ['u32', 'error_code', 'errorCode'],
      ['u64', 'requests', 'requests'],
    ],
    others: [
      {
        of: 'Linux 5.x to 6.13, and lines with fields cut out',
        print: [
          'vcpu ',
          dec('vcpu_id'),
          opt(',', opt(' rip 0x', hex('rip', '%lx'))),
          opt(' rip 0x', hex('rip', '%lx')),
          ...INTERRUPT_INFO,
          opt(' requests 0x', hex('requests', '%llx')),
          opt(opt(' '), pick('immediate_exit', '[immediate exit]', '')),
        ],
      },
    ],
  },
  kvm_exit: {
    id: 1002,
    system: 'kvm',
    members: {
      vcpu: 'number',
      exitReason: 'number',
      guestRip: 'bigint',
      isa: 'number',
      info1: 'bigint',
      info2: 'bigint',
      intrInfo: 'number',
      errorCode: 'number',
      requests: 'bigint',
    },
    old: {
      fields: EXIT_FIELDS,
      print: ['reason ', exitReason2015('exit_reason'), ...EXIT_TAIL],
      plugin: ['reason ', exitReasonOfPlugin('exit_reason'), ...EXIT_TAIL],
    },
    current: {
      fields: EXIT_CURRENT_FIELDS,
      print: EXIT_CURRENT,
      plugin: ['reason ', exitReasonOfPlugin('exit_reason'), ...EXIT_TAIL],
    },
    readOnly: [['u64', 'requests', 'requests']],
    mayLack: ['guestRip', 'info1', 'info2'],
    others: [{ of: 'Linux 3.10 to 6.13, and lines with fields cut out', print: ANY_EXIT }],
  },
  kvm_page_fault: {
    id: 1003,
    system: 'kvm',
    members: { vcpu: 'number', guestRip: 'bigint', faultAddress: 'bigint', errorCode: 'bigint' },
    old: {
      fields: [
        ['unsigned long', 'fault_address', 'faultAddress'],
        ['unsigned int', 'error_code', 'errorCode'],
      ],
      print: ['address ', hex('fault_address', '%lx'), ' error_code ', hex('error_code', '%x')],
    },
    current: {
      fields: [
        VCPU,
        ['unsigned long', 'guest_rip', 'guestRip'],
        ['u64', 'fault_address', 'faultAddress'],
        ['u64', 'error_code', 'errorCode'],
      ],
      print: [
        'vcpu ',
        dec('vcpu_id'),
        ' rip 0x',
        hex('guest_rip', '%lx'),
        ' address 0x',
        hex('fault_address', '%016llx'),
        ' error_code 0x',
        hex('error_code', '%llx'),
      ],
    },
    mayLack: ['errorCode'],
    others: [
      {
        of: 'Linux 5.x and 6.x, and lines with fields cut out',
        print: [
          opt('vcpu ', dec('vcpu_id'), ' '),
          opt('rip 0x', hex('guest_rip', '%lx'), ' '),
          'address ',
          opt('0x'),
          hex('fault_address', '%llx'),
          opt(' error_code ', opt('0x'), hex('error_code', '%llx')),
        ],
      },
    ],
  },
  kvm_enter_smm: {
    id: 1004,
    system: 'kvm',
    members: { vcpu: 'number', smbase: 'bigint', entering: 'boolean' },
    old: { fields: SMM_FIELDS, print: SMM },
    current: { tracepoint: 'kvm_smm_transition', fields: SMM_FIELDS, print: SMM },
  },
  kvm_userspace_exit: {
    id: 1018,
    system: 'kvm',
    members: { reason: 'number', errno: 'number' },
    ...same(
      [
        ['__u32', 'reason', 'reason'],
        ['int', 'errno', 'errno'],
      ],
      ['reason ', userspaceReason, ' (', userspaceNumber, ')'],
    ),
  },
  kvm_vcpu_wakeup: {
    id: 1019,
    system: 'kvm',
    members: { ns: 'bigint', waited: 'boolean', valid: 'boolean' },
    old: {
      fields: [
        ['__u64', 'ns', 'ns'],
        ['bool', 'waited', 'waited'],
      ],
      print: [pick('waited', 'wait', 'poll'), ' time ', dec('ns', '%lld'), ' ns'],
    },
    current: {
      fields: [
        ['__u64', 'ns', 'ns'],
        ['bool', 'waited', 'waited'],
        ['bool', 'valid', 'valid'],
      ],
      print: [
        pick('waited', 'wait', 'poll'),
        ' time ',
        dec('ns', '%lld'),
        ' ns, polling ',
        pick('valid', 'valid', 'invalid'),
      ],
    },
  },
  kvm_fpu: {
    id: 1025,
    system: 'kvm',
    members: { load: 'boolean' },
    ...same([['u32', 'load', 'load']], [pick('load', 'load', 'unload')]),
  },
};
