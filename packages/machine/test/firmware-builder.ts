/** Firmware volumes by the layout of the PI specification, built byte by byte. */

/** One file of a volume. */
export interface TestFile {
  readonly name?: string;
  readonly type: number;
  /** First 32 bits of its GUID; the rest is zero. */
  readonly guid?: number;
  readonly image?: Uint8Array;
  readonly te?: boolean;
}

const u24 = (view: DataView, at: number, value: number): void => {
  view.setUint16(at, value & 0xffff, true);
  view.setUint8(at + 2, value >>> 16);
};

function section(type: number, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(Math.ceil((4 + body.length) / 4) * 4);
  const view = new DataView(bytes.buffer);
  u24(view, 0, 4 + body.length);
  view.setUint8(3, type);
  bytes.set(body, 4);
  return bytes;
}

function text(name: string): Uint8Array {
  const units = new Uint16Array([...`${name}\0`].map((char) => char.charCodeAt(0)));
  return new Uint8Array(units.buffer);
}

function file({ name, type, image, te, guid }: TestFile): Uint8Array {
  const parts = [
    ...(image ? [section(te ? 0x12 : 0x10, image)] : []),
    ...(name === undefined ? [] : [section(0x15, text(name))]),
  ];
  const size = 24 + parts.reduce((sum, part) => sum + part.length, 0);
  const bytes = new Uint8Array(Math.ceil(size / 8) * 8).fill(0xff);
  const view = new DataView(bytes.buffer);
  if (guid !== undefined) {
    bytes.fill(0, 0, 16);
    view.setUint32(0, guid, true);
  }
  view.setUint8(0x12, type);
  view.setUint8(0x13, 0);
  u24(view, 0x14, size);
  let at = 24;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

export function volume(files: readonly TestFile[], size = 0x1_0000): Uint8Array {
  const bytes = new Uint8Array(size).fill(0xff);
  const view = new DataView(bytes.buffer);
  view.setUint32(0x20, size, true);
  view.setUint32(0x24, 0, true);
  view.setUint32(0x28, 0x4856_465f, true);
  view.setUint16(0x30, 0x48, true);
  view.setUint16(0x34, 0, true);
  view.setUint16(0x32, 0, true); // the header's words add up to zero
  let sum = 0;
  for (let i = 0; i < 0x48; i += 2) sum += view.getUint16(i, true);
  view.setUint16(0x32, -sum & 0xffff, true);
  let at = 0x48;
  for (const each of files) {
    const part = file(each);
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** A PE32 image with headers only; `entry` tells images apart. */
export function pe(entry: number, size: number): Uint8Array {
  const bytes = new Uint8Array(0x400);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, 0x5a4d, true);
  view.setUint32(0x3c, 0x80, true);
  view.setUint32(0x80, 0x4550, true);
  view.setUint32(0x80 + 40, entry, true);
  view.setUint32(0x80 + 80, size, true);
  return bytes;
}

/** Signatures of entries that hold the path of the file with symbols, and the bytes before it. */
const DEBUG_KINDS = { NB10: 16, RSDS: 24, MTOC: 20 } as const;
export type DebugKind = keyof typeof DEBUG_KINDS;

/** A debug directory of one entry at `rva`, and what it points to right behind. */
function debugData(kind: DebugKind, path: string, rva: number, offset: number): Uint8Array {
  const bytes = new Uint8Array(28 + DEBUG_KINDS[kind] + path.length + 1);
  const view = new DataView(bytes.buffer);
  view.setUint32(12, 2, true);
  view.setUint32(16, bytes.length - 28, true);
  view.setUint32(20, rva + 28, true);
  view.setUint32(24, offset + 28, true);
  for (const [i, char] of [...kind].entries()) bytes[28 + i] = char.charCodeAt(0);
  for (const [i, char] of [...path].entries()) bytes[28 + DEBUG_KINDS[kind] + i] = char.charCodeAt(0);
  return bytes;
}

/** A PE image with one section, at 400h in its file and at 2000h in memory, that names its symbols. */
export function peWithDebug(
  kind: DebugKind,
  path: string,
  bits: 32 | 64,
): { file: Uint8Array; memory: Uint8Array } {
  const header = pe(0x2000, 0x3000);
  const view = new DataView(header.buffer);
  const directories = bits === 64 ? 112 : 96;
  view.setUint16(0x84, bits === 64 ? 0x8664 : 0x14c, true);
  view.setUint16(0x86, 1, true);
  view.setUint16(0x94, directories + 128, true);
  view.setUint16(0x98, bits === 64 ? 0x20b : 0x10b, true);
  view.setUint32(0x98 + directories - 4, 16, true);
  view.setUint32(0x98 + directories + 48, 0x2000, true);
  view.setUint32(0x98 + directories + 52, 28, true);
  const section = 0x98 + directories + 128;
  view.setUint32(section + 8, 0x400, true);
  view.setUint32(section + 12, 0x2000, true);
  view.setUint32(section + 16, 0x400, true);
  view.setUint32(section + 20, 0x400, true);
  const data = debugData(kind, path, 0x2000, 0x400);
  const file = new Uint8Array(0x800);
  const memory = new Uint8Array(0x3000);
  for (const [bytes, at] of [
    [file, 0x400],
    [memory, 0x2000],
  ] as const) {
    bytes.set(header);
    bytes.set(data, at);
  }
  return { file, memory };
}

/** A TE image that was made of a PE image whose headers were 400h bytes long. */
export function te(kind: DebugKind, path: string): Uint8Array {
  const bytes = new Uint8Array(0x400);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, 0x5a56, true);
  view.setUint16(6, 0x400, true);
  view.setUint32(32, 0x500, true);
  view.setUint32(36, 28, true);
  bytes.set(debugData(kind, path, 0x500, 0), 0x500 - 0x400 + 40);
  return bytes;
}
