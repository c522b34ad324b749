/**
 * What lies around a program of the tier comparison: descriptor tables, handlers that let it go on after every fault,
 * fixed subroutines.
 */
import { assemble } from '@smm/asm';
import * as L from '../../src/layout.ts';
import type { Processor } from '../../src/processor.ts';
import type { Bits, FlatMachine } from './flat-machine.ts';
import * as M from './tier-map.ts';

const VECTORS = 0x30;
/** Exceptions that push an error code. */
const WITH_ERROR = new Set([8, 10, 11, 12, 13, 14, 17]);
const SELECTOR_CODE = 0x08;
const SELECTOR_USER_CODE = 0x18;
const SELECTOR_USER_DATA = 0x20;

/**
 * The handlers. A program that is about to fault pushes where it wants to go on; `recover` sends it there. #PF on the
 * demand page and on the page of changing rights puts the page right and repeats the instruction. Everything else
 * counts and returns.
 */
function handlers(bits: Bits, user: boolean): string {
  const wide = bits === 64 ? 'rax' : 'eax';
  const word = bits === 64 ? 8 : 4;
  const back = bits === 64 ? 'iretq' : 'iret';
  const drop = bits === 16 ? '' : `add ${bits === 64 ? 'rsp' : 'esp'}, ${word}`;
  const recover =
    bits === 16
      ? ['push bp', 'mov bp, sp', 'push ax', 'mov ax, [bp+8]', 'mov [bp+2], ax', 'pop ax', 'pop bp', 'iret']
      : [
          `push ${wide}`,
          ...(bits === 64 || user
            ? [`mov ${wide}, [${bits === 64 ? 'rsp' : 'esp'}+${4 * word}]`, `mov ${wide}, [${wide}]`]
            : [`mov eax, [esp+${4 * word}]`]),
          `mov [${bits === 64 ? 'rsp' : 'esp'}+${word}], ${wide}`,
          `pop ${wide}`,
          back,
        ];
  const repair = (label: string, out: number): string[] => [
    `${label}: mov al, ${out}`,
    `out ${M.PORT}, al`,
    `pop ${wide}`,
    drop,
    back,
  ];
  return [
    'page_fault:',
    `push ${wide}`,
    `mov ${wide}, cr2`,
    `shr ${wide}, 12`,
    `cmp eax, ${M.DEMAND_PAGE >> 12}`,
    'je demand',
    `cmp eax, ${M.RIGHTS_PAGE >> 12}`,
    'je rights',
    `cmp eax, ${M.ALIAS_PAGE >> 12}`,
    'je rights',
    `pop ${wide}`,
    'with_error:',
    drop,
    'recover:',
    ...recover,
    ...repair('demand', M.OUT_DEMAND_IN),
    ...repair('rights', M.OUT_CODE_RIGHTS_ALL),
    ...Array.from({ length: VECTORS }, (_, vector) => [
      `count${vector}:`,
      `inc dword [${bits === 16 ? 'cs:' : ''}${bits === 16 ? M.HANDLERS - M.TABLES + 0xe00 + vector * 4 : M.COUNTERS + vector * 4}]`,
      back,
    ]).flat(),
  ].join('\n');
}

/** Which handler a vector has: traps and interrupts count, faults recover. */
function handlerOf(vector: number): string {
  if (vector === 14) return 'page_fault';
  if ([1, 2, 3, 4].includes(vector) || vector >= 0x20) return `count${vector}`;
  return WITH_ERROR.has(vector) ? 'with_error' : 'recover';
}

/** Position-independent subroutines for a page; `variant` makes them differ. */
function fixedSubroutines(bits: Bits, variant: number): Uint8Array {
  const [a, c, d] = bits === 64 ? ['rax', 'rcx', 'rdx'] : ['eax', 'ecx', 'edx'];
  const source = [
    bits === 16 ? `add al, ${variant + 17}\nnop` : `add eax, ${variant + 17}`,
    `adc ${d}, ${variant}`,
    'ret',
    'times 0x40-($-$$) db 0x90',
    `push ${c}`,
    `mov cl, ${5 + variant}`,
    `again: rol ${a}, 1`,
    `${variant ? 'sub' : 'add'} ${a}, ${c}`,
    'dec cl',
    'jnz again',
    `pop ${c}`,
    'ret',
    'times 0x80-($-$$) db 0x90',
    `add dword [${M.BORDER - 0x20}], ${variant + 3}`,
    `rcr ${d}, 3`,
    `xor [${M.BORDER - 2}], ${d}`,
    'ret',
  ].join('\n');
  return assemble(source, { bits, org: 0 }).bytes;
}

/** What an SMI runs. */
export const SMM_HANDLER = `mov cx, 3
again: add [${M.COUNTERS + 0x100}], ecx
adc byte [${M.BORDER - 1}], 0
loop again
mov eax, [dword 0xfee00180]
mov [${M.COUNTERS + 0x104}], eax
rsm`;

interface Surroundings {
  readonly bytes: readonly (readonly [address: number, bytes: Uint8Array])[];
}

const cache = new Map<string, Surroundings>();

function surroundings(bits: Bits, user: boolean): Surroundings {
  const key = `${bits} ${user}`;
  let found = cache.get(key);
  if (found) return found;
  const { bytes, symbols } = assemble(handlers(bits, user), {
    bits,
    org: bits === 16 ? M.HANDLERS - M.TABLES : M.HANDLERS,
  });
  const at = (vector: number): number => Number(symbols.get(handlerOf(vector)));
  const list: (readonly [number, Uint8Array])[] = [
    [M.HANDLERS, bytes],
    [M.RIGHTS_PAGE, fixedSubroutines(bits, 0)],
    [M.SWAP_PAGE, fixedSubroutines(bits, 0)],
    [M.SWAPPED_PAGE, fixedSubroutines(bits, 2)],
  ];
  const smm = assemble(SMM_HANDLER, { bits: 16, org: 0x8000 }).bytes;
  for (let cpu = 0; cpu < 2; cpu++) list.push([M.SMBASE + cpu * 0x4000 + 0x8000, smm]);
  if (bits === 16) list.push([0, vectorTable(at)]);
  else list.push([M.TABLES, descriptors(bits)], [M.IDT, gates(bits, at)]);
  for (let cpu = 0; cpu < 2; cpu++) list.push([M.TSS + cpu * 0x80, taskState(bits, cpu)]);
  found = { bytes: list };
  cache.set(key, found);
  return found;
}

function vectorTable(at: (vector: number) => number): Uint8Array {
  const view = new DataView(new ArrayBuffer(VECTORS * 4));
  for (let vector = 0; vector < VECTORS; vector++) {
    view.setUint16(vector * 4, at(vector), true);
    view.setUint16(vector * 4 + 2, M.TABLES >> 4, true);
  }
  return new Uint8Array(view.buffer);
}

/** Flat code and data of both privileges. Intel SDM Vol. 3, "Segment Descriptors". */
function descriptors(bits: Bits): Uint8Array {
  const view = new DataView(new ArrayBuffer(0x28));
  const flags = bits === 64 ? 0x00af_0000 : 0x00cf_0000;
  for (const [selector, access, high] of [
    [0x08, 0x9b, flags],
    [0x10, 0x93, 0x00cf_0000],
    [0x18, 0xfb, flags],
    [0x20, 0xf3, 0x00cf_0000],
  ] as const) {
    view.setUint32(selector, 0xffff, true);
    view.setUint32(selector + 4, high | (access << 8), true);
  }
  return new Uint8Array(view.buffer);
}

/** Trap gates for exceptions, interrupt gates for the rest. Intel SDM Vol. 3, "IDT Descriptors". */
function gates(bits: Bits, at: (vector: number) => number): Uint8Array {
  const size = bits === 64 ? 16 : 8;
  const view = new DataView(new ArrayBuffer(VECTORS * size));
  for (let vector = 0; vector < VECTORS; vector++) {
    const offset = at(vector);
    view.setUint32(vector * size, (SELECTOR_CODE << 16) | (offset & 0xffff), true);
    view.setUint32(
      vector * size + 4,
      (offset & 0xffff_0000) | (vector < 0x20 && vector !== 14 ? 0x8f00 : 0x8e00),
      true,
    );
  }
  return new Uint8Array(view.buffer);
}

/** Stack pointer of CPL 0. Intel SDM Vol. 3, "Task-State Segment (TSS)", "TSS in 64-bit Mode". */
function taskState(bits: Bits, cpu: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(0x68));
  const stack = M.STACK + 0x1000 + cpu * 0x800;
  view.setUint32(4, stack, true);
  if (bits !== 64) view.setUint32(8, 0x10, true);
  view.setUint16(0x66, 0x68, true);
  return new Uint8Array(view.buffer);
}

/** Writes tables, handlers and subroutines into RAM. The engine is told by the caller. */
export function furnish(ram: Uint8Array, bits: Bits, user: boolean): void {
  for (const [address, bytes] of surroundings(bits, user).bytes) ram.set(bytes, address);
}

/** How a processor starts. */
export interface Setting {
  readonly bits: Bits;
  /** At CPL 3. */
  readonly user: boolean;
  /** ES, SS and DS end at 64 KiB: not flat. */
  readonly narrow: boolean;
}

/** Puts a processor that was reset at the start of a program. */
export function launch(m: FlatMachine, cpu: Processor, test: Setting, rip: number): void {
  const { bits, user } = test;
  m.start(bits, rip, M.STACK + cpu.index * 0x800, cpu);
  const { state } = cpu;
  state.smbase = M.SMBASE + cpu.index * 0x4000;
  state.cr4 = bits === 64 ? 0x620 : 0x600; // OSFXSR, OSXMMEXCPT: SSE; PAE
  if (bits === 64) state.cr0 = 0x8000_0011; // RSM checks that long mode has paging
  state.cr0 |= 0x20; // NE: exceptions of the x87 are #MF
  state.rflags = user ? 0x3202 : 0x202; // IF; IOPL 3, for CPL 3 does port I/O too
  if (bits !== 16) {
    state.set64(L.ST_GDTR_BASE, BigInt(M.TABLES));
    state.set32(L.ST_GDTR_LIMIT, 0x27);
    state.set64(L.ST_IDTR_BASE, BigInt(M.IDT));
    state.set32(L.ST_IDTR_LIMIT, VECTORS * (bits === 64 ? 16 : 8) - 1);
    state.setSegSelector(7, 0x28);
    state.setSegBase(7, M.TSS + cpu.index * 0x80);
    state.setSegLimit(7, 0x67);
    state.setSegAttr(7, 0x8b);
  }
  if (user) {
    for (let segment = 0; segment < 6; segment++) {
      state.setSegSelector(segment, (segment === 1 ? SELECTOR_USER_CODE : SELECTOR_USER_DATA) | 3);
      state.setSegAttr(segment, state.segAttr(segment) | 0x60);
    }
  }
  state.setSegBase(4, 0x18);
  state.setSegBase(5, 0x2b);
  if (test.narrow) {
    // Until an IRET or a handler loads them anew from the table, where they are flat.
    for (const segment of [0, 2, 3]) state.setSegLimit(segment, 0xffff);
  }
  cpu.modeChanged();
}
