/**
 * SMM save-state maps as data.
 *
 * Sources: AMD64 Architecture Programmer's Manual Vol. 2, "SMRAM State-Save Area"; Intel SDM Vol. 3, "SMRAM State Save
 * Map"; edk2 UefiCpuPkg "SmramSaveStateMap.h"; the two attribute forms of the 32-bit map as QEMU and KVM store them
 * (measured and read, see the project's SPECS).
 */

/** Segment registers and system segments of a save-state map. */
export const SAVE_STATE_SEGMENTS = ['es', 'cs', 'ss', 'ds', 'fs', 'gs', 'ldtr', 'tr'] as const;

/** One of {@link SAVE_STATE_SEGMENTS}. */
export type SaveStateSegment = (typeof SAVE_STATE_SEGMENTS)[number];

/** General registers in encoding order; index = register number. */
export const SAVE_STATE_GPRS = [
  'rax',
  'rcx',
  'rdx',
  'rbx',
  'rsp',
  'rbp',
  'rsi',
  'rdi',
  'r8',
  'r9',
  'r10',
  'r11',
  'r12',
  'r13',
  'r14',
  'r15',
] as const;

/** One of {@link SAVE_STATE_GPRS}. */
export type SaveStateGpr = (typeof SAVE_STATE_GPRS)[number];

/** What a field of a map holds: a member of `SmmSaveState`, general registers by name. */
export type SaveStateFieldName =
  | SaveStateGpr
  | 'rip'
  | 'rflags'
  | 'cr0'
  | 'cr3'
  | 'cr4'
  | 'efer'
  | 'dr6'
  | 'dr7'
  | `${SaveStateSegment}.${'selector' | 'attributes' | 'limit' | 'base'}`
  | `${'gdtr' | 'idtr'}.${'limit' | 'base'}`
  | 'smbase'
  | 'revision'
  | 'autoHaltRestart'
  | 'ioRestart'
  | 'interruptShadow';

/** One field of a map. */
export interface SaveStateField {
  /** What it holds. */
  readonly name: SaveStateFieldName;
  /** Offset from SMBASE+8000h, as the manuals count. */
  readonly offset: number;
  /** Width in bytes. */
  readonly width: 1 | 2 | 4 | 8;
  /** The field holds the value shifted right by so many bits (left when negative); default 0. */
  readonly shift?: number;
}

/** Names of the maps. */
export type SaveStateLayoutName = 'amd64' | 'legacy32-qemu' | 'legacy32-kvm' | 'intel64';

/** One save-state map. Bytes without a field are unused or reserved. */
export interface SaveStateLayout {
  /** Which map. */
  readonly name: SaveStateLayoutName;
  /**
   * SMM revision identifier that the processor writes, 32 bit; for `intel64` the least that has this map's I/O fields.
   */
  readonly revision: number;
  /** First byte, offset from SMBASE+8000h; the map ends at 7FFFh. */
  readonly areaOffset: number;
  /** Every field, ascending. */
  readonly fields: readonly SaveStateField[];
  /** True when the fields hold all that RSM needs (hidden segment parts included), so that a codec can use the map. */
  readonly complete: boolean;
}

const AMD64_SEGMENT_AT: readonly (readonly [SaveStateSegment, number])[] = [
  ['es', 0x7e00],
  ['cs', 0x7e10],
  ['ss', 0x7e20],
  ['ds', 0x7e30],
  ['fs', 0x7e40],
  ['gs', 0x7e50],
  ['ldtr', 0x7e70],
  ['tr', 0x7e90],
];

/**
 * AMD64 map, revision 00020064h: what QEMU's x86-64 target and KVM guests with long mode use. CR0, CR4, DR6, DR7 and
 * RFLAGS have eight bytes of room; QEMU stores the low four, and their high halves are always zero.
 */
export const SAVE_STATE_AMD64: SaveStateLayout = {
  name: 'amd64',
  revision: 0x0002_0064,
  areaOffset: 0x7e00,
  complete: true,
  fields: ascending([
    ...AMD64_SEGMENT_AT.flatMap(([name, at]): SaveStateField[] => [
      { name: `${name}.selector`, offset: at, width: 2 },
      { name: `${name}.attributes`, offset: at + 2, width: 2 },
      { name: `${name}.limit`, offset: at + 4, width: 4 },
      { name: `${name}.base`, offset: at + 8, width: 8 },
    ]),
    { name: 'gdtr.limit', offset: 0x7e64, width: 4 },
    { name: 'gdtr.base', offset: 0x7e68, width: 8 },
    { name: 'idtr.limit', offset: 0x7e84, width: 4 },
    { name: 'idtr.base', offset: 0x7e88, width: 8 },
    { name: 'ioRestart', offset: 0x7ec8, width: 1 },
    { name: 'autoHaltRestart', offset: 0x7ec9, width: 1 },
    { name: 'interruptShadow', offset: 0x7ecb, width: 1 },
    { name: 'efer', offset: 0x7ed0, width: 8 },
    { name: 'revision', offset: 0x7efc, width: 4 },
    { name: 'smbase', offset: 0x7f00, width: 4 },
    { name: 'cr4', offset: 0x7f48, width: 4 },
    { name: 'cr3', offset: 0x7f50, width: 8 },
    { name: 'cr0', offset: 0x7f58, width: 4 },
    { name: 'dr7', offset: 0x7f60, width: 4 },
    { name: 'dr6', offset: 0x7f68, width: 4 },
    { name: 'rflags', offset: 0x7f70, width: 4 },
    { name: 'rip', offset: 0x7f78, width: 8 },
    ...SAVE_STATE_GPRS.map((name, n): SaveStateField => ({ name, offset: 0x7ff8 - 8 * n, width: 8 })),
  ]),
};

/**
 * 32-bit map, revision 00020000h, attributes in QEMU's form (those of `SegmentState`): the i386 target.
 */
export const SAVE_STATE_LEGACY32_QEMU: SaveStateLayout = {
  name: 'legacy32-qemu',
  revision: 0x0002_0000,
  areaOffset: 0x7e00,
  complete: true,
  fields: ascending(legacy32(0)),
};

/**
 * 32-bit map, revision 00020000h, attributes as the descriptor's high dword has them (KVM): what KVM guests without
 * long mode use.
 */
export const SAVE_STATE_LEGACY32_KVM: SaveStateLayout = {
  name: 'legacy32-kvm',
  revision: 0x0002_0000,
  areaOffset: 0x7e00,
  complete: true,
  fields: ascending([...legacy32(-8), { name: 'interruptShadow', offset: 0x7f1a, width: 1 }]),
};

/**
 * Intel 64 map, as far as it is published: hidden segment parts and table limits are not, so no codec can use it.
 * Neither QEMU nor KVM does; firmware that reads SMBASE at 7EF8h on an AMD64 map reads something else.
 */
export const SAVE_STATE_INTEL64: SaveStateLayout = {
  name: 'intel64',
  revision: 0x0003_0064,
  areaOffset: 0x7c00,
  complete: false,
  fields: ascending([
    { name: 'gdtr.base', offset: 0x7dd0, width: 4, shift: 32 },
    { name: 'ldtr.base', offset: 0x7dd4, width: 4, shift: 32 },
    { name: 'idtr.base', offset: 0x7dd8, width: 4, shift: 32 },
    { name: 'cr4', offset: 0x7e40, width: 4 },
    { name: 'gdtr.base', offset: 0x7e8c, width: 4 },
    { name: 'idtr.base', offset: 0x7e94, width: 4 },
    { name: 'ldtr.base', offset: 0x7e9c, width: 4 },
    { name: 'smbase', offset: 0x7ef8, width: 4 },
    { name: 'revision', offset: 0x7efc, width: 4 },
    { name: 'ioRestart', offset: 0x7f00, width: 2 },
    { name: 'autoHaltRestart', offset: 0x7f02, width: 2 },
    ...(['r15', 'r14', 'r13', 'r12', 'r11', 'r10', 'r9', 'r8'] as const).map(
      (name, i): SaveStateField => ({ name, offset: 0x7f1c + 8 * i, width: 8 }),
    ),
    ...(['rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi'] as const).map(
      (name, i): SaveStateField => ({ name, offset: 0x7f5c + 8 * i, width: 8 }),
    ),
    ...SAVE_STATE_SEGMENTS.map(
      (name, i): SaveStateField => ({ name: `${name}.selector`, offset: 0x7fa8 + 4 * i, width: 4 }),
    ),
    { name: 'dr7', offset: 0x7fc8, width: 8 },
    { name: 'dr6', offset: 0x7fd0, width: 8 },
    { name: 'rip', offset: 0x7fd8, width: 8 },
    { name: 'efer', offset: 0x7fe0, width: 8 },
    { name: 'rflags', offset: 0x7fe8, width: 8 },
    { name: 'cr3', offset: 0x7ff0, width: 8 },
    { name: 'cr0', offset: 0x7ff8, width: 8 },
  ]),
};

/** All maps by name. */
export const SAVE_STATE_LAYOUTS: Readonly<Record<SaveStateLayoutName, SaveStateLayout>> = {
  amd64: SAVE_STATE_AMD64,
  'legacy32-qemu': SAVE_STATE_LEGACY32_QEMU,
  'legacy32-kvm': SAVE_STATE_LEGACY32_KVM,
  intel64: SAVE_STATE_INTEL64,
};

function legacy32(attributeShift: number): SaveStateField[] {
  const hidden: readonly (readonly [SaveStateSegment, number])[] = [
    ['ds', 0x7f2c],
    ['fs', 0x7f38],
    ['gs', 0x7f44],
    ['tr', 0x7f5c],
    ['ldtr', 0x7f78],
    ['es', 0x7f84],
    ['cs', 0x7f90],
    ['ss', 0x7f9c],
  ];
  return [
    { name: 'smbase', offset: 0x7ef8, width: 4 },
    { name: 'revision', offset: 0x7efc, width: 4 },
    { name: 'ioRestart', offset: 0x7f00, width: 2 },
    { name: 'autoHaltRestart', offset: 0x7f02, width: 2 },
    { name: 'cr4', offset: 0x7f14, width: 4 },
    ...hidden.flatMap(([name, at]): SaveStateField[] => [
      { name: `${name}.attributes`, offset: at, width: 4, shift: attributeShift },
      { name: `${name}.limit`, offset: at + 4, width: 4 },
      { name: `${name}.base`, offset: at + 8, width: 4 },
    ]),
    { name: 'idtr.limit', offset: 0x7f54, width: 4 },
    { name: 'idtr.base', offset: 0x7f58, width: 4 },
    { name: 'gdtr.limit', offset: 0x7f70, width: 4 },
    { name: 'gdtr.base', offset: 0x7f74, width: 4 },
    ...SAVE_STATE_SEGMENTS.map(
      (name, i): SaveStateField => ({ name: `${name}.selector`, offset: 0x7fa8 + 4 * i, width: 4 }),
    ),
    { name: 'dr7', offset: 0x7fc8, width: 4 },
    { name: 'dr6', offset: 0x7fcc, width: 4 },
    ...SAVE_STATE_GPRS.slice(0, 8).map(
      (name, i): SaveStateField => ({ name, offset: 0x7fd0 + 4 * i, width: 4 }),
    ),
    { name: 'rip', offset: 0x7ff0, width: 4 },
    { name: 'rflags', offset: 0x7ff4, width: 4 },
    { name: 'cr3', offset: 0x7ff8, width: 4 },
    { name: 'cr0', offset: 0x7ffc, width: 4 },
  ];
}

function ascending(fields: SaveStateField[]): readonly SaveStateField[] {
  return fields.sort((a, b) => a.offset - b.offset);
}
