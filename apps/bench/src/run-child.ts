/** Runs `child.ts` in a process of its own. */
import { fileURLToPath } from 'node:url';
import type { ChildAnswers, ChildRequest } from './child.ts';
import { timedChild } from './cpu-time.ts';

/** The built program, beside the bench's own. */
export const CHILD_SCRIPT: string = fileURLToPath(new URL('./child.js', import.meta.url));

/** Answer of a child, with its CPU time and wall time from start to end. `script` may be another commit's child. */
export async function runChild<Kind extends keyof ChildAnswers>(
  request: Extract<ChildRequest, { do: Kind }>,
  script = CHILD_SCRIPT,
): Promise<{ readonly answer: ChildAnswers[Kind]; readonly seconds: number; readonly wall: number }> {
  const began = performance.now();
  const child = await timedChild([process.execPath, script, JSON.stringify(request)], { seconds: 900 });
  const wall = (performance.now() - began) / 1000;
  if (child.code !== 0) throw new Error(`a child ended with code ${child.code}: ${child.stderr.slice(-400)}`);
  return { answer: JSON.parse(child.stdout) as ChildAnswers[Kind], seconds: child.seconds, wall };
}
