/** The mail's hang in Debian's unmodified OVMF builds: that it comes, that it is explained, and what ends it. */
import { beforeAll, describe, expect, it } from 'vitest';
import { Boot, type BootExplanation, explainBootSteps, runBoot } from '../src/index.ts';
import { ovmfMissing, readOvmf } from './ovmf.ts';

const missing = ovmfMissing();

describe.skipIf(missing !== undefined)(`OVMF on the mail's host ${missing ?? ''}`, () => {
  const host = 'rhel7-3.10.0-323';
  let explanation: BootExplanation;
  beforeAll(() => {
    const steps = explainBootSteps({ ...readOvmf('ia32'), cpus: 2, accelerator: 'kvm', host });
    let step = steps.next();
    while (step.done !== true) step = steps.next();
    explanation = step.value;
  });

  it('hangs in relocation: VCPU 1 has the SMBASE of VCPU 0, the BSP spins in PiSmmCpuDxeSmm', () => {
    const { report } = explanation.run;
    expect(report.outcome).toBe('stuck');
    expect(report.stuck).toMatchObject({ processor: 0, module: { name: 'PiSmmCpuDxeSmm' } });
    expect(report.stuck!.reads).toHaveLength(1);
    expect(report.cpus.map(({ smbase }) => smbase)).toEqual([0x3_0000, 0xffc_4000]);
  });

  it('and is explained: the first divergence is the APIC id read in SMM, the cause Q1', () => {
    const first = explanation.divergence!.first!;
    expect(first.vcpu).toBe(1);
    expect([first.a!.fact, first.b!.fact]).toEqual(['APIC 0x20 = 0x0', 'APIC 0x20 = 0x1000000']);
    expect(explanation.diagnoses[0]).toMatchObject({ id: 'apic-page-in-smm', quirk: 'Q1', vcpu: 1 });
    expect(explanation.causes.map(({ id }) => id)).toEqual(['Q1']);
    expect(explanation.reference!.report.outcome).toBe('relocated');
  });

  it('also as X64, and with shadow paging', () => {
    const boot = new Boot({ ...readOvmf('x64'), cpus: 2, accelerator: 'kvm', host, kvm: { ept: false } });
    const report = runBoot(boot, { until: 'relocated', budget: 3_000_000_000 });
    expect(report.outcome).toBe('stuck');
    expect(report.stuck!.module?.name).toBe('PiSmmCpuDxeSmm');
    expect(report.cpus.map(({ smbase }) => smbase)).toEqual([0x3_0000, 0xffc_1000]);
  });

  it('one CPU relocates, and two on a fixed host', () => {
    for (const [cpus, name] of [
      [1, host],
      [2, 'linux-4.4'],
    ] as const) {
      const boot = new Boot({ ...readOvmf('ia32'), cpus, accelerator: 'kvm', host: name });
      expect(runBoot(boot, { until: 'relocated', budget: 3_000_000_000 }).outcome, name).toBe('relocated');
    }
  });
});
