/** Shadow paging: the mail's "I disabled EPT, but the issue persists", and equality with the guest's own tables. */
import {
  CR0_PE,
  CR0_PG,
  CR0_WP,
  CR4_PAE,
  CR4_PSE,
  CR4_SMEP,
  EFER_LMA,
  EFER_NXE,
  PFERR_PRESENT,
  PFERR_RSVD,
  PFERR_USER,
  PFERR_WRITE,
  UnmodelledError,
} from '@smm/x86-defs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ACCESS_EXEC,
  ACCESS_READ,
  ACCESS_WRITE,
  type Access,
  APIC_ACCESS_PAGE_GPA,
  AS_NORMAL,
  AS_SMM,
  FlatMemory,
  GuestWalker,
  installPrivateSlots,
  MemorySlots,
  type PagingState,
  RIGHT_WRITE,
  ShadowMmu,
  SlotTableMemory,
  TRANSLATE_APIC_ACCESS,
  TRANSLATE_OK,
  TRANSLATE_SHADOW_FAULT,
  unpagedState,
  WALK_OK,
} from '../src/index.ts';

const GUEST_PAGES = 32;

/** The bytes of an array, to compare large arrays quickly. */
const bytes = (words: Uint32Array): Buffer => Buffer.from(words.buffer, words.byteOffset, words.byteLength);

class Host {
  readonly memory = new FlatMemory(0x20_0000, 0x8_0000);
  readonly slots = new MemorySlots();
  readonly mmu = new ShadowMmu(this.slots, this.memory);
  readonly faults: number[] = [];
  private nextPage = 0x4_0000;

  constructor(perAddressSpace = false) {
    for (const asId of [AS_NORMAL, AS_SMM] as const) {
      this.slots.set({
        id: 0,
        asId,
        gpa: 0,
        sizeBytes: GUEST_PAGES * 0x1000,
        hostOffset: 0,
        readonly: false,
      });
      this.slots.set({
        id: 1,
        asId,
        gpa: 0xffff_0000,
        sizeBytes: 0x1_0000,
        hostOffset: 0x2_0000,
        readonly: true,
      });
    }
    const pages = {
      allocate: (sizeBytes: number) => {
        this.nextPage += sizeBytes;
        return this.nextPage - sizeBytes;
      },
    };
    this.mmu.apicAccessHostPage = installPrivateSlots(this.slots, this.memory, pages, {
      perAddressSpace,
      apicAccessPage: true,
    }).apicAccessHostPage;
  }

  /** Accesses as a VCPU does. Answers a word for how it ended. */
  access(paging: PagingState, linear: number, access: Access, user = false, smm = false): string {
    for (let tries = 0; tries < 4; tries++) {
      const t = this.mmu.translate(paging, smm, linear, access, user, false);
      if (t.outcome === TRANSLATE_OK) return `ram ${t.hostPage.toString(16)}`;
      if (t.outcome === TRANSLATE_APIC_ACCESS) return `apic ${t.qualification.toString(16)}`;
      expect(t.outcome).toBe(TRANSLATE_SHADOW_FAULT);
      this.faults.push(t.errorCode);
      const fault = this.mmu.handleFault(paging, smm, linear, access, user);
      if (fault.kind === 'page-fault') return `#PF ${fault.errorCode.toString(16)}`;
      if (fault.kind !== 'mapped') return `${fault.kind} ${fault.gpa.toString(16)}`;
    }
    throw new Error('the fault handler does not make progress');
  }
}

const APIC_ID = APIC_ACCESS_PAGE_GPA + 0x20;

describe('the APIC page with EPT off', () => {
  it('outside SMM the read is an APIC access', () => {
    const host = new Host(true);
    expect(host.access(unpagedState(), APIC_ID, ACCESS_READ)).toBe('apic 20');
    expect(host.mmu.result.gpa).toBe(APIC_ID);
    expect(host.faults).toEqual([0]);
  });

  it('in SMM with a page per address space it is a page fault exit and then plain RAM: the issue persists', () => {
    const host = new Host(true);
    const page = host.slots.hostAddress(AS_SMM, APIC_ACCESS_PAGE_GPA);
    expect(host.access(unpagedState(), APIC_ID, ACCESS_READ, false, true)).toBe(`ram ${page.toString(16)}`);
    expect(host.faults).toEqual([0]);
    expect(host.memory.read32(page + 0x20)).toBe(0);
    host.access(unpagedState(), APIC_ID, ACCESS_READ, false, true);
    expect(host.faults).toEqual([0]); // mapped for good
  });

  it('in SMM with the shared page it is an APIC access', () => {
    expect(new Host(false).access(unpagedState(), APIC_ID, ACCESS_READ, false, true)).toBe('apic 20');
  });
});

describe('faults of unpaged code', () => {
  it('a page without slot is MMIO, marked by a reserved bit for the next time', () => {
    const host = new Host();
    expect(host.access(unpagedState(), 0xfed0_0040, ACCESS_READ)).toBe('mmio fed00040');
    expect(host.access(unpagedState(), 0xfed0_0044, ACCESS_WRITE)).toBe('mmio fed00044');
    expect(host.faults).toEqual([0, PFERR_PRESENT | PFERR_RSVD | PFERR_WRITE]);
  });

  it('ROM can be read and fetched; writes are emulated', () => {
    const host = new Host();
    expect(host.access(unpagedState(), 0xffff_fff0, ACCESS_EXEC)).toBe('ram 2f000');
    expect(host.access(unpagedState(), 0xffff_fff0, ACCESS_WRITE)).toBe('readonly-write fffffff0');
    expect(host.access(unpagedState(), 0xffff_fff0, ACCESS_READ)).toBe('ram 2f000');
  });

  it('mappings of unpaged code survive a flush, and go when the slots change', () => {
    const host = new Host();
    host.access(unpagedState(), 0x5000, ACCESS_READ);
    host.mmu.flush(unpagedState());
    host.access(unpagedState(), 0x5000, ACCESS_READ);
    expect(host.faults).toHaveLength(1);
    host.mmu.zapAll();
    host.access(unpagedState(), 0x5000, ACCESS_READ);
    expect(host.faults).toHaveLength(2);
  });
});

describe('paged guests', () => {
  const paged: PagingState = { ...unpagedState(), cr0: (CR0_PE | CR0_PG) >>> 0, cr3: 0x1000 };

  /** A guest whose linear page 0 is page 3, with `flags` at both levels. */
  function guest(flags: number): Host {
    const host = new Host();
    host.memory.write32(0x1000, 0x2007);
    host.memory.write32(0x2000, 0x3000 | flags);
    return host;
  }

  it('sets accessed on a read, dirty on a write, and faults once for each', () => {
    const host = guest(0x7);
    host.access(paged, 0x10, ACCESS_READ);
    expect(host.memory.read32(0x2000)).toBe(0x3027);
    expect(host.mmu.result.tlbRights & RIGHT_WRITE).toBe(0);
    host.access(paged, 0x10, ACCESS_WRITE);
    expect(host.memory.read32(0x2000)).toBe(0x3067);
    expect(host.faults).toEqual([0, PFERR_PRESENT | PFERR_WRITE]);
  });

  it('CR0.WP = 0: supervisor writes and user reads of a read-only user page take turns', () => {
    const host = guest(0x5);
    for (let i = 0; i < 2; i++) {
      expect(host.access(paged, 0, ACCESS_WRITE, false)).toBe('ram 3000');
      expect(host.access(paged, 0, ACCESS_READ, true)).toBe('ram 3000');
      expect(host.access(paged, 0, ACCESS_WRITE, true)).toBe('#PF 7');
    }
    expect(host.access({ ...paged, cr0: (paged.cr0 | CR0_WP) >>> 0 }, 0, ACCESS_WRITE)).toBe('#PF 3');
  });

  it('CR0.WP = 0: the page that became writable stays read-only for a processor with CR0.WP = 1', () => {
    const host = guest(0x5);
    expect(host.access(paged, 0, ACCESS_WRITE)).toBe('ram 3000');
    expect(host.access({ ...paged, cr0: (paged.cr0 | CR0_WP) >>> 0 }, 0, ACCESS_WRITE)).toBe('#PF 3');
  });

  it('processors with different PDPTE registers of one CR3 do not share mappings', () => {
    const host = new Host();
    host.memory.write64(0x2000, 0x4083, 0); // reserved bits: never a page
    host.memory.write64(0x2008, 0x83, 0);
    host.memory.write64(0x3008, 0x3003, 0);
    host.memory.write64(0x3000, 0x83, 0);
    const processor = (directory: number): PagingState => {
      return { ...paged, cr4: CR4_PAE, pdptes: new Uint32Array([directory | 1, 0, 0, 0, 0, 0, 0, 0]) };
    };
    expect(host.access(processor(0x3000), 0x1000, ACCESS_READ)).toBe('ram 1000');
    expect(host.access(processor(0x2000), 0x1000, ACCESS_READ)).toBe('#PF 9');
  });

  it('CR0.WP = 0 with SMEP: the page that became writable cannot be fetched by the supervisor', () => {
    const host = guest(0x5);
    const smep = { ...paged, cr4: CR4_SMEP };
    expect(host.access(smep, 0, ACCESS_WRITE)).toBe('ram 3000');
    expect(host.access(smep, 0, ACCESS_EXEC)).toBe('#PF 11');
    expect(host.access(smep, 0, ACCESS_EXEC, true)).toBe('ram 3000');
  });

  it('CR0.WP = 0 with SMAP is refused', () => {
    const host = guest(0x5);
    const smap = { ...paged, cr4: 0x20_0000, rflagsAc: true };
    expect(() => host.access(smap, 0, ACCESS_WRITE)).toThrow(UnmodelledError);
  });

  it('keeps a mapping until INVLPG, which reaches the whole large page and every role of the CR3', () => {
    const host = new Host();
    const pse = { ...paged, cr4: CR4_PSE };
    const wp = { ...pse, cr0: (pse.cr0 | CR0_WP) >>> 0 };
    host.memory.write32(0x1000, 0x87); // 4 MiB at 0
    expect(host.access(pse, 0x5000, ACCESS_READ)).toBe('ram 5000');
    expect(host.mmu.result.pageSizeBytes).toBe(0x40_0000);
    expect(host.access(wp, 0x5000, ACCESS_READ)).toBe('ram 5000');
    host.memory.write32(0x1000, 0);
    expect(host.access(pse, 0x5000, ACCESS_READ)).toBe('ram 5000');
    host.mmu.invlpg(pse, 0x3f_f000);
    expect(host.access(pse, 0x5000, ACCESS_READ)).toBe('#PF 0');
    expect(host.access(wp, 0x5000, ACCESS_READ)).toBe('#PF 0');
  });

  it('drops everything of a CR3 when it is loaded', () => {
    const host = guest(0x7);
    host.access(paged, 0, ACCESS_READ);
    host.memory.write32(0x2000, 0);
    host.mmu.flush(paged);
    expect(host.access(paged, 0, ACCESS_READ, true)).toBe(`#PF ${PFERR_USER.toString(16)}`);
  });

  it('gives the table pages of old CR3 values back, before its pool is empty', () => {
    const host = guest(0x7);
    for (let i = 0; i < 2000; i++) host.access({ ...paged, cr3: i * 0x1000 }, 0, ACCESS_READ);
    expect(host.access(paged, 0, ACCESS_READ)).toBe('ram 3000');
  });

  it('a table in ROM works: its accessed flags are left alone', () => {
    const host = guest(0x7);
    host.memory.write32(0x2_0000, 0x2007);
    expect(host.access({ ...paged, cr3: 0xffff_0000 }, 0, ACCESS_WRITE)).toBe('ram 3000');
    expect(host.memory.read32(0x2_0000)).toBe(0x2007);
  });

  it('a snapshot continues without new faults', () => {
    const host = guest(0x7);
    host.access(paged, 0, ACCESS_WRITE);
    const copy = new ShadowMmu(host.slots, host.memory);
    copy.restore(structuredClone(host.mmu.save()));
    const t = copy.translate(paged, false, 0, ACCESS_WRITE, false, false);
    expect([t.outcome, t.hostPage, t.gpa]).toEqual([TRANSLATE_OK, 0x3000, 0x3000]);
  });

  it('a debug translation reads the guest tables and changes nothing', () => {
    const host = guest(0x7);
    const before = host.memory.words.slice();
    const t = host.mmu.translate(paged, false, 0x123, ACCESS_WRITE, true, true);
    expect([t.outcome, t.hostPage, t.tlbRights]).toEqual([TRANSLATE_OK, 0x3000, 0]);
    expect(Buffer.compare(bytes(host.memory.words), bytes(before))).toBe(0);
  });
});

describe('shadow tables and the guest tables agree', () => {
  const modes = {
    '32-bit': { cr4: CR4_PSE, efer: 0 },
    pae: { cr4: CR4_PAE, efer: 0 },
    'pae with NX': { cr4: CR4_PAE, efer: EFER_NXE },
    '4-level': { cr4: CR4_PAE, efer: EFER_LMA | EFER_NXE },
  };
  /** True in `percent` of the cases. */
  const often = (percent: number) => fc.integer({ min: 0, max: 99 }).map((n) => n < percent);
  /** An entry whose flags let most walks go on; pages 1 to 6 hold tables, page 32 has no slot. */
  const entry = fc
    .tuple(
      fc.oneof({ weight: 5, arbitrary: fc.integer({ min: 1, max: 6 }) }, fc.nat(GUEST_PAGES)),
      often(95),
      often(75),
      often(75),
      fc.nat(3),
      often(5),
      often(8),
    )
    .map(([page, p, rw, us, ad, ps, nx]) => ({
      low: (page << 12) | (p ? 1 : 0) | (rw ? 2 : 0) | (us ? 4 : 0) | (ad << 5) | (ps ? 0x80 : 0),
      high: nx ? 0x8000_0000 : 0,
    }));
  const step = fc.record({
    linear: fc.tuple(fc.nat(3), fc.nat(3), fc.nat(3), fc.nat(3), fc.boolean()),
    access: fc.constantFrom<Access>(ACCESS_READ, ACCESS_WRITE, ACCESS_EXEC),
    user: fc.boolean(),
    wp: fc.boolean(),
    smep: fc.boolean(),
    edit: fc.option(fc.tuple(fc.nat(5), fc.nat(3), entry), { freq: 4 }),
  });

  it.each(Object.entries(modes))('%s', (mode, registers) => {
    const wide = mode !== '32-bit';
    const long = mode === '4-level';
    const seen = { ram: 0, fault: 0 };
    fc.assert(
      fc.property(
        fc.array(fc.array(entry, { minLength: 4, maxLength: 4 }), { minLength: 6, maxLength: 6 }),
        fc.array(step, { minLength: 30, maxLength: 60 }),
        (tables, steps) => {
          const host = new Host();
          const direct = new GuestWalker(new SlotTableMemory(host.slots, host.memory, AS_NORMAL));
          const write = (table: number, index: number, e: { low: number; high: number }): void => {
            const low = wide && !long && table === 1 ? e.low & ~0x1e6 : e.low;
            if (wide) {
              host.memory.write64(table * 0x1000 + index * 8, low, e.high);
              // The top half of a 4-level address space gets the same tables.
              if (long && table === 1) host.memory.write64(0x1000 + (256 + index) * 8, low, e.high);
            } else host.memory.write32(table * 0x1000 + index * 4, low);
          };
          tables.forEach((entries, table) => {
            for (let i = 0; i < 4; i++) write(table, i, entries[i] as { low: number; high: number });
          });
          for (const s of steps) {
            const paging: PagingState = {
              ...unpagedState(),
              ...registers,
              cr0: (CR0_PE | CR0_PG | (s.wp ? CR0_WP : 0)) >>> 0,
              cr3: 0x1000,
              cr4: registers.cr4 | (s.smep ? CR4_SMEP : 0),
            };
            const [i4, i3, i2, i1, upper] = s.linear;
            let linear: number;
            if (!wide) linear = i2 * 0x40_0000 + i1 * 0x1000;
            else linear = i3 * 0x4000_0000 + i2 * 0x20_0000 + i1 * 0x1000;
            if (long) linear += i4 * 2 ** 39;
            if (long && upper) linear = -(2 ** 47) + linear;
            if (s.edit) {
              write(...s.edit);
              host.mmu.flush(paging);
            }
            // The direct walk goes first on a copy of the tables, so that its flags are not seen by the other.
            const before = host.memory.words.slice(0, (GUEST_PAGES * 0x1000) / 4);
            const w = direct.walk(paging, linear, s.access, s.user, false);
            let expected: string;
            if (w.outcome !== WALK_OK) {
              expected = w.outcome === 1 ? `#PF ${w.errorCode.toString(16)}` : 'table';
            } else {
              const slot = host.slots.find(AS_NORMAL, w.gpa);
              expected = slot
                ? `ram ${(slot.hostOffset + w.gpa - slot.gpa).toString(16)}`
                : `mmio ${w.gpa.toString(16)}`;
            }
            const after = host.memory.words.slice(0, before.length);
            host.memory.words.set(before);
            const actual = host.access(paging, linear, s.access, s.user);
            if (expected !== 'table') expect(actual).toBe(expected);
            else expect(actual).toMatch(/^#PF /);
            if (actual.startsWith('ram')) seen.ram++;
            if (actual.startsWith('#PF')) seen.fault++;
            if (actual.startsWith('ram'))
              expect(Buffer.compare(bytes(host.memory.words.slice(0, before.length)), bytes(after))).toBe(0);
          }
        },
      ),
      { numRuns: 150 },
    );
    // Random tables must not make the comparison empty.
    expect(seen.ram).toBeGreaterThan(200);
    expect(seen.fault).toBeGreaterThan(200);
  });
});
