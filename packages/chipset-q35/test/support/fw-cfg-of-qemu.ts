/** What QEMU's fw_cfg holds. Test code only. */
import { type Access, runOnQemu } from './qemu-oracle.ts';

/** Reads so many bytes of items. */
export const readItem = (key: number, bytes: number): Access[] => [
  { kind: 'out', port: 0x510, size: 2, value: key },
  ...Array.from({ length: bytes }, (): Access => ({ kind: 'in', port: 0x511, size: 1 })),
];

/** A file of QEMU's, by its name in the directory; undefined: there is none. */
export function fileOfQemu(name: string, args: readonly string[]): number[] | undefined {
  const directory = runOnQemu(readItem(0x19, 4 + 24 * 64), args);
  for (let at = 4; at < directory.length; at += 64) {
    const [a = 0, b = 0, c = 0, d = 0, high = 0, low = 0] = directory.slice(at, at + 6);
    const found = String.fromCharCode(...directory.slice(at + 8, at + 64).filter((byte) => byte !== 0));
    if (found === name)
      return runOnQemu(readItem(high * 256 + low, ((a * 256 + b) * 256 + c) * 256 + d), args);
  }
  return undefined;
}
