/** Firmware volumes by the layout of the PI specification, built byte by byte. */

/** One file of a volume. */
export interface TestFile {
  readonly name: string;
  readonly type: number;
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

function file({ name, type, image, te }: TestFile): Uint8Array {
  const parts = [...(image ? [section(te ? 0x12 : 0x10, image)] : []), section(0x15, text(name))];
  const size = 24 + parts.reduce((sum, part) => sum + part.length, 0);
  const bytes = new Uint8Array(Math.ceil(size / 8) * 8).fill(0xff);
  const view = new DataView(bytes.buffer);
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
