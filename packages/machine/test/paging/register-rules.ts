/** What loads of control registers and MSRs must drop. */
import {
  everyFormat,
  INVALIDATE,
  LARGE,
  largeSize,
  NX,
  NXE,
  type PagingRule,
  PLAIN,
  small,
  WP,
} from './rule.ts';
import { CR4, G, P, REGION, TABLE, US, WINDOW } from './world.ts';

export const registers: readonly PagingRule[] = [
  ...everyFormat((format) => ({
    name: 'MOV to CR3 drops what is not global',
    source: INVALIDATE,
    expected: 'AABBBB',
    steps: (g) => [
      small(g, REGION.A),
      g.set(g.large(1), REGION.A + LARGE),
      g.hot(WINDOW),
      g.call(WINDOW),
      g.read(WINDOW + largeSize(format) + 0x7000),
      g.set(g.entry(TABLE.spare, 0), REGION.B + PLAIN),
      g.set(g.large(1), REGION.B + LARGE),
      g.loadCr3(),
      g.call(WINDOW),
      g.read(WINDOW),
      g.read(WINDOW + largeSize(format) + 0x7000),
      g.user(g.read(WINDOW)),
    ],
  })),
  ...everyFormat(() => ({
    name: 'a change of CR4.PGE drops global translations',
    source: INVALIDATE,
    expected: 'ABC',
    steps: (g) => [
      small(g, REGION.A, PLAIN | G),
      g.read(WINDOW),
      g.set(g.entry(TABLE.spare, 0), REGION.B + PLAIN + G),
      g.control('cr4', 0, CR4.PGE),
      g.read(WINDOW),
      g.set(g.entry(TABLE.spare, 0), REGION.C + PLAIN + G),
      g.control('cr4', CR4.PGE),
      g.read(WINDOW),
    ],
  })),
  ...everyFormat(() => ({
    name: 'CR0.WP decides about supervisor writes at once',
    source: 'Determination of Access Rights',
    expected: 'w#3w#3w',
    steps: (g) => [
      small(g, REGION.A, P | US),
      g.write(WINDOW),
      g.control('cr0', WP),
      g.write(WINDOW),
      g.control('cr0', 0, WP),
      g.write(WINDOW),
      g.control('cr0', WP),
      g.write(WINDOW),
      g.control('cr0', 0, WP),
      g.write(WINDOW),
    ],
  })),
  ...everyFormat(() => ({
    name: 'CR4.SMEP decides about supervisor fetches from user pages at once',
    source: 'Determination of Access Rights',
    supervisor: true,
    expected: 'AA#i1AA',
    steps: (g) => [
      small(g, REGION.A),
      g.hot(WINDOW),
      g.call(WINDOW),
      g.read(WINDOW),
      g.control('cr4', CR4.SMEP),
      g.call(WINDOW),
      g.read(WINDOW),
      g.control('cr4', 0, CR4.SMEP),
      g.call(WINDOW),
    ],
  })),
  ...everyFormat(() => ({
    name: 'CR4.SMAP and RFLAGS.AC decide about supervisor accesses to user pages at once: STAC, CLAC, POPF and IRET',
    source: 'Determination of Access Rights',
    supervisor: true,
    expected: 'A#1A#1#3AwA#1#3A#1#1',
    steps: (g) => {
      const word = g.format === '4-level' ? 'q' : 'd';
      const setAc = `pushf${word}\nor dword [${g.format === '4-level' ? 'r' : 'e'}sp], 0x40000\npopf${word}`;
      const r = g.format === '4-level' ? 'r' : 'e';
      // IRET to the next instruction with AC clear
      const iret = (label: string): string =>
        g.format === '4-level'
          ? `mov rax, rsp
             push 0x10
             push rax
             push 2
             push 8
             mov eax, 0xf0000 + ${label}
             push rax
             iretq
             ${label}:`
          : `push 2
             push 8
             push dword 0xf0000 + ${label}
             iret
             ${label}:`;
      return [
        small(g, REGION.A),
        g.read(WINDOW),
        g.control('cr4', CR4.SMAP),
        g.read(WINDOW),
        'stac',
        g.read(WINDOW),
        'clac',
        g.read(WINDOW),
        g.write(WINDOW),
        setAc,
        g.read(WINDOW),
        g.write(WINDOW),
        g.read(WINDOW),
        `push 2\npopf${word}`,
        g.read(WINDOW),
        g.write(WINDOW),
        setAc,
        g.read(WINDOW),
        iret('acOff'),
        g.read(WINDOW),
        `mov ${r}ax, ${r}ax`,
        g.read(WINDOW),
      ];
    },
  })),
  ...(['pae', '4-level'] as const).map(
    (format): PagingRule => ({
      name: `EFER.NXE decides about execute-disable at once`,
      format,
      source: 'Determination of Access Rights',
      expected: 'A#i1A#9#9A#i1A',
      qemu: { prints: 'A#i1A#8#8A#i1A', why: 'TCG does not set the present bit for reserved bits' },
      steps: (g) => [
        g.efer(NXE),
        small(g, REGION.A),
        g.hot(WINDOW),
        g.set(g.entry(TABLE.spare, 0), REGION.A + PLAIN, NX),
        g.invlpg(WINDOW),
        g.read(WINDOW),
        g.call(WINDOW),
        g.read(WINDOW),
        g.efer(0, NXE),
        g.loadCr3(),
        g.read(WINDOW),
        g.call(WINDOW),
        g.efer(NXE),
        g.loadCr3(),
        g.read(WINDOW),
        g.call(WINDOW),
        g.read(WINDOW),
      ],
    }),
  ),
  {
    name: 'CR4.PSE makes a directory entry a page at once, and a table again',
    format: '32-bit',
    source: INVALIDATE,
    expected: 'ABA',
    steps: (g) => [
      // The same bits: a 4 MiB page at 400000h, or a table at 400000h, whose first entry is made to lead to B. The code
      // lies in a page of its own table.
      g.set(REGION.A, REGION.B + PLAIN),
      `mov ebp, ${TABLE.spare}
       mov eax, ${PLAIN}
      fill:
       mov [ebp], eax
       add eax, 0x1000
       add ebp, 4
       test ebp, 0xfff
       jnz fill`,
      g.set(TABLE.root, TABLE.spare + PLAIN),
      g.loadCr3(),
      g.set(g.large(), REGION.A + LARGE),
      g.read(WINDOW + 0x1000),
      g.control('cr4', 0, CR4.PSE),
      g.read(WINDOW),
      g.control('cr4', CR4.PSE),
      g.read(WINDOW + 0x1000),
    ],
  },
  ...everyFormat(() => ({
    name: 'paging off and on again drops everything, global translations too',
    source: INVALIDATE,
    expected: 'AB',
    steps: (g) =>
      g.format === '4-level'
        ? [
            small(g, REGION.A, PLAIN | G),
            g.read(WINDOW),
            g.set(g.entry(TABLE.spare, 0), REGION.B + PLAIN + G),
            g.control('cr4', 0, CR4.PGE),
            g.read(WINDOW),
          ]
        : [
            small(g, REGION.A, PLAIN | G),
            g.read(WINDOW),
            g.set(g.entry(TABLE.spare, 0), REGION.B + PLAIN + G),
            g.control('cr0', 0, 0x8000_0000),
            g.control('cr0', 0x8000_0000),
            g.read(WINDOW),
          ],
  })),
];
