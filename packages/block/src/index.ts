/**
 * Disk images behind one port: raw, qcow2, overlays in memory.
 * @packageDocumentation
 */
export type { ByteStore } from './byte-store.ts';
export { MemoryStore } from './byte-store.ts';
export type { NewQcow2 } from './create-qcow2.ts';
export { createQcow2 } from './create-qcow2.ts';
export type { DirectDiskState, OverlayDiskState, OverlayOptions } from './disks.ts';
export { DirectDisk, OverlayDisk } from './disks.ts';
export type { ImageFormat, ImageOptions } from './image.ts';
export { openImage } from './image.ts';
export type { Qcow2Options } from './qcow2.ts';
export { Qcow2Image } from './qcow2.ts';
export type { Qcow2Header } from './qcow2-header.ts';
