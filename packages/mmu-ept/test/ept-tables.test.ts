/** EPT tables against a Map, and the architecture's rules for entries that KVM never writes. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ACCESS_EXEC,
  ACCESS_READ,
  ACCESS_WRITE,
  apicAccessQualification,
  EPT_MISCONFIG,
  EPT_OK,
  EPT_ORIGIN_FINAL,
  EPT_VIOLATION,
  type EptOptions,
  EptTables,
  FlatMemory,
  MemorySlots,
  NestedWalker,
  TdpMmu,
  unpagedState,
} from '../src/index.ts';

const OPTIONS: EptOptions = { accessedDirty: false, executeOnly: false, hostMaxPhyAddr: 46 };

/** Guest pages that differ in each of the four table indexes. */
const page = fc
  .tuple(fc.nat(2), fc.nat(2), fc.nat(2), fc.constantFrom(0, 1, 511))
  .map(([l4, l3, l2, l1]) => l4 * 2 ** 39 + l3 * 2 ** 30 + l2 * 2 ** 21 + l1 * 2 ** 12);

const command = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      op: fc.constant('map' as const),
      page,
      host: fc.nat(2 ** 30),
      rights: fc.constantFrom(1, 3, 5, 7),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ op: fc.constant('mmio' as const), page, generation: fc.nat(2 ** 21) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ op: fc.constant('zap' as const), page, pages: fc.integer({ min: 1, max: 1100 }) }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('zapAll' as const) }) },
  {
    weight: 8,
    arbitrary: fc.record({
      op: fc.constant('walk' as const),
      page,
      offset: fc.nat(4095),
      needed: fc.constantFrom(1, 2, 3, 4),
    }),
  },
);

type Model = Map<number, { host: number; rights: number } | { generation: number }>;

describe('EptTables', () => {
  it('behaves like a map from pages to frames, with the exit qualifications of the SDM', () => {
    fc.assert(
      fc.property(fc.array(command, { minLength: 20, maxLength: 60 }), (commands) => {
        const memory = new FlatMemory(0x8_0000, 0);
        const ept = new EptTables(memory, OPTIONS);
        const model: Model = new Map();
        for (const c of commands) {
          if (c.op === 'map') {
            ept.map(c.page, c.host * 0x1000, c.rights);
            model.set(c.page, { host: c.host * 0x1000, rights: c.rights });
          } else if (c.op === 'mmio') {
            ept.markMmio(c.page, c.generation);
            model.set(c.page, { generation: c.generation % 2 ** 20 });
          } else if (c.op === 'zap') {
            ept.zapRange(c.page, c.pages * 0x1000);
            for (const key of [...model.keys()]) {
              if (key >= c.page && key < c.page + c.pages * 0x1000) model.delete(key);
            }
          } else if (c.op === 'zapAll') {
            ept.zapAll();
            model.clear();
            expect(ept.tablePageCount).toBe(1);
          } else {
            const r = ept.walk(c.page + c.offset, c.needed, EPT_ORIGIN_FINAL, false);
            const m = model.get(c.page);
            if (m === undefined) {
              expect([r.outcome, r.qualification]).toEqual([EPT_VIOLATION, 0x180 | c.needed]);
            } else if ('generation' in m) {
              expect([r.outcome, r.mmio, r.mmioGeneration]).toEqual([EPT_MISCONFIG, true, m.generation]);
            } else if ((m.rights & c.needed) !== c.needed) {
              const qualification = 0x180 | c.needed | (m.rights << 3);
              expect([r.outcome, r.qualification]).toEqual([EPT_VIOLATION, qualification]);
            } else {
              expect([r.outcome, r.hostPage, r.rights]).toEqual([EPT_OK, m.host, m.rights]);
            }
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it('gives every table page back, so that its pool does not drain', () => {
    const memory = new FlatMemory(0x5000, 0); // root and one chain of three, and one spare page
    const ept = new EptTables(memory, OPTIONS);
    for (let i = 0; i < 100; i++) {
      ept.map(i * 2 ** 39, 0x1000, 7);
      ept.zapAll();
    }
    ept.map(0, 0x1000, 7);
    expect(() => ept.map(2 ** 39, 0x1000, 7)).toThrow(
      expect.objectContaining({ code: 'MMU_TABLE_POOL_EMPTY' }),
    );
  });

  it('a snapshot of its pages continues with the mappings that memory holds', () => {
    const memory = new FlatMemory(0x10_000, 0);
    const tdp = new TdpMmu(new MemorySlots(), memory, OPTIONS);
    tdp.tables(true).map(0x3000, 0x7000, 5);
    const saved = structuredClone(tdp.save());
    const copy = new TdpMmu(new MemorySlots(), new FlatMemory(0x2000, 0), OPTIONS);
    expect(copy.save()).not.toEqual(saved);
    const twin = new TdpMmu(new MemorySlots(), memory, OPTIONS);
    twin.restore(saved);
    expect(twin.tables(true).walk(0x3000, 4, EPT_ORIGIN_FINAL, false).hostPage).toBe(0x7000);
    expect(twin.tables(false).walk(0x3000, 4, EPT_ORIGIN_FINAL, false).outcome).toBe(EPT_VIOLATION);
  });
});

describe('accessed and dirty flags of EPT', () => {
  it('are set by walks but not by debug walks; a clean page is not ready for writes', () => {
    const memory = new FlatMemory(0x10_000, 0);
    const ept = new EptTables(memory, { ...OPTIONS, accessedDirty: true });
    ept.map(0x3000, 0x7000, 7);
    const leaf = 0x3000 + 3 * 8; // fourth page of the pool, entry 3
    expect(memory.read32(leaf)).toBe(0x7337); // KVM maps accessed and dirty
    memory.write32(leaf, 0x7037);
    expect(ept.walk(0x3000, 1, EPT_ORIGIN_FINAL, true).dirtyOk).toBe(false);
    expect(memory.read32(leaf)).toBe(0x7037);
    expect(ept.walk(0x3000, 1, EPT_ORIGIN_FINAL, false).dirtyOk).toBe(false);
    expect(memory.read32(leaf)).toBe(0x7137);
    expect(ept.walk(0x3000, 2, EPT_ORIGIN_FINAL, false).dirtyOk).toBe(true);
    expect(memory.read32(leaf)).toBe(0x7337);
    memory.write32(leaf, 0x7137);
    const t = new NestedWalker(memory).walk(ept, unpagedState(), 0x3000, 0, false, false);
    expect([t.rights, t.tlbRights, t.dirtyOk]).toEqual([7, 5, false]);
    expect(memory.read32(0)).toBe(0x1107); // the root entry is accessed too
  });
});

describe('EPT entries by the SDM', () => {
  /** Walks guest-physical 12345h, level-1 index 12h, with one entry written at `level` by hand. */
  function walkWith(level: number, low: number, high: number, options: EptOptions = OPTIONS): EptTables {
    const memory = new FlatMemory(0x10_000, 0);
    const ept = new EptTables(memory, options);
    ept.map(0x1_2000, 0x7000, 7);
    const table = (4 - level) * 0x1000;
    memory.write64(table + (level === 1 ? 0x12 * 8 : 0), low, high);
    ept.walk(0x1_2345, 1, EPT_ORIGIN_FINAL, false);
    return ept;
  }

  it.each([
    ['write without read', 1, 0x7032, 0],
    ['write and execute without read, KVM’s MMIO mark', 1, 0x6, 0],
    ['execute only without the capability', 1, 0x7034, 0],
    ['memory type 2', 1, 0x7017, 0],
    ['memory type 7', 1, 0x703f, 0],
    ['address bit 46 with MAXPHYADDR 46', 1, 0x7037, 0x4000],
    ['reserved bit 3 of an entry that points to a table', 2, 0x300f, 0],
    ['bit 7 of a PML4 entry', 4, 0x1087, 0],
    ['2 MiB page, bit 12 set', 2, 0x10b7, 0],
    ['1 GiB page, bit 21 set', 3, 0x20_00b7, 0],
  ])('misconfigured: %s', (_name, level, low, high) => {
    expect(walkWith(level, low, high).result.outcome).toBe(EPT_MISCONFIG);
  });

  it.each([
    ['a 2 MiB page', 2, 0x4000_00b7, 0x4001_2000, 0x20_0000],
    ['a 1 GiB page', 3, 0x8000_00b7, 0x8001_2000, 0x4000_0000],
    ['ignored bits 63:52', 1, 0x7037, 0x7000, 0x1000],
  ])('translates %s', (_name, level, low, hostPage, size) => {
    const r = walkWith(level, low, 0xfff0_0000).result;
    expect([r.outcome, r.hostPage, r.pageSizeBytes]).toEqual([EPT_OK, hostPage, size]);
  });

  it('execute-only is a violation for reads where the processor has it, with X alone in bits 5:3', () => {
    const r = walkWith(1, 0x7034, 0, { ...OPTIONS, executeOnly: true }).result;
    expect([r.outcome, r.qualification]).toEqual([EPT_VIOLATION, 0x1a1]);
  });

  it('bits 5:3 are the AND over all levels', () => {
    const memory = new FlatMemory(0x10_000, 0);
    const ept = new EptTables(memory, OPTIONS);
    ept.map(0, 0x7000, 3);
    memory.write32(0x1000, 0x2005); // level 3: read and execute
    const r = ept.walk(0, 2, EPT_ORIGIN_FINAL, false);
    expect([r.outcome, r.qualification]).toEqual([EPT_VIOLATION, 0x18a]);
  });
});

// Intel SDM Vol. 3, "Exit Qualification for APIC-Access VM Exits from Linear Accesses and Guest-Physical Accesses".
it.each([
  [ACCESS_READ, 0x0020],
  [ACCESS_WRITE, 0x1020],
  [ACCESS_EXEC, 0x2020],
] as const)('an APIC access of kind %i at 20h has the exit qualification %x', (access, qualification) => {
  expect(apicAccessQualification(0xfee0_0020, access)).toBe(qualification);
});
