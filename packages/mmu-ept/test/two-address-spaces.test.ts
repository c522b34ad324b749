/**
 * The mechanism of the 2015 defect on the pieces of this package: private slots with a host page per address space.
 * Numbers are those of the edk2-devel mail and of the relocation facts.
 */
import { PFERR_WRITE } from '@smm/x86-defs';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  ACCESS_EXEC,
  ACCESS_READ,
  ACCESS_RMW,
  ACCESS_WRITE,
  type Access,
  APIC_ACCESS_PAGE_GPA,
  AS_NORMAL,
  AS_SMM,
  FlatMemory,
  identityMapState,
  installPrivateSlots,
  MemorySlots,
  NestedWalker,
  type PagingState,
  QEMU_IDENTITY_MAP_GPA,
  QEMU_TSS_GPA,
  TdpMmu,
  TRANSLATE_APIC_ACCESS,
  TRANSLATE_EPT_MISCONFIG,
  TRANSLATE_EPT_VIOLATION,
  TRANSLATE_OK,
  TRANSLATE_PAGE_FAULT,
  type Translation,
  unpagedState,
} from '../src/index.ts';

const APIC_ID = 0xfee0_0020;

class Host {
  readonly memory = new FlatMemory(0x40_0000, 0x20_0000);
  readonly slots = new MemorySlots();
  readonly tdp: TdpMmu;
  readonly walker = new NestedWalker(this.memory);
  readonly exits: string[] = [];
  private nextPage = 0x10_0000;

  constructor(perAddressSpace: boolean, accessedDirty = true) {
    for (const asId of [AS_NORMAL, AS_SMM] as const) {
      this.slots.set({ id: 0, asId, gpa: 0, sizeBytes: 0x8_0000, hostOffset: 0, readonly: false });
      this.slots.set({
        id: 1,
        asId,
        gpa: 0xffff_0000,
        sizeBytes: 0x1_0000,
        hostOffset: 0x8_0000,
        readonly: true,
      });
    }
    const pages = {
      allocate: (sizeBytes: number) => {
        this.nextPage += sizeBytes;
        return this.nextPage - sizeBytes;
      },
    };
    const { apicAccessHostPage } = installPrivateSlots(this.slots, this.memory, pages, {
      perAddressSpace,
      apicAccessPage: true,
      identityMapGpa: QEMU_IDENTITY_MAP_GPA,
      tssGpa: QEMU_TSS_GPA,
    });
    this.walker.apicAccessHostPage = apicAccessHostPage;
    this.tdp = new TdpMmu(this.slots, this.memory, {
      accessedDirty,
      executeOnly: false,
      hostMaxPhyAddr: 46,
    });
  }

  /** Accesses as a VCPU does: handle EPT exits and enter again until something else happens. */
  access(smm: boolean, linear: number, access: Access, paging: PagingState = unpagedState()): Translation {
    for (;;) {
      const t = this.walker.walk(this.tdp.tables(smm), paging, linear, access, false, false);
      if (t.outcome === TRANSLATE_EPT_VIOLATION) {
        this.exits.push(`EPT_VIOLATION ${t.qualification.toString(16)} ${t.gpa.toString(16)}`);
        if (this.tdp.handleViolation(smm, t.gpa, t.qualification) !== 'mapped') return t;
      } else if (t.outcome === TRANSLATE_EPT_MISCONFIG) {
        this.exits.push(`EPT_MISCONFIG ${t.gpa.toString(16)}`);
        if (this.tdp.handleMisconfig(smm, t.gpa, t.mmio, t.mmioGeneration) !== 'stale') return t;
      } else {
        if (t.outcome === TRANSLATE_APIC_ACCESS)
          this.exits.push(`APIC_ACCESS ${t.qualification.toString(16)}`);
        return t;
      }
    }
  }
}

describe('APIC page with a host page per address space (before f0d648bdf0a5)', () => {
  let host: Host;
  beforeEach(() => {
    host = new Host(true);
  });

  it('outside SMM the APIC ID read is an APIC access, as the mail shows: info 20', () => {
    const t = host.access(false, APIC_ID, ACCESS_READ);
    expect(t.outcome).toBe(TRANSLATE_APIC_ACCESS);
    expect(t.qualification).toBe(0x20);
    expect(host.exits).toEqual(['EPT_VIOLATION 181 fee00020', 'APIC_ACCESS 20']);
  });

  it('in SMM the same read is an EPT violation 181 at fee00020, then reads plain RAM that holds 0', () => {
    const t = host.access(true, APIC_ID, ACCESS_READ);
    expect(host.exits).toEqual(['EPT_VIOLATION 181 fee00020']);
    expect(t.outcome).toBe(TRANSLATE_OK);
    expect(host.memory.read32(t.hostPage + 0x20)).toBe(0);
  });

  it('only the first touch in SMM exits: a second processor on the same role sees nothing', () => {
    host.access(true, APIC_ID, ACCESS_READ);
    host.exits.length = 0;
    expect(host.access(true, 0xfee0_0300, ACCESS_WRITE).outcome).toBe(TRANSLATE_OK);
    expect(host.exits).toEqual([]);
  });

  it('writes in SMM stick in that page and never reach the page of address space 0', () => {
    const t = host.access(true, 0xfee0_0310, ACCESS_WRITE);
    host.memory.write32(t.hostPage + 0x310, 0x0100_0000);
    expect(host.memory.read32(host.slots.hostAddress(AS_NORMAL, 0xfee0_0310))).toBe(0);
    expect(host.memory.read32(host.slots.hostAddress(AS_SMM, 0xfee0_0310))).toBe(0x0100_0000);
  });
});

describe('APIC page shared by both address spaces (after f0d648bdf0a5)', () => {
  it('the APIC ID read is an APIC access in SMM too', () => {
    const host = new Host(false);
    expect(host.access(true, APIC_ID, ACCESS_READ).outcome).toBe(TRANSLATE_APIC_ACCESS);
    expect(host.exits).toEqual(['EPT_VIOLATION 181 fee00020', 'APIC_ACCESS 20']);
  });

  it('an ICR write carries type 1 in its qualification: info 1300', () => {
    const host = new Host(false);
    expect(host.access(false, 0xfee0_0300, ACCESS_WRITE).qualification).toBe(0x1300);
  });

  it('a debug walk looks at the page behind the APIC access without an exit', () => {
    const host = new Host(false);
    host.access(false, APIC_ID, ACCESS_READ);
    const t = host.walker.walk(host.tdp.tables(false), unpagedState(), APIC_ID, ACCESS_READ, false, true);
    expect(t.outcome).toBe(TRANSLATE_OK);
    expect(t.tlbRights).toBe(0);
  });
});

describe('the identity map of a host without unrestricted guest', () => {
  const paging = identityMapState(QEMU_IDENTITY_MAP_GPA);

  it.each([
    ['per address space', true],
    ['shared', false],
  ])('outside SMM unpaged code runs through it (%s)', (_name, perAddressSpace) => {
    const host = new Host(perAddressSpace, false);
    const t = host.access(false, 0x3_8000, ACCESS_EXEC, paging);
    expect(t.outcome).toBe(TRANSLATE_OK);
    expect(t.hostPage).toBe(0x3_8000);
    expect(t.rights).toBe(7);
    expect(host.exits).toEqual(['EPT_VIOLATION 81 feffc000', 'EPT_VIOLATION 184 38000']);
  });

  it('in SMM with a page of its own the table is all zeros and the first fetch is a page fault', () => {
    const host = new Host(true, false);
    const t = host.access(true, 0x3_8000, ACCESS_EXEC, paging);
    expect(host.exits).toEqual(['EPT_VIOLATION 81 feffc000']);
    expect(t.outcome).toBe(TRANSLATE_PAGE_FAULT);
    expect(t.errorCode).toBe(0);
    expect(host.access(true, 0x3_8000, ACCESS_WRITE, paging).errorCode).toBe(PFERR_WRITE);
  });

  it('in SMM with the shared page it runs', () => {
    expect(new Host(false).access(true, 0x3_8000, ACCESS_EXEC, paging).outcome).toBe(TRANSLATE_OK);
  });

  it('maps every 4 MiB region onto itself, flags E7h', () => {
    const host = new Host(false);
    const table = host.slots.hostAddress(AS_NORMAL, QEMU_IDENTITY_MAP_GPA);
    expect(host.memory.read32(table)).toBe(0xe7);
    expect(host.memory.read32(table + 4)).toBe(0x0040_00e7);
    expect(host.memory.read32(table + 4 * 1023)).toBe(0xffc0_00e7);
  });
});

describe('the real-mode TSS', () => {
  it.each([
    [true, 0],
    [false, 0x0088_0000],
  ])('is initialised in address space 0 alone (per address space: %s)', (perAddressSpace, inSmm) => {
    const host = new Host(perAddressSpace);
    expect(host.memory.read32(host.slots.hostAddress(AS_NORMAL, QEMU_TSS_GPA) + 0x64)).toBe(0x0088_0000);
    expect(host.memory.read32(host.slots.hostAddress(AS_SMM, QEMU_TSS_GPA) + 0x64)).toBe(inSmm);
    expect(host.memory.read32(host.slots.hostAddress(AS_NORMAL, QEMU_TSS_GPA) + 0x2088)).toBe(0xff);
  });
});

describe('exit qualifications of the relocation facts', () => {
  it.each([
    ['read', ACCESS_READ, 0x181],
    ['write', ACCESS_WRITE, 0x182],
    ['read-modify-write', ACCESS_RMW, 0x183],
    ['fetch', ACCESS_EXEC, 0x184],
  ] as const)('%s of an unmapped page', (_name, access, qualification) => {
    const host = new Host(false);
    const t = host.walker.walk(host.tdp.tables(false), unpagedState(), 0x5000, access, false, false);
    expect(t.outcome).toBe(TRANSLATE_EPT_VIOLATION);
    expect([t.qualification, t.gpa]).toEqual([qualification, 0x5000]);
  });

  it.each([
    ['with EPT accessed and dirty flags, page-walk accesses are writes', true, 0x83],
    ['without them they are reads', false, 0x81],
  ])('%s', (_name, accessedDirty, qualification) => {
    const host = new Host(false, accessedDirty);
    const paging = identityMapState(0x2000);
    const t = host.walker.walk(host.tdp.tables(false), paging, 0x40_0000, ACCESS_READ, false, false);
    expect([t.qualification, t.gpa]).toEqual([qualification, 0x2004]);
  });

  it('a write to ROM shows the rights of the walk (R and X) in bits 5:3, and is for the emulator', () => {
    const host = new Host(false);
    host.access(false, 0xffff_fff0, ACCESS_EXEC);
    host.access(false, 0xffff_fff0, ACCESS_WRITE);
    expect(host.exits).toEqual(['EPT_VIOLATION 184 fffffff0', 'EPT_VIOLATION 1aa fffffff0']);
  });

  it('setting an accessed flag in a table that EPT holds read-only is a page-walk write: 83h and the rights', () => {
    const host = new Host(false, false);
    host.memory.write32(0x8_0000, 0x87); // present, writable, user, 4 MiB; not accessed
    host.access(false, 0xffff_0000, ACCESS_READ);
    host.exits.length = 0;
    host.access(false, 0x1000, ACCESS_READ, identityMapState(0xffff_0000));
    expect(host.exits).toEqual(['EPT_VIOLATION ab ffff0000']);
  });

  it('PDPTE loads have no linear address: bit 7 clear', () => {
    const host = new Host(false);
    const pdptes = new Uint32Array(8);
    expect(host.walker.loadPdptes(host.tdp.tables(false), 0x2000, 36, pdptes)).toBe('table-access');
    expect(host.walker.result.qualification).toBe(0x3);
  });

  it('a page without slot exits as a violation once, then as a misconfiguration, until the slots change', () => {
    const host = new Host(false);
    for (let i = 0; i < 2; i++) host.access(false, 0xfed0_0000, ACCESS_READ);
    host.slots.set({
      id: 7,
      asId: 0,
      gpa: 0xfed0_0000,
      sizeBytes: 0x1000,
      hostOffset: 0x9_0000,
      readonly: false,
    });
    const t = host.access(false, 0xfed0_0000, ACCESS_READ);
    expect(host.exits).toEqual([
      'EPT_VIOLATION 181 fed00000',
      'EPT_MISCONFIG fed00000',
      'EPT_MISCONFIG fed00000',
      'EPT_VIOLATION 181 fed00000',
    ]);
    expect([t.outcome, t.hostPage]).toEqual([TRANSLATE_OK, 0x9_0000]);
  });

  it('a page table inside the APIC page is a guest-physical APIC access (type F)', () => {
    const host = new Host(false);
    host.access(false, 0x1000, ACCESS_READ, identityMapState(APIC_ACCESS_PAGE_GPA));
    expect(host.exits.at(-1)).toBe('APIC_ACCESS f000');
  });
});
