/**
 * Sequences of random programs with vector instructions, encoded here: all operands that the engine tells apart, and
 * the faults.
 */
import { PlainLeaves } from './tier-leaves-plain.ts';
import * as M from './tier-map.ts';
import type { Item } from './tier-program.ts';

/** Second opcode bytes behind 66 0F of instructions on a register and a register or 16 bytes of memory. */
const INTEGERS: readonly number[] = [
  [0x60, 0x6d],
  [0x74, 0x76],
  [0xd1, 0xd5],
  [0xd8, 0xe5],
  [0xe8, 0xef],
  [0xf1, 0xf6],
  [0xf8, 0xfe],
].flatMap(([first, last]) => Array.from({ length: last! - first! + 1 }, (_, n) => first! + n));

/** An opcode: mandatory prefix (0 for none), byte behind 0F. */
type Opcode = readonly [prefix: number, opcode: number];

/** Without alignment. */
const LOADS_ANY: readonly Opcode[] = [
  [0, 0x10],
  [0x66, 0x10],
  [0xf3, 0x6f],
  [0xf3, 0x6f],
];
const STORES_ANY: readonly Opcode[] = [
  [0, 0x11],
  [0x66, 0x11],
  [0xf3, 0x7f],
  [0xf3, 0x7f],
];
const LOADS_ALIGNED: readonly Opcode[] = [
  [0, 0x28],
  [0x66, 0x28],
  [0x66, 0x6f],
];
const STORES_ALIGNED: readonly Opcode[] = [
  [0, 0x29],
  [0x66, 0x29],
  [0x66, 0x7f],
  [0, 0x2b],
  [0x66, 0xe7],
];
/** 4 or 8 bytes of memory, or half a register. */
const NARROW_LOADS: readonly Opcode[] = [
  [0, 0x12],
  [0x66, 0x16],
  [0xf2, 0x12],
  [0xf3, 0x7e],
  [0x66, 0x6e],
];
const NARROW_STORES: readonly Opcode[] = [
  [0, 0x13],
  [0x66, 0x17],
  [0x66, 0xd6],
  [0x66, 0x7e],
];
const LOGIC: readonly Opcode[] = [0x54, 0x55, 0x56, 0x57].flatMap((x): Opcode[] => [
  [0, x],
  [0x66, x],
]);
const WITH_IMMEDIATE: readonly Opcode[] = [
  [0x66, 0x70],
  [0xf3, 0x70],
  [0xf2, 0x70],
  [0, 0xc6],
  [0x66, 0xc6],
];

/** Floating point: operations of all four kinds, comparisons and conversions. */
const FLOATS: readonly Opcode[] = [
  ...[0, 0xf3, 0x66, 0xf2].flatMap((prefix) =>
    [0x51, 0x58, 0x59, 0x5a, 0x5c, 0x5d, 0x5e, 0x5f].map((opcode): Opcode => [prefix, opcode]),
  ),
  ...[0, 0x66].flatMap((prefix): Opcode[] => [
    [prefix, 0x2e],
    [prefix, 0x2f],
  ]),
  ...[0x66, 0xf2].flatMap((prefix): Opcode[] => [
    [prefix, 0x7c],
    [prefix, 0x7d],
    [prefix, 0xd0],
  ]),
  ...[0, 0x66, 0xf3].map((prefix): Opcode => [prefix, 0x5b]),
  ...[0x66, 0xf2, 0xf3].map((prefix): Opcode => [prefix, 0xe6]),
  ...[0, 0xf3].flatMap((prefix): Opcode[] => [
    [prefix, 0x52],
    [prefix, 0x53],
  ]),
];
/** Lanes that are moved. */
const LANE_MOVES: readonly Opcode[] = [
  [0xf3, 0x10],
  [0xf2, 0x10],
  [0xf3, 0x11],
  [0xf2, 0x11],
  [0xf3, 0x12],
  [0xf3, 0x16],
  [0, 0x14],
  [0x66, 0x15],
];

/** Vector sequences for one scope. */
export class VectorLeaves extends PlainLeaves {
  #xmm(): number {
    return this.random.below(this.s.bits === 64 ? 10 : 8);
  }

  /** Bytes of an instruction with register operands; `rm` as ModRM says. `wide`: REX.W. */
  #registers([prefix, opcode]: Opcode, reg: number, rm: number, immediate?: number, wide = false): string {
    const rex = (wide ? 8 : 0) | (reg >> 3 ? 4 : 0) | (rm >> 3 ? 1 : 0);
    return `db ${[
      ...(prefix ? [prefix] : []),
      ...(rex ? [0x40 | rex] : []),
      0x0f,
      opcode,
      0xc0 | ((reg & 7) << 3) | (rm & 7),
      ...(immediate === undefined ? [] : [immediate]),
    ].join(', ')}`;
  }

  /** Bytes of an instruction with a memory operand: at an address, or around the border by SI (and BX). */
  #memory([prefix, opcode]: Opcode, reg: number, address: number, immediate?: number): string {
    const { bits } = this.s;
    const random = this.random;
    const middle = (reg & 7) << 3;
    const near = address - M.BORDER;
    const low = [address & 0xff, (address >> 8) & 0xff];
    const segment = random.below(16) === 0 ? [random.pick([0x64, 0x65])] : [];
    const form = near >= -128 && near < 128 ? random.below(4) : 0;
    let operand: number[];
    if (form === 0) {
      if (bits === 16) operand = [middle | 6, ...low];
      else if (bits === 32) operand = [middle | 5, ...low, 0, 0];
      else operand = [middle | 4, 0x25, ...low, 0, 0];
    } else if (form === 1 && bits !== 16) operand = [0x44 | middle, random.below(4) * 64 + 0x1e, near & 0xff];
    else operand = [0x40 | middle | (bits === 16 ? 4 : 6), near & 0xff];
    const rex = reg >> 3 ? [0x44] : [];
    return `db ${[
      ...segment,
      ...(prefix ? [prefix] : []),
      ...rex,
      0x0f,
      opcode,
      ...operand,
      ...(immediate === undefined ? [] : [immediate]),
    ].join(', ')}`;
  }

  /** Address of 16 bytes. */
  #address(aligned: boolean): number {
    const random = this.random;
    const fine = aligned ? 16 * random.below(4) : random.below(64);
    return random.pick([
      M.BORDER - 32 + fine,
      M.BORDER - 32 + fine,
      M.BORDER - 32 + fine,
      M.BORDER + 0x40 + (fine & 15 ? fine : 16 * random.below(3)),
      M.DATA_BY_CODE + fine,
      M.STACK - 0x180 + fine,
    ]);
  }
  /** One where something is about: a device, code, a page that is missing, demanded or read-only. */
  #odd(): number {
    const random = this.random;
    const page = random.pick([
      M.DEVICE_PAGE + 0x200,
      M.DEVICE_PAGE,
      M.DEVICE_PAGE + 0x1000,
      M.MISSING_PAGE,
      M.MISSING_PAGE + 0x20,
      M.READ_ONLY_PAGE + 0x40,
      M.READ_ONLY_PAGE,
      M.DEMAND_PAGE + 0x20,
      M.DEMAND_PAGE,
      M.RIGHTS_PAGE + 0x900,
      M.SWAP_PAGE + 0xf00,
    ]);
    return page - (random.below(2) ? 16 * random.below(2) : random.below(20));
  }

  #one(): string {
    const random = this.random;
    const any = (): Opcode => [0x66, random.pick(INTEGERS)];
    switch (random.below(29)) {
      case 0:
      case 1:
        return this.#memory(random.pick(LOADS_ANY), this.#xmm(), this.#address(false));
      case 2:
      case 3:
        return this.#memory(random.pick(STORES_ANY), this.#xmm(), this.#address(false));
      case 4:
        return this.#memory(random.pick(LOADS_ALIGNED), this.#xmm(), this.#address(random.below(4) > 0));
      case 5:
        return this.#memory(random.pick(STORES_ALIGNED), this.#xmm(), this.#address(random.below(4) > 0));
      case 6:
        return this.#memory(any(), this.#xmm(), this.#address(random.below(4) > 0));
      case 7:
        return this.#memory(random.pick(NARROW_LOADS), this.#xmm(), this.#address(false));
      case 8:
        return this.#memory(random.pick(NARROW_STORES), this.#xmm(), this.#address(false));
      case 9:
        return this.#registers(random.pick([...LOADS_ANY, ...LOADS_ALIGNED]), this.#xmm(), this.#xmm());
      case 10:
        return this.#registers(random.pick(LOGIC), this.#xmm(), this.#xmm());
      case 11:
        return this.#registers(random.pick(WITH_IMMEDIATE), this.#xmm(), this.#xmm(), random.next() & 0xff);
      case 12: {
        const [opcode, fields] = random.pick([
          [0x71, [2, 4, 6]],
          [0x72, [2, 4, 6]],
          [0x73, [2, 3, 6, 7]],
        ] as const);
        return this.#registers([0x66, opcode], random.pick(fields), this.#xmm(), random.below(70));
      }
      case 13:
        return this.#general();
      case 14:
        return this.#registers(
          random.pick([[0, 0x12] as const, [0, 0x16] as const]),
          this.#xmm(),
          this.#xmm(),
        );
      case 15:
        // Whatever comes out: the encoded immediate decides.
        return this.#memory(
          random.pick(WITH_IMMEDIATE),
          this.#xmm(),
          this.#address(true),
          random.next() & 0xff,
        );
      case 16:
      case 17:
      case 18:
        return this.#registers(random.pick(FLOATS), this.#xmm(), this.#xmm());
      case 19:
        return this.#memory(random.pick(FLOATS), this.#xmm(), this.#address(random.below(4) > 0));
      case 20: {
        const compare: Opcode = [random.pick([0, 0xf3, 0x66, 0xf2]), 0xc2];
        const predicate = random.next() & 0xff;
        if (random.below(2)) return this.#registers(compare, this.#xmm(), this.#xmm(), predicate);
        return this.#memory(compare, this.#xmm(), this.#address(true), predicate);
      }
      case 21:
        if (random.below(2)) return this.#registers(random.pick(LANE_MOVES), this.#xmm(), this.#xmm());
        return this.#memory(random.pick(LANE_MOVES), this.#xmm(), this.#address(true));
      case 22:
      case 23:
        return this.#mmx();
      default:
        return this.#registers(any(), this.#xmm(), this.#xmm());
    }
  }

  /** On MMX registers: integers, moves, conversions; sometimes x87 has the registers again. */
  #mmx(): string {
    const random = this.random;
    const mm = (): number => random.below(8);
    const any: Opcode = [0, random.pick(INTEGERS.filter((opcode) => opcode !== 0x6c && opcode !== 0x6d))];
    switch (random.below(9)) {
      case 0:
        return random.pick(['db 0x0f, 0x77', 'db 0x0f, 0x77', 'db 0xd9, 0xe8', 'db 0xdb, 0xe3']);
      case 1:
        return this.#memory(any, mm(), this.#address(false));
      case 2:
        return this.#memory(
          random.pick([[0, 0x6f] as const, [0, 0x7f] as const]),
          mm(),
          this.#address(false),
        );
      case 3:
        return this.#registers(random.pick([[0, 0x2a] as const, [0x66, 0x2a] as const]), this.#xmm(), mm());
      case 4:
        return this.#registers([random.pick([0, 0x66]), random.pick([0x2c, 0x2d])], mm(), this.#xmm());
      case 5:
        return random.below(2)
          ? this.#registers([0xf2, 0xd6], mm(), this.#xmm())
          : this.#registers([0xf3, 0xd6], this.#xmm(), mm());
      default:
        return this.#registers(any, mm(), mm());
    }
  }

  /** To and from general registers that may change. */
  #general(): string {
    const random = this.random;
    const number = this.has('d') ? 2 : 0;
    const wide = this.s.bits === 64 && random.below(2) === 0;
    const real = random.pick([0xf3, 0xf2]);
    switch (random.below(8)) {
      case 5:
        return this.#registers([real, 0x2a], this.#xmm(), number, undefined, wide);
      case 6:
        return this.#registers([real, random.pick([0x2c, 0x2d])], number, this.#xmm(), undefined, wide);
      case 7:
        return this.#registers([random.pick([0, 0x66]), 0x50], number, this.#xmm());
      case 0:
        return this.#registers([0x66, 0x6e], this.#xmm(), number, undefined, wide);
      case 1:
        return this.#registers([0x66, 0x7e], this.#xmm(), number, undefined, wide);
      case 2:
        return this.#registers([0x66, 0xd7], number, this.#xmm());
      case 3:
        return this.#registers([0x66, 0xc5], number, this.#xmm(), random.next() & 0xff);
      default:
        return this.#registers([0x66, 0xc4], this.#xmm(), number, random.next() & 0xff);
    }
  }

  /** Vector instructions; any of them may fault, for alignment or because SSE is off. */
  vector(): Item {
    const random = this.random;
    const { patches, user } = this.s;
    switch (random.below(13)) {
      case 0: {
        const store = random.below(2);
        const opcode = random.pick(
          store ? [...STORES_ANY, ...STORES_ALIGNED, ...NARROW_STORES] : [...LOADS_ANY, ...NARROW_LOADS],
        );
        return this.guarded([this.#memory(opcode, this.#xmm(), this.#odd())]);
      }
      case 1: {
        // Code written over with itself.
        if (patches.length === 0) return this.guarded([this.#one()]);
        const { label } = random.pick(patches);
        const at = `@${label}-${random.below(16)}`;
        return {
          ...this.guarded([`movdqu xmm7, [${at}]`, `movdqu [${at}], xmm7`]),
          needs: [label],
        };
      }
      case 2: {
        if (user || !this.has('a') || random.below(3)) return this.guarded([this.#one()]);
        const wide = this.s.bits === 64 ? 'rax' : 'eax';
        const [register, bit] = random.pick([
          ['cr0', 8],
          ['cr4', 0x200],
        ] as const);
        const change = [`mov ${wide}, ${register}`, `xor eax, ${bit}`, `mov ${register}, ${wide}`];
        // On again, most of the time.
        return this.guarded([...change, this.#one(), ...(random.below(8) ? change : [])]);
      }
      case 3: {
        // All registers to memory and back, by TypeScript; then one of them or MXCSR from anywhere.
        const area = M.BORDER + 0x400;
        const image = (field: number, at: number): string => this.#memory([0, 0xae], field, at);
        const [save, restore, load, store] = [0, 1, 2, 3];
        const lines = [image(save, area), this.#one(), image(random.pick([restore, save]), area)];
        return this.guarded([
          this.#one(),
          ...lines,
          image(random.pick([load, store]), area + 24),
          this.#one(),
        ]);
      }
      case 4:
        if (user) return this.guarded([this.#one()]);
        return this.guarded(['clts', this.#one()]);
      default:
        return this.guarded(Array.from({ length: 1 + random.below(5) }, () => this.#one()));
    }
  }
}
