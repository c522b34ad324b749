/**
 * Configuration registers of the chipset, with any values in any order, then SMIs: nothing that a guest programs ends
 * in an error of the model; once SMRAM is locked, no processor outside SMM and no device has a way into it, and none in
 * SMM meets anything else there.
 */
import { assemble } from '@smm/asm';
import { TX_DMA, TX_SMM } from '@smm/bus';
import { Boot, type Machine } from '@smm/machine';
import { UnmodelledError } from '@smm/x86-defs';
import { expect, it } from 'vitest';
import type { Random } from '../../packages/cpu-core/test/support/random.ts';
import { fuzz } from '../support/fuzz.ts';

const MEMORY_MIB = 32;
const MIB = 0x10_0000;
const SECRET = 0x5ec2_e701;
/** CONFIG_ADDRESS of the functions of the board. */
const MCH = 0x8000_0000;
const LPC = 0x8000_f800;
/** Registers by function: those that move something come up often. */
const REGISTERS: readonly (readonly [number, readonly number[]])[] = [
  [MCH, [0x50, 0x60, 0x61, 0x63, 0x64, 0x90, 0x91, 0x93, 0x96, 0x9c, 0x9d, 0x9e, 0xac, 0xaf, 0xb0]],
  [LPC, [0x40, 0x41, 0x44, 0x60, 0x64, 0x68, 0x80, 0x84, 0xa0, 0xac, 0xd8, 0xdc, 0xf0, 0xf3]],
  [0x8000_fa00, [0x04, 0x10, 0x20, 0x24]],
  [0x8000_fb00, [0x04, 0x10, 0x20, 0x40]],
];
/** RAM (TSEG, low), its end, windows of devices, the top of 4 GiB: what a moved window should be moved over. */
const VALUES: readonly number[] = [
  ...[0, 1, 0x3_0001, 0xa_0001, 0x100_0001, 0x1f0_0001, 0x200_0001, 0x8000_0001, 0xb000_0001, 0xe000_0001],
  ...[0xf000_0001, 0xf000_0003, 0xf000_0005, 0xfec0_0001, 0xfed1_c001, 0xfee0_0001, 0xffe0_0001, 0xffff_ffff],
];

interface Program {
  /** ESMRAMC before the lock. */
  readonly esmramc: number;
  /** Writes before the lock; those after it. */
  readonly before: readonly Write[];
  readonly after: readonly Write[];
}
type Write = readonly [address: number, size: 1 | 2 | 4, value: number];

function write(random: Random): Write {
  const [at, offsets] = random.pick(REGISTERS);
  const size = random.pick([1, 2, 4] as const);
  const offset = random.below(4) ? random.pick(offsets) : random.below(256);
  const value = random.below(3) ? random.pick(VALUES) : Number(random.value() & 0xffff_ffffn);
  const moved = random.below(4) ? value : value >>> (8 * random.below(4));
  return [at + (offset & -size), size, size === 4 ? moved : moved & (2 ** (8 * size) - 1)];
}

function writes(random: Random): Write[] {
  return Array.from({ length: random.below(30) }, () => write(random));
}

/** HLT at the reset vector and `mov eax, cr0; rsm` wherever an SMI finds itself, for time to pass in. */
function boot(): Boot {
  const code = new Uint8Array(0x1000).fill(0xf4);
  const vars = new Uint8Array(0x1000).fill(0xff);
  return new Boot({ code, vars, memoryMiB: MEMORY_MIB, tier: 'interpreter', smiFeatures: 0 });
}

const HANDLER = assemble('mov eax, cr0\n rsm', { bits: 16, org: 0 }).bytes;

function config(machine: Machine, [address, size, value]: Write): void {
  machine.ports.out(0xcf8, 4, (address & ~3) >>> 0, 0);
  machine.ports.out(0xcfc + (address & 3), size, value, 0);
}

function smi(machine: Machine): void {
  machine.processors[0]!.raiseSmi();
  // Timers run on behind a halted processor, which retires nothing: so many rounds are enough.
  let rounds = 0;
  machine.run({ instructions: 50, until: () => ++rounds > 20 });
}

/** RAM that is SMRAM at `start`, as offsets in the memory of the host. */
function checkClosed(machine: Machine, ranges: readonly (readonly [start: number, size: number])[]): void {
  const { space, plan } = machine;
  for (const [start, size] of ranges) {
    const first = plan.ramOffset + start;
    for (const { start: at, lastAddress, region } of space.pieces(false)) {
      if (region === undefined || region.kind === 'hole' || region.hostOffset === undefined) continue;
      const from = region.hostOffset + at - region.start;
      const to = from + lastAddress - at;
      if (from < first + size && to >= first)
        throw new Error(
          `${region.name} at 0x${at.toString(16)} is a way into SMRAM at 0x${start.toString(16)}`,
        );
    }
    for (const attrs of [0, TX_DMA]) {
      space.write(start + 0x40, 4, 0, attrs);
      expect(space.read(start + 0x40, 4, attrs)).not.toBe(SECRET);
    }
    expect(space.read(start + 0x40, 4, TX_SMM)).toBe(SECRET);
  }
}

/** Bytes of TSEG by the bits of ESMRAMC; the fourth is the extended size. */
const TSEG_MIB = [1, 2, 8, 16] as const;

function run(started: Boot, { esmramc, before, after }: Program): void {
  started.restart();
  const { machine } = started;
  const put = (at: number) => machine.space.writeBlock(at, HANDLER, TX_SMM);
  put(0x3_8000);
  smi(machine);
  for (const each of before) config(machine, each);
  smi(machine);
  // Locked as firmware does it, whatever was there before: but a lock that came early stays as it is, and may have left
  // TSEG off.
  config(machine, [MCH + 0x9e, 1, esmramc]);
  config(machine, [MCH + 0x9d, 1, 0x08]);
  const tseg = TSEG_MIB[(esmramc >>> 1) & 3]!;
  const ranges: [number, number][] = [[(MEMORY_MIB - tseg) * MIB, tseg * MIB]];
  const locked = machine.space.read(ranges[0]![0], 4, 0) === 0xffff_ffff;
  for (const [start] of ranges) machine.space.write(start + 0x40, 4, SECRET, TX_SMM);
  config(machine, [MCH + 0x9d, 1, 0x18]);
  const takes = locked && !before.some(([at]) => (at & ~3) === MCH + 0x9c || (at & ~3) === MCH + 0x50);
  if (takes) checkClosed(machine, ranges);
  for (const each of after) {
    config(machine, each);
    if (takes) checkClosed(machine, ranges);
  }
  put(0x3_8000);
  smi(machine);
  if (takes) checkClosed(machine, ranges);
}

it('whatever is programmed before and after the lock', () => {
  const started = boot();
  const { taken, refused } = fuzz<Program>({
    runs: [40, 3000],
    make: (random) => ({
      esmramc: 1 | (random.below(4) << 1) | (random.below(2) * 0x80),
      before: random.below(2) ? writes(random) : [],
      after: writes(random),
    }),
    use: (program) => {
      try {
        run(started, program);
      } catch (error) {
        // What the model says it lacks is an answer; any other error is a mistake, an SmmError too.
        if (error instanceof UnmodelledError) throw error;
        throw new Error('a guest did this', { cause: error });
      }
    },
    show: (program) => JSON.stringify(program),
  });
  expect([...refused.keys()]).toEqual([]);
  expect(taken).toBeGreaterThan(0);
});
