import { assemble } from '@smm/asm';

const { bytes, symbols } = assemble(
  `bits 16
start:  mov eax, [dword apicId]  ; 32-bit address in 16-bit code
        shr eax, 24
        jz start
        rsm`,
  { org: 0x38000, symbols: { apicId: 0xfee00020 } },
);
console.log(Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' '));
// => 66 67 a1 20 00 e0 fe 66 c1 e8 18 74 f3 0f aa
console.log(symbols.get('start')?.toString(16));
// => 38000
