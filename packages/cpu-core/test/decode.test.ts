/** The decoder's tricky rules, one readable case each. Breadth is in decode-oracle.test.ts. */
import { describe, expect, it } from 'vitest';
import { decode } from '../src/decode/decode.ts';
import { expand, GROUP_BIT } from '../src/decode/table.ts';
import {
  type CodeSize,
  Insn,
  K_CR,
  K_FAR,
  K_IMM,
  K_MEM,
  K_MM,
  K_REG,
  K_REL,
  K_SREG,
  K_XMM,
  REG_NONE,
  REG_RIP,
  REP_F2,
  REP_F3,
  REP_NONE,
} from '../src/insn.ts';
import type { Encoding } from '../src/operations/operation.ts';
import { OP, OP_NAMES, type OpName } from '../src/ops.ts';

const [ES, CS, SS, DS, FS, GS] = [0, 1, 2, 3, 4, 5];
const [AX, CX, DX, BX, SP, BP, SI, DI] = [0, 1, 2, 3, 4, 5, 6, 7];

function decodeHex(codeSize: CodeSize, hex: string): Insn {
  const code = Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
  const insn = new Insn();
  const length = decode(code, 0, code.length, codeSize, insn);
  expect(length, 'complete').toBeGreaterThan(0);
  expect(insn.length).toBe(length);
  expect(insn.bytes.subarray(0, length)).toEqual(code.subarray(0, length));
  return insn;
}
const reg = (register: number, size: number): object => ({ kind: K_REG, value: register * 8, size });
const high = (register: number): object => ({ kind: K_REG, value: register * 8 + 1, size: 1 });
const mem = (size: number): object => ({ kind: K_MEM, value: 0, size });
const imm = (size: number): object => ({ kind: K_IMM, value: 0, size });
const rel = expect.objectContaining({ kind: K_REL });
const sreg = (segment: number): object => ({ kind: K_SREG, value: segment, size: 2 });
const xmm = (n: number, size = 16): object => ({ kind: K_XMM, value: n, size });
const mm = (n: number, size = 8): object => ({ kind: K_MM, value: n, size });

function operandsOf(insn: Insn): object[] {
  return [
    { kind: insn.kind0, value: insn.val0, size: insn.size0 },
    { kind: insn.kind1, value: insn.val1, size: insn.size1 },
    { kind: insn.kind2, value: insn.val2, size: insn.size2 },
  ].slice(0, insn.operands);
}

type Case = readonly [
  title: string,
  codeSize: CodeSize,
  hex: string,
  op: OpName,
  operands: readonly object[],
  fields?: Partial<Insn>,
];

function check(cases: readonly Case[]): void {
  it.each(cases.map((row) => ({ row, title: `${row[0]} (${row[1]}-bit ${row[2]})` })))(
    '$title',
    ({ row }) => {
      const [, codeSize, hex, op, operands, fields = {}] = row;
      const insn = decodeHex(codeSize, hex);
      expect(OP_NAMES[insn.op]).toBe(op);
      expect(operandsOf(insn)).toEqual(operands);
      expect(insn).toMatchObject(fields);
      expect(insn.length, 'all bytes belong to it').toBe(hex.replaceAll(' ', '').length / 2);
    },
  );
}

describe('operand and address size', () => {
  check([
    ['add eax, ecx', 32, '01C8', 'ADD', [reg(AX, 4), reg(CX, 4)], { size: 4 }],
    ['add ax, cx', 32, '66 01C8', 'ADD', [reg(AX, 2), reg(CX, 2)], { size: 2 }],
    ['add ax, cx', 16, '01C8', 'ADD', [reg(AX, 2), reg(CX, 2)]],
    ['add eax, ecx', 16, '66 01C8', 'ADD', [reg(AX, 4), reg(CX, 4)]],
    ['add rax, rcx', 64, '48 01C8', 'ADD', [reg(AX, 8), reg(CX, 8)]],
    ['REX.W wins over 66', 64, '66 48 01C8', 'ADD', [reg(AX, 8), reg(CX, 8)]],
    ['mov eax, [bx+si]', 32, '67 8B00', 'MOV', [reg(AX, 4), mem(4)], { addressSize: 2, base: BX, index: SI }],
    [
      'mov ax, [eax]',
      16,
      '67 8B00',
      'MOV',
      [reg(AX, 2), mem(2)],
      { addressSize: 4, base: AX, index: REG_NONE },
    ],
    ['mov eax, [eax]', 64, '67 8B00', 'MOV', [reg(AX, 4), mem(4)], { addressSize: 4, base: AX }],
    ['movsxd rax, ecx', 64, '48 63C1', 'MOVSX', [reg(AX, 8), reg(CX, 4)]],
    ['movsxd ax, cx', 64, '66 63C1', 'MOVSX', [reg(AX, 2), reg(CX, 2)]],
    ['movzx eax, word [rax]', 64, '0FB700', 'MOVZX', [reg(AX, 4), mem(2)], { size: 4 }],
    ['movsx ax, cl', 16, '0FBEC1', 'MOVSX', [reg(AX, 2), reg(CX, 1)]],
    ['cdqe', 64, '48 98', 'CBW', [], { size: 8 }],
    ['cbw', 64, '66 98', 'CBW', [], { size: 2 }],
    ['cdq', 64, '99', 'CWD', [], { size: 4 }],
  ]);
});

describe('REX', () => {
  check([
    ['mov ah, dh without REX', 64, '88F4', 'MOV', [high(AX), high(DX)]],
    ['mov spl, sil with any REX', 64, '40 88F4', 'MOV', [reg(SP, 1), reg(SI, 1)]],
    ['mov r12b, r14b', 64, '45 88F4', 'MOV', [reg(12, 1), reg(14, 1)]],
    ['mov bh, 1', 64, 'B701', 'MOV', [high(BX), imm(1)], { imm: 1 }],
    ['mov dil, 1', 64, '40 B701', 'MOV', [reg(DI, 1), imm(1)]],
    ['REX before a legacy prefix is void', 64, '48 66 01C8', 'ADD', [reg(AX, 2), reg(CX, 2)]],
    ['the last REX counts', 64, '48 41 01C8', 'ADD', [reg(8, 4), reg(CX, 4)]],
    ['inc eax outside 64-bit mode', 32, '40', 'INC', [reg(AX, 4)]],
    ['nop', 64, '90', 'NOP', [], { rep: REP_NONE }],
    ['rex.w nop', 64, '48 90', 'NOP', []],
    ['xchg r8d, eax', 64, '41 90', 'XCHG', [reg(8, 4), reg(AX, 4)]],
    ['xchg r8, rax', 64, '49 90', 'XCHG', [reg(8, 8), reg(AX, 8)]],
    ['pause', 64, 'F3 90', 'PAUSE', [], { rep: REP_NONE }],
    ['xchg ecx, eax', 32, '91', 'XCHG', [reg(CX, 4), reg(AX, 4)]],
  ]);
});

describe('memory operands', () => {
  check([
    [
      'rip-relative',
      64,
      '8B05 F8FFFFFF',
      'MOV',
      [reg(AX, 4), mem(4)],
      { base: REG_RIP, disp: -8, dispHigh: -1, segment: DS },
    ],
    [
      'eip-relative',
      64,
      '67 8B05 08000000',
      'MOV',
      [reg(AX, 4), mem(4)],
      { base: REG_RIP, addressSize: 4, disp: 8 },
    ],
    [
      'disp32 outside 64-bit mode',
      32,
      '8B05 00003000',
      'MOV',
      [reg(AX, 4), mem(4)],
      { base: REG_NONE, disp: 0x300000 },
    ],
    [
      'absolute through SIB in 64-bit mode',
      64,
      '8B0425 00003000',
      'MOV',
      [reg(AX, 4), mem(4)],
      { base: REG_NONE, index: REG_NONE },
    ],
    [
      '[rsp]: index 4 is none, SS',
      64,
      '8B0424',
      'MOV',
      [reg(AX, 4), mem(4)],
      { base: SP, index: REG_NONE, segment: SS },
    ],
    [
      '[r12]: needs SIB, DS',
      64,
      '41 8B0424',
      'MOV',
      [reg(AX, 4), mem(4)],
      { base: 12, index: REG_NONE, segment: DS },
    ],
    [
      '[rax+r12*8]: REX.X makes index 4 a register',
      64,
      '42 8B04E0',
      'MOV',
      [reg(AX, 4), mem(4)],
      { base: AX, index: 12, scale: 3 },
    ],
    ['[rbp+8]: SS', 64, '8B4508', 'MOV', [reg(AX, 4), mem(4)], { base: BP, disp: 8, segment: SS }],
    ['[r13+8]: DS', 64, '41 8B4508', 'MOV', [reg(AX, 4), mem(4)], { base: 13, disp: 8, segment: DS }],
    [
      '[r13] with mod 0 in SIB is disp32',
      64,
      '41 8B0405 10000000',
      'MOV',
      [reg(AX, 4), mem(4)],
      { base: REG_NONE, index: AX, disp: 16 },
    ],
    [
      '[ebp*2+disp32]: an index does not imply SS',
      32,
      '8B046D 10000000',
      'MOV',
      [reg(AX, 4), mem(4)],
      { base: REG_NONE, index: BP, scale: 1, segment: DS },
    ],
    ['[bp+di]: SS', 16, '8B03', 'MOV', [reg(AX, 2), mem(2)], { base: BP, index: DI, segment: SS }],
    [
      '[bp-1]: SS',
      16,
      '8B46FF',
      'MOV',
      [reg(AX, 2), mem(2)],
      { base: BP, index: REG_NONE, disp: -1, segment: SS },
    ],
    [
      '[1234h]: mod 0, r/m 6',
      16,
      '8B063412',
      'MOV',
      [reg(AX, 2), mem(2)],
      { base: REG_NONE, disp: 0x1234, segment: DS },
    ],
    ['es:[bp]', 16, '26 8B4600', 'MOV', [reg(AX, 2), mem(2)], { segment: ES }],
    ['the last override counts', 32, '64 2E 8B00', 'MOV', [reg(AX, 4), mem(4)], { segment: CS }],
    [
      'ES override means nothing in 64-bit mode',
      64,
      '26 8B4500',
      'MOV',
      [reg(AX, 4), mem(4)],
      { segment: SS },
    ],
    ['GS override in 64-bit mode', 64, '65 8B00', 'MOV', [reg(AX, 4), mem(4)], { segment: GS }],
    ['a void DS override does not cancel FS', 64, '64 3E 8B00', 'MOV', [reg(AX, 4), mem(4)], { segment: FS }],
    [
      'mov al, [moffs64]',
      64,
      'A0 8877665544332211',
      'MOV',
      [reg(AX, 1), mem(1)],
      { disp: 0x55667788, dispHigh: 0x11223344 },
    ],
    [
      'mov [moffs32], rax with 67',
      64,
      '67 48 A3 000000F0',
      'MOV',
      [mem(8), reg(AX, 8)],
      { disp: -0x10000000, dispHigh: 0, addressSize: 4 },
    ],
    ['mov ax, [moffs16]', 16, 'A1 00FE', 'MOV', [reg(AX, 2), mem(2)], { disp: 0xfe00 }],
    ['lea', 64, '48 8D4410F0', 'LEA', [reg(AX, 8), mem(0)], { base: AX, index: DX, disp: -16 }],
  ]);
});

describe('immediates', () => {
  check([
    ['add rax, -1 (imm8)', 64, '48 83C0FF', 'ADD', [reg(AX, 8), imm(8)], { imm: -1, immHigh: -1 }],
    [
      'add rax, imm32 sign-extended',
      64,
      '48 05 00000080',
      'ADD',
      [reg(AX, 8), imm(8)],
      { imm: -0x80000000, immHigh: -1 },
    ],
    [
      'mov rax, imm64',
      64,
      '48 B8 8877665544332211',
      'MOV',
      [reg(AX, 8), imm(8)],
      { imm: 0x55667788, immHigh: 0x11223344 },
    ],
    ['mov rax, imm32', 64, '48 C7C0 FFFFFFFF', 'MOV', [reg(AX, 8), imm(8)], { imm: -1, immHigh: -1 }],
    ['push -2', 64, '6A FE', 'PUSH', [imm(8)], { imm: -2, size: 8 }],
    ['push word', 64, '66 68 FE FF', 'PUSH', [imm(2)], { imm: -2, size: 2 }],
    ['imul eax, [eax], 300h', 32, '6900 00030000', 'IMUL', [reg(AX, 4), mem(4), imm(4)], { imm: 0x300 }],
    ['imul eax, ecx', 32, '0FAFC1', 'IMUL', [reg(AX, 4), reg(CX, 4)]],
    ['imul ecx', 32, 'F7E9', 'IMUL1', [reg(CX, 4)]],
    ['shl eax, 1', 32, 'D1E0', 'SHL', [reg(AX, 4), imm(1)], { imm: 1 }],
    ['sal is shl', 32, 'C1F0 1F', 'SHL', [reg(AX, 4), imm(1)], { imm: 31 }],
    ['shr eax, cl', 32, 'D3E8', 'SHR', [reg(AX, 4), reg(CX, 1)]],
    [
      'shld [eax], ecx, 0ffh: counts are unsigned',
      32,
      '0FA408 FF',
      'SHLD',
      [mem(4), reg(CX, 4), imm(1)],
      { imm: 255 },
    ],
    ['shrd eax, ecx, cl', 32, '0FADC8', 'SHRD', [reg(AX, 4), reg(CX, 4), reg(CX, 1)]],
    ['enter 8000h, 3', 32, 'C8 0080 03', 'ENTER', [imm(2), imm(1)], { imm: 0x8000, imm2: 3, size: 4 }],
    ['int 80h', 32, 'CD80', 'INT', [imm(1)], { imm: 0x80 }],
    ['ret 8000h', 32, 'C2 0080', 'RET', [imm(2)], { imm: 0x8000, size: 4 }],
    ['in al, 0b2h', 32, 'E4B2', 'IN', [reg(AX, 1), imm(1)], { imm: 0xb2, size: 1 }],
    ['out 0b2h, al', 16, 'E6B2', 'OUT', [imm(1), reg(AX, 1)], { imm: 0xb2, size: 1 }],
    ['out dx, eax: never 64 bits', 64, '48 EF', 'OUT', [reg(DX, 2), reg(AX, 4)], { size: 4 }],
  ]);
});

describe('control transfer', () => {
  check([
    ['jz back', 64, '74FE', 'JCC', [rel], { imm: -2, cc: 4, size: 8 }],
    ['jnz near', 32, '0F85 00010000', 'JCC', [rel], { imm: 0x100, cc: 5 }],
    [
      '66 is ignored on a near call in 64-bit mode (Intel)',
      64,
      '66 E8 00010000',
      'CALL',
      [rel],
      { imm: 0x100, size: 8 },
    ],
    ['call rel16', 32, '66 E8 0001', 'CALL', [rel], { imm: 0x100, size: 2 }],
    ['call rax: 64 bits without REX.W', 64, 'FFD0', 'CALL', [reg(AX, 8)], { size: 8 }],
    ['jmp far [m16:64]', 64, '48 FF28', 'JMPF', [mem(10)], { size: 8 }],
    ['jmp far [m16:32]', 64, 'FF28', 'JMPF', [mem(6)], { size: 4 }],
    [
      'call 3000:0',
      16,
      '9A 0000 0030',
      'CALLF',
      [{ kind: K_FAR, value: 0, size: 4 }],
      { imm: 0, imm2: 0x3000, size: 2 },
    ],
    [
      'jmp 8:f000fff0h',
      16,
      '66 EA F0FF00F0 0800',
      'JMPF',
      [{ kind: K_FAR, value: 0, size: 6 }],
      { imm: 0xf000fff0 | 0, imm2: 8, size: 4 },
    ],
    ['retfq', 64, '48 CB', 'RETF', [], { size: 8 }],
    ['retf: 32 bits by default', 64, 'CB', 'RETF', [], { size: 4 }],
    ['iretq', 64, '48 CF', 'IRET', [], { size: 8 }],
    ['ret', 64, 'C3', 'RET', [], { size: 8 }],
    ['leave', 64, 'C9', 'LEAVE', [], { size: 8 }],
    ['jecxz in 64-bit mode', 64, '67 E3FE', 'JCXZ', [rel], { addressSize: 4 }],
    ['rsm', 16, '0FAA', 'RSM', []],
    ['syscall', 64, '0F05', 'SYSCALL', []],
    ['sysretq', 64, '48 0F07', 'SYSRET', [], { size: 8 }],
    ['ud2', 32, '0F0B', 'UD2', []],
    ['ud1 eax, [eax]', 32, '0FB900', 'UD1', [reg(AX, 4), mem(4)]],
    ['ud0 has a ModRM byte (Intel)', 32, '0FFF00', 'UD0', [reg(AX, 4), mem(4)]],
  ]);
});

describe('stack and segment registers', () => {
  check([
    ['push rax', 64, '50', 'PUSH', [reg(AX, 8)], { size: 8 }],
    ['push ax', 64, '66 50', 'PUSH', [reg(AX, 2)], { size: 2 }],
    ['pop r15', 64, '41 5F', 'POP', [reg(15, 8)], { size: 8 }],
    ['pop qword [rax]', 64, '8F00', 'POP', [mem(8)], { size: 8 }],
    ['push fs', 64, '0FA0', 'PUSH_SREG', [sreg(FS)], { size: 8 }],
    ['pop gs', 32, '0FA9', 'POP_SREG', [sreg(GS)], { size: 4 }],
    ['push cs', 16, '0E', 'PUSH_SREG', [sreg(CS)], { size: 2 }],
    ['pushfq', 64, '9C', 'PUSHF', [], { size: 8 }],
    ['mov ds, ax', 32, '8ED8', 'MOV_SREG', [sreg(DS), reg(AX, 2)]],
    ['mov eax, ss zero-extends', 32, '8CD0', 'MOV_FROM_SREG', [reg(AX, 4), sreg(SS)], { size: 4 }],
    ['mov [eax], ss stores 16 bits', 32, '8C10', 'MOV_FROM_SREG', [mem(2), sreg(SS)], { size: 2 }],
    ['lss esp, [eax]', 32, '0FB220', 'LSS', [reg(SP, 4), mem(6)], { size: 4 }],
    ['les ax, [bx]', 16, 'C407', 'LES', [reg(AX, 2), mem(4)]],
    ['lgdt', 64, '0F0110', 'LGDT', [mem(10)], { size: 8 }],
    ['o32 lgdt', 16, '66 2E 0F0116 0080', 'LGDT', [mem(6)], { size: 4, segment: CS }],
    ['o16 lgdt', 16, '0F0116 0080', 'LGDT', [mem(6)], { size: 2 }],
    ['mov cr0, eax ignores mod', 32, '0F2200', 'MOV_CR_R', [{ kind: K_CR, value: 0, size: 4 }, reg(AX, 4)]],
    ['mov rax, cr8', 64, '44 0F20C0', 'MOV_R_CR', [reg(AX, 8), { kind: K_CR, value: 8, size: 8 }]],
  ]);
});

describe('string instructions have no operands', () => {
  check([
    ['rep movsb', 64, 'F3 A4', 'MOVS', [], { size: 1, rep: REP_F3, addressSize: 8, segment: DS }],
    ['rep movsq fs:', 64, 'F3 64 48 A5', 'MOVS', [], { size: 8, segment: FS }],
    ['repne scasw', 32, 'F2 66 AF', 'SCAS', [], { size: 2, rep: REP_F2 }],
    ['stosd, 16-bit addresses', 32, '67 AB', 'STOS', [], { size: 4, addressSize: 2 }],
    ['ins with REX.W stays 32 bits wide', 64, '48 6D', 'INS', [], { size: 4 }],
    ['outsb es:', 16, '26 6E', 'OUTS', [], { size: 1, segment: ES }],
    ['xlat cs:', 16, '2E D7', 'XLAT', [], { segment: CS }],
  ]);
});

describe('mandatory prefixes', () => {
  check([
    ['bsf', 32, '0FBCC1', 'BSF', [reg(AX, 4), reg(CX, 4)]],
    ['tzcnt', 32, 'F3 0FBCC1', 'TZCNT', [reg(AX, 4), reg(CX, 4)], { rep: REP_NONE }],
    ['lzcnt ax, cx', 32, '66 F3 0FBDC1', 'LZCNT', [reg(AX, 2), reg(CX, 2)]],
    ['popcnt', 64, 'F3 48 0FB8C1', 'POPCNT', [reg(AX, 8), reg(CX, 8)]],
    ['movbe eax, [eax]', 32, '0F38F000', 'MOVBE', [reg(AX, 4), mem(4)]],
    ['crc32 eax, byte [eax]', 32, 'F2 0F38F000', 'CRC32', [reg(AX, 4), mem(1)], { size: 4 }],
    ['crc32 eax, cx', 32, '66 F2 0F38F1C1', 'CRC32', [reg(AX, 4), reg(CX, 2)]],
    ['endbr64 is a NOP', 64, 'F3 0F1EFA', 'NOP', []],
    ['long nop keeps its length', 64, '66 0F1F8400 00000000', 'NOP', []],
    ['prefetchnta', 32, '0F1800', 'PREFETCH', [mem(1)]],
    ['rdrand cx', 32, '66 0FC7F1', 'RDRAND', [reg(CX, 2)]],
    ['cmpxchg8b', 64, '0FC708', 'CMPXCHG8B', [mem(8)], { size: 8 }],
    ['cmpxchg16b', 64, '48 0FC708', 'CMPXCHG16B', [mem(16)], { size: 16 }],
    ['rdfsbase rcx', 64, 'F3 48 0FAEC1', 'RDFSBASE', [reg(CX, 8)]],
    ['lfence', 64, '0FAEE8', 'LFENCE', []],
    ['fxsave64', 64, '48 0FAE00', 'FXSAVE', [mem(0)], { size: 8 }],
    ['movapd is movaps', 64, '66 0F2808', 'MOVAPS', [xmm(1), mem(16)], { size: 16 }],
    ['movups [rax], xmm9', 64, '44 0F1108', 'MOVUPS', [mem(16), xmm(9)]],
    ['movd xmm1, ecx', 32, '66 0F6EC9', 'MOVD', [xmm(1, 4), reg(CX, 4)]],
    ['movq xmm1, rcx', 64, '66 48 0F6EC9', 'MOVQ', [xmm(1, 8), reg(CX, 8)]],
    ['movq mm1, [eax]', 32, '0F6F08', 'MOVQ', [mm(1), mem(8)]],
    ['movq xmm1, [eax]', 32, 'F3 0F7E08', 'MOVQ', [xmm(1, 8), mem(8)]],
    [
      'aesenc128kl is not modelled but has its length',
      64,
      'F3 0F38DC440A08',
      'SSE_UNMODELLED',
      [mem(0)],
      { base: DX, index: CX, disp: 8 },
    ],
    ['addps', 32, '0F5848 08', 'ADDPS', [xmm(1), mem(16)], { base: AX, disp: 8 }],
    ['movsd xmm2, xmm3', 64, 'F2 0F10D3', 'MOVSD', [xmm(2), xmm(3, 8)]],
    ['cvtsi2sd xmm2, rcx', 64, 'F2 48 0F2AD1', 'CVTSI2SD', [xmm(2), reg(CX, 8)]],
    ['pshufd', 64, '66 0F7000 1B', 'PSHUFD', [xmm(0), mem(16), imm(1)], { imm: 0x1b }],
    ['fld tbyte', 32, 'DB28', 'FLD', [mem(10)]],
    ['fnstsw ax', 32, 'DFE0', 'FNSTSW', [reg(AX, 2)]],
    ['fninit', 16, 'DBE3', 'FNINIT', []],
    ['vzeroupper', 64, 'C5F877', 'VEX_UNMODELLED', []],
    ['vpalignr with memory', 64, 'C4E3710F4C2410 05', 'VEX_UNMODELLED', [], { base: SP, disp: 16 }],
    ['vaddps zmm (EVEX)', 64, '62F1744858C2', 'VEX_UNMODELLED', []],
    ['lds is not VEX with a memory form', 32, 'C500', 'LDS', [reg(AX, 4), mem(6)]],
    ['vaddps in 32-bit code', 32, 'C5F058C2', 'VEX_UNMODELLED', []],
    ['bound', 32, '6200', 'BOUND', [reg(AX, 4), mem(8)]],
  ]);
});

describe('undefined opcodes', () => {
  it.each([
    ['lock add eax, ecx: no memory destination', 32, 'F0 01C8'],
    ['lock add eax, [eax]: memory is the source', 32, 'F0 0300'],
    ['lock cmp', 32, 'F0 3900'],
    ['lock mov', 32, 'F0 8900'],
    ['lock bt', 32, 'F0 0FA308'],
    ['lock nop', 32, 'F0 90'],
    ['push es in 64-bit mode', 64, '06'],
    ['daa in 64-bit mode', 64, '27'],
    ['82 group in 64-bit mode', 64, '82C001'],
    ['far pointer call in 64-bit mode', 64, '9A'],
    ['into in 64-bit mode', 64, 'CE'],
    ['lea with a register', 32, '8DC0'],
    ['mov cs, ax', 32, '8EC8'],
    ['mov segment 6', 32, '8EF0'],
    ['mov cr1, eax', 32, '0F22C8'],
    ['mov dr8, rax', 64, '44 0F23C0'],
    ['call far through a register', 32, 'FFD8'],
    ['FE /2', 32, 'FED0'],
    ['FF /7', 32, 'FFF8'],
    ['8F /4', 32, '8FE0'],
    ['swapgs outside 64-bit mode', 32, '0F01F8'],
    ['movups with no such prefix', 32, 'F3 0F2800'],
    ['REX before VEX', 64, '40 C5F877'],
    ['vmrun: AMD only', 64, '0F01D8'],
  ] as const)('%s (%i-bit %s)', (_title, codeSize, hex) => {
    const insn = decodeHex(codeSize, hex);
    expect(OP_NAMES[insn.op]).toBe('INVALID');
    expect(insn.tooLong).toBe(false);
    expect(insn.operands).toBe(0);
  });

  it('lock add [eax], ecx is fine', () => {
    expect(decodeHex(32, 'F0 0108')).toMatchObject({ op: OP.ADD, lock: true });
    expect(decodeHex(32, 'F0 F2 0FB108')).toMatchObject({ op: OP.CMPXCHG, lock: true, rep: REP_F2 });
  });
});

describe('length', () => {
  it('takes 15 bytes and refuses 16, as #GP and not as #UD', () => {
    const insn = new Insn();
    const code = new Uint8Array(32).fill(0x66);
    code.set([0x01, 0xc8], 13);
    expect(decode(code, 0, 32, 32, insn)).toBe(15);
    expect(insn.op).toBe(OP.ADD);
    code.fill(0x66, 0, 14);
    code.set([0x01, 0xc8], 14);
    expect(decode(code, 0, 32, 32, insn)).toBe(15);
    expect(insn).toMatchObject({ op: OP.INVALID, tooLong: true });
    expect(decode(code, 0, 14, 32, insn), 'fourteen bytes do not tell yet').toBe(0);
  });

  it('clears tooLong and every operand on the next decode', () => {
    const insn = new Insn();
    decode(new Uint8Array(16).fill(0x66), 0, 16, 32, insn);
    expect(insn.tooLong).toBe(true);
    decode(Uint8Array.of(0x0f, 0xa4, 0x44, 0x8d, 0x10, 0x05), 0, 6, 32, insn);
    decode(Uint8Array.of(0xf4), 0, 1, 32, insn);
    const fresh = new Insn();
    decode(Uint8Array.of(0xf4), 0, 1, 32, fresh);
    const { bytes: _old, ...rest } = insn;
    const { bytes: _new, ...expected } = fresh;
    expect(rest).toEqual(expected);
  });

  it('decodes in the middle of a buffer', () => {
    const insn = new Insn();
    expect(decode(Uint8Array.of(0x90, 0x90, 0xb8, 1, 2, 3, 4, 0x90), 2, 6, 32, insn)).toBe(5);
    expect(insn.imm).toBe(0x04030201);
    expect([...insn.bytes.subarray(0, 5)]).toEqual([0xb8, 1, 2, 3, 4]);
  });
});

describe('encodings', () => {
  const expanding =
    (...at: Encoding[]) =>
    () =>
      expand([{ at }], () => false, []);
  it('are refused if they collide, cannot be read, or use unknown words', () => {
    expect(expanding(['00', 'Eb,Gb'], ['00', 'Gb,Eb'])).toThrow('collides');
    expect(expanding(['F6', 'Eb,Ib'], ['F6 /2', 'Eb'])).toThrow('taken');
    expect(expanding(['0F 100'])).toThrow('cannot read');
    expect(expanding(['00', 'Xx'])).toThrow('not in the key');
    expect(expanding(['00', 'Eb,Gb', 'locked'])).toThrow('unknown attribute');
    expect(expanding(['90', '', '', '', ['SWAP', '']])).toThrow('no operation is named SWAP');
  });

  it('of what is not modelled get what the others leave', () => {
    const { root, groups, op } = expand(
      [{ at: [['F6 /2 m', 'Eb']] }, { at: [['F6'], ['F7']] }],
      (number) => number === 1,
      [],
    );
    const group = (root[0xf6]! & ~GROUP_BIT) * 16;
    expect(op[groups[group + 2]!]).toBe(0);
    expect(op[groups[group + 3]!]).toBe(1);
    expect(op[groups[group + 8 + 2]!]).toBe(1);
    expect(op[root[0xf7]!]).toBe(1);
  });
});
