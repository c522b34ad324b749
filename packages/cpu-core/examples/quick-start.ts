import { cpuModel, createWindow, Engine } from '@smm/cpu-core';

const RAM = 1 << 20;
const window = createWindow(RAM + (1 << 20));
const engine = new Engine({ window, cacheOffset: RAM, cacheSize: 1 << 20 });
const nothing = () => 0;
const cpu = engine.createProcessor({
  index: 0,
  bsp: true,
  model: cpuModel('qemu64'),
  ports: {
    // linear = guest-physical = host; the reset vector's top 64 KiB is the last of the first MiB
    pageWalker: {
      translate: ({ linear }, result) => {
        result.outcome = 0;
        result.gpaPage = result.hostPage = linear & 0xf_f000;
        result.readable = result.writable = result.executable = true;
      },
    },
    memory: { read: nothing, write: nothing, readBlock: nothing, writeBlock: nothing },
    io: { in: nothing, out: (port, _size, value) => console.log(`port ${port.toString(16)}h: ${value}`) },
    apic: {
      pendingVector: () => -1,
      acknowledge: nothing,
      getCr8: nothing,
      setCr8: nothing,
      readMsr: () => undefined,
      writeMsr: () => false,
    },
    saveState: {
      revision: 0x2_0064,
      save: nothing,
      restore: () => {
        throw new Error('no SMM here');
      },
    },
    time: { tsc: () => 0n },
  },
});

// at the reset vector: mov al, 6; mov bl, 7; mul bl; out 80h, al; hlt
new Uint8Array(window.buffer).set([0xb0, 6, 0xb3, 7, 0xf6, 0xe3, 0xe6, 0x80, 0xf4], 0xf_fff0);
const exit = cpu.run(1000);
console.log(exit.reason, exit.retired);
// => port 80h: 42
// => halted 5
