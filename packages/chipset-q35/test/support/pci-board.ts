/** Accesses to a board with interrupt controllers, and our model of that board. Test code only. */
import type { Board, Part } from '../../src/index.ts';
import { buildModel } from './model.ts';
import { FakeApic } from './pci-models.ts';
import type { Access, Size } from './qemu-oracle.ts';

const RAM = 0x400_0000;

export const inp = (port: number, size: Size = 1): Access => ({ kind: 'in', port, size });
const out = (port: number, value: number, size: Size = 1): Access => ({
  kind: 'out',
  port,
  size,
  value,
});
export const read = (gpa: number): Access => ({ kind: 'read', gpa, size: 4 });
export const write = (gpa: number, value: number): Access => ({ kind: 'write', gpa, size: 4, value });
export const ioapic = (register: number, value: number): Access[] => [
  write(0xfec0_0000, register),
  write(0xfec0_0010, value),
];
export const entry = (pin: number): Access[] => [write(0xfec0_0000, 0x10 + 2 * pin), read(0xfec0_0010)];

/** A board with 64 MiB and the parts on it. */
export function model(parts: (board: Board) => readonly Part[]) {
  const apic = new FakeApic();
  const interrupts = {
    deliver: (message: Parameters<FakeApic['deliver']>[0]) => apic.deliver(message),
    intr: { set: () => {} },
  };
  const built = buildModel(RAM, undefined, { parts, peripherals: { interrupts } });
  const place = { start: 0xfee0_0000, sizeBytes: 0x10_0000, priority: 100 };
  built.memory.add({ kind: 'mmio', name: 'lapic', ...place, device: apic });
  return { ...built, apic };
}

/** PICs initialized, all masked, lines 10 and 11 level; the local APIC on; pins 10 and 23 open, level. */
export const CONTROLLERS: Access[] = [
  ...[out(0x20, 0x11), out(0x21, 0x08), out(0x21, 0x04), out(0x21, 0x01), out(0x21, 0xff)],
  ...[out(0xa0, 0x11), out(0xa1, 0x70), out(0xa1, 0x02), out(0xa1, 0x01), out(0xa1, 0xff)],
  ...[out(0x4d1, 0x0c), out(0xa0, 0x0a), write(0xfee0_00f0, 0x1ff)],
  ...[
    ...ioapic(0x11 + 20, 0),
    ...ioapic(0x10 + 20, 0x8050),
    ...ioapic(0x11 + 46, 0),
    ...ioapic(0x10 + 46, 0x8061),
  ],
];
