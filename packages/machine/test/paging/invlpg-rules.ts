/** What INVLPG must drop. */
import { everyFormat, INVALIDATE, JUMPS, LARGE, largeSize, type PagingRule, PLAIN, small } from './rule.ts';
import { G, REGION, TABLE, WINDOW } from './world.ts';

export const invlpg: readonly PagingRule[] = [
  ...everyFormat((format) => {
    const size = largeSize(format);
    const offsets = [0, 0x5000, size / 2, size - 0x1000];
    return {
      name: 'INVLPG in any part of a large page drops all of it, for reads and writes',
      source: INVALIDATE,
      expected: 'AAAABBBBwC-CCC',
      steps: (g) => [
        g.set(g.large(), REGION.A + LARGE),
        ...offsets.map((at) => g.read(WINDOW + at)),
        g.set(g.large(), REGION.B + LARGE),
        g.invlpg(WINDOW + 0x3000),
        ...offsets.map((at) => g.read(WINDOW + at)),
        g.write(WINDOW + size / 2),
        g.set(g.large(), REGION.C + LARGE),
        g.invlpg(WINDOW + size - 1),
        // Written through the old translation, C's byte would stay as it was.
        `mov ebx, ${WINDOW + size / 2}\nmov byte [ebx + 1], 0xff\nmov al, [ebx]`.replaceAll(
          '[ebx',
          `[${g.r}bx`,
        ),
        'call show',
        `mov al, [${REGION.C + size / 2 + 1}]\ncall show`,
        ...offsets.slice(0, 3).map((at) => g.read(WINDOW + at)),
      ],
    };
  }),
  ...everyFormat((format) => {
    const size = largeSize(format);
    const offsets = [0, 0x5000, size / 2, size - 0x1000];
    return {
      name: 'INVLPG in any part of a large page drops all of it, for code cold and hot',
      source: INVALIDATE,
      expected: 'AAAABBBBCCCC',
      qemu: { why: JUMPS },
      steps: (g) => [
        g.set(g.large(), REGION.A + LARGE),
        ...offsets.map((at) => g.call(WINDOW + at)),
        g.set(g.large(), REGION.B + LARGE),
        g.invlpg(WINDOW + 0x3000),
        ...offsets.map((at) => g.call(WINDOW + at)),
        ...offsets.map((at) => g.hot(WINDOW + at)),
        g.set(g.large(), REGION.C + LARGE),
        g.invlpg(WINDOW + size - 1),
        ...offsets.map((at) => g.call(WINDOW + at)),
      ],
    };
  }),
  ...everyFormat(() => ({
    name: 'a function that remaps its caller returns to the new page',
    source: INVALIDATE,
    expected: 'ABABABAB',
    steps: (g) => {
      const { r } = g;
      const pte = g.entry(TABLE.spare, 0);
      // At 800h of each page: call [remap]; mov al, letter; ret. The way back finds the other page.
      const caller = (page: number, letter: string): string =>
        `mov dword [${page + 0x800}], 0xc389d3ff\nmov word [${page + 0x804}], ${0xb0 + letter.charCodeAt(0) * 256}\nmov byte [${page + 0x806}], 0xc3`.replace(
          '0xc389d3ff',
          '0x9090d3ff',
        );
      return [
        caller(REGION.A, 'A'),
        caller(REGION.B, 'B'),
        small(g, REGION.B),
        `mov esi, ${REGION.A + PLAIN}
         mov ebp, 400
         mov ebx, 0xf0000 + remap
        again:
         mov edi, ${WINDOW + 0x800}
         call ${r}di
         cmp ebp, 8
         ja quiet
         call show
        quiet:
         dec ebp
         jnz again
         jmp over
        remap:
         mov [${pte}], esi
         xor esi, ${REGION.A ^ REGION.B}
         mov edi, ${WINDOW}
         invlpg [${r}di]
         ret
        over:`,
      ];
    },
  })),
  ...everyFormat(() => ({
    name: 'INVLPG of the second page of an instruction that lies on two',
    source: INVALIDATE,
    expected: 'AABB',
    steps: (g) => {
      // mov al, imm8 at FFFh of the first page; the letter and RET on the second.
      const at = WINDOW + 0xfff - 0x10;
      return [
        `mov byte [${REGION.C + 0xfff}], 0xb0`,
        ...(['A', 'B'] as const).map(
          (letter) => `mov word [${REGION[letter]}], ${letter.charCodeAt(0) + 0xc300}`,
        ),
        small(g, REGION.C),
        g.set(g.entry(TABLE.spare, 1), REGION.A + PLAIN),
        g.call(at),
        `mov ebp, 50\nmov edi, ${WINDOW + 0xfff}\nsplit:\ncall ${g.r}di\ndec ebp\njnz split\ncall show`,
        g.set(g.entry(TABLE.spare, 1), REGION.B + PLAIN),
        g.invlpg(WINDOW + 0x1000),
        g.call(at),
        g.read(WINDOW + 0x1000),
      ];
    },
  })),
  ...everyFormat((format) => ({
    name: 'INVLPG of a large page spares the pages beside it that were not changed, and they still answer',
    source: INVALIDATE,
    expected: 'ABBA',
    steps: (g) => {
      const size = largeSize(format);
      return [
        g.set(g.large(0), REGION.A + LARGE),
        g.set(g.large(1), REGION.B + LARGE),
        g.read(WINDOW),
        g.read(WINDOW + size),
        g.set(g.large(0), REGION.B + LARGE),
        g.set(g.large(1), REGION.A + LARGE),
        g.invlpg(WINDOW + size - 1),
        g.invlpg(WINDOW + size),
        g.read(WINDOW),
        g.read(WINDOW + size),
      ];
    },
  })),
  ...everyFormat(() => ({
    name: 'INVLPG drops a small page, code and data, whoever used it',
    source: INVALIDATE,
    expected: 'AAAABBBB',
    steps: (g) => {
      const four = [g.read(WINDOW), g.call(WINDOW), g.user(g.read(WINDOW)), g.user(g.call(WINDOW))];
      return [
        small(g, REGION.A),
        g.hot(WINDOW),
        ...four,
        g.set(g.entry(TABLE.spare, 0), REGION.B + PLAIN),
        g.invlpg(WINDOW + 0xfff),
        ...four.map((step) => step.replaceAll(/step(\d+)/g, 'again$1')),
      ];
    },
  })),
  ...everyFormat((format) => ({
    name: 'INVLPG drops a large page that user mode used',
    source: INVALIDATE,
    qemu: { why: JUMPS },
    expected: 'AABB',
    steps: (g) => {
      const at = WINDOW + largeSize(format) - 0x1000;
      return [
        g.set(g.large(), REGION.A + LARGE),
        g.user(g.read(at), g.call(at)),
        g.set(g.large(), REGION.B + LARGE),
        g.invlpg(WINDOW),
        g.user(g.read(at), g.call(at)),
      ];
    },
  })),
  ...everyFormat(() => ({
    name: 'INVLPG drops global translations too, small and large',
    source: INVALIDATE,
    expected: 'AAABBB',
    steps: (g) => [
      small(g, REGION.A, PLAIN | G),
      g.set(g.large(1), REGION.A + LARGE + G),
      ...[g.read(WINDOW), g.call(WINDOW)],
      g.read(WINDOW + 0x40_1000 - (g.format === '32-bit' ? 0 : 0x20_0000)),
      g.set(g.entry(TABLE.spare, 0), REGION.B + PLAIN + G),
      g.set(g.large(1), REGION.B + LARGE + G),
      g.invlpg(WINDOW),
      g.invlpg(WINDOW + (g.format === '32-bit' ? 0x40_0000 : 0x20_0000)),
      ...[g.read(WINDOW), g.call(WINDOW)],
      g.read(WINDOW + 0x40_1000 - (g.format === '32-bit' ? 0 : 0x20_0000)),
    ],
  })),
  {
    name: 'INVLPG in any part of a 1 GiB page drops all of it',
    format: '4-level',
    source: INVALIDATE,
    expected: 'ABCABBBB',
    qemu: { why: JUMPS },
    steps: (g) =>
      [
        g.set(TABLE.pdpt + 8, LARGE),
        ...[REGION.A, REGION.B, REGION.C].map((at) => g.read(WINDOW + at)),
        g.call(WINDOW + REGION.A),
        ...Array.from({ length: 8 }, (_, i) => g.set(g.large(i), REGION.B + LARGE)),
        g.set(TABLE.pdpt + 8, TABLE.window + PLAIN),
        g.invlpg(WINDOW + 0x3fff_f000),
        ...[REGION.A, REGION.B, REGION.C].map((at) => g.read(WINDOW + at)),
        g.call(WINDOW + REGION.A),
      ].concat(),
  },
];
