/** Instructions on MMX registers that are compared with the CPU that the tests run on. */

/** An instruction on mm0 (reg) and mm1, memory, an XMM register or a general one. */
export interface MmxShape {
  readonly name: string;
  /** Prefix, escape and opcode bytes. */
  readonly opcode: readonly number[];
  /** r: register form only; m: memory only. */
  readonly form: '' | 'r' | 'm';
  readonly immediate?: boolean;
  /** ModRM reg is part of the opcode. */
  readonly reg?: number;
  /** Operands are floating point. */
  readonly float?: boolean;
}

const shapes: MmxShape[] = [];
for (const [first, names] of [
  [0x60, 'punpcklbw punpcklwd punpckldq packsswb pcmpgtb pcmpgtw pcmpgtd packuswb'],
  [0x68, 'punpckhbw punpckhwd punpckhdq packssdw'],
  [0x74, 'pcmpeqb pcmpeqw pcmpeqd'],
  [0xd1, 'psrlw psrld psrlq paddq pmullw'],
  [0xd8, 'psubusb psubusw pminub pand paddusb paddusw pmaxub pandn'],
  [0xe0, 'pavgb psraw psrad pavgw pmulhuw pmulhw'],
  [0xe8, 'psubsb psubsw pminsw por paddsb paddsw pmaxsw pxor'],
  [0xf1, 'psllw pslld psllq pmuludq pmaddwd psadbw'],
  [0xf8, 'psubb psubw psubd psubq paddb paddw paddd'],
] as const) {
  names.split(' ').forEach((name, n) => {
    shapes.push({ name, opcode: [0x0f, first + n], form: '' });
  });
}
for (const [opcode, fields] of [
  [0x71, [2, 4, 6]],
  [0x72, [2, 4, 6]],
  [0x73, [2, 6]],
] as const)
  for (const reg of fields)
    shapes.push({
      name: `shift ${opcode.toString(16)} /${reg}`,
      opcode: [0x0f, opcode],
      form: 'r',
      immediate: true,
      reg,
    });
shapes.push(
  { name: 'pshufw', opcode: [0x0f, 0x70], form: '', immediate: true },
  { name: 'pinsrw', opcode: [0x0f, 0xc4], form: '', immediate: true },
  { name: 'pextrw', opcode: [0x0f, 0xc5], form: 'r', immediate: true },
  { name: 'pmovmskb', opcode: [0x0f, 0xd7], form: 'r' },
  { name: 'movd mm', opcode: [0x0f, 0x6e], form: '' },
  { name: 'movq mm r', opcode: [0x48, 0x0f, 0x6e], form: '' },
  { name: 'movd to', opcode: [0x0f, 0x7e], form: '' },
  { name: 'movq to r', opcode: [0x48, 0x0f, 0x7e], form: '' },
  { name: 'movq mm', opcode: [0x0f, 0x6f], form: '' },
  { name: 'movq to', opcode: [0x0f, 0x7f], form: '' },
  { name: 'movntq', opcode: [0x0f, 0xe7], form: 'm' },
  { name: 'maskmovq', opcode: [0x0f, 0xf7], form: 'r' },
  { name: 'movdq2q', opcode: [0xf2, 0x0f, 0xd6], form: 'r' },
  { name: 'movq2dq', opcode: [0xf3, 0x0f, 0xd6], form: 'r' },
  { name: 'cvtpi2ps', opcode: [0x0f, 0x2a], form: '' },
  { name: 'cvttps2pi', opcode: [0x0f, 0x2c], form: '', float: true },
  { name: 'cvtps2pi', opcode: [0x0f, 0x2d], form: '', float: true },
  { name: 'cvtpi2pd', opcode: [0x66, 0x0f, 0x2a], form: '' },
  { name: 'cvttpd2pi', opcode: [0x66, 0x0f, 0x2c], form: '', float: true },
  { name: 'cvtpd2pi', opcode: [0x66, 0x0f, 0x2d], form: '', float: true },
);

export const MMX_SHAPES: readonly MmxShape[] = shapes;
