/**
 * The KVM tracepoints: fields and print formats of 2015 and of today.
 *
 * Sources: Linux `arch/x86/kvm/trace.h` and `include/trace/events/kvm.h`, 4.4 and 6.12; the plugin texts are
 * measured on trace-cmd 3.1.6. Only VMX exit reasons have names.
 */
import type { CField } from './c-layout.ts';
import type { RowOf } from './event-row.ts';
import type { KvmEvent } from './kvm-events.ts';
import {
  APIC_REGISTERS,
  DELIVERY_MODES,
  DESTINATION_SHORTHANDS,
  EMULATOR_MODES,
  EXCEPTIONS,
  IRQCHIPS,
  MMIO_TYPES,
  USERSPACE_EXITS,
  VMX_EXIT_REASONS,
  VMX_EXIT_REASONS_2015,
  VMX_EXIT_REASONS_PLUGIN,
} from './symbols.ts';
import { type Conversion, dec, hex, integer, pick, printSymbolic, sym, type Template } from './template.ts';

type KvmTable = { readonly [N in KvmEvent['name']]: RowOf<Extract<KvmEvent, { name: N }>> };

const VCPU: CField = ['unsigned int', 'vcpu_id', 'vcpu'];
const APIC_MODE_PARTS = { shift: 8, mask: 7 };

/** Exit reason of today: the basic reason, then the flags of bits 31:16. */
const exitReasonWithFlags: Conversion = {
  spec: '%s%s%s',
  arg: [
    printSymbolic('(REC->exit_reason & 0xffff)', VMX_EXIT_REASONS),
    '(REC->exit_reason & 0xffff0000) ? " " : ""',
    '__print_flags((REC->exit_reason & 0xffff0000), " ", { 0x80000000, "FAILED_VMENTRY" })',
  ].join(', '),
  pattern: `${VMX_EXIT_REASONS.map(([, name]) => `${name}(?: FAILED_VMENTRY)?`).join('|')}|0x[0-9a-f]+(?: FAILED_VMENTRY)?`,
  show: (raw) => {
    const reason = Number(integer(raw, 'exit_reason'));
    const basic = reason & 0xffff;
    const name = VMX_EXIT_REASONS.find(([n]) => n === basic)?.[1] ?? `0x${basic.toString(16)}`;
    const other = (reason & 0x7fff_0000) >>> 0;
    return [
      name,
      ...(reason >= 0x8000_0000 ? ['FAILED_VMENTRY'] : []),
      ...(other ? [`0x${other.toString(16)}`] : []),
    ].join(' ');
  },
  read: (text, raw) => {
    const [basic = '', flag] = text.split(' ');
    const number = VMX_EXIT_REASONS.find(([, name]) => name === basic)?.[0] ?? Number(basic);
    raw['exit_reason'] = BigInt(number) | (flag ? 0x8000_0000n : 0n);
    return true;
  },
};

const exitReason2015 = sym('exit_reason', VMX_EXIT_REASONS_2015, {}, VMX_EXIT_REASONS);

/** Instruction bytes, as many as `len` says. */
const insnBytes: Conversion = {
  spec: '%s',
  arg: '__print_hex(REC->insn, REC->len)',
  pattern: '[0-9a-f]{2}(?:\\s+[0-9a-f]{2})*',
  show: (raw) => {
    const bytes = typeof raw['insn'] === 'object' ? raw['insn'] : [];
    return bytes
      .slice(0, Number(integer(raw, 'len')))
      .map((byte) => byte.toString(16).padStart(2, '0'))
      .join(' ');
  },
  read: (text, raw) => {
    const bytes = text.split(/\s+/).map((byte) => Number.parseInt(byte, 16));
    raw['insn'] = bytes;
    raw['len'] = BigInt(bytes.length);
    return bytes.length <= 15;
  },
};

/** Error code in brackets where the exception has one. */
const optionalErrorCode: Conversion = {
  spec: '%s%s%s',
  // A table of one name that no error code has: the kernel's own empty table is not parsed by trace-cmd.
  arg: [
    'REC->has_error ? " (" : ""',
    'REC->has_error ? __print_symbolic(REC->error_code, { 0xffffffff, "-1" }) : ""',
    'REC->has_error ? ")" : ""',
  ].join(', '),
  pattern: '(?: \\(0x[0-9a-f]+\\))?',
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
  pattern: '[0-9a-f]+',
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

const EINTR = 4n;

/** Why KVM_RUN returned. */
const userspaceReason: Conversion = {
  spec: '%s',
  // The kernel writes `errno < 0`, which trace-cmd evaluates without sign, so that it never holds.
  arg: `(REC->errno & 0x80000000) ? ((REC->errno & 0xffffffff) == 0xfffffffc ? "restart" : "error") : ${printSymbolic('REC->reason', USERSPACE_EXITS)}`,
  pattern: `restart|error|${USERSPACE_EXITS.map(([, name]) => name).join('|')}|0x[0-9a-f]+`,
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
  pattern: '\\d+',
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

/** MSI destination of today: bits 7:0 from address bits 19:12, bits 31:8 from address bits 63:40. */
const msiDestination: Conversion = {
  spec: '%llx',
  arg: '((REC->address >> 12) & 0xff) | ((REC->address >> 32) & 0xffffff00)',
  pattern: '[0-9a-f]+',
  show: (raw) => {
    const address = integer(raw, 'address');
    return (((address >> 12n) & 0xffn) | ((address >> 32n) & 0xffff_ff00n)).toString(16);
  },
  read: (text, raw) => {
    const dest = BigInt(`0x${text}`);
    raw['address'] = integer(raw, 'address') | ((dest & 0xffn) << 12n) | ((dest & 0xffff_ff00n) << 32n);
    return true;
  },
};

/** One bit of the PIC's registers: that of the pin. */
function pinBit(field: string, yes: string, no: string): Conversion {
  return {
    spec: '%s',
    arg: `(REC->${field} & (1 << REC->pin)) ? "${yes}" : "${no}"`,
    pattern: [yes, no].map((word) => word.replace('|', '\\|')).join('|'),
    show: (raw) => ((integer(raw, field) >> integer(raw, 'pin')) & 1n ? yes : no),
    read: (text, raw) => {
      raw[field] = text === yes ? 1n << integer(raw, 'pin') : 0n;
      return true;
    },
  };
}

/** The same fields and format in both kernels. */
function same(fields: readonly CField[], print: Template) {
  return { old: { fields, print }, current: { fields, print } };
}

const MSI_FIELDS: readonly CField[] = [
  ['__u64', 'address', 'address'],
  ['__u64', 'data', 'data'],
];
const MSI_TAIL: Template = [
  ' (',
  sym('data', DELIVERY_MODES, APIC_MODE_PARTS),
  '|',
  pick('address', 'logical', 'physical', 1 << 2),
  '|',
  pick('data', 'level', 'edge', 1 << 15),
  pick('address', '|rh', '', 1 << 3),
  ')',
];

function ioapic(vectorText: string): Template {
  return [
    'pin ',
    dec('pin'),
    ' dst ',
    hex('e', '%x', { shift: 56, mask: 0xff }),
    vectorText,
    dec('e', '%u', { mask: 0xff }),
    ' (',
    sym('e', DELIVERY_MODES, APIC_MODE_PARTS),
    '|',
    pick('e', 'logical', 'physical', 1 << 11),
    '|',
    pick('e', 'level', 'edge', 1 << 15),
    pick('e', '|masked', '', 1 << 16),
    ')',
    pick('coalesced', ' (coalesced)', ''),
  ];
}
const IOAPIC_FIELDS: readonly CField[] = [
  ['__u64', 'e', 'e'],
  ['int', 'pin', 'pin'],
  ['bool', 'coalesced', 'coalesced'],
];

const EXIT_FIELDS: readonly CField[] = [
  ['unsigned int', 'exit_reason', 'exitReason'],
  ['unsigned long', 'guest_rip', 'guestRip'],
  ['u32', 'isa', 'isa'],
  ['u64', 'info1', 'info1'],
  ['u64', 'info2', 'info2'],
];
const EXIT_2015: Template = [
  'reason ',
  exitReason2015,
  ' rip 0x',
  hex('guest_rip', '%lx'),
  ' info ',
  hex('info1', '%llx'),
  ' ',
  hex('info2', '%llx'),
];

const exitReasonByName = sym('exit_reason', VMX_EXIT_REASONS_PLUGIN);

/** Exit reason as trace-cmd's plugin names it. */
const exitReasonOfPlugin: Conversion = {
  ...exitReasonByName,
  pattern: `${exitReasonByName.pattern}|UNKNOWN \\(\\d+\\)`,
  show: (raw) => exitReasonByName.show(raw).replace(/^0x.*/, (digits) => `UNKNOWN (${Number(digits)})`),
  read: (text, raw) => {
    const number = /^UNKNOWN \((\d+)\)$/.exec(text)?.[1];
    return exitReasonByName.read(number === undefined ? text : `0x${Number(number).toString(16)}`, raw);
  },
};
const EXIT_PLUGIN: Template = ['reason ', exitReasonOfPlugin, ...EXIT_2015.slice(2)];

const CPUID_HEAD: Template = ['func ', hex('function', '%x')];
const CPUID_REGISTERS: Template = [
  ' rax ',
  hex('rax', '%lx'),
  ' rbx ',
  hex('rbx', '%lx'),
  ' rcx ',
  hex('rcx', '%lx'),
  ' rdx ',
  hex('rdx', '%lx'),
];
const CPUID_REGISTER_FIELDS: readonly CField[] = [
  ['unsigned long', 'rax', 'rax'],
  ['unsigned long', 'rbx', 'rbx'],
  ['unsigned long', 'rcx', 'rcx'],
  ['unsigned long', 'rdx', 'rdx'],
];

const INSN_FIELDS: readonly CField[] = [
  ['__u64', 'rip', 'rip'],
  ['__u32', 'csbase', 'csbase'],
  ['__u8', 'len', 'insn'],
  ['__u8[15]', 'insn', 'insn'],
  ['__u8', 'flags', 'flags'],
  ['__u8', 'failed', 'failed'],
];
const INSN: Template = [
  hex('csbase', '%x'),
  ':',
  hex('rip', '%llx'),
  ':',
  insnBytes,
  ' (',
  sym('flags', EMULATOR_MODES),
  ')',
  pick('failed', ' failed', ''),
];
const INSN_PLUGIN: Template = [
  hex('csbase', '%x'),
  ':',
  hex('rip', '%llx'),
  ': ',
  insnBytes,
  pick('failed', ' FAIL', ''),
];

const SMM_FIELDS: readonly CField[] = [VCPU, ['u64', 'smbase', 'smbase'], ['bool', 'entering', 'entering']];
const SMM: Template = [
  'vcpu ',
  dec('vcpu_id'),
  ': ',
  pick('entering', 'entering', 'leaving'),
  ' SMM, smbase 0x',
  hex('smbase', '%llx'),
];

/** Every KVM event. */
export const KVM_TABLE: KvmTable = {
  kvm_entry: {
    id: 1001,
    system: 'kvm',
    members: { vcpu: 'number', rip: 'bigint', immediateExit: 'boolean' },
    old: { fields: [VCPU], print: ['vcpu ', dec('vcpu_id')] },
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
    between: [['vcpu ', dec('vcpu_id'), ' rip 0x', hex('rip', '%lx')]],
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
    },
    old: { fields: EXIT_FIELDS, print: EXIT_2015, plugin: EXIT_PLUGIN },
    current: {
      fields: [...EXIT_FIELDS, ['u32', 'intr_info', 'intrInfo'], ['u32', 'error_code', 'errorCode'], VCPU],
      print: [
        'vcpu ',
        dec('vcpu_id'),
        ' reason ',
        exitReasonWithFlags,
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
      ],
      plugin: EXIT_PLUGIN,
    },
    between: [['vcpu ', dec('vcpu_id'), ' ', ...EXIT_2015]],
    untold: { isa: 1n },
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
  },
  kvm_enter_smm: {
    id: 1004,
    system: 'kvm',
    members: { vcpu: 'number', smbase: 'bigint', entering: 'boolean' },
    old: { fields: SMM_FIELDS, print: SMM },
    current: { tracepoint: 'kvm_smm_transition', fields: SMM_FIELDS, print: SMM },
  },
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
        sym('icr_low', DELIVERY_MODES, APIC_MODE_PARTS),
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
      fields: [
        ['__u32', 'apicid', 'apicid'],
        ['__u16', 'dm', 'dm'],
        ['__u16', 'tm', 'tm'],
        ['__u8', 'vec', 'vec'],
      ],
      print: acceptIrq(),
    },
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
    ...same(
      [
        ['__u32', 'apicid', 'apicid'],
        ['int', 'vector', 'vector'],
      ],
      ['apicid ', hex('apicid', '%x'), ' vector ', dec('vector', '%d')],
    ),
  },
  kvm_mmio: {
    id: 1011,
    system: 'kvm',
    members: { type: 'number', len: 'number', gpa: 'bigint', val: 'bigint' },
    ...same(
      [
        ['u32', 'type', 'type'],
        ['u32', 'len', 'len'],
        ['u64', 'gpa', 'gpa'],
        ['u64', 'val', 'val'],
      ],
      [
        'mmio ',
        sym('type', MMIO_TYPES),
        ' len ',
        dec('len'),
        ' gpa 0x',
        hex('gpa', '%llx'),
        ' val 0x',
        hex('val', '%llx'),
      ],
    ),
  },
  kvm_pio: {
    id: 1012,
    system: 'kvm',
    members: { write: 'boolean', port: 'number', size: 'number', count: 'number', val: 'number' },
    ...same(
      [
        ['unsigned int', 'rw', 'write'],
        ['unsigned int', 'port', 'port'],
        ['unsigned int', 'size', 'size'],
        ['unsigned int', 'count', 'count'],
        ['unsigned int', 'val', 'val'],
      ],
      [
        'pio_',
        pick('rw', 'write', 'read'),
        ' at 0x',
        hex('port', '%x'),
        ' size ',
        dec('size', '%d'),
        ' count ',
        dec('count', '%d'),
        ' val 0x',
        hex('val', '%x'),
        ' ',
        {
          spec: '%s',
          arg: 'REC->count > 1 ? "(...)" : ""',
          pattern: '(?:\\(\\.\\.\\.\\))?',
          show: (raw) => (integer(raw, 'count') > 1n ? '(...)' : ''),
          read: () => true,
        },
      ],
    ),
  },
  kvm_cpuid: {
    id: 1013,
    system: 'kvm',
    members: {
      function: 'number',
      index: 'number',
      rax: 'bigint',
      rbx: 'bigint',
      rcx: 'bigint',
      rdx: 'bigint',
      found: 'boolean',
      usedMaxBasic: 'boolean',
    },
    old: {
      fields: [['unsigned int', 'function', 'function'], ...CPUID_REGISTER_FIELDS],
      print: [...CPUID_HEAD, ...CPUID_REGISTERS],
    },
    current: {
      fields: [
        ['unsigned int', 'function', 'function'],
        ['unsigned int', 'index', 'index'],
        ...CPUID_REGISTER_FIELDS,
        ['bool', 'found', 'found'],
        ['bool', 'used_max_basic', 'usedMaxBasic'],
      ],
      print: [
        ...CPUID_HEAD,
        ' idx ',
        hex('index', '%x'),
        ...CPUID_REGISTERS,
        ', cpuid entry ',
        pick('found', 'found', 'not found'),
        pick('used_max_basic', ', used max basic', ''),
      ],
    },
  },
  kvm_msr: {
    id: 1014,
    system: 'kvm',
    members: { write: 'boolean', ecx: 'number', data: 'bigint', exception: 'boolean' },
    ...same(
      [
        ['unsigned', 'write', 'write'],
        ['u32', 'ecx', 'ecx'],
        ['u64', 'data', 'data'],
        ['u8', 'exception', 'exception'],
      ],
      [
        'msr_',
        pick('write', 'write', 'read'),
        ' ',
        hex('ecx', '%x'),
        ' = 0x',
        hex('data', '%llx'),
        pick('exception', ' (#GP)', ''),
      ],
    ),
  },
  kvm_cr: {
    id: 1015,
    system: 'kvm',
    members: { write: 'boolean', cr: 'number', val: 'bigint' },
    ...same(
      [
        ['unsigned int', 'rw', 'write'],
        ['unsigned int', 'cr', 'cr'],
        ['unsigned long', 'val', 'val'],
      ],
      ['cr_', pick('rw', 'write', 'read'), ' ', hex('cr', '%x'), ' = 0x', hex('val', '%lx')],
    ),
  },
  kvm_emulate_insn: {
    id: 1016,
    system: 'kvm',
    members: { rip: 'bigint', csbase: 'number', insn: 'bytes', flags: 'number', failed: 'boolean' },
    old: { fields: INSN_FIELDS, print: INSN, plugin: INSN_PLUGIN },
    current: { fields: INSN_FIELDS, print: INSN, plugin: INSN_PLUGIN },
  },
  kvm_hypercall: {
    id: 1017,
    system: 'kvm',
    members: { nr: 'bigint', a0: 'bigint', a1: 'bigint', a2: 'bigint', a3: 'bigint' },
    ...same(
      [
        ['unsigned long', 'nr', 'nr'],
        ['unsigned long', 'a0', 'a0'],
        ['unsigned long', 'a1', 'a1'],
        ['unsigned long', 'a2', 'a2'],
        ['unsigned long', 'a3', 'a3'],
      ],
      [
        'nr 0x',
        hex('nr', '%lx'),
        ' a0 0x',
        hex('a0', '%lx'),
        ' a1 0x',
        hex('a1', '%lx'),
        ' a2 0x',
        hex('a2', '%lx'),
        ' a3 0x',
        hex('a3', '%lx'),
      ],
    ),
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
  kvm_set_irq: {
    id: 1020,
    system: 'kvm',
    members: { gsi: 'number', level: 'number', irqSourceId: 'number' },
    ...same(
      [
        ['unsigned int', 'gsi', 'gsi'],
        ['int', 'level', 'level'],
        ['int', 'irq_source_id', 'irqSourceId'],
      ],
      ['gsi ', dec('gsi'), ' level ', dec('level', '%d'), ' source ', dec('irq_source_id', '%d')],
    ),
  },
  kvm_msi_set_irq: {
    id: 1021,
    system: 'kvm',
    members: { address: 'bigint', data: 'bigint' },
    old: {
      fields: MSI_FIELDS,
      print: [
        'dst ',
        dec('address', '%u', { shift: 12, mask: 0xff }),
        ' vec ',
        hex('data', '%x', { mask: 0xff }),
        ...MSI_TAIL,
      ],
    },
    current: {
      fields: MSI_FIELDS,
      print: ['dst ', msiDestination, ' vec ', dec('data', '%u', { mask: 0xff }), ...MSI_TAIL],
    },
    untold: { address: 0xfee0_0000n },
  },
  kvm_ioapic_set_irq: {
    id: 1022,
    system: 'kvm',
    members: { e: 'bigint', pin: 'number', coalesced: 'boolean' },
    old: { fields: IOAPIC_FIELDS, print: ioapic(' vec=') },
    current: { fields: IOAPIC_FIELDS, print: ioapic(' vec ') },
  },
  kvm_ack_irq: {
    id: 1023,
    system: 'kvm',
    members: { irqchip: 'number', pin: 'number' },
    ...same(
      [
        ['unsigned int', 'irqchip', 'irqchip'],
        ['unsigned int', 'pin', 'pin'],
      ],
      ['irqchip ', sym('irqchip', IRQCHIPS), ' pin ', dec('pin')],
    ),
  },
  kvm_pic_set_irq: {
    id: 1024,
    system: 'kvm',
    members: { chip: 'number', pin: 'number', elcr: 'number', imr: 'number', coalesced: 'boolean' },
    ...same(
      [
        ['__u8', 'chip', 'chip'],
        ['__u8', 'pin', 'pin'],
        ['__u8', 'elcr', 'elcr'],
        ['__u8', 'imr', 'imr'],
        ['bool', 'coalesced', 'coalesced'],
      ],
      [
        'chip ',
        dec('chip'),
        ' pin ',
        dec('pin'),
        ' (',
        pinBit('elcr', 'level', 'edge'),
        pinBit('imr', '|masked', ''),
        ')',
        pick('coalesced', ' (coalesced)', ''),
      ],
    ),
  },
  kvm_fpu: {
    id: 1025,
    system: 'kvm',
    members: { load: 'boolean' },
    ...same([['u32', 'load', 'load']], [pick('load', 'load', 'unload')]),
  },
  vcpu_match_mmio: {
    id: 1026,
    system: 'kvm',
    members: { gva: 'bigint', gpa: 'bigint', write: 'boolean', gpaMatch: 'boolean' },
    ...same(
      [
        ['unsigned long', 'gva', 'gva'],
        ['unsigned long', 'gpa', 'gpa'],
        ['bool', 'write', 'write'],
        ['bool', 'gpa_match', 'gpaMatch'],
      ],
      [
        'gva ',
        hex('gva', '%#lx'),
        ' gpa ',
        hex('gpa', '%#llx'),
        ' ',
        pick('write', 'Write', 'Read'),
        ' ',
        pick('gpa_match', 'GPA', 'GVA'),
      ],
    ),
  },
};

function acceptIrq(): Template {
  return [
    'apicid ',
    hex('apicid', '%x'),
    ' vec ',
    dec('vec'),
    ' (',
    sym('dm', DELIVERY_MODES, APIC_MODE_PARTS),
    '|',
    pick('tm', 'level', 'edge'),
    ')',
  ];
}
