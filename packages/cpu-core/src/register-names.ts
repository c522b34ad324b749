/** The names under which {@link Registers} shows a processor's registers, and where each one lies. */
import { RFLAGS_IOPL, SEG_CS, SEG_DS, SEG_ES, SEG_FS, SEG_GS, SEG_LDTR, SEG_SS, SEG_TR } from '@smm/x86-defs';
import * as L from './layout.ts';
import type { Processor } from './processor.ts';

const WORDS = ['a', 'c', 'd', 'b'] as const;
const POINTERS = ['sp', 'bp', 'si', 'di'] as const;
const NUMBERED = ['8', '9', '10', '11', '12', '13', '14', '15'] as const;
const SEGMENTS = {
  es: SEG_ES,
  cs: SEG_CS,
  ss: SEG_SS,
  ds: SEG_DS,
  fs: SEG_FS,
  gs: SEG_GS,
  ldtr: SEG_LDTR,
  tr: SEG_TR,
} as const;
const FLAGS = {
  cf: 0,
  pf: 2,
  af: 4,
  zf: 6,
  sf: 7,
  tf: 8,
  if: 9,
  df: 10,
  of: 11,
  nt: 14,
  rf: 16,
  vm: 17,
  ac: 18,
  vif: 19,
  vip: 20,
  id: 21,
} as const;
/** RFLAGS but for its reserved bits. */
const RFLAGS_EXISTING = Object.values(FLAGS).reduce((bits, at) => bits | (1 << at), RFLAGS_IOPL);
const XMM = ['0', '1', '2', '3', '4', '5', '6', '7', ...NUMBERED] as const;

type Word = (typeof WORDS)[number];
type Pointer = (typeof POINTERS)[number];
type Number8To15 = (typeof NUMBERED)[number];
type Segment = keyof typeof SEGMENTS;
type Flag = keyof typeof FLAGS;

/** Names of registers whose values are numbers: at most 32 bits exist. */
export type NumberRegister =
  | `e${Word}x`
  | `${Word}x`
  | `${Word}l`
  | `${Word}h`
  | `e${Pointer}`
  | Pointer
  | `${Pointer}l`
  | `r${Number8To15}${'d' | 'w' | 'b'}`
  | 'eip'
  | 'ip'
  | 'eflags'
  | 'iopl'
  | Flag
  | Segment
  | `${Segment}.limit`
  | `${Segment}.attributes`
  | 'gdtr.limit'
  | 'idtr.limit'
  | 'cr0'
  | 'cr4'
  | 'cr8'
  | 'efer'
  | 'dr6'
  | 'dr7'
  | 'smbase'
  | 'mxcsr'
  | 'fcw'
  | 'fsw'
  | 'ftw';

/** Names of registers whose values are bigints. */
export type BigRegister =
  | `r${Word}x`
  | `r${Pointer}`
  | `r${Number8To15}`
  | 'rip'
  | 'rflags'
  | `${Segment}.base`
  | 'gdtr.base'
  | 'idtr.base'
  | 'cr2'
  | 'cr3'
  | 'xcr0'
  | `dr${0 | 1 | 2 | 3}`
  | `pdpte${0 | 1 | 2 | 3}`
  | `xmm${(typeof XMM)[number]}`
  | `st${0 | 1 | 2 | 3 | 4 | 5 | 6 | 7}`;

/** Name of a register. */
export type RegisterName = NumberRegister | BigRegister;

/** What has to follow a write. */
type RegisterEffect = 'none' | 'mode' | 'translations';

/** One register. */
export interface RegisterRow {
  /** Bits that exist. */
  readonly bits: number;
  /** The value is a bigint. */
  readonly big: boolean;
  readonly effect: RegisterEffect;
  readonly get: (cpu: Processor) => number | bigint;
  readonly set: (cpu: Processor, value: number | bigint) => void;
}

type Rows = Map<string, RegisterRow>;

function field(
  rows: Rows,
  name: string,
  bits: number,
  offset: number,
  effect: RegisterEffect = 'none',
): void {
  const big = bits > 32;
  rows.set(name, {
    bits,
    big,
    effect,
    get: ({ state }) => (big ? state.get64(offset) : state.get32(offset)),
    set: ({ state }, value) => {
      if (big) state.set64(offset, value as bigint);
      else state.set32(offset, value as number);
    },
  });
}

/** Bytes of the state page as one value, little-endian. */
function wideField(rows: Rows, name: string, bytes: number, offset: (cpu: Processor) => number): void {
  rows.set(name, {
    bits: bytes * 8,
    big: true,
    effect: 'none',
    get: (cpu) => {
      const at = cpu.state.base + offset(cpu);
      let value = 0n;
      for (let i = bytes - 1; i >= 0; i--) value = (value << 8n) | BigInt(cpu.state.views.u8[at + i]!);
      return value;
    },
    set: (cpu, value) => {
      const at = cpu.state.base + offset(cpu);
      for (let i = 0; i < bytes; i++)
        cpu.state.views.u8[at + i] = Number(((value as bigint) >> BigInt(8 * i)) & 0xffn);
    },
  });
}

function narrow(rows: Rows, name: string, register: number, bits: 32 | 16): void {
  rows.set(name, {
    bits,
    big: false,
    effect: 'none',
    get: ({ state }) => (bits === 32 ? state.gpr32(register) : state.gpr16(register)),
    set: ({ state }, value) => {
      if (bits === 32) state.setGpr32(register, value as number);
      else state.setGpr16(register, value as number);
    },
  });
}

function byte(rows: Rows, name: string, byteOffset: number): void {
  rows.set(name, {
    bits: 8,
    big: false,
    effect: 'none',
    get: ({ state }) => state.gpr8(byteOffset),
    set: ({ state }, value) => state.setGpr8(byteOffset, value as number),
  });
}

function generalRegisters(rows: Rows): void {
  [...WORDS, ...POINTERS].forEach((name, number) => {
    const word = number < 4 ? `${name}x` : name;
    field(rows, `r${word}`, 64, L.ST_GPR + number * 8, 'mode');
    narrow(rows, `e${word}`, number, 32);
    narrow(rows, word, number, 16);
    byte(rows, `${name}l`, number * 8);
    if (number < 4) byte(rows, `${name}h`, number * 8 + 1);
  });
  for (const number of NUMBERED) {
    field(rows, `r${number}`, 64, L.ST_GPR + Number(number) * 8, 'mode');
    narrow(rows, `r${number}d`, Number(number), 32);
    narrow(rows, `r${number}w`, Number(number), 16);
    byte(rows, `r${number}b`, Number(number) * 8);
  }
  field(rows, 'rip', 64, L.ST_RIP);
  for (const [name, bits] of [['eip', 32] as const, ['ip', 16] as const]) {
    rows.set(name, {
      bits,
      big: false,
      effect: 'none',
      get: ({ state }) => (state.get32(L.ST_RIP) & (bits === 16 ? 0xffff : -1)) >>> 0,
      set: ({ state }, value) => {
        state.rip = BigInt(value);
      },
    });
  }
}

function flagsField(rows: Rows, name: string, shift: number, mask: number): void {
  rows.set(name, {
    bits: mask === 1 ? 1 : 2,
    big: false,
    effect: 'mode',
    get: ({ state }) => (state.rflags >>> shift) & mask,
    set: ({ state }, value) => {
      state.rflags = (state.rflags & ~(mask << shift)) | ((value as number) << shift);
    },
  });
}

function flagRegisters(rows: Rows): void {
  for (const [name, big] of [['rflags', true] as const, ['eflags', false] as const]) {
    rows.set(name, {
      bits: 32,
      big,
      effect: 'mode',
      get: ({ state }) => (big ? BigInt(state.rflags) : state.rflags),
      set: ({ state }, value) => {
        state.rflags = Number(value) & RFLAGS_EXISTING;
      },
    });
  }
  for (const [name, shift] of Object.entries(FLAGS)) flagsField(rows, name, shift, 1);
  flagsField(rows, 'iopl', Math.log2(RFLAGS_IOPL & -RFLAGS_IOPL), 3);
}

function segmentRegisters(rows: Rows): void {
  for (const [name, segment] of Object.entries(SEGMENTS)) {
    field(rows, name, 16, L.ST_SEG_SELECTOR + segment * 4, 'mode');
    field(rows, `${name}.base`, 64, L.ST_SEG_BASE + segment * 8, 'mode');
    field(rows, `${name}.limit`, 32, L.ST_SEG_LIMIT + segment * 4, 'mode');
    field(rows, `${name}.attributes`, 16, L.ST_SEG_ATTR + segment * 4, 'mode');
  }
  field(rows, 'gdtr.base', 64, L.ST_GDTR_BASE);
  field(rows, 'gdtr.limit', 16, L.ST_GDTR_LIMIT);
  field(rows, 'idtr.base', 64, L.ST_IDTR_BASE);
  field(rows, 'idtr.limit', 16, L.ST_IDTR_LIMIT);
}

function systemRegisters(rows: Rows): void {
  field(rows, 'cr0', 32, L.ST_CR0, 'translations');
  field(rows, 'cr2', 64, L.ST_CR2);
  field(rows, 'cr3', 64, L.ST_CR3, 'translations');
  field(rows, 'cr4', 32, L.ST_CR4, 'translations');
  rows.set('cr8', {
    bits: 4,
    big: false,
    effect: 'none',
    get: ({ ports }) => ports.apic.getCr8(),
    set: ({ ports }, value) => ports.apic.setCr8(value as number),
  });
  field(rows, 'efer', 32, L.ST_EFER, 'translations');
  field(rows, 'xcr0', 64, L.ST_XCR0);
  for (let i = 0; i < 4; i++) field(rows, `dr${i}`, 64, L.ST_DR + i * 8);
  field(rows, 'dr6', 32, L.ST_DR6);
  field(rows, 'dr7', 32, L.ST_DR7);
  for (let i = 0; i < 4; i++) field(rows, `pdpte${i}`, 64, L.ST_PDPTE + i * 8, 'translations');
  field(rows, 'smbase', 32, L.ST_SMBASE);
}

function floatingPointRegisters(rows: Rows): void {
  field(rows, 'mxcsr', 32, L.ST_MXCSR);
  field(rows, 'fcw', 16, L.ST_FCW);
  field(rows, 'fsw', 16, L.ST_FSW);
  field(rows, 'ftw', 16, L.ST_FTW);
  for (let i = 0; i < 8; i++) {
    wideField(rows, `st${i}`, 10, ({ state }) => L.ST_X87 + (((state.get32(L.ST_FSW) >>> 11) + i) & 7) * 16);
  }
  for (const number of XMM) wideField(rows, `xmm${number}`, 16, () => L.ST_XMM + Number(number) * 16);
}

/** All registers by name, in the order in which debuggers show them. */
export function registerRows(): ReadonlyMap<string, RegisterRow> {
  const rows: Rows = new Map();
  generalRegisters(rows);
  flagRegisters(rows);
  segmentRegisters(rows);
  systemRegisters(rows);
  floatingPointRegisters(rows);
  return rows;
}
