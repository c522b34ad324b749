/**
 * OVMF of two Debian releases, built with SMM and without, 2 MB and 4 MB, with keys enrolled and without: each ends
 * where QEMU 7.2 ends (`-machine q35,smm=on -m 256 -smp 2`, flash `secure=on`), which was measured, and every processor
 * is in a module with a name. Debian 12's are the packages ovmf and ovmf-ia32; Debian 13's come from
 * scripts/fetch-firmware.sh. The short form runs the one that ends first: a hang that QEMU has too.
 */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { FULL } from '../../../tests/support/form.ts';
import { Boot, type BootOptions, type BootOutcome, runBoot } from '../src/index.ts';

/** What QEMU shows last: the shell's prompt, the Boot Manager's, or nothing for ever. */
const SHELL = ['shell', /^the UEFI shell prompts$/] as const;
const KEYS = ['prompt', /the Boot Manager waits for a key, so no shell comes by itself$/] as const;
const NO_SHELL = ['prompt', /the Boot Manager waits for a key, and this firmware has no shell$/] as const;
const HANGS = ['stuck', /spins in PlatformPei\+0x/] as const;

interface Case {
  readonly code: string;
  readonly vars: string;
  readonly end: readonly [outcome: BootOutcome, summary: RegExp];
  readonly options?: Partial<BootOptions>;
}

const WITHOUT_S3 = { sleepStates: { s3: false, s4: true } };

const DEBIAN_12: readonly Case[] = [
  { code: 'OVMF_CODE.fd', vars: 'OVMF_VARS.fd', end: SHELL },
  { code: 'OVMF_CODE.secboot.fd', vars: 'OVMF_VARS.fd', end: HANGS }, // S3Resume2Pei and 64-bit PEI with SMM do not go together
  { code: 'OVMF_CODE.secboot.fd', vars: 'OVMF_VARS.fd', end: SHELL, options: WITHOUT_S3 },
  { code: 'OVMF_CODE.ms.fd', vars: 'OVMF_VARS.ms.fd', end: HANGS },
  { code: 'OVMF_CODE.ms.fd', vars: 'OVMF_VARS.ms.fd', end: KEYS, options: WITHOUT_S3 },
  { code: 'OVMF_CODE_4M.fd', vars: 'OVMF_VARS_4M.fd', end: SHELL },
  { code: 'OVMF_CODE_4M.secboot.fd', vars: 'OVMF_VARS_4M.fd', end: SHELL },
  { code: 'OVMF_CODE_4M.ms.fd', vars: 'OVMF_VARS_4M.ms.fd', end: KEYS },
  { code: 'OVMF_CODE_4M.snakeoil.fd', vars: 'OVMF_VARS_4M.snakeoil.fd', end: KEYS },
  { code: 'OVMF32_CODE_4M.secboot.fd', vars: 'OVMF32_VARS_4M.fd', end: SHELL },
];

const DEBIAN_13: readonly Case[] = [
  { code: 'OVMF_CODE_4M.fd', vars: 'OVMF_VARS_4M.fd', end: SHELL },
  { code: 'OVMF_CODE_4M.secboot.fd', vars: 'OVMF_VARS_4M.fd', end: NO_SHELL },
  { code: 'OVMF_CODE_4M.ms.fd', vars: 'OVMF_VARS_4M.ms.fd', end: NO_SHELL },
  { code: 'OVMF_CODE_4M.snakeoil.fd', vars: 'OVMF_VARS_4M.snakeoil.fd', end: NO_SHELL },
  { code: 'OVMF_CODE_4M.secboot.strictnx.fd', vars: 'OVMF_VARS_4M.fd', end: NO_SHELL },
  { code: 'OVMF32_CODE_4M.fd', vars: 'OVMF32_VARS_4M.fd', end: SHELL },
  { code: 'OVMF32_CODE_4M.secboot.fd', vars: 'OVMF32_VARS_4M.fd', end: NO_SHELL },
  { code: 'OVMF32_CODE_4M.secboot.strictnx.fd', vars: 'OVMF32_VARS_4M.fd', end: NO_SHELL },
];

const FETCHED = fileURLToPath(new URL('../../../.firmware/debian13/usr/share/OVMF', import.meta.url));

const RELEASES = [
  ['Debian 12', '/usr/share/OVMF', DEBIAN_12, 'needs the packages ovmf and ovmf-ia32 of Debian 12'],
  ['Debian 13', FETCHED, DEBIAN_13, 'run scripts/fetch-firmware.sh, which needs a network'],
] as const;

const HANG = DEBIAN_12.filter(({ end }) => end === HANGS).slice(0, 1);

describe.each(FULL ? RELEASES : RELEASES.slice(0, 1))('%s', (_release, folder, all, need) => {
  const cases = FULL ? all : HANG;
  const there = cases.every(({ code }) => existsSync(`${folder}/${code}`));
  it.skipIf(!there).each(cases)(
    there ? '$code with $vars ends as $end.0 $options' : `$code (skipped: ${need})`,
    ({ code, vars, end: [outcome, summary], options }) => {
      const boot = new Boot({
        code: readFileSync(`${folder}/${code}`),
        vars: readFileSync(`${folder}/${vars}`),
        cpus: 2,
        ...options,
      });
      const report = runBoot(boot, { until: 'shell', budget: 4_000_000_000 });
      expect(report.outcome, report.summary).toBe(outcome);
      expect(report.summary).toMatch(summary);
      for (const { idle, module } of report.cpus)
        if (idle !== 'wait-for-sipi') expect(module?.name).toMatch(/^[A-Z]\w+$/);
      const smm = /secboot|ms|snakeoil/.test(code) && outcome !== 'stuck';
      const shell = outcome === 'shell' ? ['shell'] : [];
      expect([...report.smisByPhase.keys()]).toEqual(smm ? ['DXE', 'BDS', ...shell] : []);
      expect([...report.smisByCommand.keys()]).toEqual(smm ? [0] : []);
    },
  );
});
