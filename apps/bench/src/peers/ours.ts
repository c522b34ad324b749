/** This project's machine as a peer: the same ROM in a whole `tcg` or `kvm` machine. */
import type { TierName } from '@smm/cpu-core';
import { ChildServer } from '../child-server.ts';
import { cpuSeconds } from '../cpu-time.ts';
import { CHILD_SCRIPT } from '../run-child.ts';
import { machineWith, type OurOptions, runToEnd } from './our-machine.ts';
import type { Peer, PeerRun } from './peer.ts';

const TIMEOUT_MS = 300_000;

/** Short names of the tiers in tables. */
const TIER_LABELS: Readonly<Record<TierName, string>> = {
  translator: 'tier1',
  interpreter: 'tier0',
  evaluator: 'evaluator',
};

/** Runs a ROM to its end, in this process. */
export function runOurs(
  rom: Uint8Array,
  options: OurOptions,
  processors = 1,
): PeerRun & { readonly retired: number } {
  const late = Date.now() + TIMEOUT_MS;
  const before = cpuSeconds();
  const machine = machineWith(rom, options, processors);
  const { output, stop, retired } = runToEnd(machine, () => Date.now() > late);
  const seconds = cpuSeconds() - before;
  return { output, seconds, retired, note: stop };
}

/** The name of one of our machines: `smm-tier1`, `smm-tier0-kvm`, `smm-evaluator-shadow`. */
export function ourName({ tier, accelerator }: OurOptions): string {
  return `smm-${TIER_LABELS[tier]}${accelerator === 'tcg' ? '' : `-${accelerator}`}`;
}

/** Our machine as a peer: in a process of its own that stays for all its runs, run by `script`. */
export function ourPeer(options: OurOptions, script: string, suffix = '', version = 'this tree'): Peer {
  const server = new ChildServer(script);
  return {
    name: `${ourName(options)}${suffix}`,
    bits: [32, 64],
    offers: ['smm', 'apic', 'smp'],
    version: () => Promise.resolve(version),
    run: (rom, processors) => server.run(rom, { engine: options, processors }),
    close: () => server.close(),
  };
}

const tiers = ['translator', 'interpreter', 'evaluator'] as const;
const accelerators = ['tcg', 'kvm', 'shadow'] as const;

/** Every tier under every accelerator. */
export const ourPeers: readonly Peer[] = accelerators.flatMap((accelerator) =>
  tiers.map((tier) => ourPeer({ tier, accelerator }, CHILD_SCRIPT)),
);
