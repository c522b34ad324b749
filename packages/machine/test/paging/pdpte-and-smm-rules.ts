/** PDPTE registers, and what SMM keeps of translations. */
import { CD_NW, INVALIDATE, LARGE, NXE, type PagingRule, small } from './rule.ts';
import { CR4, P, REGION, RW, type Steps, TABLE, WINDOW } from './world.ts';

const PDPTE = TABLE.root + 8;
export const pdptes: readonly PagingRule[] = [
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

export const inSmm = (['32-bit', 'pae'] as const).map(
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
