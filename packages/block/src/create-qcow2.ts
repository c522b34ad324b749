/** Makes an empty qcow2 image. Source: QEMU, docs/interop/qcow2.txt, "Header". */
import { wholeNumber } from '@smm/x86-defs';
import type { ByteStore } from './byte-store.ts';
import { QCOW2_MAGIC, setU64, viewOf } from './qcow2-header.ts';

/** What the image is like. */
export interface NewQcow2 {
  /** Bytes that the guest sees; a multiple of 512. */
  readonly sizeBytes: number;
  /** Clusters are 2^this bytes, 9 to 21. Default 16, QEMU's own. */
  readonly clusterBits?: number;
}

const HEADER_BYTES = 104;
const REFCOUNT_ORDER = 4;
const MOST_BYTES = 2 ** 40;

/** Writes header and tables into an empty file. Throws `SmmError` `OPTION_VALUE` for what no image can be. */
export function createQcow2(file: ByteStore, { sizeBytes, clusterBits = 16 }: NewQcow2): void {
  wholeNumber('the size of a qcow2 image', sizeBytes, 0, MOST_BYTES);
  wholeNumber('the cluster bits of a qcow2 image', clusterBits, 9, 21);
  const clusterBytes = 2 ** clusterBits;
  const perBlock = clusterBytes / 2;
  const l1Entries = Math.ceil(sizeBytes / (clusterBytes * (clusterBytes / 8)));
  const l1Clusters = Math.max(1, Math.ceil((l1Entries * 8) / clusterBytes));
  // Header, refcount table, its blocks, first table.
  let [tables, blocks] = [1, 1];
  const used = (): number => 1 + tables + blocks + l1Clusters;
  while (blocks * perBlock < used()) blocks++;
  while (tables * (clusterBytes / 8) < blocks) tables++;
  while (blocks * perBlock < used()) blocks++;
  const firstBlock = 1 + tables;
  const bytes = new Uint8Array(clusterBytes);
  const view = viewOf(bytes);
  view.setUint32(0, QCOW2_MAGIC);
  view.setUint32(4, 3);
  view.setUint32(20, clusterBits);
  setU64(view, 24, sizeBytes);
  view.setUint32(36, l1Entries);
  setU64(view, 40, (firstBlock + blocks) * clusterBytes);
  setU64(view, 48, clusterBytes);
  view.setUint32(56, tables);
  view.setUint32(96, REFCOUNT_ORDER);
  view.setUint32(100, HEADER_BYTES);
  file.write(0, bytes);
  const table = new Uint8Array(tables * clusterBytes);
  const counts = new Uint8Array(blocks * clusterBytes);
  for (let i = 0; i < blocks; i++) setU64(viewOf(table), 8 * i, (firstBlock + i) * clusterBytes);
  for (let i = 0; i < used(); i++) viewOf(counts).setUint16(2 * i, 1);
  file.write(clusterBytes, table);
  file.write(firstBlock * clusterBytes, counts);
  file.write((firstBlock + blocks) * clusterBytes, new Uint8Array(l1Clusters * clusterBytes));
  file.flush();
}
