/** Every quirk that the catalogue says can be shown: with it the run differs as documented, without it all is well. */
import { diagnose } from '@smm/trace';
import { describe, expect, it } from 'vitest';
import { diagnoseRun, QUIRKS, type RelocationOptions, type RelocationReport } from '../src/index.ts';
import { run } from './runs.ts';

interface Row {
  readonly id: string;
  readonly options: RelocationOptions;
  readonly outcome: RelocationReport['outcome'];
  /** SMBASE of each CPU at the end. */
  readonly smbases: readonly number[];
  /** In the summary. */
  readonly says?: RegExp;
  /** Ids and quirks of the diagnoses. */
  readonly diagnoses: readonly (readonly [string, string | undefined])[];
}

const two = (more: RelocationOptions = {}): RelocationOptions => ({ cpus: 2, bitness: 64, ...more });
const START = 0x3_0000;
const [A, B] = [0x7ffc_1000, 0x7ffc_1800];

const ROWS: readonly Row[] = [
  {
    id: 'Q1',
    options: two({ accelerator: 'kvm' }),
    outcome: 'stuck',
    smbases: [START, A],
    says: /CPU 0 spins on mRebased\[1\]/,
    diagnoses: [['apic-page-in-smm', 'Q1']],
  },
  {
    id: 'Q2',
    options: two({ accelerator: 'kvm' }),
    outcome: 'stuck',
    smbases: [START, START],
    says: /CPU 0 spins on mRebased\[1\]/,
    diagnoses: [['smi-ignored-while-halted', 'Q2']],
  },
  // Both tiles collapse onto 7FFC0000, and the first normal SMI starts at 7FFC8000, where nothing is.
  {
    id: 'Q3',
    options: two(),
    outcome: 'wrong-smbase',
    smbases: [0x7ffc_0000, 0x7ffc_0000],
    diagnoses: [['smbase-masked', 'Q3']],
  },
  {
    id: 'Q3',
    options: two({ bitness: 32 }),
    outcome: 'wrong-smbase',
    smbases: [0x7ffc_0000, 0x7ffc_0000],
    diagnoses: [['smbase-masked', 'Q3']],
  },
  {
    id: 'Q5',
    options: two(),
    outcome: 'stuck',
    smbases: [A, START],
    diagnoses: [['duplicate-apic-id', 'Q5']],
  },
  {
    id: 'Q5',
    options: two({ accelerator: 'kvm', bitness: 32 }),
    outcome: 'stuck',
    smbases: [A, START],
    diagnoses: [['duplicate-apic-id', 'Q5']],
  },
  {
    id: 'Q6',
    options: two(),
    outcome: 'stuck',
    smbases: [START, 0x2_0000],
    diagnoses: [['wrong-smbase', 'Q6']],
  },
  {
    id: 'Q7',
    options: two(),
    outcome: 'wrong-smbase',
    smbases: [START, START],
    diagnoses: [['smbase-not-relocated', 'Q7']],
  },
  {
    id: 'Q7',
    options: two({ accelerator: 'kvm' }),
    outcome: 'wrong-smbase',
    smbases: [START, START],
    diagnoses: [['smbase-not-relocated', 'Q7']],
  },
  {
    id: 'Q8',
    options: two({ bitness: 32 }),
    outcome: 'budget-exhausted',
    smbases: [START, START],
    says: /CPU 1 runs at 0x3[0-9a-f]{4} in SMM, where the firmware has no code/,
    diagnoses: [['smm-never-left', 'Q8']],
  },
  {
    id: 'Q9',
    options: two({ bitness: 32 }),
    outcome: 'shutdown',
    smbases: [A, B],
    says: /processor 0: triple fault/,
    diagnoses: [['shutdown-in-smm', undefined]],
  },
  {
    id: 'Q10',
    options: two(),
    outcome: 'relocated',
    smbases: [A, B],
    says: /only 1 of them entered the first normal SMI/,
    diagnoses: [['smi-taken-by-one', 'Q10']],
  },
  ...([64, 32] as const).map((bitness) => ({
    id: 'Q11',
    options: two({ accelerator: 'kvm', bitness, s3: true }),
    outcome: 'shutdown' as const,
    smbases: [A, B],
    says: /processor 1: triple fault/,
    diagnoses: [['hlt-left-after-smi', 'Q11']] as const,
  })),
  {
    id: 'Q25',
    options: two(),
    outcome: 'stuck',
    smbases: [START, START],
    diagnoses: [['exception-in-smm', 'Q25']],
  },
];

describe.each(ROWS)('$id, $options', ({ id, options, outcome, smbases, says, diagnoses }) => {
  const bad = { ...options, quirks: [`+${id}`] };

  it('fails as documented', () => {
    const { report } = run(bad);
    expect(report.outcome).toBe(outcome);
    expect(report.cpus.map(({ smbase }) => smbase)).toEqual(smbases);
    if (says !== undefined) expect(report.summary).toMatch(says);
  });

  it('gets a diagnosis of its own', () => {
    const found = diagnoseRun(run(bad));
    expect(found.map((diagnosis) => [diagnosis.id, diagnosis.quirk])).toEqual(diagnoses);
  });

  it('is well without it', () => {
    const good = run(options);
    expect(good.report).toMatchObject({ outcome: 'relocated', firstSmi: { entered: 2, of: 2 } });
    expect(good.report.cpus.every(({ smbase, planned }) => smbase === planned)).toBe(true);
    expect(diagnoseRun(good)).toEqual([]);
  });
});

describe('faults that need company', () => {
  it('Q11 does no harm where RSM restarts HLT, and does it on QEMU 7.2', () => {
    expect(run(two({ s3: true, quirks: ['+Q11'] })).report.outcome).toBe('relocated');
    expect(run(two({ s3: true, quirks: ['+Q11', '+Q31'] })).report.outcome).toBe('shutdown');
  });

  it('Q5 registers all CPUs as APIC id 0, and the 2024 shape then sends one CPU the SMBASE of another', () => {
    const { report } = run(two({ quirks: ['+Q5'] }));
    expect(report.log[2]).toBe('CPU[001]  APIC ID=0000  SMBASE=7FFC1800  SaveState=7FFD1400  Size=00000400');
    const modern = run(two({ quirks: ['+Q5'], edk2: '2024' })).report;
    expect(modern.outcome).toBe('wrong-smbase');
    expect(modern.cpus[1]).toMatchObject({ smbase: START });
  });

  it("Q11 shows in KVM's tracepoints alone, which do not tell of S3", () => {
    const { events } = run(two({ accelerator: 'kvm', s3: true, quirks: ['+Q11'] }));
    const [found, ...more] = diagnose(events.filter(({ name }) => name.startsWith('kvm_')));
    expect([found?.id, found?.quirk, found?.causes?.map(({ quirk }) => quirk), found?.vcpu, more]).toEqual([
      ...['hlt-left-after-smi', undefined, ['Q11'], 1, []],
    ]);
  });

  it('Q7 does no harm to the 32-bit layout, where SMBASE is at 7EF8h', () => {
    expect(run(two({ bitness: 32, quirks: ['+Q7'] })).report.outcome).toBe('relocated');
  });

  it('Q8 does no harm to a CPU with NX, whose jump is not taken', () => {
    expect(run(two({ quirks: ['+Q8'] })).report.outcome).toBe('relocated');
    expect(run(two({ quirks: ['+Q8'], cpu: 'qemu64,-nx' })).report.outcome).toBe('budget-exhausted');
  });

  it('Q8 and Q9 do no harm under QEMU 7.2, which neither cuts EIP nor checks PDPTEs', () => {
    expect(run(two({ bitness: 32, quirks: ['+Q8', '+Q31'] })).report.outcome).toBe('relocated');
    expect(run(two({ bitness: 32, quirks: ['+Q9', '+Q31'] })).report.outcome).toBe('relocated');
  });

  it('Q24 costs PAUSEs only', () => {
    const { report, events } = run(two({ quirks: ['+Q24'] }));
    expect(report).toMatchObject({ outcome: 'relocated', firstSmi: { entered: 2, of: 2 } });
    expect(report.instructions).toBeLessThan(run(two()).report.instructions);
    expect(diagnoseRun({ options: two({ quirks: ['+Q24'] }), report, events })).toEqual([]);
  });

  it('Q31 does no harm to firmware that starts its APs before it sends SMIs', () => {
    const options = two({ quirks: ['+Q31'] });
    expect(run(options).report).toMatchObject({ outcome: 'relocated', firstSmi: { entered: 2, of: 2 } });
    expect(diagnoseRun(run(options))).toEqual([]);
  });
});

describe('the catalogue', () => {
  it('has unique ids, and switches for exactly the quirks that can be shown', () => {
    expect(new Set(QUIRKS.map(({ id }) => id)).size).toBe(QUIRKS.length);
    for (const { id, status, effects } of QUIRKS) {
      expect([id, Object.keys(effects).length > 0]).toEqual([id, status === 'shown']);
    }
  });

  it('shows in this file what it says it can show', () => {
    const tested = new Set([...ROWS.map(({ id }) => id), 'Q24', 'Q31']);
    expect(
      QUIRKS.filter(({ status }) => status === 'shown')
        .map(({ id }) => id)
        .filter((id) => !tested.has(id)),
    ).toEqual([]);
  });
});
