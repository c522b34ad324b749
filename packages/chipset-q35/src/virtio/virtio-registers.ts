/**
 * The registers of a virtio function and its capabilities, laid out as QEMU lays them out.
 * Source: Virtual I/O Device (VIRTIO) 1.2, "Virtio Over PCI Bus"; QEMU 7.2 measured.
 */
import type { RegisterSpec } from '@smm/bus';
import type { PciCapability } from '../pci-capabilities.ts';

/** Where each structure is in the memory range, and its size, bytes. */
export const PLACES = {
  common: { offset: 0x0000, sizeBytes: 0x1000 },
  isr: { offset: 0x1000, sizeBytes: 0x1000 },
  device: { offset: 0x2000, sizeBytes: 0x1000 },
  notify: { offset: 0x3000, sizeBytes: 0x1000 },
} as const;
/** Base address register of that range, and of MSI-X. */
export const REGISTERS_BAR = 4;
export const MSIX_BAR = 1;
/** Bytes from one queue's notify register to the next one's. */
export const NOTIFY_MULTIPLIER = 4;
/** The window into the range from configuration space: bar, offset, length, data. */
export const CONFIG_WINDOW = 0x84;

/** Device status. */
export const STATUS = { DRIVER_OK: 0x04, FEATURES_OK: 0x08, NEEDS_RESET: 0x40 } as const;
/** No MSI-X vector. */
export const NO_VECTOR = 0xffff;

/** The common configuration structure. */
export const COMMON_ROWS: readonly RegisterSpec[] = [
  { name: 'DEVICE_FEATURE_SELECT', offset: 0x00, width: 4, writable: 0xffff_ffff },
  { name: 'DEVICE_FEATURE', offset: 0x04, width: 4 },
  { name: 'DRIVER_FEATURE_SELECT', offset: 0x08, width: 4, writable: 0xffff_ffff },
  { name: 'DRIVER_FEATURE', offset: 0x0c, width: 4 },
  { name: 'CONFIG_VECTOR', offset: 0x10, width: 2, reset: NO_VECTOR },
  { name: 'NUM_QUEUES', offset: 0x12, width: 2 },
  { name: 'STATUS', offset: 0x14, width: 1 },
  { name: 'CONFIG_GENERATION', offset: 0x15, width: 1 },
  { name: 'QUEUE_SELECT', offset: 0x16, width: 2, writable: 0xffff },
  { name: 'QUEUE_SIZE', offset: 0x18, width: 2 },
  { name: 'QUEUE_VECTOR', offset: 0x1a, width: 2 },
  { name: 'QUEUE_ENABLE', offset: 0x1c, width: 2 },
  { name: 'QUEUE_NOTIFY_OFF', offset: 0x1e, width: 2 },
  ...[0, 1, 2, 3, 4, 5].map((i) => ({ name: `PLACE${i}`, offset: 0x20 + 4 * i, width: 4 }) as const),
];

const CAP_ID_VENDOR = 0x09;

function structure(offset: number, kind: number, place: { offset: number; sizeBytes: number }, more = 0) {
  const name = `VIRTIO${kind}`;
  const rows: RegisterSpec[] = [
    { name: `${name}_LENGTH`, offset: offset + 2, width: 1, reset: 16 + more },
    { name: `${name}_TYPE`, offset: offset + 3, width: 1, reset: kind },
    { name: `${name}_BAR`, offset: offset + 4, width: 1, reset: REGISTERS_BAR },
    { name: `${name}_OFFSET`, offset: offset + 8, width: 4, reset: place.offset },
    { name: `${name}_SIZE`, offset: offset + 12, width: 4, reset: place.sizeBytes },
  ];
  return { id: CAP_ID_VENDOR, offset, rows };
}

/** The capabilities that say where the structures are, in QEMU's order. */
export function virtioCapabilities(): PciCapability[] {
  const notify = structure(0x70, 2, PLACES.notify, 4);
  const multiplier = {
    name: 'VIRTIO2_MULTIPLIER',
    offset: 0x80,
    width: 4,
    reset: NOTIFY_MULTIPLIER,
  } as const;
  const window: RegisterSpec[] = [
    { name: 'WINDOW_LENGTH', offset: CONFIG_WINDOW + 2, width: 1, reset: 20 },
    { name: 'WINDOW_TYPE', offset: CONFIG_WINDOW + 3, width: 1, reset: 5 },
    { name: 'WINDOW_BAR', offset: CONFIG_WINDOW + 4, width: 1, writable: 0xff },
    { name: 'WINDOW_OFFSET', offset: CONFIG_WINDOW + 8, width: 4, writable: 0xffff_ffff },
    { name: 'WINDOW_SIZE', offset: CONFIG_WINDOW + 12, width: 4, writable: 0xffff_ffff },
    { name: 'WINDOW_DATA', offset: CONFIG_WINDOW + 16, width: 4, writable: 0xffff_ffff },
  ];
  return [
    { id: CAP_ID_VENDOR, offset: CONFIG_WINDOW, rows: window },
    { ...notify, rows: [...notify.rows, multiplier] },
    structure(0x60, 4, PLACES.device),
    structure(0x50, 3, PLACES.isr),
    structure(0x40, 1, PLACES.common),
  ];
}
