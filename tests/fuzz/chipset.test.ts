/**
 * A guest may access every port and address with every size, at any moment: devices answer, or the model says by name
 * what it lacks.
 */
import { Boot } from '@smm/machine';
import { SmmError } from '@smm/x86-defs';
import { expect, it } from 'vitest';
import type { Random } from '../../packages/cpu-core/test/support/random.ts';
import { fuzz } from '../support/fuzz.ts';

type Access = readonly [
  what: 'in' | 'out' | 'read' | 'write' | 'run',
  at: number,
  size: 1 | 2 | 4,
  value: number,
];

/** First ports of devices, and how many each has. */
const PORTS: readonly (readonly [first: number, count: number])[] = [
  [0x20, 2],
  [0x40, 4],
  [0x60, 5],
  [0x70, 4],
  [0x80, 16],
  [0x92, 1],
  [0xa0, 2],
  [0xb2, 2],
  [0x3f8, 8],
  [0x402, 1],
  [0x4d0, 2],
  [0x510, 12],
  [0x600, 128],
  [0xcd8, 12],
  [0xcf8, 8],
  [0xcf9, 1],
];
/** Windows of devices, flash and SMRAM, and addresses where arithmetic may go wrong. */
const ADDRESSES: readonly number[] = [
  0,
  0x1000,
  0x9_f000,
  0xa_0000,
  0xc_0000,
  0xe_0000,
  0xf_f000,
  0xf0_0000,
  0xfff_f000,
  0xb000_0000,
  0xb00f_8000,
  0xbfff_f000,
  0xfec0_0000,
  0xfed0_0000,
  0xfee0_0000,
  0xfffe_0000,
  0xffff_f000,
  0x1_0000_0000,
  2 ** 36,
  2 ** 52 - 4096,
  2 ** 52,
];
const SIZES = [1, 2, 4] as const;

function access(random: Random): Access {
  const size = random.pick(SIZES);
  const value = random.below(2) ? Number(random.value() & 0xffff_ffffn) : random.below(256);
  const kind = random.below(20);
  if (kind === 0) return ['run', random.below(2000), 1, 0];
  if (kind < 11) {
    const [first, count] = random.pick(PORTS);
    const port = random.below(16) ? first + random.below(count) : random.below(0x1_0000);
    return [random.below(3) ? 'out' : 'in', port, size, value];
  }
  return [
    random.below(3) ? 'write' : 'read',
    random.pick(ADDRESSES) + random.below(0x400) * random.pick([1, 4]),
    size,
    value,
  ];
}

/** HLT at the reset vector, for time to pass in. */
function boot(accelerator: 'tcg' | 'kvm' = 'tcg'): Boot {
  const code = new Uint8Array(0x1000).fill(0xf4);
  const vars = new Uint8Array(0x1000).fill(0xff);
  return new Boot({ code, vars, memoryMiB: 32, tier: 'interpreter', accelerator });
}

/** Does the accesses; false when the model refused one by name. */
function carryOut(boot: Boot, accesses: readonly Access[]): boolean {
  const { ports, space } = boot.machine;
  try {
    for (const [what, at, size, value] of accesses) {
      const masked = size === 4 ? value : value & (2 ** (8 * size) - 1);
      if (what === 'run') boot.run(at);
      else if (what === 'in') expectWithin(ports.in(at, size, 0), size);
      else if (what === 'out') ports.out(at, size, masked, 0);
      else if (what === 'read') expectWithin(space.read(at, size, 0), size);
      else space.write(at, size, masked, 0);
    }
    return true;
  } catch (error) {
    if (!(error instanceof SmmError)) throw error;
    return false;
  }
}

const input = (random: Random) => Array.from({ length: 60 }, () => access(random));
const show = (accesses: readonly Access[]) => JSON.stringify(accesses);

it('whatever a guest does to devices', () => {
  let machine = boot();
  const { taken } = fuzz<readonly Access[]>({
    runs: [800, 50_000],
    make: input,
    use: (accesses) => {
      machine.restart();
      if (!carryOut(machine, accesses)) machine = boot();
    },
    show,
  });
  expect(taken).toBeGreaterThan(0);
});

it.each(['tcg', 'kvm'] as const)('power-on leaves nothing of what a guest did under %s', (accelerator) => {
  const machine = boot(accelerator);
  const fresh = machine.machine.save();
  const { taken } = fuzz<readonly Access[]>({
    runs: [30, 5_000],
    make: input,
    use: (accesses) => {
      carryOut(machine, accesses);
      machine.machine.reset();
      expect(machine.machine.save()).toEqual(fresh);
    },
    show,
  });
  expect(taken).toBeGreaterThan(0);
});

function expectWithin(value: number, size: 1 | 2 | 4): void {
  if (!Number.isInteger(value) || value < 0 || value >= 2 ** (8 * size))
    throw new Error(`${value} read with ${size} bytes`);
}
