import { cpuModel, createWindow, Engine, nullPorts } from '@smm/cpu-core';

// hello.com: mov ah, 9; mov dx, 109h; int 21h; int 20h; db 'Hello from 1981!$'
const program = [
  0xb4,
  9,
  0xba,
  9,
  1,
  0xcd,
  0x21,
  0xcd,
  0x20,
  ...new TextEncoder().encode('Hello from 1981!$'),
];
const RAM = 1 << 20;
const window = createWindow(2 * RAM);
const ram = new Uint8Array(window.buffer, 0, RAM);
const engine = new Engine({ window, cacheOffset: RAM, cacheSize: RAM });
const ports = nullPorts(window, RAM);
const cpu = engine.createProcessor({ index: 0, bsp: true, model: cpuModel('486'), ports });

ram.set(program, 0x1_0100); // 1000:0100
for (const [vector, offset] of [
  [0x20, 0],
  [0x21, 1],
] as const) {
  new DataView(window.buffer).setUint32(vector * 4, 0xf000_0000 + offset, true);
  ram[0xf_0000 + offset] = 0xcf; // IRET
}
cpu.hooks.code({ at: 0xf_0000 }, ({ hooks }) => hooks.stop()); // INT 20h: the program ends
cpu.hooks.code({ at: 0xf_0001 }, ({ registers }) => {
  if (registers.ah !== 9) throw new Error(`INT 21h, function ${registers.ah} is not here`);
  const text = ram.subarray(registers.ds * 16 + registers.dx);
  console.log(new TextDecoder().decode(text.subarray(0, text.indexOf(0x24))));
});
for (const segment of ['cs', 'ds', 'es', 'ss'] as const) cpu.registers[segment] = 0x1000;
cpu.registers.ip = 0x100;
cpu.registers.sp = 0xfffe;
console.log(cpu.run(1_000_000).reason);
// => Hello from 1981!
// => stopped
