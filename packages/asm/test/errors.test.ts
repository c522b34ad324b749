import { SmmError } from '@smm/x86-defs';
import { describe, expect, it } from 'vitest';
import { assemble, conditionNames, mnemonics } from '../src/index.ts';

function failure(source: string): SmmError {
  try {
    assemble(source);
  } catch (error) {
    if (SmmError.isInstance(error)) return error;
    throw error;
  }
  throw new Error(`'${source}' was accepted`);
}

describe('a mistake is reported with code, line and text', () => {
  it.each([
    ['frobnicate eax', 'ASM_UNKNOWN_INSTRUCTION'],
    ['frobnicate', 'ASM_UNKNOWN_INSTRUCTION'],
    ['rep frobnicate', 'ASM_UNKNOWN_INSTRUCTION'],
    ['mov eax, ebx ecx', 'ASM_SYNTAX'],
    ['mov eax,', 'ASM_SYNTAX'],
    ['mov [bx, ax', 'ASM_SYNTAX'],
    ["db 'open", 'ASM_SYNTAX'],
    ['mov eax, 12g', 'ASM_SYNTAX'],
    ['bits 20', 'ASM_SYNTAX'],
    ['align 3', 'ASM_SYNTAX'],
    ['add: nop', 'ASM_SYNTAX'],
    ['mov eax, bx', 'ASM_OPERANDS'],
    ['mov [bx], 5', 'ASM_OPERANDS'],
    ['shl [bx], cl', 'ASM_OPERANDS'],
    ['mov rax, 5', 'ASM_OPERANDS'],
    ['mov cs, 5', 'ASM_OPERANDS'],
    ['push al', 'ASM_OPERANDS'],
    ['lea ax, bx', 'ASM_OPERANDS'],
    ['bits 64\npusha', 'ASM_OPERANDS'],
    ['bits 64\npush eax', 'ASM_OPERANDS'],
    ['bits 64\nmov ah, sil', 'ASM_OPERANDS'],
    ['mov ax, [ax]', 'ASM_ADDRESS'],
    ['mov ax, [bx+cx]', 'ASM_ADDRESS'],
    ['mov ax, [eax*7]', 'ASM_ADDRESS'],
    ['mov ax, [esp*2]', 'ASM_ADDRESS'],
    ['mov ax, [bx+esi]', 'ASM_ADDRESS'],
    ['bits 64\nmov ax, [bx]', 'ASM_ADDRESS'],
    ['jmp nowhere', 'ASM_UNDEFINED_SYMBOL'],
    ['mov ax, missing-$', 'ASM_UNDEFINED_SYMBOL'],
    ['one: nop\none: nop', 'ASM_DUPLICATE_SYMBOL'],
    ['mov al, 256', 'ASM_RANGE'],
    ['mov ax, 65536', 'ASM_RANGE'],
    ['db -129', 'ASM_RANGE'],
    ['mov ax, [0x12345]', 'ASM_RANGE'],
    ['jmp short away\ntimes 200 nop\naway:', 'ASM_RANGE'],
    ['loop away\ntimes 200 nop\naway:', 'ASM_RANGE'],
    ['bits 64\nadd rax, 0xffffffff', 'ASM_RANGE'],
    ['times 0-1 nop', 'ASM_RANGE'],
    ['times 100000000 nop', 'ASM_RANGE'],
    ['db 1/0', 'ASM_RANGE'],
    ['a: times 4-(b-a) nop\nb:', 'ASM_NOT_CONVERGED'],
  ])('%j: %s', (source, code) => {
    const error = failure(`nop\n${source}`);
    expect(error.code).toBe(code);
    expect(error.fix).not.toBe('');
    if (code === 'ASM_NOT_CONVERGED') return;
    const line = Number(error.details['line']);
    expect(line).toBeGreaterThan(1);
    const text = `nop\n${source}`.split('\n')[line - 1] ?? '';
    expect(error.message).toContain(`line ${line}: `);
    expect(error.message).toContain(text.trim());
  });
});

describe('assemble', () => {
  it('takes symbols from outside as plain numbers', () => {
    const { bytes } = assemble('bits 32\nmov eax, [base+0x20]\nadd ecx, small', {
      symbols: { base: 0xfee00000, small: 5 },
    });
    expect(Buffer.from(bytes).toString('hex')).toBe('a12000e0fe83c105');
  });

  it('reports labels, local labels and equ values with org applied', () => {
    const { symbols } = assemble('start: nop\n.again: jmp .again\nsize equ $-start', {
      org: 0x38000,
      bits: 16,
    });
    expect(Object.fromEntries(symbols)).toEqual({ start: 0x38000, 'start.again': 0x38001, size: 3 });
  });

  it('lists address, offset and bytes of each line', () => {
    const { listing } = assemble('nop\n; comment\n\nthere: db 1,2\n', { org: 0x100 });
    expect(listing.map(({ line, address, offset }) => [line, address, offset])).toEqual([
      [1, 0x100, 0],
      [4, 0x101, 1],
    ]);
    expect(listing[1]?.bytes).toEqual(Uint8Array.of(1, 2));
  });

  it('names its mnemonics and conditions', () => {
    expect(mnemonics()).toContain('cmpxchg16b');
    expect(conditionNames()).toHaveLength(16);
  });
});
