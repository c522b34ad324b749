/** All emulators, in the order of the tables. A new one goes here. */
import { bochs } from './bochs.ts';
import { chromiumPeers } from './chromium.ts';
import { ourPeers } from './ours.ts';
import type { Peer } from './peer.ts';
import { qemuTcg } from './qemu.ts';
import { v86Interpreter, v86Jit } from './v86.ts';

/** Every emulator that runs kernels. */
export const ALL_PEERS: readonly Peer[] = [
  ...ourPeers,
  qemuTcg,
  bochs,
  v86Jit,
  v86Interpreter,
  ...chromiumPeers,
];

/** Measured only when named: the evaluator is the judge of the others, its speed under each accelerator is no news. */
const ON_REQUEST: ReadonlySet<string> = new Set(['smm-evaluator-kvm', 'smm-evaluator-shadow']);

/** Those that are measured unless others are named. */
export const DEFAULT_PEERS: readonly Peer[] = ALL_PEERS.filter(({ name }) => !ON_REQUEST.has(name));
