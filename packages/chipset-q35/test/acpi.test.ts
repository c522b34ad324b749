/** The ACPI tables: placed as firmware places them, read by ACPICA's programs, compared with QEMU's. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Part, Q35Options } from '../src/index.ts';
import { statelessPart } from '../src/index.ts';
import { buildModel, configWrite, runOnModel } from './support/model.ts';
import { type Access, oracleMissing, runOnQemu } from './support/qemu-oracle.ts';

const RAM = 0x400_0000;
const noQemu = oracleMissing();
const noAcpica = ['iasl', 'acpiexec'].find((tool) => spawnSync(tool, ['-v']).error !== undefined);
/** PMBASE and ECAM, as firmware sets them up before it asks. */
const SET_UP: Access[] = [
  ...[...configWrite(0xf8, 0x40, 4, 0x601), ...configWrite(0xf8, 0x44, 1, 0x80)],
  ...configWrite(0, 0x60, 4, 0xb000_0001),
];

function build(options: Partial<Q35Options> = {}) {
  const model = buildModel(RAM, undefined, {
    cpuCount: 2,
    peripherals: {
      fwCfg: { acpi: true, sleepStates: { s3: true, s4: false } },
      serial: { transmit: () => {} },
      keyboard: {},
      cpuHotplug: true,
      interrupts: { deliver: () => {}, intr: { set: () => {} } },
    },
    ...options,
  });
  runOnModel(SET_UP, model);
  return model;
}

/** A file as a guest reads it. */
function file(model: ReturnType<typeof build>, name: string): Uint8Array {
  const read = (key: number, bytes: number) => {
    model.io.out(0x510, 2, key, 0);
    return Uint8Array.from({ length: bytes }, () => model.io.in(0x511, 1, 0));
  };
  const directory = read(0x19, 4 + 64 * 32);
  const view = new DataView(directory.buffer);
  for (let at = 4; at < directory.length; at += 64) {
    const end = directory.indexOf(0, at + 8);
    if (new TextDecoder().decode(directory.subarray(at + 8, end)) === name)
      return read(view.getUint16(at + 4), view.getUint32(at));
  }
  throw new Error(`there is no file ${name}`);
}

/** Carries the loader's commands out at made-up addresses: memory by address, and where the root pointer is. */
function load(model: ReturnType<typeof build>): { memory: Uint8Array; root: number } {
  const memory = new Uint8Array(0x10_0000);
  const view = new DataView(memory.buffer);
  const loader = file(model, 'etc/table-loader');
  const starts = new Map<string, number>();
  let next = 0x1000;
  for (let at = 0; at < loader.length; at += 128) {
    const command = new DataView(loader.buffer, at, 128);
    const text = (offset: number) =>
      new TextDecoder().decode(loader.subarray(at + offset, loader.indexOf(0, at + offset)));
    const start = (offset: number) => starts.get(text(offset))!;
    switch (command.getUint32(0, true)) {
      case 0:
        break;
      case 1: {
        const align = command.getUint32(60, true);
        next = Math.ceil(next / align) * align;
        starts.set(text(4), next);
        const bytes = file(model, text(4));
        memory.set(bytes, next);
        next += bytes.length;
        break;
      }
      case 2: {
        const place = start(4) + command.getUint32(116, true);
        expect([4, 8]).toContain(command.getUint8(120));
        view.setUint32(place, view.getUint32(place, true) + start(60), true);
        break;
      }
      case 3: {
        const [result, from, length] = [60, 64, 68].map((offset) => command.getUint32(offset, true));
        const base = start(4);
        const sum = memory.subarray(base + from!, base + from! + length!).reduce((a, b) => a + b, 0);
        memory[base + result!] = -sum & 0xff;
        break;
      }
      default:
        throw new Error(`loader command ${command.getUint32(0, true)}`);
    }
  }
  return { memory, root: starts.get('etc/acpi/rsdp')! };
}

/** The tables that the root pointer leads to, by signature. */
function tables({ memory, root }: { memory: Uint8Array; root: number }): Map<string, Uint8Array> {
  const view = new DataView(memory.buffer);
  const found = new Map<string, Uint8Array>();
  const visit = (at: number): void => {
    const signature = new TextDecoder().decode(memory.subarray(at, at + 4));
    const bytes = memory.subarray(at, at + view.getUint32(at + 4, true));
    found.set(signature, bytes);
    if (signature !== 'FACS') expect(bytes.reduce((a, b) => a + b, 0) & 0xff, signature).toBe(0);
    if (signature === 'RSDT') for (let i = 36; i < bytes.length; i += 4) visit(view.getUint32(at + i, true));
    if (signature === 'FACP') {
      expect(view.getUint32(at + 140, true)).toBe(view.getUint32(at + 40, true));
      for (const offset of [36, 40]) visit(view.getUint32(at + offset, true));
    }
  };
  expect(new TextDecoder().decode(memory.subarray(root, root + 8))).toBe('RSD PTR ');
  expect(memory.subarray(root, root + 20).reduce((a, b) => a + b, 0) & 0xff).toBe(0);
  visit(view.getUint32(root + 16, true));
  return found;
}

describe('the ACPI files', () => {
  it('lead_from_the_root_pointer_to_every_table_with_right_checksums', () => {
    expect([...tables(load(build())).keys()].sort()).toEqual(
      ['APIC', 'DSDT', 'FACP', 'FACS', 'HPET', 'MCFG', 'RSDT', 'WAET'].sort(),
    );
  });

  it('are_made_when_first_selected_and_anew_after_a_reset', () => {
    const model = build();
    const before = file(model, 'etc/acpi/tables');
    runOnModel(configWrite(0, 0x60, 4, 0x9000_0001), model);
    expect(file(model, 'etc/acpi/tables')).toEqual(before);
    model.chipset.reset();
    runOnModel([...SET_UP, ...configWrite(0, 0x60, 4, 0x9000_0001)], model);
    const mcfg = tables(load(model)).get('MCFG')!;
    expect(new DataView(mcfg.buffer, mcfg.byteOffset).getUint32(44, true)).toBe(0x9000_0000);
  });

  it('come_back_from_a_snapshot_between_two_of_them', () => {
    const a = build();
    file(a, 'etc/table-loader');
    const b = build();
    b.chipset.restore(structuredClone(a.chipset.save()));
    runOnModel(configWrite(0, 0x60, 4, 0x9000_0001), b);
    expect(file(b, 'etc/acpi/tables')).toEqual(file(a, 'etc/acpi/tables'));
  });

  it('are_not_there_unless_asked_for', () => {
    const model = build({ peripherals: { fwCfg: {} } });
    for (const name of ['etc/acpi/tables', 'etc/acpi/rsdp', 'etc/table-loader'])
      expect(() => file(model, name)).toThrow(/no file/);
  });

  it('have_room_for_processors_that_may_be_plugged_in_and_say_which_are_there', () => {
    const apicIds = Array.from({ length: 1000 }, (_, i) => i * 2);
    const found = tables(load(build({ apicIds })));
    const entry = (at: number) => [...found.get('APIC')!.subarray(44 + at * 8, 52 + at * 8)];
    expect(entry(1)).toEqual([0, 8, 1, 2, 1, 0, 0, 0]);
    expect(entry(2)).toEqual([0, 8, 2, 4, 0, 0, 0, 0]);
    expect(new TextDecoder('latin1').decode(found.get('DSDT'))).toContain('C3E7');
  });

  it('have_x2APIC_entries_for_processors_from_255_on', () => {
    const madt = tables(load(build({ cpuCount: 258 }))).get('APIC')!;
    const entries = new Map<number, number>();
    for (let at = 44; at < madt.length; at += madt[at + 1]!) {
      entries.set(madt[at]!, (entries.get(madt[at]!) ?? 0) + 1);
    }
    expect(Object.fromEntries(entries)).toEqual({ 0: 255, 1: 1, 2: 5, 9: 3, 10: 1 });
  });
});

describe.skipIf(noQemu !== undefined)(`tables equal QEMU's ${noQemu ?? ''}`, () => {
  /** QEMU's, read by DMA into RAM; OEM and compiler, checksums and pointers left out. */
  function ofQemu(): Map<string, Uint8Array> {
    const key = 0x22; // etc/acpi/tables, as the directory below says
    const dma = (control: number, length: number, address: number, at: number): Access[] => {
      const swap = (v: number) => ((v << 24) | ((v & 0xff00) << 8) | ((v >>> 8) & 0xff00) | (v >>> 24)) >>> 0;
      return [
        ...[control, length, 0, address].map(
          (v, i): Access => ({ kind: 'write', gpa: at + 4 * i, size: 4, value: swap(v) }),
        ),
        { kind: 'out', port: 0x514, size: 4, value: 0 },
        { kind: 'out', port: 0x518, size: 4, value: swap(at) },
      ];
    };
    const dwords = (gpa: number, count: number) =>
      Array.from({ length: count }, (_, i): Access => ({ kind: 'read', gpa: gpa + 4 * i, size: 4 }));
    const args = ['-m', '64', '-smp', '2', '-global', 'ICH9-LPC.disable_s4=1'];
    const run = (accesses: Access[]) =>
      Uint8Array.from(new Uint8Array(Uint32Array.from(runOnQemu(accesses, args)).buffer));
    const directory = run([
      ...dma((0x19 << 16) | 0x0a, 4 + 64 * 24, 0x10_0000, 0x8000),
      ...dwords(0x10_0000, 1 + 16 * 24),
    ]);
    const name = new TextDecoder('latin1').decode(directory);
    const entry = name.indexOf('etc/acpi/tables') - 8;
    const real = new DataView(directory.buffer).getUint16(entry + 4);
    expect(real, 'the key').toBeGreaterThanOrEqual(key - 2);
    const all = run([
      ...SET_UP,
      ...dma((real << 16) | 0x0a, 0x4000, 0x10_0000, 0x8000),
      ...dwords(0x10_0000, 2600),
    ]);
    const found = new Map<string, Uint8Array>();
    const view = new DataView(all.buffer);
    for (let at = 0; at < all.length - 8; ) {
      const length = view.getUint32(at + 4, true);
      if (length === 0) break;
      found.set(new TextDecoder().decode(all.subarray(at, at + 4)), all.subarray(at, at + length));
      at += length;
    }
    return found;
  }

  it('in_every_field_but_names_checksums_and_pointers', () => {
    const qemu = ofQemu();
    const ours = tables(load(build()));
    expect([...ours.keys()].sort()).toEqual([...qemu.keys()].sort());
    const plain = (signature: string, bytes: Uint8Array): string => {
      const copy = [...bytes];
      if (signature !== 'FACS') copy.fill(0, 9, 36);
      if (signature === 'FACP')
        for (const [at, width] of [
          [36, 8],
          [140, 8],
        ] as const)
          copy.fill(0, at, at + width);
      return copy.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    };
    for (const signature of ['FACS', 'FACP', 'APIC', 'HPET', 'MCFG', 'WAET'])
      expect(plain(signature, ours.get(signature)!), signature).toBe(plain(signature, qemu.get(signature)!));
  });
});

describe.skipIf(noAcpica !== undefined)(
  `ACPICA${noAcpica === undefined ? '' : ` (${noAcpica} is not installed)`}`,
  () => {
    function withFiles<T>(work: (folder: string) => T): T {
      const folder = mkdtempSync(join(tmpdir(), 'acpi-'));
      try {
        for (const [signature, bytes] of tables(load(build())))
          writeFileSync(join(folder, `${signature.toLowerCase()}.dat`), bytes);
        return work(folder);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    }

    it('disassembles_and_recompiles_every_table_without_error', () => {
      withFiles((folder) => {
        for (const signature of ['dsdt', 'facp', 'facs', 'apic', 'hpet', 'mcfg', 'waet', 'rsdt']) {
          execFileSync('iasl', ['-d', `${signature}.dat`], { cwd: folder, stdio: 'pipe' });
          if (signature === 'rsdt' || signature === 'facs') continue; // iasl reads, but does not compile these two
          const done = spawnSync('iasl', ['-oa', `${signature}.dsl`], { cwd: folder, encoding: 'utf8' });
          expect(`${done.stdout}${done.stderr}`, signature).toMatch(/ 0 Errors, 0 Warnings/);
        }
        // Without optimizations the compiler's terms are ours, byte for byte; the header names another compiler.
        const terms = (name: string) => [...readFileSync(join(folder, name)).subarray(36)];
        expect(terms('dsdt.aml')).toEqual(terms('dsdt.dat'));
      });
    });

    const evaluate = (...objects: string[]) =>
      withFiles((folder) => {
        const commands = objects.map((object) => `execute ${object}`).join(';');
        const done = spawnSync('acpiexec', ['-b', commands, 'dsdt.dat'], { cwd: folder, encoding: 'utf8' });
        return `${done.stdout}${done.stderr}`;
      });

    it('evaluates_routing_resources_and_links', () => {
      const text = evaluate(
        '\\_SB.PCI0._CRS',
        '\\_SB.LNKA._STA',
        '\\_SB.LNKA._CRS',
        '\\_SB.HPET._CRS',
        '\\_S3',
      );
      expect(text).not.toMatch(/AE_|Exception|Could not/);
      expect(text).toMatch(/88 0D 00 02 0C 00 00 00 00 00 FF 00 00 00 00 01/); // buses 0 to FFh
      // acpiexec has no room to print all of _PRT. Device 3, INTA to INTD: (3 + pin) % 4 + 4 is PIRQH, E, F, G.
      const asl = withFiles((folder) => {
        execFileSync('iasl', ['-d', 'dsdt.dat'], { cwd: folder, stdio: 'pipe' });
        return readFileSync(join(folder, 'dsdt.dsl'), 'utf8');
      });
      for (const [routes, kind] of [
        ['PRTA', 'GSI'],
        ['PRTP', 'LNK'],
      ] as const) {
        const packages = asl
          .slice(asl.indexOf(`Name (${routes},`))
          .matchAll(/0x0003FFFF,\s+\S+,\s+(\w+),\s+Zero/g);
        const links = [...packages].slice(0, 4).map(([, link]) => link);
        expect(links).toEqual(['H', 'E', 'F', 'G'].map((letter) => kind + letter));
      }
      expect(asl).toMatch(/If \(PICF\)\s+\{\s+Return \(PRTA\)[^}]*\}\s+Return \(PRTP\)/);
      const pins = evaluate('\\_SB.GSIH._CRS');
      expect(pins).toMatch(/89 06 00 09 01 17 00 00 00/); // pin 23
    });

    it('says_which_features_the_OS_may_control', () => {
      // The UUID of host bridges, revision 1, three dwords: query, supports, control.
      const call = (uuid: string, dwords: string) => `\\_SB.PCI0._OSC (${uuid}) 1 3 (${dwords})`;
      const bridge = '5B 4D DB 33 F7 1F 1C 40 96 57 74 41 C0 3D D7 66';
      const granted = evaluate(call(bridge, '00 00 00 00 1F 01 00 00 1F 00 00 00'));
      expect(granted).toMatch(/10 00 00 00 1F 01 00 00 1E 00 00 00/); // masked: no hot-plug of PCI Express
      const all = evaluate(call(bridge, '00 00 00 00 1F 01 00 00 1E 00 00 00'));
      expect(all).toMatch(/0000: 00 00 00 00 1F 01 00 00 1E 00 00 00/);
      const other = evaluate(call(bridge.replace('5B', '5C'), '00 00 00 00 1F 01 00 00 1F 00 00 00'));
      expect(other).toMatch(/04 00 00 00 1F 01 00 00 1F 00 00 00/);
    });

    it('has_processors_whose_state_is_in_the_hot_plug_registers', () => {
      // acpiexec's registers are memory: what is written to the flags is what they hold.
      const text = evaluate('\\_SB.CPUS.C001._STA', '\\_SB.CPUS.C001._MAT', '\\_GPE._E02');
      expect(text).not.toMatch(/AE_|Exception|Could not/);
      expect(text).toMatch(/00 08 01 01 01 00 00 00/);
    });
  },
);

describe('tables that somebody else made', () => {
  const table = (signature: string, size: number) => {
    const bytes = new Uint8Array(size).fill(7);
    bytes.set(new TextEncoder().encode(signature));
    new DataView(bytes.buffer).setUint32(4, size, true);
    return bytes;
  };

  it('stand_beside_ours_with_their_names_and_right_checksums_two_of_one_signature_too', () => {
    const acpiTables = [table('SSDT', 0x2_0000), table('SSDT', 40), table('SLIC', 36)];
    const model = build({ peripherals: { fwCfg: { acpi: true, acpiTables } } });
    const { memory, root } = load(model);
    const found = tables({ memory, root });
    expect(found.get('SLIC')!.length).toBe(36);
    expect([...found.get('SSDT')!.subarray(10, 16)]).toEqual(new Array(6).fill(7));
    const view = new DataView(memory.buffer);
    const rsdt = view.getUint32(root + 16, true);
    const sizes = Array.from({ length: (view.getUint32(rsdt + 4, true) - 36) / 4 }, (_, i) =>
      view.getUint32(view.getUint32(rsdt + 36 + 4 * i, true) + 4, true),
    );
    expect(sizes.slice(-3)).toEqual([0x2_0000, 40, 36]);
  });

  it('must_be_whole', () => {
    const acpiTables = [table('SSDT', 40).subarray(0, 39)];
    expect(() => build({ peripherals: { fwCfg: { acpi: true, acpiTables } } })).toThrow(/header says 40/);
  });
});

describe('a part of the caller', () => {
  it('adds_its_own_table_and_devices', () => {
    // Device (XTRA) { Name (_UID, 1) }
    const terms = [0x5b, 0x82, 0x0c, 0x58, 0x54, 0x52, 0x41, 0x08, 0x5f, 0x55, 0x49, 0x44, 0x01];
    const part: Part = {
      ...statelessPart('extra', () => {}),
      acpi: () => ({ system: terms, tables: [{ signature: 'XTRA', revision: 1, body: [1, 2, 3] }] }),
    };
    const found = tables(load(build({ parts: () => [part] })));
    expect([...found.get('XTRA')!.subarray(36)]).toEqual([1, 2, 3]);
    const dsdt = [...found.get('DSDT')!].join();
    expect(dsdt).toContain(terms.join());
  });
});
