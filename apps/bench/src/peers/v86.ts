/** v86 as a peer, 32-bit only, in this process. Its output is the first serial port. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { cpuSeconds } from '../cpu-time.ts';
import { MAPPED_BYTES } from '../kernels/kernel.ts';
import type { Peer, PeerRun } from './peer.ts';

const TIMEOUT_MS = 300_000;

function packageRoot(): string | undefined {
  try {
    return dirname(createRequire(import.meta.url).resolve('v86/package.json'));
  } catch {
    return undefined;
  }
}

async function run(rom: Uint8Array, disableJit: boolean): Promise<PeerRun> {
  const root = packageRoot()!;
  const { V86 } = await import('v86');
  const wasm = join(root, 'build', 'v86.wasm');
  const before = cpuSeconds();
  const emulator = new V86({
    wasm_path: wasm,
    memory_size: MAPPED_BYTES,
    vga_memory_size: 2 << 20,
    bios: { buffer: rom.slice().buffer },
    vga_bios: { buffer: new ArrayBuffer(32_768) },
    autostart: true,
    disable_keyboard: true,
    disable_mouse: true,
    disable_speaker: true,
    disable_jit: disableJit,
  });
  let output = '';
  let timer: NodeJS.Timeout | undefined;
  const ended = await new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), TIMEOUT_MS);
    emulator.add_listener('serial0-output-byte', (byte: number) => {
      if (byte === 10) resolve(true);
      else output += String.fromCharCode(byte);
    });
  });
  const seconds = cpuSeconds() - before;
  clearTimeout(timer);
  await emulator.destroy();
  return { output, seconds, note: ended ? 'reported' : `no report in ${TIMEOUT_MS / 1000} s` };
}

function v86Peer(name: string, disableJit: boolean, effort: number): Peer {
  return {
    name,
    bits: [32],
    effort,
    version: () => {
      const root = packageRoot();
      if (root === undefined) return Promise.resolve(undefined);
      return Promise.resolve(
        (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }).version,
      );
    },
    run: (rom) => run(rom, disableJit),
  };
}

/** v86 with its just-in-time compiler. */
export const v86Jit: Peer = v86Peer('v86-jit', false, 8);
/** v86 without: an interpreter in WebAssembly, as our tier 0 is. */
export const v86Interpreter: Peer = v86Peer('v86-interpreter', true, 0.5);
