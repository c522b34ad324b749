import { IoPortSpace, PhysicalAddressSpace, VirtualClock } from '@smm/bus';
import { Q35Chipset } from '@smm/chipset-q35';

const MIB = 0x100000;
const ram = { hostOffset: 0, sizeBytes: 16 * MIB };
const rom = { hostOffset: 16 * MIB, sizeBytes: 0x10000 };
const memory = new PhysicalAddressSpace({ ram: new Uint8Array(17 * MIB) });
const io = new IoPortSpace();
const smis: (number | 'all')[] = [];
const ports = {
  memory,
  io,
  clock: new VirtualClock(),
  decodeSmram: () => [], // decodeSmram of @smm/smram in a real machine
  smi: (target: number | 'all') => smis.push(target),
  reset: () => {},
};
new Q35Chipset(ports, { ram, rom, cpuCount: 2 });

const config = (bdf: number, register: number) => io.out(0xcf8, 4, 0x80000000 + bdf * 256 + register, 0);
config(0x00, 0x00);
console.log(io.in(0xcfc, 4, 0).toString(16)); // => 29c08086
config(0xf8, 0x40);
io.out(0xcfc, 4, 0x601, 0); // PMBASE
config(0xf8, 0x44);
io.out(0xcfc, 1, 0x80, 0); // ACPI_EN
io.out(0x630, 4, 0x21, 0); // SMI_EN
io.out(0xb2, 1, 0x00, 1); // APM_CNT, by processor 1
console.log(smis.join()); // => 1
