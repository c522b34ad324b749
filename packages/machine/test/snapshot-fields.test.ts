/** Whatever a snapshot holds is put back or refused: no field can be changed in it without a trace in the next save. */
import { SmmError } from '@smm/x86-defs';
import { expect, it } from 'vitest';
import { sized } from '../../../tests/support/form.ts';
import { encodeSnapshot, prepareRelocation, type RelocationOptions } from '../src/index.ts';
import { sha256 } from './ovmf.ts';
import { parts } from './runs.ts';

type Path = readonly (string | number)[];
type Node = Record<string | number, unknown>;

/** Members of a list of plain values that are tried. */
const SOME = sized(24, 4096);

/** Paths of the plain values below. */
function* leaves(value: unknown, path: Path = []): Generator<Path> {
  if (typeof value !== 'object' || value === null) yield path;
  else if (ArrayBuffer.isView(value) || (Array.isArray(value) && typeof value[0] !== 'object')) {
    const { length } = value as ArrayLike<unknown>;
    for (let i = 0; i < length; i += Math.ceil(length / SOME)) yield [...path, i];
  } else for (const [key, member] of Object.entries(value)) yield* leaves(member, [...path, key]);
}

const at = (root: unknown, path: Path): unknown => path.reduce((node, key) => (node as Node)?.[key], root);

function other(value: unknown): unknown {
  if (typeof value === 'number') return value % 2 === 0 ? value + 1 : value < 0 ? value + 1 : value - 1;
  if (typeof value === 'bigint') return value ^ 1n;
  if (typeof value === 'boolean') return !value;
  return undefined;
}

const CASES: readonly (readonly [string, RelocationOptions])[] = [
  ['tcg', { cpus: 2, memoryMiB: 32, tsegMb: 1 }],
  ['kvm', { cpus: 2, memoryMiB: 32, tsegMb: 1, accelerator: 'kvm' }],
  ['kvm,ept=0', { cpus: 2, memoryMiB: 32, tsegMb: 1, accelerator: 'kvm', kvm: { ept: false } }],
];

it.each(CASES)('%s', (_name, options) => {
  const { machine } = prepareRelocation({ ...options, parts });
  machine.runTo(12_345);
  // Memory is compared by other tests; without it a save takes no time.
  const snapshot = structuredClone({ ...machine.save(), memory: [] });
  const restored = (): string => {
    machine.restore(snapshot);
    return sha256(encodeSnapshot({ ...machine.save(), memory: [] }));
  };
  const known = restored();
  expect(known).toBe(sha256(encodeSnapshot(snapshot)));
  const lost: string[] = [];
  let put = 0;
  for (const path of leaves(snapshot)) {
    const parent = at(snapshot, path.slice(0, -1)) as Node;
    const value = parent[path.at(-1)!];
    const changed = other(value);
    if (changed === undefined) continue;
    parent[path.at(-1)!] = changed;
    try {
      if (restored() === known) lost.push(path.join('.'));
      else put++;
    } catch (error) {
      // Refused, which is as good. What is left half restored is restored whole the next time.
      if (!SmmError.isInstance(error)) throw error;
    }
    parent[path.at(-1)!] = value;
  }
  expect(lost).toEqual([]);
  expect(put).toBeGreaterThan(200);
  expect(restored()).toBe(known);
});
