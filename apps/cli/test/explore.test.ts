import { describe, expect, it } from 'vitest';
import { sized } from '../../../tests/support/form.ts';
import { cli, json, type RelocateJson } from './support.ts';

// 1,000 schedules as the acceptance asks where time is no matter; fewer in the everyday run.
const RUNS = sized(40, 1000);
const TIMEOUT = 600_000;

interface ExploreJson {
  runs: number;
  failed: number;
  verdict: string;
  sameSmbases: boolean;
  smallestFailing: { seed: number; slice: number; outcome: string; smbases: string[] } | null;
  groups: { count: number; outcome: string; smbases: string[] }[];
}

describe.each([32, 64])('%s-bit', (bitness) => {
  it(
    'the buggy host fails under every schedule, with the same SMBASEs: not a race',
    async () => {
      const answer = await json<ExploreJson>(
        `explore --runs ${RUNS} --bitness ${bitness} --host rhel7-3.10.0-323`,
      );
      expect(answer).toMatchObject({ runs: RUNS, failed: RUNS, verdict: 'always', sameSmbases: true });
      expect(answer.groups).toEqual([
        expect.objectContaining({ count: RUNS, outcome: 'stuck', smbases: ['0x30000', '0x7ffc1000'] }),
      ]);
    },
    TIMEOUT,
  );

  it(
    'the fixed host relocates under every schedule',
    async () => {
      const answer = await json<ExploreJson>(`explore --runs ${RUNS} --bitness ${bitness} -accel kvm`);
      expect(answer).toMatchObject({
        runs: RUNS,
        failed: 0,
        verdict: 'never',
        sameSmbases: true,
        smallestFailing: null,
      });
    },
    TIMEOUT,
  );
});

it(
  'positive control: a BSP that does not wait for mRebased is reported as a race, and its smallest failure can be run again',
  async () => {
    const answer = await json<ExploreJson>(`explore --runs ${RUNS} --no-wait`);
    expect(answer.verdict).toBe('race');
    expect(answer.failed).toBeGreaterThan(0);
    expect(answer.failed).toBeLessThan(RUNS);
    const { seed, slice, outcome, smbases } = answer.smallestFailing!;
    const again = await json<RelocateJson>(`relocate -smp 2 --no-wait --seed ${seed} --slice ${slice}`);
    expect(again.outcome).toBe(outcome);
    expect(again.cpus.map((cpu) => cpu.smbase)).toEqual(smbases);
  },
  TIMEOUT,
);

it('says it in words', async () => {
  const { out } = await cli('explore --runs 4 --host rhel7-3.10.0-323 --slice 50,5000');
  const text = out.replace(/\s+/g, ' ');
  expect(text).toContain(
    'Failed under all 4 schedules, with the same final SMBASEs in all of them: not a race',
  );
  expect(text).toContain('Smallest that fails: --seed 1 --slice 50:');
});
