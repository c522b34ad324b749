import { createQcow2, MemoryStore, OverlayDisk, openImage } from '@smm/block';

// A disk of 1 GiB in a qcow2 file, which here lies in memory. Only what is written takes room.
const file = new MemoryStore();
createQcow2(file, { sizeBytes: 2 ** 30 });
const disk = openImage(file);
disk.write(0x1fe, Uint8Array.of(0x55, 0xaa));
disk.flush();
console.log(disk.sizeBytes, file.sizeBytes); // => 1073741824 393216

// Opened again it is there. What is written over it in memory leaves the file alone.
const again = openImage(file, { readonly: true });
const overlay = new OverlayDisk(again);
overlay.write(0x1ff, Uint8Array.of(0xbb));
const bytes = new Uint8Array(2);
overlay.read(0x1fe, bytes);
console.log(bytes.join(' ')); // => 85 187
again.read(0x1fe, bytes);
console.log(bytes.join(' ')); // => 85 170
