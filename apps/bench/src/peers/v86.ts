/** v86 as a peer, 32-bit only, each in a process of its own. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { ChildServer } from '../child-server.ts';
import { CHILD_SCRIPT } from '../run-child.ts';
import type { Peer } from './peer.ts';

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
  const server = new ChildServer(CHILD_SCRIPT);
  return {
    name,
    bits: [32],
    offers: ['apic'],
    version: () => Promise.resolve(v86Version()),
    run: (rom, processors) =>
      server.run(rom, { engine: { v86: { disableJit, wasmPath: v86Wasm() } }, processors }),
    close: () => server.close(),
  };
}

/** v86 with its just-in-time compiler. */
export const v86Jit: Peer = v86Peer('v86-jit', false);
/** v86 without: an interpreter in WebAssembly, as our tier 0 is. */
export const v86Interpreter: Peer = v86Peer('v86-interpreter', true);
