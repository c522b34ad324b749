/** Hooks of every kind, all over what the programs of the tier comparison execute and access. */
import type { HookedAccess } from '../../src/hooks.ts';
import type { Processor } from '../../src/processor.ts';
import * as M from './tier-map.ts';

/** Told what a hook is told, as numbers. */
type Note = (...values: number[]) => void;

/** Distance of hooked instructions: many addresses are in the middle of one, which is nothing. */
const STRIDE = 29;

/** Hooks a processor; the second is hooked elsewhere than the first. `stops`: code hooks stop the run now and then. */
export function hookAllOver(cpu: Processor, stops: boolean, note: Note): void {
  const { hooks, index } = cpu;
  let count = 0;
  const code = (_cpu: Processor, linear: number): void => {
    note(1, index, linear, cpu.retiredNow(), Number(cpu.state.gpr32(0)), cpu.state.rflags);
    if (stops && count++ % 3 === 0) hooks.stop();
  };
  const access =
    (kind: number) =>
    (_cpu: Processor, { write, at, size, value }: HookedAccess): void => {
      note(
        kind,
        index,
        write ? 1 : 0,
        at,
        size,
        Number(value & 0xffff_ffffn),
        Number(value >> 32n),
        cpu.retiredNow(),
      );
    };
  for (let at = M.PROGRAM + index * 7; at < M.PROGRAM + M.PROGRAM_BYTES; at += STRIDE)
    hooks.code({ at }, code);
  hooks.code({ at: M.HANDLERS, size: 0x20 }, code);
  hooks.code({ at: index === 0 ? M.ALIAS_PAGE : M.SWAP_PAGE, size: 0x1000 }, code);
  hooks.memory({ at: M.BORDER - 24, size: 32 }, access(2));
  hooks.memory({ at: M.DATA_BY_CODE + 16, size: 8, reads: index === 0 }, access(3));
  hooks.memory({ at: M.STACK + 0x800 * index - 64, size: 16, writes: index === 1 }, access(4));
  hooks.memory({ at: M.DEVICE_PAGE, size: 0x1000 }, access(5));
  hooks.port({}, access(6));
  hooks.observe({
    interruptDelivered: (_cpu, vector) => note(7, index, vector, cpu.retiredNow()),
    smiEntered: () => note(8, index, cpu.retiredNow()),
    rsmStarting: () => note(9, index, cpu.retiredNow()),
  });
}
