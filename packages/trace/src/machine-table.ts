/** The machine's own events as tracepoints of a system of their own, `smm`, in the same style as KVM's. */
import type { CField } from './c-layout.ts';
import type { RowOf } from './event-row.ts';
import type { MachineEvent } from './machine-events.ts';
import { dec, hex, pick, quoted, type Symbols, sym, type Template } from './template.ts';

type MachineTable = { readonly [N in MachineEvent['name']]: RowOf<Extract<MachineEvent, { name: N }>> };

const VCPU: CField = ['unsigned int', 'vcpu_id', 'vcpu'];
const WHO: Template = ['vcpu ', dec('vcpu_id')];
const REACH = ['memory', 'apic'] as const;
const SPACES = ['memory', 'io'] as const;

function names(list: readonly string[]): Symbols {
  return list.map((name, value) => [value, name] as const);
}

/** Our own events have one form. */
function form(fields: readonly CField[], print: Template) {
  const both = { fields: [VCPU, ...fields], print: [...WHO, ...print] };
  return { system: 'smm' as const, old: both, current: both };
}

function apicAccess(verb: string, preposition: string) {
  return form(
    [
      ['u32', 'reg', 'register'],
      ['u32', 'val', 'value'],
      ['u64', 'rip', 'rip'],
      ['bool', 'in_smm', 'inSmm'],
      ['u8', 'reached', 'reached'],
    ],
    [
      ` ${verb} apic 0x`,
      hex('reg', '%x'),
      ` ${preposition} 0x`,
      hex('val', '%x'),
      ' rip 0x',
      hex('rip', '%llx'),
      ' ',
      pick('in_smm', 'in SMM', 'outside SMM'),
      ' reached ',
      sym('reached', names(REACH)),
    ],
  );
}

const APIC_MEMBERS = {
  register: 'number',
  value: 'number',
  rip: 'bigint',
  inSmm: 'boolean',
  reached: REACH,
} as const;

/** Every machine event. */
export const MACHINE_TABLE: MachineTable = {
  smm_smi: {
    id: 1101,
    members: { vcpu: 'number', source: 'number' },
    ...form([['int', 'source', 'source']], [' SMI requested by source ', dec('source', '%d')]),
  },
  smm_enter: {
    id: 1102,
    members: { vcpu: 'number', smbase: 'bigint', rip: 'bigint' },
    ...form(
      [
        ['u64', 'smbase', 'smbase'],
        ['u64', 'rip', 'rip'],
      ],
      [' enters SMM smbase 0x', hex('smbase', '%llx'), ' interrupted rip 0x', hex('rip', '%llx')],
    ),
  },
  smm_rsm: {
    id: 1103,
    members: { vcpu: 'number', oldSmbase: 'bigint', newSmbase: 'bigint', rip: 'bigint' },
    ...form(
      [
        ['u64', 'old_smbase', 'oldSmbase'],
        ['u64', 'new_smbase', 'newSmbase'],
        ['u64', 'rip', 'rip'],
      ],
      [
        ' leaves SMM smbase 0x',
        hex('old_smbase', '%llx'),
        ' -> 0x',
        hex('new_smbase', '%llx'),
        ' to rip 0x',
        hex('rip', '%llx'),
      ],
    ),
  },
  smm_smbase_write: {
    id: 1104,
    members: { vcpu: 'number', gpa: 'bigint', value: 'bigint', rip: 'bigint' },
    ...form(
      [
        ['u64', 'gpa', 'gpa'],
        ['u64', 'value', 'value'],
        ['u64', 'rip', 'rip'],
      ],
      [
        ' writes SMBASE field at gpa 0x',
        hex('gpa', '%llx'),
        ' value 0x',
        hex('value', '%llx'),
        ' rip 0x',
        hex('rip', '%llx'),
      ],
    ),
  },
  smm_apic_read: { id: 1105, members: { vcpu: 'number', ...APIC_MEMBERS }, ...apicAccess('reads', '=') },
  smm_apic_write: { id: 1106, members: { vcpu: 'number', ...APIC_MEMBERS }, ...apicAccess('writes', '<-') },
  smm_ipi: {
    id: 1107,
    members: { vcpu: 'number', icrLow: 'number', dest: 'number' },
    ...form(
      [
        ['u32', 'icr_low', 'icrLow'],
        ['u32', 'dest', 'dest'],
      ],
      [' sends IPI icr 0x', hex('icr_low', '%x'), ' dest 0x', hex('dest', '%x')],
    ),
  },
  smm_init: { id: 1108, members: { vcpu: 'number' }, ...form([], [' takes INIT']) },
  smm_sipi: {
    id: 1109,
    members: { vcpu: 'number', vector: 'number' },
    ...form([['u32', 'vector', 'vector']], [' takes SIPI vector 0x', hex('vector', '%x')]),
  },
  smm_halt: {
    id: 1110,
    members: { vcpu: 'number', rip: 'bigint' },
    ...form([['u64', 'rip', 'rip']], [' halts rip 0x', hex('rip', '%llx')]),
  },
  smm_wake: { id: 1111, members: { vcpu: 'number' }, ...form([], [' wakes']) },
  smm_shutdown: {
    id: 1112,
    members: { vcpu: 'number', rip: 'bigint' },
    ...form([['u64', 'rip', 'rip']], [' shuts down rip 0x', hex('rip', '%llx')]),
  },
  smm_debugcon: {
    id: 1113,
    members: { vcpu: 'number', text: 'text' },
    ...form([['__data_loc char[]', 'text', 'text']], [' prints ', quoted('text')]),
  },
  smm_unclaimed: {
    id: 1114,
    members: { vcpu: 'number', space: SPACES, address: 'bigint', write: 'boolean', size: 'number' },
    ...form(
      [
        ['u8', 'space', 'space'],
        ['bool', 'write', 'write'],
        ['u32', 'size', 'size'],
        ['u64', 'address', 'address'],
      ],
      [
        ' unclaimed ',
        sym('space', names(SPACES)),
        ' ',
        pick('write', 'write', 'read'),
        ' at 0x',
        hex('address', '%llx'),
        ' size ',
        dec('size'),
      ],
    ),
  },
  smm_note: {
    id: 1115,
    members: { vcpu: 'number', text: 'text' },
    ...form([['__data_loc char[]', 'text', 'text']], [' note ', quoted('text')]),
  },
  smm_suspend: { id: 1116, members: { vcpu: 'number' }, ...form([], [' suspends the machine to RAM']) },
  smm_resume: {
    id: 1117,
    members: { vcpu: 'number', cause: 'text' },
    ...form([['__data_loc char[]', 'cause', 'cause']], [' resumes the machine, woken by ', quoted('cause')]),
  },
};
