/** Rows of the KVM tracepoints about guests that run guests of their own. */
import type { CField } from './c-layout.ts';
import { exitReason2015, exitReasonOfPlugin } from './exit-reason.ts';
import { type KvmRows, same } from './kvm-table-common.ts';
import { ANY_EXIT, EXIT_CURRENT, EXIT_CURRENT_FIELDS } from './kvm-table-exits.ts';
import { hex, ignored, opt, pick, type ReadTemplate, type Template } from './template.ts';

const INJECT_FIELDS: readonly CField[] = [
  ['__u32', 'exit_code', 'exitReason'],
  ['__u64', 'exit_info1', 'info1'],
  ['__u64', 'exit_info2', 'info2'],
  ['__u32', 'exit_int_info', 'intrInfo'],
  ['__u32', 'exit_int_info_err', 'errorCode'],
  ['__u32', 'isa', 'isa'],
];
const INJECT: Template = [
  'reason: ',
  exitReason2015('exit_code'),
  ' ext_inf1: 0x',
  hex('exit_info1', '%016llx'),
  ' ext_inf2: 0x',
  hex('exit_info2', '%016llx'),
  ' ext_int: 0x',
  hex('exit_int_info', '%08x'),
  ' ext_int_err: 0x',
  hex('exit_int_info_err', '%08x'),
];
const INJECT_PLUGIN: Template = [
  'reason ',
  exitReasonOfPlugin('exit_code'),
  ' info1 ',
  hex('exit_info1', '%llx'),
  ' info2 ',
  hex('exit_info2', '%llx'),
  ' int_info ',
  hex('exit_int_info', '%llx'),
  ' int_info_err ',
  hex('exit_int_info_err', '%llx'),
];
const RIP: Template = ['rip: 0x', hex('rip', '%016llx'), ' '];
/** `VMCB` or `VMCS` and what it says. */
const ENTRY_TAIL: ReadTemplate = [
  ' int_ctl: 0x',
  hex('int_ctl', '%08x'),
  ' event_inj: 0x',
  hex('event_inj', '%08x'),
];

/** Nested virtualisation. */
export const NESTED_ROWS: KvmRows<
  'kvm_nested_vmrun' | 'kvm_nested_vmexit' | 'kvm_nested_vmexit_inject' | 'kvm_nested_intercepts'
> = {
  kvm_nested_vmrun: {
    id: 1033,
    system: 'kvm',
    members: {
      rip: 'bigint',
      vmcb: 'bigint',
      nestedRip: 'bigint',
      intCtl: 'number',
      eventInj: 'number',
      npt: 'boolean',
    },
    ...same(
      [
        ['__u64', 'rip', 'rip'],
        ['__u64', 'vmcb', 'vmcb'],
        ['__u64', 'nested_rip', 'nestedRip'],
        ['__u32', 'int_ctl', 'intCtl'],
        ['__u32', 'event_inj', 'eventInj'],
        ['bool', 'npt', 'npt'],
      ],
      [
        ...RIP,
        'vmcb: 0x',
        hex('vmcb', '%016llx'),
        ' nrip: 0x',
        hex('nested_rip', '%016llx'),
        ' int_ctl: 0x',
        hex('int_ctl', '%08x'),
        ' event_inj: 0x',
        hex('event_inj', '%08x'),
        ' npt: ',
        pick('npt', 'on', 'off'),
      ],
    ),
    otherNames: ['kvm_nested_vmenter'],
    readOnly: [['bool', 'tdp_enabled', 'npt']],
    others: [
      {
        of: 'kvm_nested_vmenter of Linux 6.2 and later',
        print: [
          ...RIP,
          ignored('vmc[bs]'),
          ': 0x',
          hex('vmcb', '%016llx'),
          ' nested_rip: 0x',
          hex('nested_rip', '%016llx'),
          ...ENTRY_TAIL,
          ' nested_',
          ignored('[en]pt'),
          '=',
          pick('npt', 'y', 'n'),
          opt(' ', ignored('\\w+'), ': 0x', ignored('[0-9a-f]+')),
        ],
      },
    ],
  },
  kvm_nested_vmexit: {
    id: 1034,
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
      fields: [['__u64', 'rip', 'guestRip'], ...INJECT_FIELDS],
      print: [...RIP, ...INJECT],
      // Measured on trace-cmd 3.1.6, which forgets the blank behind the RIP.
      plugin: [' rip ', hex('rip', '%llx'), ...INJECT_PLUGIN],
    },
    current: { fields: EXIT_CURRENT_FIELDS, print: EXIT_CURRENT },
    readOnly: [['u64', 'requests', 'requests']],
    mayLack: ['guestRip', 'info1', 'info2', 'intrInfo', 'errorCode'],
    others: [
      { of: 'Linux 5.10 to 6.13, and lines with fields cut out', print: ANY_EXIT },
      { of: 'the plugins of other versions', print: ['rip ', hex('rip', '%llx'), ' ', ...INJECT_PLUGIN] },
    ],
  },
  kvm_nested_vmexit_inject: {
    id: 1035,
    system: 'kvm',
    members: {
      exitReason: 'number',
      isa: 'number',
      info1: 'bigint',
      info2: 'bigint',
      intrInfo: 'number',
      errorCode: 'number',
    },
    old: { fields: INJECT_FIELDS, print: INJECT, plugin: INJECT_PLUGIN },
    current: { fields: INJECT_FIELDS, print: INJECT, plugin: INJECT_PLUGIN },
  },
  kvm_nested_intercepts: {
    id: 1036,
    system: 'kvm',
    members: {
      crRead: 'number',
      crWrite: 'number',
      exceptions: 'number',
      intercept1: 'number',
      intercept2: 'number',
      intercept3: 'number',
    },
    ...same(
      [
        ['__u16', 'cr_read', 'crRead'],
        ['__u16', 'cr_write', 'crWrite'],
        ['__u32', 'exceptions', 'exceptions'],
        ['__u32', 'intercept1', 'intercept1'],
        ['__u32', 'intercept2', 'intercept2'],
        ['__u32', 'intercept3', 'intercept3'],
      ],
      [
        'cr_read: ',
        hex('cr_read', '%04x'),
        ' cr_write: ',
        hex('cr_write', '%04x'),
        ' excp: ',
        hex('exceptions', '%08x'),
        ' intercepts: ',
        hex('intercept1', '%08x'),
        ' ',
        hex('intercept2', '%08x'),
        ' ',
        hex('intercept3', '%08x'),
      ],
    ),
    others: [
      {
        of: 'Linux before 5.9, which has no third word, or a 64-bit one',
        print: [
          'cr_read: ',
          hex('cr_read', '%04x'),
          ' cr_write: ',
          hex('cr_write', '%04x'),
          ' excp: ',
          hex('exceptions', '%08x'),
          ' intercept: ',
          hex('intercept1', '%08x'),
        ],
      },
    ],
  },
};
