/** Bytes as text: lists, targets, what is not modelled, what is cut off. The oracle test says that texts are right. */
import { expect, test } from 'vitest';
import { disassemble, disassembleOne } from '../src/disassemble.ts';
import { assemble } from './support/assemble.ts';

const listing = (bytes: Uint8Array, codeSize: 16 | 32 | 64, rip: number | bigint) =>
  [...disassemble(bytes, { codeSize, rip })].map((one) => `${one.rip.toString(16)} ${one.text}`);

test('a piece of code, instruction by instruction', () => {
  const source = 'mov eax,[rbx+rcx*4+16]\nnext: dec eax\njnz next\nlock inc byte [rel 0x2000]\nret';
  expect(listing(assemble(source, { bits: 64, org: 0x1000 }), 64, 0x1000)).toEqual([
    '1000 mov eax,dword [rbx+rcx*4+0x10]',
    '1004 dec eax',
    '1006 jne 0x1004',
    '1008 lock inc byte [rel 0x2000]',
    '100f ret',
  ]);
});

test('the same bytes in other code sizes are other instructions', () => {
  const bytes = Uint8Array.of(0xb8, 1, 0, 0x40, 0x90);
  expect(listing(bytes, 16, 0)).toEqual(['0 mov ax,0x1', '3 inc ax', '4 nop']);
  expect(listing(bytes, 32, 0)).toEqual(['0 mov eax,0x90400001']);
});

test('branches have targets, which wrap as RIP does', () => {
  const jump = Uint8Array.of(0xeb, 0xfe, 0xeb, 0x10);
  expect(disassembleOne(jump, { codeSize: 64, rip: 0xffff_8000_0000_0000n })?.target).toBe(
    0xffff_8000_0000_0000n,
  );
  expect(disassembleOne(jump, { codeSize: 16, rip: 0xfff8, offset: 2 })?.target).toBe(0xan);
  expect(disassembleOne(Uint8Array.of(0xff, 0xe0), { codeSize: 64 })?.target).toBeUndefined();
});

test('what is undefined or not modelled is its bytes, with its length', () => {
  const vaddps = Uint8Array.of(0xc5, 0xf0, 0x58, 0xc2, 0x90);
  expect(listing(vaddps, 64, 0)).toEqual(['0 db 0xc5,0xf0,0x58,0xc2', '4 nop']);
  expect(listing(Uint8Array.of(0x06), 64, 0)).toEqual(['0 db 0x6']);
});

test('an instruction that is cut off ends the list', () => {
  expect(listing(Uint8Array.of(0x90, 0xb8, 1, 2), 32, 0)).toEqual(['0 nop']);
  expect(disassembleOne(new Uint8Array(0), { codeSize: 32 })).toBeUndefined();
});

test('a code size that is none is refused', () => {
  expect(() => disassembleOne(Uint8Array.of(0x90), { codeSize: 8 as never })).toThrow(
    'codeSize is 8, which is not 16, 32 or 64',
  );
});
