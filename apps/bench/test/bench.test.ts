/**
 * The smallest run of the bench completes and fits the published schema; missing and lying emulators are told apart.
 */
import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { runBench, SUITES } from '../src/bench.ts';
import { timedChild } from '../src/cpu-time.ts';
import type { Kernel } from '../src/kernels/kernel.ts';
import { measured, UNITS } from '../src/measurement.ts';
import { bochs } from '../src/peers/bochs.ts';
import type { Peer } from '../src/peers/peer.ts';
import { qemuTcg } from '../src/peers/qemu.ts';
import { ratiosOf, summariesOf } from '../src/ratios.ts';
import { renderReport } from '../src/render-text.ts';
import { buildRom } from '../src/rom.ts';
import { expectedOutput, findLengths, runKernels } from '../src/run-kernel.ts';
import { growthExponent, spread } from '../src/statistics.ts';

const schema = JSON.parse(readFileSync(new URL('../schema/bench.schema.json', import.meta.url), 'utf8'));
const fits = new Ajv2020().compile(schema);
const quiet = (): void => {};

describe('the smallest run', () => {
  it('measures walkers, slices and relocations, and its report fits the schema', async () => {
    const report = await runBench({
      only: ['walkers', 'slices', 'relocation'],
      kernels: [],
      // Ours are measured in this process, whatever others are asked for.
      peers: [fakePeer('smm-tier0', () => '', '1'), fakePeer('fake', () => '', '1')],
      boots: { architectures: [], cpus: [], peers: [] },
      effort: { samples: 1, seconds: 0.01 },
      maximumProcessors: 2,
      enduranceInstructions: 1,
      progress: quiet,
    });
    const json: unknown = JSON.parse(JSON.stringify(report));
    expect(fits(json), JSON.stringify(fits.errors)).toBe(true);
    const relocations = report.measurements.filter((m) => m.suite === 'relocation');
    expect(relocations.map((m) => m.status)).not.toContain('failed');
    expect(relocations.filter((m) => m.unit === 'VCPUs/s').map((m) => `${m.name} ${m.peer}`)).toEqual([
      '1 VCPUs smm-tier1',
      '2 VCPUs smm-tier1',
      '1 VCPUs smm-tier1-kvm',
      '2 VCPUs smm-tier1-kvm',
    ]);
    const slices = report.measurements.filter((m) => m.suite === 'slices');
    expect(slices.map((m) => `${m.peer} ${m.unit}`)).toEqual(['smm-tier0 us/slice']);
    expect(renderReport(report)).toContain('4 levels through EPT');
  });

  it('the schema knows every unit, and every suite that has rows', () => {
    const { unit } = schema.$defs.measurement.properties;
    expect(unit.enum).toEqual(Object.keys(UNITS));
    const withoutRows = ['warm-up', 'endurance'];
    expect(schema.$defs.suite.enum).toEqual(
      expect.arrayContaining(SUITES.filter((name) => !withoutRows.includes(name))),
    );
  });

  it('a report with a measured row without figures does not fit the schema', () => {
    const row = { suite: 'hot', name: 'k', peer: 'p', unit: 'MIPS', status: 'measured', samples: [] };
    const host = { processor: '', processors: 1, node: '', load: 0 };
    const lists = { ratios: [], summaries: [], growth: [], curves: [] };
    const effort = { samples: 1, seconds: 1 };
    const report = { schemaVersion: 2, measuredAt: '2026-01-01T00:00:00Z', host, effort, ...lists };
    expect(fits({ ...report, measurements: [{ ...row, status: 'missing' }] })).toBe(true);
    expect(fits({ ...report, measurements: [row] })).toBe(false);
  });
});

/** A kernel that adds 3 to its accumulator each round. */
const tiny: Kernel = {
  name: 'tiny32',
  bits: 32,
  title: 'adds',
  source: 'kernel: xor eax, eax\nnext: add eax, 3\ndec dword [iterations]\njnz next\nret',
  reference: (rounds) => ({ result: BigInt(rounds * 3), instructions: rounds * 3, repeats: 0 }),
};

const roundsOf = (rom: Uint8Array): number => new DataView(rom.buffer).getUint32(0x400 + 16, true);

/** An emulator that needs 2 s to start and 1 ms a round. */
function fakePeer(name: string, output: (rom: Uint8Array) => string, version: string | undefined): Peer {
  const run: Peer['run'] = (rom) =>
    Promise.resolve({ output: output(rom), seconds: 2 + roundsOf(rom) / 1000, note: '' });
  return { name, bits: [32], offers: [], version: () => Promise.resolve(version), run };
}

describe('emulators', () => {
  const honest = (rom: Uint8Array): string => expectedOutput(tiny, tiny.reference(roundsOf(rom)));

  it('are measured by the difference of two runs, and reported if missing, wrong or failing', async () => {
    const peers = [
      fakePeer('honest', honest, '1'),
      fakePeer('absent', honest, undefined),
      fakePeer('liar', () => 'R=00000000', '1'),
      fakePeer(
        'broken',
        () => {
          throw new Error('no display');
        },
        '1',
      ),
    ];
    const needy: Kernel = { ...tiny, name: 'needy32', needs: ['smm'] };
    const runs = await runKernels([tiny, needy], peers, { samples: 2, seconds: 1 }, quiet);
    expect(runs.map(({ peer, kernel }) => `${kernel.name} ${peer.name}`)).toEqual(
      peers.map(({ name }) => `tiny32 ${name}`),
    );
    const [cost, again] = runs[0]!.costs;
    expect(cost).toEqual(again);
    expect(cost).toMatchObject({ rounds: 875, instructions: 2625 });
    expect(cost!.seconds).toBeCloseTo(0.875, 9);
    expect(cost!.startup).toBeCloseTo(2, 9);
    expect(runs.map((run) => run.failure?.status)).toEqual([undefined, 'missing', 'wrong-result', 'failed']);
    expect(runs[2]!.failure!.note).toContain("'R=00000000'");
  });

  it('run for the time that is wanted, whatever their speed and start-up, and within the room of a kernel', async () => {
    const cost = (perRound: number) => (rounds: number) => Promise.resolve(0.5 + rounds * perRound);
    for (const perRound of [1e-6, 1e-3, 0.3]) {
      const [short, long] = await findLengths(cost(perRound), 1);
      expect(long * perRound).toBeGreaterThan(0.5);
      expect(long * perRound).toBeLessThan(2);
      expect(short).toBeGreaterThanOrEqual(1);
      expect(short).toBeLessThan(long);
    }
    expect((await findLengths(cost(1e-9), 1, 1000))[1]).toBe(1000);
  });

  it.each([qemuTcg, bochs])(
    '$name runs the ROM and prints the result, if it is installed',
    async (peer) => {
      if ((await peer.version()) === undefined) return;
      const run = await peer.run(buildRom(tiny, 7), 1);
      expect(run.output).toBe('R=00000015');
      expect(run.seconds).toBeGreaterThan(0);
    },
    60_000,
  );
});

describe('figures', () => {
  const row = { suite: 'hot', name: 'k32', peer: 'a', unit: 'MIPS' } as const;

  it('are medians with extremes; what is not positive is noise', () => {
    expect(spread([5, 1, 3])).toEqual({ median: 3, min: 1, max: 5 });
    expect(spread([4, 1])).toEqual({ median: 2.5, min: 1, max: 4 });
    expect(measured(row, [-1, 0, Number.NaN]).status).toBe('noise');
    expect(measured(row, [2, -1]).samples).toEqual([2, null]);
  });

  it('are compared round by round, so that above 1 means faster', () => {
    const rates = [
      measured({ ...row, peer: 'smm-tier1' }, [10, 7, 30]),
      measured({ ...row, peer: 'bochs' }, [5, -1, 10]),
    ];
    const against = { suite: 'hot', name: 'k32', peer: 'smm-tier1', against: 'bochs' };
    expect(ratiosOf(rates)).toEqual([{ ...against, ratio: { median: 2.5, min: 2, max: 3 } }]);
    const times = rates.map((m) => ({ ...m, unit: 'ns/insn' }) as const);
    expect(ratiosOf(times)[0]!.ratio.median).toBeCloseTo((1 / 2 + 1 / 3) / 2, 12);
  });

  it('are summed up by the geometric mean, with both ends', () => {
    const pair = { suite: 'hot', peer: 'smm-tier1', against: 'bochs' };
    const ratio = (name: string, median: number) => ({
      ...pair,
      name,
      ratio: { median, min: median, max: median },
    });
    expect(summariesOf([ratio('a32', 8), ratio('b32', 2), ratio('b64', 5)])).toMatchObject([
      { bits: 32, kernels: 2, mean: 4, least: { name: 'b32' }, most: { name: 'a32' } },
      { bits: 64, kernels: 1, mean: 5 },
    ]);
  });

  it('grow with an exponent', () => {
    const xs = [8, 16, 64, 255];
    expect(growthExponent(xs.map((x) => ({ x, y: 7 * x })))).toBeCloseTo(1, 10);
    expect(growthExponent(xs.map((x) => ({ x, y: 7 * x * x })))).toBeCloseTo(2, 10);
  });

  it('of a child are its own CPU time and what it printed', async () => {
    const busy = await timedChild([
      'bash',
      '-c',
      'for ((i = 0; i < 200000; i++)); do :; done; echo done; exit 3',
    ]);
    expect(busy.stdout).toBe('done\n');
    expect(busy.code).toBe(3);
    expect(busy.seconds).toBeGreaterThan(0.05);
    const idle = await timedChild(['sleep', '0.5']);
    expect(idle.seconds).toBeLessThan(0.1);
  });
});
