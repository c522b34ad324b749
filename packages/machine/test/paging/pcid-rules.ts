/** Process-context identifiers. */
import { INVALIDATE, LARGE, type PagingRule } from './rule.ts';
import { REGION, WINDOW } from './world.ts';

const CR4_PCIDE = 0x2_0000;
export const pcid: readonly PagingRule[] = [
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
