/** Rules that read QEMU's register dumps and debug logs of firmware, alone or beside a trace. */
import { causesOfFailedSmmEntry } from './diagnose-death.ts';
import type { Evidence, Finding } from './diagnosis.ts';
import { hexOf } from './diagnosis.ts';
import { ISA } from './exit-reason.ts';
import { plannedCpu } from './planned.ts';
import type { Note } from './text-parse.ts';

/** Where SMM begins: IP of the first instruction, from SMBASE. Intel SDM, "SMRAM State Save Map". */
const SMM_ENTRY = 0x8000n;
const SMBASE_GRANULE = 0x8000n;
/** `hardware error` of QEMU: VMX's exit reason with its failure bit, or SVM's VMEXIT_INVALID. */
const VMX_INVALID_STATE = 0x8000_0021n;
const SVM_INVALID = 0xffff_ffffn;

function evidence(...notes: readonly (Note | undefined)[]): Evidence[] {
  return notes.filter((note) => note !== undefined).map(({ text }) => ({ line: text }));
}

function first(
  notes: readonly Note[],
  pattern: RegExp,
): { note: Note; groups: readonly string[] } | undefined {
  for (const note of notes) {
    const match = pattern.exec(note.text);
    if (match) return { note, groups: match.slice(1) };
  }
  return undefined;
}

function number(text: string | undefined): bigint | undefined {
  return text === undefined ? undefined : BigInt(`0x${text}`);
}

/** What a register dump says, as far as it matters here. */
interface Dump {
  readonly rip: bigint | undefined;
  readonly inSmm: boolean;
  readonly csBase: bigint | undefined;
  readonly lines: readonly (Note | undefined)[];
}

function dumpOf(notes: readonly Note[]): Dump {
  const rip = first(notes, /^[ER]IP=([0-9a-f]{1,16}) /i);
  const cs = first(notes, /^CS\s*=[0-9a-f]{4} ([0-9a-f]{1,16}) /i);
  return {
    rip: number(rip?.groups[0]),
    inSmm: / SMM=1 /.test(rip?.note.text ?? ''),
    csBase: number(cs?.groups[0]),
    lines: [rip?.note, cs?.note],
  };
}

function isaOfError(error: bigint | undefined): number | undefined {
  if (error === SVM_INVALID) return ISA.SVM;
  return error !== undefined && error >= 0x8000_0000n ? ISA.VMX : undefined;
}

/** QEMU's `KVM: entry failed` with the registers after it. */
function entryFailed(notes: readonly Note[]): Finding[] {
  const failed = first(notes, /entry failed, hardware error 0x([0-9a-f]{1,16})/i);
  if (!failed) return [];
  const error = number(failed.groups[0]);
  const { rip, inSmm, csBase, lines } = dumpOf(notes);
  const isa = isaOfError(error);
  const words =
    error === VMX_INVALID_STATE
      ? "the VM entry failed because the guest's state is not valid"
      : error === SVM_INVALID
        ? "VMRUN refused the guest's state (VMEXIT_INVALID)"
        : 'the VM entry failed';
  const atEntry =
    inSmm &&
    rip === SMM_ENTRY &&
    csBase !== undefined &&
    (csBase % SMBASE_GRANULE === 0n || csBase % 0x800n === 0n);
  const where = !inSmm
    ? ` at RIP ${rip === undefined ? 'unknown' : hexOf(rip)}`
    : atEntry
      ? `: the registers are those that SMM begins with (EIP 8000, CS base ${hexOf(csBase ?? 0n)}, which is the SMBASE), so that not one instruction of the SMI handler has run`
      : ` in SMM at RIP ${rip === undefined ? 'unknown' : hexOf(rip)}`;
  return [
    {
      id: inSmm ? 'vm-entry-failed-in-smm' : 'vm-entry-failed',
      title: inSmm ? 'VM entry failed in SMM' : 'VM entry failed',
      sentence: `QEMU says "hardware error ${hexOf(error ?? 0n)}": ${words}${where}.`,
      evidence: evidence(failed.note, ...lines),
      confidence: 'proved',
      ...(inSmm && { causes: causesOfFailedSmmEntry(isa, false) }),
    },
  ];
}

/** QEMU's `KVM internal error`, and a dump of a CPU that was shut down. */
function internalError(notes: readonly Note[]): Finding[] {
  const failed = first(notes, /^(KVM internal error.*|emulation failure.*|error: kvm run failed.*)$/i);
  if (!failed) return [];
  const { rip, inSmm, lines } = dumpOf(notes);
  const code = first(notes, /^Code=(.*)$/);
  return [
    {
      id: 'cpu-died',
      title: 'A CPU died',
      sentence: `QEMU says "${failed.groups[0]?.slice(0, 80)}"${rip === undefined ? '' : `: a CPU stopped at RIP ${hexOf(rip)}${inSmm ? ' in SMM' : ''}`}.`,
      evidence: evidence(failed.note, ...lines, code?.note),
      confidence: 'proved',
    },
  ];
}

/** Two CPUs with one APIC id in edk2's list (Q5's rule). */
function duplicateInLog(notes: readonly Note[]): Finding[] {
  const seen = new Map<number, Note>();
  for (const note of notes) {
    const cpu = plannedCpu(note.text);
    if (cpu?.apicId === undefined) continue;
    const twin = seen.get(cpu.apicId);
    const other = twin && plannedCpu(twin.text);
    if (twin && other && other.index !== cpu.index) {
      return [
        {
          id: 'duplicate-apic-id',
          quirk: 'Q5',
          title: 'Several CPUs got one APIC id',
          sentence: `The firmware lists APIC id ${hexOf(cpu.apicId)} for CPU ${other.index} and for CPU ${cpu.index}: the initial APIC id it asked CPUID for is the same on both, as when leaf 0Bh is reported but empty. An IPI to one cannot reach the other.`,
          vcpu: cpu.index,
          evidence: evidence(twin, note),
          confidence: 'proved',
        },
      ];
    }
    seen.set(cpu.apicId, note);
  }
  return [];
}

/** Lines of a debug log that say by themselves what is wrong. */
const WORDS: readonly {
  readonly pattern: RegExp;
  readonly id: Finding['id'];
  readonly title: string;
  readonly sentence: (match: readonly string[]) => string;
}[] = [
  {
    pattern: /^ASSERT (\S+)\((\d+)\): (.*)$/,
    id: 'firmware-assertion',
    title: 'The firmware stops at an assertion',
    sentence: ([file, line, text]) =>
      `The firmware stopped at "${text}" (${file?.split('/').at(-1)}, line ${line}): a debug build spins there for ever.`,
  },
  {
    pattern: /^(!!!! .*Exception Type.*)$/,
    id: 'firmware-exception',
    title: 'The firmware met an exception',
    sentence: ([text]) => `The firmware's exception handler printed "${text?.slice(0, 80)}" and stopped.`,
  },
  {
    pattern: /(S3Resume2?Pei doesn't support X64 PEI \+ SMM)/,
    id: 's3-unsupported',
    title: 'S3 resume with 64-bit PEI and SMM',
    sentence: () =>
      'The firmware says that it cannot resume from S3 with a 64-bit PEI phase and SMM, and stops there. Disable S3 (-global ICH9-LPC.disable_s3=1), or take an OVMF with a 32-bit PEI phase.',
  },
  {
    pattern: /(SmmStartupThisAp failed: Timeout|^ASSERT_EFI_ERROR \(Status = Time ?out\))/i,
    id: 'ap-timeout',
    title: 'An AP did not answer in SMM',
    sentence: ([text]) =>
      `The firmware says "${text}": a processor did not take part in SMM within the time that the firmware waits. It was not in SMM, or was stuck there.`,
  },
];

/** What the lines beside a trace's events say. */
export function diagnoseNotes(notes: readonly Note[]): Finding[] {
  const said = WORDS.flatMap(({ pattern, id, title, sentence }): Finding[] => {
    const match = first(notes, pattern);
    if (!match) return [];
    return [
      { id, title, sentence: sentence(match.groups), evidence: evidence(match.note), confidence: 'proved' },
    ];
  });
  return [...entryFailed(notes), ...internalError(notes), ...duplicateInLog(notes), ...said];
}
