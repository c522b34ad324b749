/** SSE integer, logic and shuffle instructions that are compared with the CPU that the tests run on. */

/** An instruction with two operands, XMM registers or one of them memory. */
export interface SseShape {
  readonly name: string;
  /** Prefix, escape and opcode bytes. */
  readonly opcode: readonly number[];
  /** r: register form only; m: memory only; s: store. */
  readonly form: '' | 'r' | 'm' | 's';
  readonly immediate?: boolean;
  /** ModRM reg is part of the opcode. */
  readonly reg?: number;
}

const shapes: SseShape[] = [];
for (const [first, names] of [
  [0x60, 'punpcklbw punpcklwd punpckldq packsswb pcmpgtb pcmpgtw pcmpgtd packuswb'],
  [0x68, 'punpckhbw punpckhwd punpckhdq packssdw punpcklqdq punpckhqdq'],
  [0x74, 'pcmpeqb pcmpeqw pcmpeqd'],
  [0xd1, 'psrlw psrld psrlq paddq pmullw'],
  [0xd8, 'psubusb psubusw pminub pand paddusb paddusw pmaxub pandn'],
  [0xe0, 'pavgb psraw psrad pavgw pmulhuw pmulhw'],
  [0xe8, 'psubsb psubsw pminsw por paddsb paddsw pmaxsw pxor'],
  [0xf1, 'psllw pslld psllq pmuludq pmaddwd psadbw'],
  [0xf8, 'psubb psubw psubd psubq paddb paddw paddd'],
] as const) {
  names.split(' ').forEach((name, n) => {
    shapes.push({ name, opcode: [0x66, 0x0f, first + n], form: '' });
  });
}
for (const [opcode, names] of [
  [0x71, 'psrlw psraw psllw'],
  [0x72, 'psrld psrad pslld'],
  [0x73, 'psrlq - psllq'],
] as const) {
  names.split(' ').forEach((name, n) => {
    if (name !== '-')
      shapes.push({ name, opcode: [0x66, 0x0f, opcode], form: 'r', immediate: true, reg: 2 + 2 * n });
  });
}
for (const [name, opcode] of [
  ['andps', 0x54],
  ['andnps', 0x55],
  ['orps', 0x56],
  ['xorps', 0x57],
] as const) {
  shapes.push({ name, opcode: [0x0f, opcode], form: '' });
}
shapes.push(
  { name: 'pshufd', opcode: [0x66, 0x0f, 0x70], form: '', immediate: true },
  { name: 'pshufhw', opcode: [0xf3, 0x0f, 0x70], form: '', immediate: true },
  { name: 'pshuflw', opcode: [0xf2, 0x0f, 0x70], form: '', immediate: true },
  { name: 'shufps', opcode: [0x0f, 0xc6], form: '', immediate: true },
  { name: 'shufpd', opcode: [0x66, 0x0f, 0xc6], form: '', immediate: true },
  { name: 'pinsrw', opcode: [0x66, 0x0f, 0xc4], form: '', immediate: true },
  { name: 'pextrw', opcode: [0x66, 0x0f, 0xc5], form: 'r', immediate: true },
  { name: 'movaps', opcode: [0x0f, 0x28], form: '' },
  { name: 'movapd', opcode: [0x66, 0x0f, 0x29], form: 's' },
  { name: 'movups', opcode: [0x0f, 0x10], form: '' },
  { name: 'movupd', opcode: [0x66, 0x0f, 0x11], form: 's' },
  { name: 'movdqa', opcode: [0x66, 0x0f, 0x6f], form: '' },
  { name: 'movdqa', opcode: [0x66, 0x0f, 0x7f], form: 's' },
  { name: 'movdqu', opcode: [0xf3, 0x0f, 0x7f], form: 's' },
  { name: 'movntps', opcode: [0x0f, 0x2b], form: 's' },
  { name: 'movntdq', opcode: [0x66, 0x0f, 0xe7], form: 's' },
  { name: 'movd', opcode: [0x66, 0x0f, 0x6e], form: '' },
  { name: 'movq', opcode: [0x66, 0x48, 0x0f, 0x6e], form: '' },
  { name: 'movd', opcode: [0x66, 0x0f, 0x7e], form: '' },
  { name: 'movq', opcode: [0x66, 0x48, 0x0f, 0x7e], form: '' },
  { name: 'movq', opcode: [0xf3, 0x0f, 0x7e], form: '' },
  { name: 'movq', opcode: [0x66, 0x0f, 0xd6], form: 's' },
  { name: 'pmovmskb', opcode: [0x66, 0x48, 0x0f, 0xd7], form: 'r' },
  { name: 'psrldq', opcode: [0x66, 0x0f, 0x73], form: 'r', immediate: true, reg: 3 },
  { name: 'pslldq', opcode: [0x66, 0x0f, 0x73], form: 'r', immediate: true, reg: 7 },
  { name: 'movhlps', opcode: [0x0f, 0x12], form: 'r' },
  { name: 'movlhps', opcode: [0x0f, 0x16], form: 'r' },
  { name: 'movddup', opcode: [0xf2, 0x0f, 0x12], form: '' },
  { name: 'movlps', opcode: [0x0f, 0x12], form: 'm' },
  { name: 'movhps', opcode: [0x0f, 0x16], form: 'm' },
  { name: 'movlps', opcode: [0x0f, 0x13], form: 's' },
  { name: 'movhpd', opcode: [0x66, 0x0f, 0x17], form: 's' },
  { name: 'pmovmskb', opcode: [0x66, 0x0f, 0xd7], form: 'r' },
);

export const SSE_SHAPES: readonly SseShape[] = shapes;
