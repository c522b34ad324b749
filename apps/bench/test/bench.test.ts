/** The smallest run of the bench completes and fits the published schema; missing and lying emulators are told apart. */
import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { runBench } from '../src/bench.ts';
import { timedChild } from '../src/cpu-time.ts';
import type { Kernel } from '../src/kernels/kernel.ts';
import { measured } from '../src/measurement.ts';
import { bochs } from '../src/peers/bochs.ts';
import type { Peer } from '../src/peers/peer.ts';
import { qemuTcg } from '../src/peers/qemu.ts';
import { ratiosOf } from '../src/ratios.ts';
import { renderReport } from '../src/report.ts';
import { buildRom } from '../src/rom.ts';
import { expectedOutput, runKernels } from '../src/run-kernel.ts';
import { growthExponent, spread } from '../src/statistics.ts';

const schema = JSON.parse(readFileSync(new URL('../schema/bench.schema.json', import.meta.url), 'utf8'));
const fits = new Ajv2020().compile(schema);
const quiet = (): void => {};

describe('the smallest run', () => {
  it('measures walkers and relocations, and its report fits the schema', async () => {
    const report = await runBench({
      only: ['walkers', 'relocation'],
      effort: { samples: 1, scale: 0.01 },
      maximumProcessors: 2,
      progress: quiet,
    });
    const json: unknown = JSON.parse(JSON.stringify(report));
    expect(fits(json), JSON.stringify(fits.errors)).toBe(true);
    const relocations = report.measurements.filter((m) => m.suite === 'relocation');
    expect(relocations.map((m) => m.status)).not.toContain('failed');
    expect(relocations.filter((m) => m.unit === 'VCPUs/s').map((m) => `${m.name} ${m.peer}`)).toEqual([
      '1 VCPUs smm-wasm-tcg',
      '2 VCPUs smm-wasm-tcg',
      '1 VCPUs smm-wasm-kvm',
      '2 VCPUs smm-wasm-kvm',
    ]);
    expect(renderReport(report)).toContain('4 levels through EPT');
  }, 60_000);

  it('a report with a measured row without figures does not fit the schema', () => {
    const row = { suite: 'hot', name: 'k', peer: 'p', unit: 'MIPS', status: 'measured', samples: [] };
    const host = { processor: '', processors: 1, node: '', load: 0 };
    const report = { schemaVersion: 1, host, effort: { samples: 1, scale: 1 }, ratios: [], growth: [] };
    expect(fits({ ...report, measurements: [{ ...row, status: 'missing' }] })).toBe(true);
    expect(fits({ ...report, measurements: [row] })).toBe(false);
  });
});

/** A kernel that adds 3 to its accumulator each round. */
const tiny: Kernel = {
  name: 'tiny',
  bits: 32,
  title: 'adds',
  source: 'kernel: xor eax, eax\nnext: add eax, 3\ndec dword [iterations]\njnz next\nret',
  rounds: [5, 10],
  reference: (rounds) => ({ result: BigInt(rounds * 3), instructions: rounds * 3 }),
};

function fakePeer(name: string, output: (rom: Uint8Array) => string, version: string | undefined): Peer {
  const run: Peer['run'] = (rom) =>
    Promise.resolve({ output: output(rom), seconds: rom[0x400 + 16]!, note: '' });
  return { name, bits: [32], effort: 1, version: () => Promise.resolve(version), run };
}

describe('emulators', () => {
  const honest = (rom: Uint8Array): string => expectedOutput(tiny, tiny.reference(rom[0x400 + 16]!));

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
    const runs = await runKernels([tiny], peers, { samples: 2, scale: 1 }, quiet);
    expect(runs[0]!.costs).toEqual(Array(2).fill({ seconds: 5, instructions: 15, rounds: 5 }));
    expect(runs.map((run) => run.failure?.status)).toEqual([undefined, 'missing', 'wrong-result', 'failed']);
    expect(runs[2]!.failure!.note).toContain("'R=00000000'");
  });

  it.each([qemuTcg, bochs])(
    '$name runs the ROM and prints the result, if it is installed',
    async (peer) => {
      if ((await peer.version()) === undefined) return;
      const run = await peer.run(buildRom(tiny, 7));
      expect(run.output).toBe('R=00000015');
      expect(run.seconds).toBeGreaterThan(0);
    },
    60_000,
  );
});

describe('figures', () => {
  const row = { suite: 'hot', name: 'k', peer: 'a', unit: 'MIPS' };

  it('are medians with extremes; what is not positive is noise', () => {
    expect(spread([5, 1, 3])).toEqual({ median: 3, min: 1, max: 5 });
    expect(spread([4, 1])).toEqual({ median: 2.5, min: 1, max: 4 });
    expect(measured(row, [-1, 0, Number.NaN]).status).toBe('noise');
    expect(measured(row, [2, -1]).samples).toEqual([2]);
  });

  it('are compared so that above 1 means faster', () => {
    const rates = [measured(row, [10, 30]), measured({ ...row, peer: 'b' }, [5, 10])];
    expect(ratiosOf(rates, 'a')[0]!.ratio).toEqual({ median: 2.5, min: 2, max: 3 });
    const times = rates.map((m) => ({ ...m, unit: 'ns/insn' }));
    expect(ratiosOf(times, 'b')[0]!.ratio).toEqual({ median: 2.5, min: 2, max: 3 });
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
