/** What a processor waits for, in words: from its state, and from the addresses that an endless loop reads. */
import { ACT_HALTED, ACT_SHUTDOWN, ACT_SMI_PENDING, ACT_WAIT_SIPI } from './activity.ts';
import type { LoopProof } from './outcome.ts';
import type { Relocation } from './relocation.ts';

/** What the description is made from. */
export interface WaitContext {
  /** The machine and its firmware. */
  readonly relocation: Relocation;
  /** Proof of the endless loop, if any. */
  readonly proof: LoopProof | undefined;
  /** The firmware came to its end. */
  readonly finished: boolean;
}

/** One clause that follows 'CPU n', or undefined when the processor waits for nothing. */
export function describeWait(id: number, { relocation, proof, finished }: WaitContext): string | undefined {
  const { machine, firmware } = relocation;
  const { state } = machine.processors[id]!;
  if (state.activity & ACT_SHUTDOWN) return 'shut down';
  if (state.activity & ACT_WAIT_SIPI) return 'waits for a start-up IPI';
  if (state.activity & ACT_HALTED) {
    if (finished) return undefined;
    return (state.activity & ACT_SMI_PENDING) !== 0 ? 'is halted with an SMI pending that does not wake it' : 'is halted until an interrupt';
  }
  const loop = proof?.loops.find((row) => row.id === id);
  if (loop === undefined) return undefined;
  const names = loop.reads.map((address) => firmware?.nameOf(address, machine.chipset.memoryMap.ram.belowBytes) ?? `0x${address.toString(16)}`);
  return names.length === 0 ? 'spins in a loop that reads nothing' : `spins on ${names.join(', ')}`;
}
