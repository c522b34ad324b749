/** Rows of the KVM tracepoints about the interrupt controllers of the board: 8259 pair, IOAPIC, MSI. */
import type { CField } from './c-layout.ts';
import { DELIVERY_MODE_PART, type KvmRows, same } from './kvm-table-common.ts';
import { DELIVERY_MODES, IRQCHIPS } from './symbols.ts';
import { type Conversion, dec, hex, integer, pick, sym, type Template } from './template.ts';

/** MSI destination of today: bits 7:0 from address bits 19:12, bits 31:8 from address bits 63:40. */
const msiDestination: Conversion = {
  spec: '%llx',
  arg: '((REC->address >> 12) & 0xff) | ((REC->address >> 32) & 0xffffff00)',
  pattern: '[0-9a-f]{1,16}',
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

/** The 8259 has 8 pins; a wider number is not taken for a shift. */
const PIN_MASK = 7n;

/** One bit of the PIC's registers: that of the pin. */
function pinBit(field: string, yes: string, no: string): Conversion {
  return {
    spec: '%s',
    arg: `(REC->${field} & (1 << REC->pin)) ? "${yes}" : "${no}"`,
    pattern: [yes, no].map((word) => word.replace('|', '\\|')).join('|'),
    show: (raw) => ((integer(raw, field) >> (integer(raw, 'pin') & PIN_MASK)) & 1n ? yes : no),
    read: (text, raw) => {
      raw[field] = text === yes ? 1n << (integer(raw, 'pin') & PIN_MASK) : 0n;
      return true;
    },
  };
}

const MSI_FIELDS: readonly CField[] = [
  ['__u64', 'address', 'address'],
  ['__u64', 'data', 'data'],
];
const MSI_TAIL: Template = [
  ' (',
  sym('data', DELIVERY_MODES, DELIVERY_MODE_PART),
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
    sym('e', DELIVERY_MODES, DELIVERY_MODE_PART),
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

/** Interrupt controllers of the board. */
export const IRQCHIP_ROWS: KvmRows<
  'kvm_set_irq' | 'kvm_msi_set_irq' | 'kvm_ioapic_set_irq' | 'kvm_ack_irq' | 'kvm_pic_set_irq'
> = {
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
};
