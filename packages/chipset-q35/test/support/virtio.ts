/** A driver of one virtqueue, as accesses. Test code only. */
import { configWrite } from './model.ts';
import { read, write } from './pci-board.ts';
import type { Access, Size } from './qemu-oracle.ts';

export const SLOT = 3;
export const BDF = SLOT << 3;
export const BAR = 0xe010_0000;
export const MSIX = 0xe020_0000;
/** Table of descriptors, available ring, used ring; then room for requests. */
export const TABLE = 0x8_0000;
export const AVAILABLE = 0x8_2000;
export const USED = 0x8_3000;
export const ROOM = 0x9_0000;

const set = (offset: number, value: number, size: Size = 4): Access => ({
  kind: 'write',
  gpa: BAR + offset,
  size,
  value,
});
export const get = (offset: number, size: Size = 4): Access => ({ kind: 'read', gpa: BAR + offset, size });

/** The function is found and may master. */
export const placed: Access[] = [
  ...configWrite(BDF, 0x14, 4, MSIX),
  ...configWrite(BDF, 0x20, 4, BAR),
  ...configWrite(BDF, 0x24, 4, 0),
  ...configWrite(BDF, 0x04, 2, 6),
];

/** Reset, negotiated and running, with queue 0 in its place. */
export const started = (features: number, queueSize?: number): Access[] => [
  ...[set(0x14, 0, 1), set(0x14, 1, 1), set(0x14, 3, 1)],
  ...[set(0x08, 0), set(0x0c, features), set(0x08, 1), set(0x0c, 1), set(0x14, 0x0b, 1), get(0x14, 1)],
  ...[set(0x16, 0, 2), ...(queueSize === undefined ? [] : [set(0x18, queueSize, 2)])],
  ...[set(0x20, TABLE), set(0x24, 0), set(0x28, AVAILABLE), set(0x2c, 0), set(0x30, USED), set(0x34, 0)],
  ...[set(0x1a, 0xffff, 2), set(0x1c, 1, 2), set(0x14, 0x0f, 1)],
];

/** A descriptor: address, length, flags (1 next, 2 write, 4 indirect), next. */
export type Descriptor = readonly [gpa: number, length: number, flags: number, next: number];

export const descriptors = (list: readonly Descriptor[], at = TABLE): Access[] =>
  list.flatMap(([gpa, length, flags, next], i) => [
    ...[write(at + 16 * i, gpa), write(at + 16 * i + 4, 0), write(at + 16 * i + 8, length)],
    write(at + 16 * i + 12, flags | (next << 16)),
  ]);

/** Makes the chain that begins with descriptor 0 the `n`th available one, and says so. */
export const offered = (n: number, queueSize = 256, head = 0): Access[] => [
  { kind: 'write', gpa: AVAILABLE + 4 + 2 * (n % queueSize), size: 2, value: head },
  { kind: 'write', gpa: AVAILABLE + 2, size: 2, value: (n + 1) & 0xffff },
  { kind: 'write', gpa: BAR + 0x3000, size: 2, value: 0 },
];

/**
 * A request of a disk: header, data, status; waits until the used ring has it. On QEMU the interrupt comes a moment
 * later.
 */
export const request = (
  n: number,
  {
    type,
    sector,
    pieces,
    indirect = false,
  }: {
    readonly type: number;
    readonly sector: number;
    readonly pieces: readonly (readonly [number, number])[];
    readonly indirect?: boolean;
  },
): Access[] => {
  const [header, status] = [ROOM - 0x100, ROOM - 0x80];
  const direction = type === 1 ? 0 : 2;
  const chain: Descriptor[] = [
    [header, 16, 1, 1],
    ...pieces.map(([gpa, length], i): Descriptor => [gpa, length, 1 | direction, i + 2]),
    [status, 1, 2, 0],
  ];
  return [
    ...[write(header, type), write(header + 4, 0), write(header + 8, sector), write(header + 12, 0)],
    write(status, 0xff),
    ...(indirect
      ? [...descriptors(chain, TABLE + 0x1000), ...descriptors([[TABLE + 0x1000, 16 * chain.length, 4, 0]])]
      : descriptors(chain)),
    ...offered(n),
    { kind: n % 2 === 0 ? 'until-set' : 'until-clear', gpa: USED, value: 0x1_0000 },
    ...[read(status), read(USED), read(USED + 4 + 8 * (n % 256)), read(USED + 8 + 8 * (n % 256))],
  ];
};
