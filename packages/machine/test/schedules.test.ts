/** Races and what is none: many schedules on one machine. 1,000 in the full form. */
import { describe, expect, it } from 'vitest';
import { sized } from '../../../tests/support/form.ts';
import { explore, type RelocationOptions } from '../src/index.ts';
import { MAIL, parts } from './runs.ts';

const runs = sized(120, 1_000);
const time = 300_000;
const mail: RelocationOptions = { ...MAIL, parts };

describe(`over ${runs} schedules`, () => {
  it(
    'the buggy host fails in every one with the same SMBASEs: no race',
    () => {
      const report = explore({ relocation: mail, runs });
      expect(report).toMatchObject({ runs, failed: runs, verdict: 'always', sameSmbases: true });
      expect(report.groups.map(({ outcome, smbases }) => [outcome, smbases])).toEqual([
        ['stuck', [0x3_0000, 0x7ffc_1000]],
      ]);
    },
    time,
  );

  it(
    'the fixed host relocates in every one',
    () => {
      const report = explore({ relocation: { ...mail, host: 'linux-4.4' }, runs });
      expect(report).toMatchObject({
        runs,
        failed: 0,
        verdict: 'never',
        sameSmbases: true,
        smallestFailing: undefined,
      });
      expect(report.groups[0]!.smbases).toEqual([0x7ffc_1000, 0x7ffc_1800]);
    },
    time,
  );

  it(
    'a BSP that does not wait for mRebased is a race',
    () => {
      const report = explore({ relocation: { cpus: 2, bitness: 32, waitForRebased: false, parts }, runs });
      expect(report.verdict).toBe('race');
      expect(report.failed).toBeGreaterThan(0);
      expect(report.failed).toBeLessThan(runs);
      const { schedule } = report.smallestFailing!;
      const again = explore({
        relocation: { cpus: 2, bitness: 32, waitForRebased: false, parts },
        runs: 1,
        firstSeed: schedule.seed,
        slices: [schedule.slice],
      });
      expect(again.failed).toBe(1);
    },
    time,
  );
});
