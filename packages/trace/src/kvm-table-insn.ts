/** Rows of the KVM tracepoints about instructions that KVM or user space carries out. */
import type { CField } from './c-layout.ts';
import { type KvmRows, same } from './kvm-table-common.ts';
import { EMULATOR_MODES, MMIO_TYPES } from './symbols.ts';
import { type Conversion, dec, hex, ignored, integer, opt, pick, sym, type Template } from './template.ts';

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

/** How either kernel or plugin says that the emulator failed. */
const failure: Conversion = {
  ...pick('failed', 'failed', 'FAIL'),
  read: (_text, raw) => {
    raw['failed'] = 1n;
    return true;
  },
};

/** Instructions that KVM or user space carries out. */
export const INSN_ROWS: KvmRows<
  | 'kvm_mmio'
  | 'kvm_pio'
  | 'kvm_cpuid'
  | 'kvm_msr'
  | 'kvm_cr'
  | 'kvm_emulate_insn'
  | 'kvm_hypercall'
  | 'vcpu_match_mmio'
  | 'kvm_fast_mmio'
  | 'kvm_hv_hypercall'
> = {
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
    mayLack: ['csbase', 'insn', 'flags'],
    others: [
      {
        of: 'lines without bytes or without mode, of which nothing is made up',
        print: [
          opt(hex('csbase', '%x'), ':'),
          hex('rip', '%llx'),
          ':',
          opt(opt(' '), insnBytes),
          opt(opt(' '), '(', sym('flags', EMULATOR_MODES), ')'),
          opt(' ', failure),
        ],
      },
    ],
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
  kvm_fast_mmio: {
    id: 1027,
    system: 'kvm',
    members: { gpa: 'bigint' },
    ...same([['u64', 'gpa', 'gpa']], ['fast mmio at gpa 0x', hex('gpa', '%llx')]),
  },
  kvm_hv_hypercall: {
    id: 1032,
    system: 'kvm',
    members: {
      repCount: 'number',
      repIndex: 'number',
      inGpa: 'bigint',
      outGpa: 'bigint',
      code: 'number',
      fast: 'boolean',
    },
    ...same(
      [
        ['__u16', 'rep_cnt', 'repCount'],
        ['__u16', 'rep_idx', 'repIndex'],
        ['__u64', 'ingpa', 'inGpa'],
        ['__u64', 'outgpa', 'outGpa'],
        ['__u16', 'code', 'code'],
        ['bool', 'fast', 'fast'],
      ],
      [
        'code 0x',
        hex('code', '%x'),
        ' ',
        pick('fast', 'fast', 'slow'),
        ' cnt 0x',
        hex('rep_cnt', '%x'),
        ' idx 0x',
        hex('rep_idx', '%x'),
        ' in 0x',
        hex('ingpa', '%llx'),
        ' out 0x',
        hex('outgpa', '%llx'),
      ],
    ),
    others: [
      {
        of: 'Linux 5.17 and later',
        print: [
          'code 0x',
          hex('code', '%x'),
          ' ',
          pick('fast', 'fast', 'slow'),
          ' var_cnt 0x',
          ignored('[0-9a-f]+'),
          ' rep_cnt 0x',
          hex('rep_cnt', '%x'),
          ' idx 0x',
          hex('rep_idx', '%x'),
          ' in 0x',
          hex('ingpa', '%llx'),
          ' out 0x',
          hex('outgpa', '%llx'),
        ],
      },
    ],
  },
};
