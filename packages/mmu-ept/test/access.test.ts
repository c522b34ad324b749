/**
 * Permutation tests of the guest walkers in the manner of kvm-unit-tests' access test: every combination of the named
 * bits, with what should happen computed by a small specification that shares no code with the walker.
 */
import { describe, expect, it } from 'vitest';
import { type Access, FlatMemory, GuestWalker, type PagingState, unpagedState } from '../src/index.ts';

/** One case: names of bits that are set, plus the access. */
type Case = Record<string, boolean>;

const ACCESSES = ['read', 'write', 'fetch'] as const;
type Kind = (typeof ACCESSES)[number];

/** What the SDM promises, in words of the manual. */
interface Expected {
  /** Error code, or -1 when the access goes through. */
  error: number;
  /** Letters of what this privilege class may do. */
  rights: string;
}

/** May `kind` go to a page with these properties? "Determination of Access Rights" of the SDM, one sentence a line. */
function allowed(
  c: Case,
  kind: Kind,
  user: boolean,
  page: { user: boolean; rw: boolean; nx: boolean },
): boolean {
  if (user && !page.user) return false;
  if (kind === 'fetch' && page.nx) return false;
  if (kind === 'fetch' && !user && page.user && c['cr4.smep']) return false;
  if (kind !== 'fetch' && !user && page.user && c['cr4.smap'] && !c['rflags.ac']) return false;
  if (kind === 'write' && !page.rw) return !user && !c['cr0.wp'];
  return true;
}

/** The specification: `levels` are the prefixes of the entries in walking order, up to the leaf. */
function specify(c: Case, levels: readonly string[], kind: Kind, user: boolean, wide: boolean): Expected {
  const fetchBit = kind === 'fetch' && (c['cr4.smep'] || (wide && c['efer.nx'])) ? 0x10 : 0;
  const access = (kind === 'write' ? 2 : 0) | (user ? 4 : 0) | fetchBit;
  for (const level of levels) {
    if (!c[`${level}.p`]) return { error: access, rights: '' };
    if (c[`${level}.rsvd`] || (c[`${level}.nx`] && !c['efer.nx'])) return { error: access | 9, rights: '' };
  }
  const page = {
    user: levels.every((level) => c[`${level}.user`]),
    rw: levels.every((level) => c[`${level}.rw`]),
    nx: levels.some((level) => c[`${level}.nx`]),
  };
  const rights = ACCESSES.filter((k) => allowed(c, k, user, page)).join(' ');
  return { error: allowed(c, kind, user, page) ? -1 : access | 1, rights };
}

const RIGHTS = ['', 'read', 'write', 'read write', 'fetch', 'read fetch', 'write fetch', 'read write fetch'];

/** Runs all combinations of `names` x access x privilege; `run` answers a complaint or nothing. */
function permute(
  names: readonly string[],
  run: (c: Case, kind: Kind, user: boolean, access: Access) => string | undefined,
): { cases: number; complaints: string[] } {
  const c: Case = {};
  const complaints: string[] = [];
  let cases = 0;
  for (let bits = 0; bits < 1 << names.length; bits++) {
    for (let i = 0; i < names.length; i++) c[names[i] as string] = (bits & (1 << i)) !== 0;
    for (const access of [0, 1, 2] as const) {
      for (const user of [false, true]) {
        const kind = ACCESSES[access] as Kind;
        const complaint = run(c, kind, user, access);
        cases++;
        if (complaint === undefined || complaints.length >= 5) continue;
        const set = names.filter((name) => c[name]).join(' ');
        complaints.push(`${set} ${user ? 'user' : 'supervisor'} ${kind}: ${complaint}`);
      }
    }
  }
  return { cases, complaints };
}

/** Compares one walk with the specification; entries are {address, low, high} in walking order, up to the leaf. */
function compare(
  memory: FlatMemory,
  walker: GuestWalker,
  paging: PagingState,
  linear: number,
  access: Access,
  user: boolean,
  expected: Expected,
  entries: readonly { at: number; low: number }[],
  frame: number,
): string | undefined {
  const r = walker.walk(paging, linear, access, user, false);
  if (r.outcome === 2) return 'table access failed';
  const error = r.outcome === 0 ? -1 : r.errorCode;
  if (error !== expected.error) return `error code ${error.toString(16)}, not ${expected.error.toString(16)}`;
  for (let i = 0; i < entries.length; i++) {
    const { at, low } = entries[i] as { at: number; low: number };
    // A page fault leaves the tables alone; else accessed everywhere, and dirty in the leaf of a write.
    const dirty = i === entries.length - 1 && access === 1 ? 0x40 : 0;
    const after = error >= 0 ? low : (low | 0x20 | dirty) >>> 0;
    if (memory.read32(at) !== after) return `entry ${i} is ${memory.read32(at).toString(16)}`;
    memory.write32(at, low);
  }
  if (error >= 0) return undefined;
  if (r.gpa !== frame) return `frame ${r.gpa.toString(16)}`;
  if (RIGHTS[r.rights] !== expected.rights) return `rights '${RIGHTS[r.rights]}', not '${expected.rights}'`;
  const leaf = entries[entries.length - 1] as { low: number };
  const dirtyOk = access === 1 || (leaf.low & 0x40) !== 0;
  if (r.dirtyOk !== dirtyOk) return `dirtyOk ${r.dirtyOk}`;
  if (r.tlbRights !== (dirtyOk ? r.rights : r.rights & ~2)) return `tlbRights ${r.tlbRights}`;
  return undefined;
}

const low = (c: Case, level: string): number =>
  (c[`${level}.p`] ? 1 : 0) |
  (c[`${level}.rw`] ? 2 : 0) |
  (c[`${level}.user`] ? 4 : 0) |
  (c[`${level}.d`] ? 0x40 : 0) |
  (c[`${level}.ps`] ? 0x80 : 0);

function state(c: Case, registers: Partial<PagingState>): PagingState {
  return {
    ...unpagedState(),
    cr3: 0x1000,
    ...registers,
    cr0: (0x8000_0001 | (c['cr0.wp'] ? 0x1_0000 : 0)) >>> 0,
    cr4: (registers.cr4 ?? 0) | (c['cr4.smep'] ? 0x10_0000 : 0) | (c['cr4.smap'] ? 0x20_0000 : 0),
    efer: (registers.efer ?? 0) | (c['efer.nx'] ? 0x800 : 0),
    rflagsAc: c['rflags.ac'] ?? false,
  };
}

const CPU_BITS = ['cr0.wp', 'cr4.smep', 'cr4.smap', 'rflags.ac'];

describe('32-bit paging', () => {
  it('every combination of PDE, PTE and control bits', () => {
    const memory = new FlatMemory(0x8000);
    const walker = new GuestWalker(memory);
    const names = [
      ...[
        'pte.p',
        'pte.rw',
        'pte.user',
        'pte.d',
        'pde.p',
        'pde.rw',
        'pde.user',
        'pde.ps',
        'pde.high',
        'cr4.pse',
      ],
      ...CPU_BITS,
    ];
    const linear = 0x40_1000;
    const { cases, complaints } = permute(names, (c, kind, user, access) => {
      const large = c['pde.ps'] && c['cr4.pse'];
      // Bits 21:13 are reserved in a 4 MiB page without PSE-36 and part of the table's address otherwise.
      const pde = { at: 0x1004, low: (large ? (c['pde.high'] ? 0x2000 : 0) : 0x2000) | low(c, 'pde') };
      const pte = { at: 0x2004, low: 0x5000 | low(c, 'pte') };
      memory.write32(pde.at, pde.low);
      memory.write32(pte.at, pte.low);
      const spec = { ...c, 'pde.rsvd': large && c['pde.high'] } as Case;
      const expected = specify(spec, large ? ['pde'] : ['pde', 'pte'], kind, user, false);
      const paging = state(c, { cr4: c['cr4.pse'] ? 0x10 : 0 });
      const entries = large ? [pde] : [pde, pte];
      return compare(
        memory,
        walker,
        paging,
        linear,
        access,
        user,
        expected,
        entries,
        large ? 0x1000 : 0x5000,
      );
    });
    expect(complaints).toEqual([]);
    expect(cases).toBe(2 ** 14 * 6);
  });

  it('PSE-36 takes address bits 39:32 from bits 20:13 as far as MAXPHYADDR goes', () => {
    const memory = new FlatMemory(0x2000);
    const walker = new GuestWalker(memory);
    const paging = { ...state({}, { cr4: 0x10 }), pse36: true, maxPhyAddr: 36 };
    memory.write32(0x1000, 0x0040_0083 | (0xf << 13));
    expect(walker.walk(paging, 0x12345, 0, false, false).gpa).toBe(0xf_0041_2000);
    memory.write32(0x1000, 0x0040_0083 | (0x10 << 13));
    expect(walker.walk(paging, 0x12345, 0, false, false).errorCode).toBe(0x9);
    expect(walker.walk({ ...paging, maxPhyAddr: 40 }, 0x12345, 0, false, false).gpa).toBe(0x10_0041_2000);
    memory.write32(0x1000, 0x0040_0083 | (1 << 21));
    expect(walker.walk({ ...paging, maxPhyAddr: 52 }, 0x12345, 0, false, false).errorCode).toBe(0x9);
  });
});

describe.each([
  ['PAE paging', false],
  ['4-level paging', true],
])('%s', (_name, long) => {
  const names = [
    ...['pte.p', 'pte.rw', 'pte.user', 'pte.nx', 'pte.rsvd', 'pte.d'],
    ...['pde.p', 'pde.rw', 'pde.user', 'pde.nx', 'pde.ps', 'pde.rsvd', 'efer.nx'],
    ...CPU_BITS,
  ];
  const registers = { cr4: 0x20, efer: long ? 0x500 : 0 };

  it('every combination of PDE, PTE and control bits', () => {
    const memory = new FlatMemory(0x8000);
    const walker = new GuestWalker(memory);
    const linear = long ? -(2 ** 47) + 2 ** 30 + 0x20_1000 : 0x4020_1000;
    if (long) {
      memory.write64(0x1000 + 256 * 8, 0x4027, 0);
      memory.write64(0x4008, 0x2027, 0);
    } else {
      memory.write64(0x1008, 0x2001, 0);
    }
    const { cases, complaints } = permute(names, (c, kind, user, access) => {
      // The reserved bit is the lowest one above MAXPHYADDR = 36.
      const high = (level: string): number =>
        (c[`${level}.nx`] ? 0x8000_0000 : 0) | (c[`${level}.rsvd`] ? 0x10 : 0);
      const pde = { at: 0x2008, low: (c['pde.ps'] ? 0x60_0000 : 0x3000) | low(c, 'pde') };
      const pte = { at: 0x3008, low: 0x5000 | low(c, 'pte') };
      memory.write64(pde.at, pde.low, high('pde') >>> 0);
      memory.write64(pte.at, pte.low, high('pte') >>> 0);
      const expected = specify(c, c['pde.ps'] ? ['pde'] : ['pde', 'pte'], kind, user, true);
      const entries = c['pde.ps'] ? [pde] : [pde, pte];
      const frame = c['pde.ps'] ? 0x60_1000 : 0x5000;
      return compare(memory, walker, state(c, registers), linear, access, user, expected, entries, frame);
    });
    expect(complaints).toEqual([]);
    expect(cases).toBe(2 ** 17 * 6);
  });
});

describe('rights over four levels', () => {
  it('are the AND of R/W and U/S and the OR of NX at every level', () => {
    const memory = new FlatMemory(0x8000);
    const walker = new GuestWalker(memory);
    const levels = ['pml4e', 'pdpte', 'pde', 'pte'];
    const names = levels.flatMap((level) => [`${level}.p`, `${level}.rw`, `${level}.user`, `${level}.nx`]);
    const linear = 3 * 2 ** 39 + 2 * 2 ** 30 + 5 * 2 ** 21 + 7 * 2 ** 12;
    const offsets = [3, 2, 5, 7];
    const { complaints } = permute(names, (c, kind, user, access) => {
      c['cr0.wp'] = true;
      c['efer.nx'] = true;
      const entries = levels.map((level, i) => {
        const entry = {
          at: (i + 1) * 0x1000 + (offsets[i] as number) * 8,
          low: (i + 2) * 0x1000 + low(c, level),
        };
        memory.write64(entry.at, entry.low, c[`${level}.nx`] ? 0x8000_0000 : 0);
        return entry;
      });
      const expected = specify(c, levels, kind, user, true);
      const paging = state(c, { cr4: 0x20, efer: 0x500 });
      return compare(memory, walker, paging, linear, access, user, expected, entries, 0x5000);
    });
    expect(complaints).toEqual([]);
  });
});

describe('reserved bits by level and feature', () => {
  const long = state({ 'efer.nx': true }, { cr4: 0x20, efer: 0x500 });
  /** Error code of a read of linear 0 with these entries at 1000h, 2000h, 3000h, 4000h; -1 if it goes through. */
  function read(paging: PagingState, entries: readonly (readonly [number, number])[]): number {
    const memory = new FlatMemory(0x8000);
    entries.forEach(([l, h], i) => {
      memory.write64((i + 1) * 0x1000, l, h);
    });
    const r = new GuestWalker(memory).walk(paging, 0, 0, false, false);
    return r.outcome === 0 ? -1 : r.errorCode;
  }
  const wide = { ...long, maxPhyAddr: 52 };
  it.each([
    ['PS in a PML4E', long, [[0x2083, 0]], 9],
    [
      '1 GiB page without the feature',
      long,
      [
        [0x2003, 0],
        [0x83, 0],
      ],
      9,
    ],
    [
      '1 GiB page with it',
      { ...long, pages1GiB: true },
      [
        [0x2003, 0],
        [0x83, 0],
      ],
      -1,
    ],
    [
      '1 GiB page, bit 29 set',
      { ...long, pages1GiB: true },
      [
        [0x2003, 0],
        [0x2000_0083, 0],
      ],
      9,
    ],
    [
      '2 MiB page, PAT bit 12',
      long,
      [
        [0x2003, 0],
        [0x3003, 0],
        [0x1083, 0],
      ],
      -1,
    ],
    [
      '2 MiB page, bit 13 set',
      long,
      [
        [0x2003, 0],
        [0x3003, 0],
        [0x2083, 0],
      ],
      9,
    ],
    ['address bit 36 with MAXPHYADDR 36', long, [[0x2003, 0x10]], 9],
    ['address bit 35 with MAXPHYADDR 36 leads outside memory', long, [[0x2003, 0x8]], -2],
    [
      'ignored bits 62:52',
      wide,
      [
        [0x2003, 0x7ff0_0000],
        [0x3003, 0],
        [0x83, 0],
      ],
      -1,
    ],
    [
      'bits 62:52 in PAE paging',
      { ...wide, efer: 0 },
      [
        [0x2001, 0],
        [0x83, 0x10_0000],
      ],
      9,
    ],
    ['a PDPTE with an address bit above MAXPHYADDR', { ...long, efer: 0 }, [[0x2001, 0x10]], 9],
    [
      'a PDPTE with bits 2:1, from memory as QEMU reads it',
      { ...long, efer: 0 },
      [
        [0x2007, 0],
        [0x83, 0],
      ],
      -1,
    ],
  ] as const)('%s', (_name, paging, entries, error) => {
    if (error === -2) {
      const memory = new FlatMemory(0x8000);
      memory.write64(0x1000, 0x2003, 8);
      const r = new GuestWalker(memory).walk(paging, 0, 0, false, false);
      expect([r.outcome, r.tableGpa, r.tableWrite]).toEqual([2, 0x8_0000_2000, false]);
    } else {
      expect(read(paging, entries)).toBe(error);
    }
  });
});
