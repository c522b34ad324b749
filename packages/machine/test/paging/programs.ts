/**
 * What the SDM says that a processor remembers of page tables, and when it must forget, as guest programs. Each prints
 * what it sees; `expected` follows from Intel SDM Vol. 3A, "Caching Translation Information": where that lets a
 * processor choose, no program looks.
 */
import {
  CR4,
  G,
  P,
  PAGING_FORMATS,
  type PagingFormat,
  type PagingProgram,
  PS,
  REGION,
  RW,
  type Steps,
  TABLE,
  US,
  WINDOW,
} from './world.ts';

/** One row of the table. */
export interface PagingRule extends PagingProgram {
  readonly name: string;
  /** The section of the SDM that decides. */
  readonly source: string;
  readonly expected: string;
  /**
   * Where QEMU 7.2's TCG prints something else: what (nothing: it depends on hashes, and is not compared) and why that
   * is no example.
   */
  readonly qemu?: { readonly prints?: string; readonly why: string };
}

const INVALIDATE = 'Operations that Invalidate TLBs and Paging-Structure Caches';
const RECOMMENDED = 'Recommended Invalidation';
const PLAIN = P | RW | US;
const LARGE = PLAIN | PS;
const JUMPS =
  'TCG looks jumps up by linear address and forgets those of two 4 KiB pages only: old code may run';
const CD_NW = 0x6000_0000;
const WP = 0x1_0000;
const NXE = 0x800;
const NX = 0x8000_0000;

/** Bytes of a page that one directory entry maps. */
const largeSize = (format: PagingFormat): number => (format === '32-bit' ? 0x40_0000 : 0x20_0000);

/** Maps the window's first large page to a table of small pages, of which the first is `gpa`. */
const small = (g: Steps, gpa: number, flags = PLAIN): string =>
  `${g.set(g.entry(TABLE.spare, 0), gpa + flags)}\n${g.set(g.large(), TABLE.spare + PLAIN)}`;

const everyFormat = (rule: (format: PagingFormat) => Omit<PagingRule, 'format'>): PagingRule[] =>
  PAGING_FORMATS.map((format) => {
    return { format, ...rule(format) };
  });

const invlpg: readonly PagingRule[] = [
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

const pageSizes: readonly PagingRule[] = [
  ...everyFormat((format) => ({
    name: 'a large page that becomes small ones, after INVLPG in another part of it',
    source: RECOMMENDED,
    expected: 'AAB',
    steps: (g) => [
      g.set(g.large(), REGION.A + LARGE),
      g.read(WINDOW),
      g.read(WINDOW + 0x1000),
      small(g, REGION.B),
      g.invlpg(WINDOW + largeSize(format) - 0x1000),
      g.read(WINDOW),
    ],
  })),
  ...everyFormat(() => ({
    name: 'small pages that become a large one, after INVLPG of each',
    source: RECOMMENDED,
    expected: 'ABCC',
    steps: (g) => [
      small(g, REGION.A),
      g.set(g.entry(TABLE.spare, 1), REGION.B + PLAIN),
      g.read(WINDOW),
      g.read(WINDOW + 0x1000),
      g.set(g.large(), REGION.C + LARGE),
      g.invlpg(WINDOW),
      g.invlpg(WINDOW + 0x1000),
      g.read(WINDOW),
      g.read(WINDOW + 0x1000),
    ],
  })),
  ...everyFormat(() => ({
    name: 'another table under a directory entry, after INVLPG: no cache of paging structures keeps the old one',
    source: INVALIDATE,
    expected: 'ABBA',
    steps: (g) => [
      small(g, REGION.A),
      g.set(g.entry(TABLE.spare, 1), REGION.B + PLAIN),
      g.set(g.entry(TABLE.spare2, 0), REGION.B + PLAIN),
      g.set(g.entry(TABLE.spare2, 1), REGION.A + PLAIN),
      g.read(WINDOW),
      g.read(WINDOW + 0x1000),
      g.set(g.large(), TABLE.spare2 + PLAIN),
      g.invlpg(WINDOW),
      g.invlpg(WINDOW + 0x1000),
      g.read(WINDOW),
      g.read(WINDOW + 0x1000),
    ],
  })),
];

const registers: readonly PagingRule[] = [
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

const flagsAndFaults: readonly PagingRule[] = [
  ...everyFormat(() => ({
    name: 'a read sets the accessed flag, the first write the dirty flag, through a translation that is known already',
    source: 'Accessed and Dirty Flags',
    expected: '--Aa-A-wad--a-ad',
    steps: (g) => {
      const pte = g.entry(TABLE.spare, 0);
      return [
        small(g, REGION.A),
        g.flags(pte),
        g.read(WINDOW),
        g.flags(pte),
        g.hot(WINDOW),
        g.call(WINDOW),
        `mov al, '-'\ncall show`,
        g.write(WINDOW),
        g.flags(pte),
        g.set(pte, REGION.A + PLAIN),
        g.invlpg(WINDOW),
        g.flags(pte),
        g.user(g.read(WINDOW)).replaceAll('call show', 'nop'),
        g.flags(pte),
        g.write(WINDOW).replaceAll('call show', 'nop'),
        g.flags(pte),
      ];
    },
  })),
  ...everyFormat((format) => ({
    name: 'of a large page too: every part writes the one dirty flag',
    source: 'Accessed and Dirty Flags',
    expected: '--Aa-wadAa-wad',
    steps: (g) => {
      const far = WINDOW + largeSize(format) - 0x1000;
      return [
        g.set(g.large(), REGION.A + LARGE),
        g.flags(g.large()),
        g.read(WINDOW),
        g.flags(g.large()),
        g.write(far),
        g.flags(g.large()),
        g.set(g.large(), REGION.A + LARGE),
        g.invlpg(WINDOW + 0x8000),
        g.read(far),
        g.flags(g.large()),
        g.write(far),
        g.flags(g.large()),
      ];
    },
  })),
  ...everyFormat(() => ({
    name: 'more rights without INVLPG count after a fault, at the latest',
    source: 'Delayed Invalidation, Optional Invalidation',
    expected: 'A#3wA#7w#5A',
    steps: (g) => {
      const pte = g.entry(TABLE.spare, 0);
      return [
        g.control('cr0', WP),
        small(g, REGION.A, P | US),
        g.read(WINDOW),
        g.write(WINDOW),
        g.set(pte, REGION.A + PLAIN),
        g.write(WINDOW),
        g.set(pte, REGION.A + P + US),
        g.invlpg(WINDOW),
        g.user(g.read(WINDOW), g.write(WINDOW)),
        g.set(pte, REGION.A + PLAIN),
        g.user(g.write(WINDOW)),
        g.set(pte, REGION.A + P + RW),
        g.invlpg(WINDOW),
        g.user(g.read(WINDOW)),
        g.set(pte, REGION.A + PLAIN),
        g.user(g.read(WINDOW)),
      ];
    },
  })),
  ...everyFormat(() => ({
    name: 'what was not present is not remembered',
    source: 'Optional Invalidation',
    expected: '#0AB#2w',
    steps: (g) => [
      small(g, 0, 0),
      g.read(WINDOW),
      g.set(g.entry(TABLE.spare, 0), REGION.A + PLAIN),
      g.read(WINDOW),
      g.set(g.large(1), 0),
      g.set(g.large(1), REGION.B + LARGE),
      g.read(WINDOW + largeSize(g.format)),
      g.write(WINDOW + 0x1000),
      g.set(g.entry(TABLE.spare, 1), REGION.A + PLAIN),
      g.write(WINDOW + 0x1000),
    ],
  })),
  ...everyFormat(() => ({
    name: 'a page fault drops what was remembered of its page, for reads, calls and user mode',
    source: INVALIDATE,
    expected: 'AAA#2#0#0#4',
    qemu: {
      prints: 'AAA#2AAA',
      why: 'TCG keeps the read and fetch rights of a page whose write faults: its own deviation from the SDM',
    },
    steps: (g) => [
      g.control('cr0', WP),
      small(g, REGION.A, P | US),
      g.read(WINDOW),
      g.call(WINDOW),
      g.user(g.read(WINDOW)),
      g.set(g.entry(TABLE.spare, 0), 0),
      g.write(WINDOW),
      g.read(WINDOW),
      g.call(WINDOW),
      g.user(g.read(WINDOW)),
    ],
  })),
  ...everyFormat((format) => ({
    name: 'a page fault in one part of a large page drops all of it',
    source: INVALIDATE,
    expected: 'AA#2#0#0',
    qemu: { prints: 'AA#2AA', why: 'as above' },
    steps: (g) => [
      g.control('cr0', WP),
      g.set(g.large(), REGION.A + P + US + PS),
      g.read(WINDOW),
      g.call(WINDOW + 0x9000),
      g.set(g.large(), 0),
      g.write(WINDOW + largeSize(format) - 0x1000),
      g.read(WINDOW),
      g.call(WINDOW + 0x9000),
    ],
  })),
];

const PDPTE = TABLE.root + 8;
const pdptes: readonly PagingRule[] = [
  {
    name: 'PDPTEs are registers: memory counts from MOV to CR3 on',
    format: 'pae',
    source: 'PDPTE Registers',
    expected: 'AAA#0',
    qemu: { prints: 'A#0#0#0', why: 'TCG walks from memory: quirk Q31' },
    steps: (g) => [
      small(g, REGION.A),
      g.read(WINDOW),
      g.set(PDPTE, 0),
      g.invlpg(WINDOW),
      g.read(WINDOW),
      g.efer(NXE),
      g.read(WINDOW),
      g.loadCr3(),
      g.read(WINDOW),
    ],
  },
  ...(
    [
      ['CR4.PGE', (g: Steps) => g.control('cr4', 0, CR4.PGE)],
      ['CR4.PSE', (g: Steps) => g.control('cr4', CR4.PSE)],
      ['CR4.SMEP', (g: Steps) => g.control('cr4', CR4.SMEP)],
      ['CR0.CD and CR0.NW', (g: Steps) => g.control('cr0', CD_NW)],
      ['CR0.PG', (g: Steps) => `${g.control('cr0', 0, 0x8000_0000)}\n${g.control('cr0', 0x8000_0000)}`],
    ] as const
  ).map(
    ([name, change]): PagingRule => ({
      name: `a change of ${name} loads the PDPTEs`,
      ...(name.startsWith('CR0.CD') && { qemu: { prints: 'AAA', why: 'TCG drops nothing there' } }),
      format: 'pae',
      source: 'PDPTE Registers',
      supervisor: true,
      expected: 'A#0A',
      steps: (g) => [
        small(g, REGION.A),
        g.read(WINDOW),
        g.set(PDPTE, 0),
        change(g),
        g.read(WINDOW),
        g.set(PDPTE, TABLE.window + P),
        g.loadCr3(),
        g.read(WINDOW),
      ],
    }),
  ),
  {
    name: 'a PDPTE with a reserved bit is refused, and the registers stay',
    format: 'pae',
    source: 'PDPTE Registers',
    expected: 'A0GA',
    qemu: { prints: 'A0A', why: 'TCG walks from memory and does not check bits 2:1 and 8:5: quirk Q31' },
    steps: (g) => [
      small(g, REGION.A),
      g.read(WINDOW),
      g.set(PDPTE, TABLE.window + P + RW),
      g.mark('0'),
      // #GP without an error code's worth of stack: the handler resets it.
      'mov dword [0x1000], 0xf0000 + refused\nmov eax, cr3\nmov cr3, eax\nrefused:',
      g.read(WINDOW),
      g.set(PDPTE, TABLE.window + P),
    ],
  },
];

const inSmm = (['32-bit', 'pae'] as const).map(
  (format): PagingRule => ({
    name: 'INVLPG and the accessed and dirty flags are in SMM what they are elsewhere',
    format,
    source: INVALIDATE,
    expected: 'AAABa-adBad',
    steps: (g) => [
      g.set(g.large(), REGION.A + LARGE),
      g.read(WINDOW),
      g.smi(
        g.smmRead(WINDOW),
        g.smmRead(WINDOW + 0x5000),
        `mov dword [dword ${g.large()}], ${REGION.B + LARGE}\ninvlpg [dword ${WINDOW + 0x3000}]`,
        g.smmRead(WINDOW + 0x5000),
        g.smmFlags(g.large()),
        `mov byte [dword ${WINDOW + 0x40}], 1`,
        g.smmFlags(g.large()),
      ),
      g.invlpg(WINDOW),
      g.read(WINDOW),
      g.flags(g.large()),
    ],
  }),
);

const CR4_PCIDE = 0x2_0000;
const pcid: readonly PagingRule[] = [
  {
    name: 'with PCIDs, MOV to CR3 with bit 63 clear drops what its PCID had, and INVLPG what the current one has',
    format: '4-level',
    source: INVALIDATE,
    expected: 'ABCA',
    qemu: { why: 'TCG has no PCID' },
    steps: (g) => [
      g.control('cr4', CR4_PCIDE),
      g.set(g.large(), REGION.A + LARGE),
      g.read(WINDOW),
      g.set(g.large(), REGION.B + LARGE),
      'mov rax, cr3\nor eax, 1\nmov cr3, rax',
      g.read(WINDOW),
      g.set(g.large(), REGION.C + LARGE),
      g.invlpg(WINDOW),
      g.read(WINDOW),
      g.set(g.large(), REGION.A + LARGE),
      'mov rax, cr3\nand eax, 0xfffff000\nmov cr3, rax',
      g.read(WINDOW),
      g.control('cr4', 0, CR4_PCIDE),
    ],
  },
];

/** All rows. */
export const PAGING_RULES: readonly PagingRule[] = [
  ...invlpg,
  ...pageSizes,
  ...registers,
  ...flagsAndFaults,
  ...pdptes,
  ...inSmm,
  ...pcid,
];
