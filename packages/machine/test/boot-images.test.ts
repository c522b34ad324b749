/** Names that images in memory give themselves: debug paths, the cores' tables, and where BDS begins. */
import { describe, expect, it } from 'vitest';
import { BdsWatch } from '../src/scenario/boot/bds.ts';
import { findFirmwareFiles } from '../src/scenario/boot/firmware-volumes.ts';
import { ModuleMap } from '../src/scenario/boot/module-map.ts';
import { debugNameInFile, debugNameInMemory, peHeader } from '../src/scenario/boot/pe-image.ts';
import { type DebugKind, pe, peWithDebug, te, volume } from './firmware-builder.ts';

const PATH = '/b/Build/OvmfX64/RELEASE_GCC5/X64/MdeModulePkg/Core/Dxe/DxeMain/DEBUG/DxeCore.dll';
const KINDS: readonly DebugKind[] = ['NB10', 'RSDS', 'MTOC'];

describe('debug paths', () => {
  it.each(KINDS.flatMap((kind) => [[kind, 32] as const, [kind, 64] as const]))(
    '%s, %i-bit: the same in the file and in memory, where its section lies elsewhere',
    (kind, bits) => {
      const { file, memory } = peWithDebug(kind, PATH, bits);
      expect(debugNameInFile(file)).toBe('DxeCore');
      expect(debugNameInMemory((rva, size) => memory.subarray(rva, rva + size))).toBe('DxeCore');
      expect(peHeader(memory)).toMatchObject({ is64: bits === 64, sizeOfImage: memory.length });
    },
  );

  it('of TE images count from the headers that they have lost', () => {
    expect(debugNameInFile(te('RSDS', 'C:\\edk2\\PlatformPei.pdb'))).toBe('PlatformPei');
  });

  it('that are zeroed, cut or no text name nothing', () => {
    expect(debugNameInFile(pe(0x1000, 0x3000))).toBeUndefined();
    const { file } = peWithDebug('RSDS', '\u0001\u0002', 64);
    expect(debugNameInFile(file)).toBeUndefined();
    for (let length = 0; length < file.length; length += 7) debugNameInFile(file.subarray(0, length));
  });

  it('name files of volumes that have no name of their own, and the GUID where there is neither', () => {
    const { file } = peWithDebug('RSDS', PATH, 64);
    const bytes = volume([
      { type: 5, image: file, guid: 1 },
      { type: 7, image: pe(1, 0x2000), guid: 2 },
    ]);
    expect(findFirmwareFiles(bytes).map(({ name }) => name)).toEqual([
      'DxeCore',
      '00000002-0000-0000-0000-000000000000',
    ]);
  });
});

describe('volumes', () => {
  const one = volume([{ name: 'CpuDxe', type: 7, image: pe(0x1000, 0x3000) }], 0x1000);

  it('are found at any multiple of eight, in ranges that are asked for, and with a sound header alone', () => {
    const bytes = new Uint8Array(0x8000);
    bytes.set(one, 0x1238);
    expect(findFirmwareFiles(bytes).map(({ name }) => name)).toEqual(['CpuDxe']);
    expect(findFirmwareFiles(bytes, [[0x4000, 0x8000]])).toEqual([]);
    bytes.set(one, 0x4004);
    expect(findFirmwareFiles(bytes)).toHaveLength(1);
    bytes[0x1238 + 0x32]! ^= 1;
    expect(findFirmwareFiles(bytes)).toEqual([]);
  });
});

/** Writes structures with pointers of 4 or 8 bytes. */
class Memory {
  readonly bytes = new Uint8Array(0x80_0000);
  readonly view = new DataView(this.bytes.buffer);
  readonly region = { start: 0, bytes: this.bytes };
  constructor(readonly width: 4 | 8) {}
  text(at: number, text: string): void {
    for (const [i, char] of [...text].entries()) this.view.setUint8(at + i, char.charCodeAt(0));
  }
  utf16(at: number, text: string): void {
    for (const [i, char] of [...text].entries()) this.view.setUint16(at + 2 * i, char.charCodeAt(0), true);
  }
  pointers(at: number, ...values: number[]): void {
    values.forEach((value, i) => {
      this.view.setUint32(at + i * this.width, value, true);
    });
  }
  guid(at: number, a: number, b: number, c: number, ...d: number[]): void {
    this.view.setUint32(at, a, true);
    this.view.setUint16(at + 4, b, true);
    this.view.setUint16(at + 6, c, true);
    this.bytes.set(d, at + 8);
  }
  image(at: number): void {
    const image = pe(0x800, 0x3000);
    new DataView(image.buffer).setUint16(0x84, this.width === 8 ? 0x8664 : 0x14c, true);
    this.bytes.set(image, at);
  }
  map(): ModuleMap {
    return new ModuleMap((gpa, size) => this.bytes.slice(gpa, gpa + size));
  }
}

describe.each([4, 8] as const)('with pointers of %i bytes', (w) => {
  it("images of the DXE core's table have the names of their paths", () => {
    const m = new Memory(w);
    m.text(0x40_0000, 'IBI SYST');
    m.view.setUint32(0x40_0008, 0x1_0000, true);
    m.text(0x1_0000, 'IBI SYST');
    m.view.setUint32(0x1_000c, w === 8 ? 0x78 : 0x48, true);
    m.pointers(0x1_0018 + 10 * w, 1, 0x1_1000);
    m.guid(0x1_1000, 0x49152e77, 0x1ada, 0x4764, 0xb7, 0xa2, 0x7a, 0xfe, 0xfe, 0xd9, 0x5e, 0x8b);
    m.pointers(0x1_1010, 0x1_2000);
    m.view.setUint32(0x1_2004, 3, true);
    m.pointers(0x1_2008, 0x1_3000);
    m.pointers(0x1_3000, 0x1_4000, 0, 0x1_4100); // a freed entry between two
    const loaded = [
      [0x1_4000, 0x1_5000, 0x20_0000],
      [0x1_4100, 0x1_5100, 0x30_0000],
    ] as const;
    for (const [info, protocol, base] of loaded) {
      m.view.setUint32(info, 1, true);
      m.pointers(info + w, protocol, 0x77);
      m.pointers(protocol + 4 * w, protocol + 0x80);
      m.pointers(protocol + 8 * w, base);
      m.image(base);
    }
    const file = '\\EFI\\debian\\grubx64.efi';
    m.bytes.set([4, 4, 4 + 2 * file.length + 2, 0], 0x1_5080);
    m.utf16(0x1_5084, file);
    m.bytes.set([0x7f, 0xff, 4, 0], 0x1_5080 + 4 + 2 * file.length + 2);
    m.bytes.set([4, 6, 20, 0], 0x1_5180);
    m.guid(0x1_5184, 0x12345678, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10);
    m.bytes.set([0x7f, 0xff, 4, 0], 0x1_5194);
    const map = m.map();
    expect(map.find(0x20_1234)).toBeUndefined();
    expect(map.learn([m.region])).toBe(2);
    expect(map.find(0x20_1234)).toMatchObject({ name: 'grubx64.efi', offset: 0x1234, base: 0x20_0000 });
    expect(map.find(0x30_0004)?.name).toBe('12345678-0001-0002-0304-05060708090a');
  });

  it("images of the SMM core's drivers have the GUIDs of their records", () => {
    const m = new Memory(w);
    m.view.setUint32(0x2_0000, 0x7672_6473, true); // sdrv
    m.pointers(0x2_0000 + w, 0x2_1000, 0x2_1000, 0x2_1000, 0x2_1000, 0x55);
    m.guid(0x2_0000 + 6 * w, 0xabcdef01, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10);
    const behind = 0x2_0000 + 6 * w + 16;
    m.view.setUint32(behind + 0x48, 0x50_0800, true); // entry point, then the image
    m.view.setUint32(behind + 0x50, 0x50_0000, true);
    m.image(0x50_0000);
    const map = m.map();
    expect(map.learn([m.region])).toBe(1);
    expect(map.find(0x50_0900)?.name).toBe('abcdef01-0001-0002-0304-05060708090a');
  });

  it('BDS begins when its function is on the stack, behind a call', () => {
    const m = new Memory(w);
    m.image(0x20_0000); // the core
    m.image(0x30_0000); // the driver with the protocol
    const [list, record, face] = [0x20_2000, 0x2_0000, 0x2_1000];
    m.pointers(list, record + w, record + w);
    m.view.setUint32(record, 0x6574_7270, true); // prte
    m.pointers(record + w, list, list);
    m.guid(record + 3 * w, 0x665e3ff6, 0x46cc, 0x11d4, 0x9a, 0x38, 0, 0x90, 0x27, 0x3f, 0xc1, 0x4d);
    const interfaces = record + 3 * w + 16;
    m.pointers(interfaces, interfaces, interfaces);
    const header = peHeader(m.bytes.subarray(0x20_0000, 0x20_1000))!;
    const map = m.map();
    const imageAt = (): { base: number; header: typeof header } => ({ base: 0x30_0000, header });
    const begun = (): boolean => new BdsWatch(m.region, imageAt).begun({ base: 0x20_0000, header }, 0x6_0000);
    m.pointers(0x6_0100, 0x30_0945);
    m.bytes[0x30_0940] = 0xe8;
    expect(begun()).toBe(false); // nobody has the protocol
    m.pointers(interfaces, face, face);
    m.pointers(face, interfaces, interfaces, record, 0x2_2000);
    m.pointers(0x2_2000, 0x30_0900);
    expect(begun()).toBe(true);
    m.bytes[0x30_0940] = 0x90; // no call: some pointer
    expect(begun()).toBe(false);
    m.bytes.set([0xff, 0x50, 0x18], 0x30_0942); // call [eax+18h]
    expect(begun()).toBe(true);
    m.pointers(0x6_0100, 0x30_0810); // before the function
    expect(begun()).toBe(false);
    expect(map.handles()).toEqual([]);
  });
});
