/** v86 as a peer, 32-bit only, in this process. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { cpuSeconds } from '../cpu-time.ts';
import type { Peer } from './peer.ts';
import { runV86 } from './v86-machine.ts';

function packageRoot(): string | undefined {
  try {
    return dirname(createRequire(import.meta.url).resolve('v86/package.json'));
  } catch {
    return undefined;
  }
}

/** Path of v86's WebAssembly module. */
export function v86Wasm(): string {
  return join(packageRoot()!, 'build', 'v86.wasm');
}

/** Version of the package, if it is installed. */
export function v86Version(): string | undefined {
  const root = packageRoot();
  if (root === undefined) return undefined;
  return (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }).version;
}

function v86Peer(name: string, disableJit: boolean): Peer {
  return {
    name,
    bits: [32],
    offers: ['apic'],
    version: () => Promise.resolve(v86Version()),
    run: (rom) => runV86(rom, { wasmPath: v86Wasm(), disableJit, now: cpuSeconds }),
  };
}

/** v86 with its just-in-time compiler. */
export const v86Jit: Peer = v86Peer('v86-jit', false);
/** v86 without: an interpreter in WebAssembly, as our tier 0 is. */
export const v86Interpreter: Peer = v86Peer('v86-interpreter', true);
