/** Rows of the KVM tracepoints about local APICs and what they inject. */
import type { CField } from './c-layout.ts';
import { DELIVERY_MODE_PART, type KvmRows, same } from './kvm-table-common.ts';
import { APIC_REGISTERS, DELIVERY_MODES, DESTINATION_SHORTHANDS, EXCEPTIONS } from './symbols.ts';
import { type Conversion, dec, hex, integer, pick, sym, type Template } from './template.ts';

/** Error code in brackets where the exception has one. */
const optionalErrorCode: Conversion = {
  spec: '%s%s%s',
  // A table of one name that no error code has: the kernel's own empty table is not parsed by trace-cmd.
  arg: [
    'REC->has_error ? " (" : ""',
    'REC->has_error ? __print_symbolic(REC->error_code, { 0xffffffff, "-1" }) : ""',
    'REC->has_error ? ")" : ""',
  ].join(', '),
  pattern: '(?: \\(0x[0-9a-f]{1,16}\\))?',
  show: (raw) => (integer(raw, 'has_error') !== 0n ? ` (0x${integer(raw, 'error_code').toString(16)})` : ''),
  read: (text, raw) => {
    raw['has_error'] = text === '' ? 0n : 1n;
    raw['error_code'] = text === '' ? 0n : BigInt(text.slice(2, -1));
    return true;
  },
};

/** The 2015 format printed 0 where there is no error code, so that text cannot tell the two apart. */
const errorCode2015: Conversion = {
  spec: '%x',
  arg: 'REC->has_error ? REC->error_code : 0',
  asks: ['exception'],
  pattern: '[0-9a-f]{1,16}',
  show: (raw) => (integer(raw, 'has_error') !== 0n ? integer(raw, 'error_code').toString(16) : '0'),
  read: (text, raw) => {
    raw['error_code'] = BigInt(`0x${text}`);
    const hasError = text !== '0' || VECTORS_WITH_ERROR_CODE.has(Number(integer(raw, 'exception')));
    raw['has_error'] = hasError ? 1n : 0n;
    return true;
  },
};

/** Intel SDM, "Exception and Interrupt Reference": #DF #TS #NP #SS #GP #PF #AC. */
const VECTORS_WITH_ERROR_CODE: ReadonlySet<number> = new Set([8, 10, 11, 12, 13, 14, 17]);

const EOI_FIELDS: readonly CField[] = [
  ['__u32', 'apicid', 'apicid'],
  ['int', 'vector', 'vector'],
];
const EOI: Template = ['apicid ', hex('apicid', '%x'), ' vector ', dec('vector', '%d')];
const ACCEPT_FIELDS: readonly CField[] = [
  ['__u32', 'apicid', 'apicid'],
  ['__u16', 'dm', 'dm'],
  ['__u16', 'tm', 'tm'],
  ['__u8', 'vec', 'vec'],
];

function acceptIrq(): Template {
  return [
    'apicid ',
    hex('apicid', '%x'),
    ' vec ',
    dec('vec'),
    ' (',
    sym('dm', DELIVERY_MODES, DELIVERY_MODE_PART),
    '|',
    pick('tm', 'level', 'edge'),
    ')',
  ];
}

/** Local APICs, interrupts, exceptions. */
export const APIC_ROWS: KvmRows<
  | 'kvm_apic'
  | 'kvm_apic_ipi'
  | 'kvm_apic_accept_irq'
  | 'kvm_inj_virq'
  | 'kvm_inj_exception'
  | 'kvm_eoi'
  | 'kvm_pv_eoi'
  | 'kvm_apicv_accept_irq'
  | 'kvm_avic_incomplete_ipi'
  | 'kvm_avic_unaccelerated_access'
> = {
  kvm_apic: {
    id: 1005,
    system: 'kvm',
    members: { write: 'boolean', reg: 'number', val: 'bigint' },
    old: {
      fields: [
        ['unsigned int', 'rw', 'write'],
        ['unsigned int', 'reg', 'reg'],
        ['unsigned int', 'val', 'val'],
      ],
      print: [
        'apic_',
        pick('rw', 'write', 'read'),
        ' ',
        sym('reg', APIC_REGISTERS),
        ' = 0x',
        hex('val', '%x'),
      ],
    },
    current: {
      fields: [
        ['unsigned int', 'rw', 'write'],
        ['unsigned int', 'reg', 'reg'],
        ['u64', 'val', 'val'],
      ],
      print: [
        'apic_',
        pick('rw', 'write', 'read'),
        ' ',
        sym('reg', APIC_REGISTERS),
        ' = 0x',
        hex('val', '%llx'),
      ],
    },
  },
  kvm_apic_ipi: {
    id: 1006,
    system: 'kvm',
    members: { icrLow: 'number', destId: 'number' },
    ...same(
      [
        ['__u32', 'icr_low', 'icrLow'],
        ['__u32', 'dest_id', 'destId'],
      ],
      [
        'dst ',
        hex('dest_id', '%x'),
        ' vec ',
        dec('icr_low', '%u', { mask: 0xff }),
        ' (',
        sym('icr_low', DELIVERY_MODES, DELIVERY_MODE_PART),
        '|',
        pick('icr_low', 'logical', 'physical', 1 << 11),
        '|',
        pick('icr_low', 'assert', 'de-assert', 1 << 14),
        '|',
        pick('icr_low', 'level', 'edge', 1 << 15),
        '|',
        sym('icr_low', DESTINATION_SHORTHANDS, { shift: 18, mask: 3 }),
        ')',
      ],
    ),
  },
  kvm_apic_accept_irq: {
    id: 1007,
    system: 'kvm',
    members: { apicid: 'number', dm: 'number', tm: 'number', vec: 'number' },
    old: {
      fields: [
        ['__u32', 'apicid', 'apicid'],
        ['__u16', 'dm', 'dm'],
        ['__u8', 'tm', 'tm'],
        ['__u8', 'vec', 'vec'],
      ],
      print: acceptIrq(),
    },
    current: {
      fields: ACCEPT_FIELDS,
      print: acceptIrq(),
    },
    others: [{ of: 'Linux before 4.1', print: [...acceptIrq(), ' (coalesced)'] }],
  },
  kvm_inj_virq: {
    id: 1008,
    system: 'kvm',
    members: { vector: 'number', soft: 'boolean', reinjected: 'boolean' },
    old: { fields: [['unsigned int', 'irq', 'vector']], print: ['irq ', dec('irq')] },
    current: {
      fields: [
        ['unsigned int', 'vector', 'vector'],
        ['bool', 'soft', 'soft'],
        ['bool', 'reinjected', 'reinjected'],
      ],
      print: [
        pick('soft', 'Soft/INTn', 'IRQ'),
        ' 0x',
        hex('vector', '%x'),
        pick('reinjected', ' [reinjected]', ''),
      ],
    },
  },
  kvm_inj_exception: {
    id: 1009,
    system: 'kvm',
    members: { exception: 'number', hasError: 'boolean', errorCode: 'number', reinjected: 'boolean' },
    old: {
      fields: [
        ['u8', 'exception', 'exception'],
        ['u8', 'has_error', 'hasError'],
        ['u32', 'error_code', 'errorCode'],
      ],
      print: [sym('exception', EXCEPTIONS), ' (0x', errorCode2015, ')'],
    },
    current: {
      fields: [
        ['u8', 'exception', 'exception'],
        ['u8', 'has_error', 'hasError'],
        ['u32', 'error_code', 'errorCode'],
        ['bool', 'reinjected', 'reinjected'],
      ],
      print: [sym('exception', EXCEPTIONS), optionalErrorCode, pick('reinjected', ' [reinjected]', '')],
    },
  },
  kvm_eoi: {
    id: 1010,
    system: 'kvm',
    members: { apicid: 'number', vector: 'number' },
    ...same(EOI_FIELDS, EOI),
  },
  kvm_pv_eoi: {
    id: 1028,
    system: 'kvm',
    members: { apicid: 'number', vector: 'number' },
    ...same(EOI_FIELDS, EOI),
  },
  kvm_apicv_accept_irq: {
    id: 1029,
    system: 'kvm',
    members: { apicid: 'number', dm: 'number', tm: 'number', vec: 'number' },
    ...same(ACCEPT_FIELDS, acceptIrq()),
  },
  kvm_avic_incomplete_ipi: {
    id: 1030,
    system: 'kvm',
    members: { vcpu: 'number', icrHigh: 'number', icrLow: 'number', id: 'number', index: 'number' },
    ...same(
      [
        ['u32', 'vcpu', 'vcpu'],
        ['u32', 'icrh', 'icrHigh'],
        ['u32', 'icrl', 'icrLow'],
        ['u32', 'id', 'id'],
        ['u32', 'index', 'index'],
      ],
      [
        'vcpu=',
        dec('vcpu'),
        ', icrh:icrl=0x',
        hex('icrh', '%08x'),
        ':',
        hex('icrl', '%08x'),
        ', id=',
        dec('id'),
        ', index=',
        dec('index'),
      ],
    ),
  },
  kvm_avic_unaccelerated_access: {
    id: 1031,
    system: 'kvm',
    members: { vcpu: 'number', offset: 'number', trap: 'boolean', write: 'boolean', vector: 'number' },
    ...same(
      [
        ['u32', 'vcpu', 'vcpu'],
        ['u32', 'offset', 'offset'],
        ['bool', 'ft', 'trap'],
        ['bool', 'rw', 'write'],
        ['u32', 'vec', 'vector'],
      ],
      [
        'vcpu=',
        dec('vcpu'),
        ', offset=0x',
        hex('offset', '%x'),
        '(',
        sym('offset', APIC_REGISTERS),
        '), ',
        pick('ft', 'trap', 'fault'),
        ', ',
        pick('rw', 'write', 'read'),
        ', vec=0x',
        hex('vec', '%x'),
      ],
    ),
  },
};
