/** No command writes over what it reads: a slip in a name must not cost a user's firmware or trace. */
import { sameFile } from '@smm/files';
import { UsageError } from './usage-error.ts';

interface Named {
  readonly what: string;
  readonly path: string;
}

/** What may be read and written back: input, output. */
const KEPT: readonly (readonly [input: string, output: string])[] = [['the variable store', 'the variables']];

/** Told of each file before it is read or claimed; throws `UsageError` where one is both. */
export function inputsApart(): Record<'reads' | 'writes', (what: string, path: string) => void> {
  const inputs: Named[] = [];
  const outputs: Named[] = [];
  const check = (input: Named, output: Named): void => {
    const kept = KEPT.some(([from, to]) => from === input.what && to === output.what);
    if (kept || !sameFile(input.path, output.path)) return;
    throw new UsageError(
      `${output.what} would be written over ${input.what}, ${input.path}`,
      'Name another file for one of them.',
    );
  };
  return {
    reads: (what, path) => {
      for (const output of outputs) check({ what, path }, output);
      inputs.push({ what, path });
    },
    writes: (what, path) => {
      for (const input of inputs) check(input, { what, path });
      outputs.push({ what, path });
    },
  };
}
