/** A static Linux program for x86-64 on a flat machine at ring 0: its image, its stack, the system calls it makes. */

import * as L from '../../src/layout.ts';
import { setMsrValue } from '../../src/system/msr-table.ts';
import { FlatMachine, type FlatMachineOptions } from './flat-machine.ts';

const RAM = 64 << 20;
const [STUB, STACK_TOP, MAPPINGS] = [0x1000, RAM - 0x1_0000, 32 << 20];
const PAGE = 4096n;
const IA32_LSTAR = 0xc000_0082;
const FS = 4;
const PORT = 0x80;
/** Instructions until a program counts as hung. */
const LIMIT = 200_000_000;
const [ENOSYS, EBADF, ENOTTY] = [38n, 9n, 25n];

/** A process that has been started. */
export class LinuxProcess {
  readonly machine: FlatMachine;
  /** What it wrote to its standard output. */
  readonly output: Buffer[] = [];
  /** Exit status, once it has ended. */
  status: number | undefined;
  #end = 0n;
  #mapped = BigInt(MAPPINGS);

  constructor(image: Uint8Array, options: Omit<FlatMachineOptions, 'ram' | 'ports'> = {}) {
    const io = {
      in: () => 0,
      out: (port: number) => {
        if (port === PORT) this.#call();
      },
    };
    this.machine = new FlatMachine({ ...options, ram: RAM, ports: { io } });
    const entry = this.#load(image);
    const { cpu } = this.machine;
    const { state } = cpu;
    // out 80h, al; jmp rcx; hlt
    this.machine.load(STUB, Uint8Array.of(0xe6, PORT, 0xff, 0xe1, 0xf4));
    for (let register = 0; register < 16; register++) state.setGpr64(register, 0n); // RDX: nothing to do at exit
    this.machine.start(64, Number(entry.rip), entry.stack);
    state.efer |= 1; // SCE
    state.cr0 |= 0x22; // NE, MP
    state.cr4 |= 0x600; // OSFXSR, OSXMMEXCPT
    state.mxcsr = 0x1f80;
    state.fcw = 0x37f;
    state.ftw = 0xffff;
    setMsrValue(cpu, IA32_LSTAR, BigInt(STUB));
    cpu.modeChanged();
  }

  /** Runs to its end. */
  run(): this {
    const { cpu } = this.machine;
    for (let left = LIMIT; this.status === undefined; left -= 1e7) {
      if (left <= 0) throw new Error(`the program does not end; RIP ${cpu.state.rip.toString(16)}`);
      const { reason } = cpu.run(1e7);
      if (reason !== 'budget' && this.status === undefined)
        throw new Error(`the program stopped (${reason}) at ${cpu.state.rip.toString(16)}`);
    }
    return this;
  }

  /** Copies the segments; first instruction and stack pointer. */
  #load(image: Uint8Array): { rip: bigint; stack: number } {
    const file = new DataView(image.buffer, image.byteOffset, image.length);
    const rip = file.getBigUint64(24, true);
    const headers = Number(file.getBigUint64(32, true));
    const count = file.getUint16(56, true);
    let headersAt = 0n;
    for (let n = 0; n < count; n++) {
      const at = headers + n * 56;
      if (file.getUint32(at, true) !== 1) continue; // PT_LOAD
      const [offset, address, , size, memory] = [8, 16, 24, 32, 40].map((x) =>
        file.getBigUint64(at + x, true),
      );
      this.machine.load(Number(address), image.subarray(Number(offset), Number(offset! + size!)));
      if (offset === 0n) headersAt = address! + BigInt(headers);
      const end = address! + memory!;
      if (end > this.#end) this.#end = end;
    }
    this.#end = (this.#end + PAGE - 1n) & -PAGE;
    const random = STACK_TOP;
    const name = STACK_TOP + 32;
    const words = [1n, BigInt(name), 0n, 0n]; // argc, argv, environment
    // AT_PHDR, AT_PHENT, AT_PHNUM, AT_PAGESZ, AT_ENTRY, AT_RANDOM, AT_SECURE, AT_NULL
    words.push(
      3n,
      headersAt,
      4n,
      56n,
      5n,
      BigInt(count),
      6n,
      PAGE,
      9n,
      rip,
      25n,
      BigInt(random),
      23n,
      0n,
      0n,
      0n,
    );
    const stack = (STACK_TOP - words.length * 8) & ~15;
    this.machine.load(stack, new Uint8Array(BigUint64Array.from(words).buffer));
    this.machine.load(name, Buffer.from('program\0'));
    return { rip, stack };
  }

  #call(): void {
    const { machine } = this;
    const { state } = machine.cpu;
    const number = Number(state.gpr64(0));
    const [first, second, third] = [7, 6, 2].map((register) => state.gpr64(register));
    state.setGpr64(0, BigInt.asUintN(64, this.#answer(number, first!, second!, third!)));
  }
  #answer(number: number, first: bigint, second: bigint, third: bigint): bigint {
    const { machine } = this;
    const { state } = machine.cpu;
    switch (number) {
      case 1: // write
        if (first !== 1n && first !== 2n) return -EBADF;
        this.output.push(Buffer.from(machine.ram.slice(Number(second), Number(second + third))));
        return third;
      case 5: // fstat: a pipe
        machine.load(Number(second), new Uint8Array(144));
        machine.view.setUint32(Number(second) + 24, 0x1180, true);
        return 0n;
      case 262: // newfstatat
        return this.#answer(5, first, third, 0n);
      case 9: // mmap, anonymous
        this.#mapped += (second + PAGE - 1n) & -PAGE;
        return this.#mapped - ((second + PAGE - 1n) & -PAGE);
      case 10: // mprotect
      case 11: // munmap
      case 218: // set_tid_address
        return 0n;
      case 12: // brk
        if (first > this.#end && first < BigInt(MAPPINGS)) this.#end = first;
        return this.#end;
      case 16: // ioctl
        return -ENOTTY;
      case 158: // arch_prctl
        if (first !== 0x1002n) return -ENOSYS; // ARCH_SET_FS
        state.set64(L.ST_SEG_BASE + FS * 8, second);
        return 0n;
      case 60: // exit
      case 231: // exit_group
        this.status = Number(first & 0xffn);
        state.setGpr64(1, BigInt(STUB + 4));
        return 0n;
    }
    return -ENOSYS;
  }
}
