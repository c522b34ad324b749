/**
 * What a processor waits for, in words: from its state, the firmware's own wait loops, and the addresses that an
 * endless loop reads.
 */
import type { Firmware, WaitLoop } from '@smm/edk2-relocation';
import { SEG_CS } from '@smm/x86-defs';
import { ACT_HALTED, ACT_SHUTDOWN, ACT_SMI_PENDING, ACT_WAIT_SIPI } from '../../activity.ts';
import type { Machine } from '../../machine.ts';
import type { LoopProof } from './outcome.ts';

/** What the description is made from. */
export interface WaitContext {
  /** The machine at the end of its run. */
  readonly machine: Machine;
  /** Its firmware, if it is ours. */
  readonly firmware: Firmware | undefined;
  /** Proof of the endless loop, if any. */
  readonly proof: LoopProof | undefined;
  /** The firmware came to its end. */
  readonly finished: boolean;
}

/** Register numbers by name, as wait loops name them. */
const REGISTER = { edi: 7 } as const;

/** One clause that follows 'CPU n', or undefined when the processor waits for nothing. */
export function describeWait(
  id: number,
  { machine, firmware, proof, finished }: WaitContext,
): string | undefined {
  const { state } = machine.processors[id]!;
  const tolud = machine.chipset.memoryMap.ram.belowBytes;
  if (state.activity & ACT_SHUTDOWN) return 'shut down';
  if (state.activity & ACT_WAIT_SIPI) return 'waits for a start-up IPI';
  if (state.activity & ACT_HALTED) {
    if (finished) return undefined;
    return (state.activity & ACT_SMI_PENDING) !== 0
      ? 'is halted with an SMI pending that does not wake it'
      : 'is halted until an interrupt';
  }
  const ip = Number(state.rip) + state.segBase(SEG_CS);
  const loop = firmware?.waitLoops(tolud).find((row) => ip >= row.start && ip < row.end);
  if (loop !== undefined) return describeLoop(loop, state.gpr32(REGISTER[loop.indexRegister ?? 'edi']));
  const reads = proof?.loops.find((row) => row.id === id)?.reads;
  if (reads === undefined) return undefined;
  if (reads.length === 0) return 'spins in a loop that reads nothing';
  return `spins on ${reads.map((address) => `0x${address.toString(16)}`).join(', ')}`;
}

function describeLoop(loop: WaitLoop, index: number): string {
  const what = loop.waitsFor.replace('[index]', `[${index}]`);
  if (loop.kind === 'dead') return `never goes on (${loop.name}: ${what})`;
  return `${loop.kind === 'spin' ? 'spins on' : 'waits for'} ${what}`;
}
