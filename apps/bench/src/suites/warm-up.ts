/** How fast each tier is from its first instruction on: what short runs and firmware see, unlike the hot suite. */
import type { CurvePoint } from '../child.ts';
import { mixed32 } from '../kernels/mixed32.ts';
import { mixed64 } from '../kernels/mixed64.ts';
import type { Effort, Progress } from '../measurement.ts';
import { ourName } from '../peers/ours.ts';
import { withFiles } from '../peers/scratch.ts';
import { buildRom } from '../rom.ts';
import { runChild } from '../run-child.ts';

/** One curve, the middle of its rounds. */
export interface Curve {
  /** What ran. */
  readonly name: string;
  /** Tier. */
  readonly peer: string;
  /** CPU seconds after so many guest instructions; the boot code and making the machine are part of it. */
  readonly points: readonly CurvePoint[];
}

/** Instructions of a curve in a second of measuring, about. */
const INSTRUCTIONS = 500_000_000;
const FOREVER = 0xffff_ffff;

/** Curves of the mixed kernels on tier 1 and tier 0, each in a fresh process. */
export async function runWarmUps({ seconds }: Effort, progress: Progress): Promise<Curve[]> {
  const curves: Curve[] = [];
  for (const kernel of [mixed32, mixed64]) {
    for (const tier of ['translator', 'interpreter'] as const) {
      const engine = { tier, accelerator: 'tcg' } as const;
      const peer = ourName(engine);
      progress(`warm-up: ${kernel.name} on ${peer}`);
      const rom = buildRom(kernel, FOREVER);
      await withFiles([{ name: 'rom.bin', content: rom }], async ([path]) => {
        const instructions = Math.round(INSTRUCTIONS * seconds);
        const { answer } = await runChild<'warm-up'>({
          do: 'warm-up',
          rom: path!,
          engine,
          processors: 1,
          instructions,
        });
        curves.push({ name: kernel.name, peer, points: answer.points });
      });
    }
  }
  return curves;
}
