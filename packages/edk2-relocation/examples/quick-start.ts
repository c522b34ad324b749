import { buildFirmware, expectedLog } from '@smm/edk2-relocation';

// A flash image for QEMU (-bios) or for @smm/machine: two processors, 2 GiB, the 2015 shape.
const { image, symbols, waitLoops } = buildFirmware({ bitness: 32, shape: '2015' });
console.log(image.length.toString(16), symbols.get('ResetVector')?.toString(16));
// => 10000 fffffff0
console.log(waitLoops().find(({ name }) => name === 'SmmRelocateBases.waitForAp')?.waitsFor);
// => mRebased[index]
console.log(expectedLog({ tolud: 0x8000_0000, cpus: 2, shape: '2015' }).split('\n').slice(0, 3).join('\n'));
// => SMRAM TileSize = 00000800
// => CPU[000]  APIC ID=0000  SMBASE=7FFC1000  SaveState=7FFD0C00  Size=00000400
// => CPU[001]  APIC ID=0001  SMBASE=7FFC1800  SaveState=7FFD1400  Size=00000400
