/**
 * Which instructions the generated code executes itself: a form that silently falls to the evaluator is right but fifty
 * times slower.
 */
import { expect, test } from 'vitest';
import { decode } from '../src/decode/decode.ts';
import { coldFormsOf, formKey, formsOf } from '../src/engine/wasm/forms.ts';
import { type CodeSize, Insn } from '../src/insn.ts';
import { OP_NAMES, VECTOR_OPS } from '../src/ops.ts';
import { assemble } from './support/assemble.ts';

function instructions(source: string, bits: CodeSize): Insn[] {
  const code = assemble(source, { bits, org: 0x1000 });
  const list: Insn[] = [];
  for (let at = 0; at < code.length; at += list.at(-1)!.length) {
    const insn = new Insn();
    expect(decode(code, at, code.length - at, bits, insn)).toBeGreaterThan(0);
    list.push(insn);
  }
  return list;
}

/** What compilers emit all the time; `R` is the native register prefix, `P` the native pointer size. */
const COMMON = `
 mov eax,[ebx+4]
 mov [ebx+ecx*4+4],edx
 mov dword [Rbx],5
 mov byte [Rbx],5
 mov Rax,Rbx
 mov eax,5
 movzx eax,byte [Rsi]
 movzx eax,word [Rsi+Rcx]
 movsx eax,bl
 lea eax,[Rbx+4]
 lea Rax,[Rbx+Rcx*8+4]
 lea Rsp,[Rsp-8]
 add eax,[Rbx]
 add [Rbx],eax
 sub Rsp,24
 adc edx,0
 sbb eax,eax
 and eax,7
 or al,1
 xor ecx,ecx
 cmp byte [Rbx],0
 cmp [Rbx],eax
 cmp eax,5
 test al,al
 test byte [Rbx],1
 not eax
 neg eax
 inc eax
 dec dword [Rbx]
 shl eax,1
 shr eax,cl
 sar Rax,3
 rol eax,5
 imul eax,ebx
 imul eax,[Rbx],3
 mul ecx
 div ecx
 cdq
 cwde
 bt eax,3
 bsr eax,ebx
 bswap eax
 xchg eax,ebx
 xadd [Rbx],eax
 cmpxchg [Rbx],ecx
 setz al
 cmovc eax,ebx
 push Rbx
 push 5
 push 500
 push P [Rbx]
 pop Rbx
 leave
 ret
 ret 8
 call $+5
 call Rax
 call [Rbx]
 jmp $+2
 jmp Rax
 jnz $+2
 cld
 std
 clc
 nop
 nop dword [Rax]
 lfence
 mfence`;

test.each([32, 64] as const)('%i-bit code that compilers emit has handlers or functions', (bits) => {
  const r = bits === 64 ? 'r' : 'e';
  const source = COMMON.replaceAll(/\[e(?=[a-d]x)/g, `[${r}`)
    .replaceAll(/\+e(?=[a-d]x)/g, `+${r}`)
    .replaceAll(/\bR(?=[a-z])/g, r)
    .replaceAll(/\bP\b/g, bits === 64 ? 'qword' : 'dword');
  const model = bits === 64 ? 'flat64' : 'flat32';
  const handlers = new Set(formsOf(model).map(({ insn, noFlags }) => formKey(insn, noFlags)));
  const functions = new Set(coldFormsOf(model).map(({ insn }) => formKey(insn, false, true)));
  const missing = instructions(source, bits)
    .filter((i) => !handlers.has(formKey(i, false)) && !functions.has(formKey(i, false, true)))
    .map(
      (i) =>
        `${OP_NAMES[i.op]} ${i.size}: ${Array.from(i.bytes.subarray(0, i.length), (b) => b.toString(16)).join(' ')}`,
    );
  expect(missing).toEqual([]);
});

test('so has 16-bit code', () => {
  const handlers = new Set(formsOf('general').map(({ insn, noFlags }) => formKey(insn, noFlags)));
  const functions = new Set(coldFormsOf('general').map(({ insn }) => formKey(insn, false, true)));
  const missing = instructions(
    `mov ax,[bx+si]
 mov [cs:0x8000],eax
 mov [ebx+ecx*4],edx
 add word [di],5
 cmp byte [bp+2],0
 lea ax,[bx+di]
 lea eax,[ebx+2]
 push ax
 push eax
 push word [bx]
 push 5
 pop ecx
 call $+3
 call [bx]
 call ax
 ret
 o32 ret
 ret 2
 leave
 jmp ax
 jmp [bx]
 jz $+2`,
    16,
  )
    .filter((i) => !handlers.has(formKey(i, false)) && !functions.has(formKey(i, false, true)))
    .map((i) => OP_NAMES[i.op]);
  expect(missing).toEqual([]);
});

test.each([
  ['general', 16],
  ['flat32', 32],
  ['flat64', 64],
] as const)('all vector instructions that are decoded have functions: %s', (model, bits) => {
  const functions = new Set(coldFormsOf(model).map(({ insn }) => formKey(insn, false, true)));
  const missing = new Set<string>();
  const seen = new Set<number>();
  const insn = new Insn();
  for (const prefix of [[], [0x66], [0xf3], [0xf2]])
    for (const rex of bits === 64 ? [[], [0x48]] : [[]])
      for (let opcode = 0; opcode < 0x100; opcode++)
        for (let modRm = 7; modRm < 0x100; modRm += modRm < 0x38 ? 8 : modRm === 0x3f ? 0x88 : 8) {
          const code = Uint8Array.of(...prefix, ...rex, 0x0f, opcode, modRm, ...new Array(12).fill(0));
          decode(code, 0, code.length, bits, insn);
          if (!VECTOR_OPS.has(insn.op)) continue;
          seen.add(insn.op);
          if (!functions.has(formKey(insn, false, true)))
            missing.add(`${OP_NAMES[insn.op]} ${Buffer.from(code.subarray(0, insn.length)).toString('hex')}`);
        }
  expect([...missing]).toEqual([]);
  expect([...VECTOR_OPS].filter((op) => !seen.has(op)).map((op) => OP_NAMES[op])).toEqual([]);
});
