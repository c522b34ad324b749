/** v86 with a ROM in it, for Node and for browsers alike. Its output is the first serial port. */
import { MAPPED_BYTES } from '../kernels/kernel.ts';

const TIMEOUT_MS = 300_000;

/** How to run it. */
export interface V86Run {
  /** Where its WebAssembly module lies: a path in Node, an address in a browser. */
  readonly wasmPath: string;
  /** Without its just-in-time compiler. */
  readonly disableJit: boolean;
  /** Called when the machine has been made and when the guest has reported. */
  readonly now: () => number;
}

/** What became of a run. */
export interface V86Result {
  /** What the guest printed. */
  readonly output: string;
  /** By the given clock. */
  readonly seconds: number;
  /** How it ended. */
  readonly note: string;
}

/** Runs a ROM until its report. */
export async function runV86(rom: Uint8Array, { wasmPath, disableJit, now }: V86Run): Promise<V86Result> {
  const { V86 } = await import('v86');
  const before = now();
  const emulator = new V86({
    wasm_path: wasmPath,
    memory_size: MAPPED_BYTES,
    vga_memory_size: 2 << 20,
    bios: { buffer: rom.slice().buffer },
    vga_bios: { buffer: new ArrayBuffer(32_768) },
    autostart: true,
    acpi: true, // brings the local APIC
    disable_keyboard: true,
    disable_mouse: true,
    disable_speaker: true,
    disable_jit: disableJit,
  });
  let output = '';
  let timer: ReturnType<typeof setTimeout> | undefined;
  const ended = await new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), TIMEOUT_MS);
    emulator.add_listener('serial0-output-byte', (byte: number) => {
      if (byte === 10) resolve(true);
      else output += String.fromCharCode(byte);
    });
  });
  const seconds = now() - before;
  clearTimeout(timer);
  await emulator.destroy();
  return { output, seconds, note: ended ? 'reported' : `no report in ${TIMEOUT_MS / 1000} s` };
}
