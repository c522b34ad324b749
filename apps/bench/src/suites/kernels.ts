/** The suites that run a kernel on every emulator: hot loops, cold code, SMI round trips. */

import { coldKernels } from '../kernels/cold.ts';
import type { Kernel } from '../kernels/kernel.ts';
import { mixed32 } from '../kernels/mixed32.ts';
import { mixed64 } from '../kernels/mixed64.ts';
import { SMIS_PER_ROUND, smi32 } from '../kernels/smi.ts';
import { type Effort, type Measurement, measured, type Progress } from '../measurement.ts';
import { bochs } from '../peers/bochs.ts';
import { ourPeer } from '../peers/ours.ts';
import type { Peer } from '../peers/peer.ts';
import { qemuTcg } from '../peers/qemu.ts';
import { v86Interpreter, v86Jit } from '../peers/v86.ts';
import { type Cost, runKernels } from '../run-kernel.ts';

/** Our tier 0. */
export const smmWasm: Peer = ourPeer('smm-wasm', { tier: 'interpreter', accelerator: 'tcg' });
const smmKvm = ourPeer('smm-wasm-kvm', { tier: 'interpreter', accelerator: 'kvm' });
const smmEvaluator = ourPeer('smm-evaluator', { tier: 'evaluator', accelerator: 'tcg' });

/** A suite that is a set of kernels and a unit. */
export interface KernelSuite {
  /** Name on the command line. */
  readonly name: string;
  /** Kernels. */
  readonly kernels: readonly Kernel[];
  /** Emulators. */
  readonly peers: readonly Peer[];
  /** Unit of the figures. */
  readonly unit: string;
  /** Larger is better. */
  readonly larger: boolean;
  /** A sample from the cost of the rounds. */
  readonly figure: (cost: Cost) => number;
}

const nsPerInstruction = ({ seconds, instructions }: Cost): number => (seconds * 1e9) / instructions;

/** Hot loops: guest instructions per CPU second, millions. */
export const hot: KernelSuite = {
  name: 'hot',
  kernels: [mixed32, mixed64],
  peers: [smmWasm, smmEvaluator, bochs, qemuTcg, v86Jit, v86Interpreter],
  unit: 'MIPS',
  larger: true,
  figure: ({ seconds, instructions }) => instructions / seconds / 1e6,
};

/** Code that runs once: CPU time per instruction. */
export const cold: KernelSuite = {
  name: 'cold',
  kernels: coldKernels,
  peers: [smmWasm, bochs, qemuTcg, v86Jit],
  unit: 'ns/insn',
  larger: false,
  figure: nsPerInstruction,
};

/** SMI entry, handler and RSM. v86 has no SMM. */
export const smi: KernelSuite = {
  name: 'smi',
  kernels: [smi32],
  peers: [smmWasm, smmKvm, bochs, qemuTcg],
  unit: 'us/SMI',
  larger: false,
  figure: ({ seconds, rounds }) => (seconds * 1e6) / (rounds * SMIS_PER_ROUND),
};

/** Runs such a suite. */
export async function runKernelSuite(
  suite: KernelSuite,
  effort: Effort,
  progress: Progress,
): Promise<Measurement[]> {
  const runs = await runKernels(suite.kernels, suite.peers, effort, progress);
  return runs.map(({ peer, kernel, version, costs, failure }) => {
    const row = {
      suite: suite.name,
      name: kernel.name,
      peer: peer.name,
      unit: suite.unit,
      ...(version !== undefined && { version }),
    };
    return failure === undefined
      ? measured(row, costs.map(suite.figure))
      : { ...row, ...failure, samples: [] };
  });
}
