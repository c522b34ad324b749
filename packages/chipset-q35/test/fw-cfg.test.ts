/** fw_cfg, its DMA and the SMI negotiation against QEMU's; hot-plug registers too. */
import { IoPortSpace, PhysicalAddressSpace } from '@smm/bus';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  CpuHotplug,
  FW_CFG_DMA_PORT,
  FW_CFG_PORT,
  FwCfg,
  q35FwCfgFiles,
  q35FwCfgItems,
  SmiFeatures,
} from '../src/index.ts';
import { type Access, oracleMissing, runOnQemu, type Size } from './support/qemu-oracle.ts';

const missing = oracleMissing();
const io = (port: number, size: Size = 1): Access => ({ kind: 'in', port, size });
const out = (port: number, size: Size, value: number): Access => ({ kind: 'out', port, size, value });
const hex = (values: readonly number[]) => values.map((v) => v.toString(16)).join(' ');

function build(offered = 7, sleep = { s3: true, s4: true }) {
  const ram = new Uint8Array(0x10_0000);
  const broadcasts: boolean[] = [];
  const smi = new SmiFeatures({ setBroadcast: (on) => broadcasts.push(on) }, offered);
  const device = new FwCfg(
    {
      readBlock: (gpa, into) => into.set(ram.subarray(gpa, gpa + into.length)),
      writeBlock: (gpa, bytes) => ram.set(bytes, gpa),
    },
    1,
    [...q35FwCfgFiles(sleep), ...smi.files],
    q35FwCfgItems(256 * 2 ** 20, true),
  );
  const ports = new IoPortSpace();
  ports.add({ name: 'fw-cfg', first: FW_CFG_PORT, count: 2, device });
  ports.add({ name: 'fw-cfg-dma', first: FW_CFG_DMA_PORT, count: 8, device });
  return { ram, broadcasts, smi, device, ports };
}

function carryOut(accesses: readonly Access[], { ram, ports }: ReturnType<typeof build>): number[] {
  const results: number[] = [];
  const view = new DataView(ram.buffer);
  for (const a of accesses) {
    if (a.kind === 'in') results.push(ports.in(a.port, a.size, 0));
    else if (a.kind === 'out') ports.out(a.port, a.size, a.value, 0);
    else if (a.kind === 'write') view.setUint32(a.gpa, a.value, true);
    else if (a.kind === 'read') results.push(view.getUint32(a.gpa, true));
    else throw new Error(a.kind);
  }
  return results;
}

const BLOCK = 0x8_0000;
const BUFFER = 0x8_1000;
const swap = (v: number) => ((v << 24) | ((v & 0xff00) << 8) | ((v >>> 8) & 0xff00) | (v >>> 24)) >>> 0;
const store = (gpa: number, value: number): Access => ({ kind: 'write', gpa, size: 4, value: value >>> 0 });
const load = (gpa: number): Access => ({ kind: 'read', gpa, size: 4 });

/** One DMA command and its status word. */
function dma(control: number, length: number): Access[] {
  return [
    store(BLOCK, swap(control)),
    store(BLOCK + 4, swap(length)),
    store(BLOCK + 8, 0),
    store(BLOCK + 12, swap(BUFFER)),
    out(0x514, 4, 0),
    out(0x518, 4, swap(BLOCK)),
    load(BLOCK),
  ];
}

/** Keys of files by name, from a directory read byte by byte. */
function keys(read: (accesses: readonly Access[]) => number[]): Map<string, { key: number; size: number }> {
  const bytes = read([out(0x510, 2, 0x19), ...Array.from({ length: 4 + 16 * 64 }, () => io(0x511))]);
  const view = new DataView(Uint8Array.from(bytes).buffer);
  const names = new Map<string, { key: number; size: number }>();
  for (let i = 0; i < view.getUint32(0); i++) {
    const name = bytes.slice(4 + 64 * i + 8, 4 + 64 * i + 64).filter(Boolean);
    names.set(String.fromCharCode(...name), {
      key: view.getUint16(4 + 64 * i + 4),
      size: view.getUint32(4 + 64 * i),
    });
  }
  return names;
}

describe.skipIf(missing !== undefined)(`fw_cfg equals QEMU's ${missing ?? ''}`, () => {
  const theirs = missing === undefined ? keys((a) => runOnQemu(a)) : new Map();
  const ours = keys((a) => carryOut(a, build()));

  it('has_the_same_files_in_the_same_order_but_for_those_not_there_yet', () => {
    const absent = /acpi|table-loader|e820|smbios|tpm|genroms/;
    const present = [...theirs].filter(([name]) => !absent.test(name));
    expect([...ours].map(([name, { size }]) => `${name} ${size}`)).toEqual(
      present.map(([name, { size }]) => `${name} ${size}`),
    );
  });

  it.each([
    [true, true],
    [false, true],
    [false, false],
  ])('has the same bytes in every file and item: S3 %s, S4 %s', (s3, s4) => {
    const args = [
      ...['-m', '256', '-global', `ICH9-LPC.disable_s3=${s3 ? 0 : 1}`],
      ...['-global', `ICH9-LPC.disable_s4=${s4 ? 0 : 1}`],
    ];
    for (const [name, { key, size }] of ours) {
      const read = (k: number) => [out(0x510, 2, k), ...Array.from({ length: size + 2 }, () => io(0x511))];
      expect(`${name} ${hex(carryOut(read(key), build(7, { s3, s4 })))}`).toBe(
        `${name} ${hex(runOnQemu(read(theirs.get(name)!.key), args))}`,
      );
    }
    const fixed = [0, 1, 2, 3, 4, 5, 6, 8, 0xb, 0xe, 0xf, 0x14, 0x17, 0x8000, 0x8002, 0x4000, 0x7fff];
    const read = fixed.flatMap((k) => [out(0x510, 2, k), ...Array.from({ length: 9 }, () => io(0x511))]);
    expect(hex(carryOut(read, build()))).toBe(hex(runOnQemu(read)));
    const hpet = [out(0x510, 2, 0x8004), ...Array.from({ length: 125 }, () => io(0x511))];
    expect(hex(carryOut(hpet, build()))).toBe(hex(runOnQemu(hpet)));
  });

  it('port_accesses_of_every_width', () => {
    const accesses = [
      ...[out(0x510, 2, 0), io(0x510), io(0x511), io(0x510, 2), io(0x511), io(0x510, 4), io(0x511)],
      ...[out(0x510, 2, 0), out(0x511, 1, 5), out(0x510, 1, 1), io(0x511), io(0x511)],
      ...[io(0x514, 4), io(0x518, 4), io(0x514), io(0x515), io(0x516, 2), io(0x51b)],
    ];
    const dwordAt510 = carryOut(accesses, build());
    expect(hex(dwordAt510.filter((_, i) => i !== 4))).toBe(
      hex(runOnQemu(accesses).filter((_, i) => i !== 4)), // 512h: QEMU's device answers, here the bus
    );
  });

  it('DMA commands, errors and positions, and the negotiation, at random', () => {
    const names = [...ours.keys()];
    const step = fc.oneof(
      fc.tuple(
        fc.constantFrom(0x02, 0x0a, 0x10, 0x18, 0x04, 0x0c, 0x08, 0x00, 0x12, 0x1a, 0x06, 0x1f),
        fc.constantFrom(...names, 'signature', 'none'),
        fc.constantFrom(0, 1, 2, 3, 4, 8, 9, 16),
        fc.constantFrom(0, 1, 2, 3, 5, 6, 7, 8, 0xff),
      ),
    );
    fc.assert(
      fc.property(fc.array(step, { minLength: 10, maxLength: 60 }), (steps) => {
        const accesses = (files: Map<string, { key: number }>) =>
          steps.flatMap(([control, name, length, value]) => {
            const key = name === 'signature' ? 0 : name === 'none' ? 0x3f : files.get(name)!.key;
            return [
              ...[store(BUFFER, value), store(BUFFER + 4, 0), store(BUFFER + 8, 0x5555_5555)],
              ...dma((key << 16) | control, length),
              ...[load(BUFFER), load(BUFFER + 4), load(BUFFER + 8), io(0x511)],
            ];
          });
        expect(hex(carryOut(accesses(ours), build()))).toBe(hex(runOnQemu(accesses(theirs))));
      }),
      { numRuns: 10, endOnFailure: true },
    );
  });

  it('the_answer_to_every_request_of_SMI_features_under_every_offer', () => {
    for (const offered of [7, 3, 1, 6, 2]) {
      // QEMU does not start with hot-unplug and without hot-plug
      const answer = (name: string, files: Map<string, { key: number }>) => files.get(name)!.key;
      for (const high of [0, 1]) {
        for (let request = 0; request < 9; request++) {
          if (high === 1 && (request !== 1 || offered !== 7)) continue;
          const accesses = (files: Map<string, { key: number }>) => [
            ...[store(BUFFER, request), store(BUFFER + 4, high)],
            ...dma((answer('etc/smi/requested-features', files) << 16) | 0x18, 8),
            ...[out(0x510, 2, answer('etc/smi/features-ok', files)), io(0x511)],
            // Once settled, another request changes nothing.
            ...[store(BUFFER, 0xff)],
            ...dma((answer('etc/smi/requested-features', files) << 16) | 0x18, 8),
            ...[out(0x510, 2, answer('etc/smi/features-ok', files)), io(0x511)],
          ];
          const bit = (b: number) => ((offered & b) !== 0 ? 'on' : 'off');
          const args = [
            ...['-m', '256', '-global', `ICH9-LPC.x-smi-broadcast=${bit(1)}`],
            ...['-global', `ICH9-LPC.x-smi-cpu-hotplug=${bit(2)}`],
            ...['-global', `ICH9-LPC.x-smi-cpu-hotunplug=${bit(4)}`],
          ];
          expect(`${offered} ${request} ${hex(carryOut(accesses(ours), build(offered)))}`).toBe(
            `${offered} ${request} ${hex(runOnQemu(accesses(theirs), args))}`,
          );
        }
      }
    }
  });
});

describe('SMI features', () => {
  const negotiate = (request: number, model: ReturnType<typeof build>) => {
    const files = keys((a) => carryOut(a, model));
    const key = (name: string) => files.get(`etc/smi/${name}`)!.key;
    carryOut(
      [store(BUFFER, request), store(BUFFER + 4, 0), ...dma((key('requested-features') << 16) | 0x18, 8)],
      model,
    );
    return carryOut([out(0x510, 2, key('features-ok')), io(0x511)], model)[0];
  };

  it('switch_broadcast_once_and_again_after_a_reset', () => {
    const model = build();
    expect([negotiate(6, model), negotiate(7, model), negotiate(0, model)]).toEqual([0, 1, 1]);
    expect([model.smi.negotiated, model.broadcasts]).toEqual([7, [true]]);
    const saved = { smi: model.smi.save(), fwCfg: model.device.save() };
    model.smi.reset();
    model.device.reset();
    expect([model.smi.negotiated, negotiate(0, model), model.broadcasts]).toEqual([0, 1, [true, false]]);
    model.smi.restore(saved.smi);
    model.device.restore(saved.fwCfg);
    expect([model.smi.negotiated, negotiate(0, model), model.broadcasts]).toEqual([7, 1, [true, false]]);
  });

  it('have_no_files_when_nothing_is_offered', () => {
    expect([...keys((a) => carryOut(a, build(0))).keys()].filter((n) => n.includes('smi'))).toEqual([]);
  });
});

describe('CPU hot-plug registers', () => {
  function hotplug(cpuCount: number) {
    const ports = new IoPortSpace();
    const device = new CpuHotplug(cpuCount);
    device.map(ports);
    return { device, ports };
  }

  it.skipIf(missing !== undefined).each([1, 3])(`%i processors, as on QEMU ${missing ?? ''}`, (cpus) => {
    const access = fc.oneof(
      fc
        .tuple(fc.constantFrom(0xcd8, 0xcdc, 0xcdd, 0xce0), fc.constantFrom<Size>(1, 2, 4))
        .map(([p, s]) => [io(p, s)]),
      fc.nat({ max: 4 }).map((v) => [out(0xcd8, 4, v), io(0xcd8, 4), io(0xcdc), io(0xce0, 4)]),
      fc.constantFrom(0, 0, 3, 4, 1, 2).map((v) => [out(0xcdd, 1, v), io(0xcd8, 4), io(0xce0, 4)]),
      fc.constantFrom(0, 1, 2, 8, 0xff).map((v) => [out(0xcdc, 1, v & ~0x18), io(0xcdc)]),
    );
    fc.assert(
      fc.property(fc.array(access, { minLength: 10, maxLength: 60 }), (steps) => {
        const accesses = [io(0xcd8, 4), io(0xcf4, 4), ...steps.flat()];
        const { ports } = hotplug(cpus);
        const model: number[] = [];
        for (const a of accesses) {
          if (a.kind === 'in') model.push(ports.in(a.port, a.size, 0));
          else if (a.kind === 'out') ports.out(a.port, a.size, a.value, 0);
        }
        expect(hex(model)).toBe(hex(runOnQemu(accesses, ['-m', '256', '-smp', `${cpus}`])));
      }),
      { numRuns: 5, endOnFailure: true },
    );
  });

  it('what_firmware_does_to_count_processors', () => {
    const { ports, device } = hotplug(3);
    const possible: number[] = [];
    ports.out(0xcd8, 4, 0, 0);
    ports.out(0xcd8, 4, 0, 0);
    ports.out(0xcdd, 1, 0, 0);
    for (let i = 1; ; i++) {
      ports.out(0xcd8, 4, i, 0);
      if (ports.in(0xce0, 4, 0) === 0) break;
      possible.push(ports.in(0xcdc, 1, 0));
    }
    expect(possible).toEqual([1, 1]);
    const copy = hotplug(3);
    copy.device.restore(device.save());
    expect([copy.ports.in(0xcd8, 4, 0), copy.ports.in(0xce4, 1, 0)]).toEqual([0, 0xff]);
    copy.device.reset();
    expect(copy.ports.in(0xcd8, 4, 0)).toBe(7);
  });
});

describe('fw_cfg DMA with any address and length', () => {
  const memory = () => {
    const ram = new Uint8Array(0x10_0000);
    const space = new PhysicalAddressSpace({ ram });
    space.addAll([
      { kind: 'ram', name: 'ram', start: 0, sizeBytes: ram.length, hostOffset: 0 },
      { kind: 'hole', name: 'tseg', start: 0x9_0000, sizeBytes: 0x1000, priority: 1, visible: 'normal-only' },
    ]);
    const device = new FwCfg(
      {
        readBlock: (gpa, into, attrs) => space.readBlock(gpa, into, attrs),
        writeBlock: (gpa, bytes, attrs) => space.writeBlock(gpa, bytes, attrs),
      },
      1,
      [{ name: 'opt/zeros', data: new Uint8Array(64), writable: true }],
    );
    const start = (high: number, low: number): void => {
      device.out(0x514, 4, swap(high), 0);
      device.out(0x518, 4, swap(low), 0);
    };
    return { ram, start };
  };

  it('ends, and changes nothing that it does not name', () => {
    const word = fc.oneof(
      fc.constantFrom(0, 0x9_0000, 0xf_ffff, 0x10_0000, 0x7fff_ffff, 0xffff_fff0, 0xffff_ffff),
      fc.integer({ min: 0, max: 0xffff_ffff }),
    );
    const full = process.env['SMM_FULL'] === '1';
    fc.assert(
      fc.property(word, word, word, word, (high, low, length, control) => {
        const { ram, start } = memory();
        ram.fill(0x77);
        new DataView(ram.buffer).setUint32(BLOCK, control);
        new DataView(ram.buffer).setUint32(BLOCK + 4, length);
        new DataView(ram.buffer).setUint32(BLOCK + 8, high);
        new DataView(ram.buffer).setUint32(BLOCK + 12, low);
        start(0, BLOCK);
        const end = high > 0 ? 0 : low + length;
        for (let at = 0; at < ram.length; at++) {
          const named = (at >= BLOCK && at < BLOCK + 16) || (high === 0 && at >= low && at < end);
          if (!named && ram[at] !== 0x77) expect([at, ram[at]]).toEqual([at, 0x77]);
        }
      }),
      { numRuns: full ? 2000 : 20 },
    );
  });

  it.each([
    ['a structure beyond 52 bits', 0x10_0000, 0],
    ['a structure at the end of 64 bits', 0xffff_ffff, 0xffff_fff8],
    ['a structure inside SMRAM', 0, 0x9_0000],
  ])('%s is read as all-ones: 4 GiB of zeros beyond the end', (_name, high, low) => {
    const { ram, start } = memory();
    ram.fill(0x77);
    start(high, low);
    expect(ram.every((byte) => byte === 0x77)).toBe(true);
  });
});
