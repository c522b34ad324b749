/** Judges a run's end: one word and one sentence, what each CPU does and waits for, and remarks. */
import { logLines } from '@smm/edk2-relocation';
import type { UnmodelledError } from '@smm/x86-defs';
import { findAccelerator } from '../../accel/accelerators.ts';
import type { Machine } from '../../machine.ts';
import type { MachineStop } from '../../machine-options.ts';
import { countsOf, cpuCore } from '../report.ts';
import { linearIp, strayCpus } from './astray.ts';
import type { CpuActivity, CpuReport, LoopProof, RelocationOutcome, RelocationReport } from './outcome.ts';
import { plannedSmbases, type Relocation } from './relocation.ts';
import { describeWait, type WaitContext } from './waiting.ts';

/** How a run ended. */
export interface End {
  stop: MachineStop;
  proof: LoopProof | undefined;
  /** CPUs that were found where the firmware has no code. */
  stray: readonly number[];
  /** What a CPU met that is not modelled, on its way from a wrong SMBASE. */
  unmodelled: UnmodelledError | undefined;
}

/** Indices of the CPUs that run where our firmware has no code. */
export function strayOf(relocation: Relocation): number[] {
  const { machine, firmware } = relocation;
  const smbases = plannedSmbases(relocation).flatMap((smbase) => smbase ?? []);
  return firmware === undefined ? [] : strayCpus(machine, firmware, smbases);
}

/** The firmware wrote its last line. */
export function isDone({ machine }: Relocation): boolean {
  return machine.log.includes(logLines.end());
}

/** The firmware believes that all CPUs are relocated, and one is not: the next SMI starts it where no handler is. */
export function isAstray(relocation: Relocation): boolean {
  const { machine } = relocation;
  if (!machine.log.includes(logLines.moduleExit())) return false;
  const planned = plannedSmbases(relocation);
  return machine.processors.some(
    ({ state }, id) => planned[id] !== undefined && state.smbase !== planned[id],
  );
}

/** The report of a run that ended so. */
export function judge(relocation: Relocation, end: End): RelocationReport {
  const { proof } = end;
  const { machine, firmware } = relocation;
  const planned = plannedSmbases(relocation);
  const finished = isDone(relocation);
  const context: WaitContext = { machine, firmware, proof, finished };
  const cpus = machine.processors.map(
    (_, id): CpuReport => ({
      ...cpuCore(machine, id),
      planned: planned[id],
      state: activity(machine, id, proof),
      waitingOn: describeWait(id, context),
    }),
  );
  const firstSmi = finished ? firstSmiOf(machine.log, cpus.length) : undefined;
  const { outcome, summary } = verdict(relocation, end, cpus, firstSmi);
  return {
    outcome,
    summary,
    cpus,
    firstSmi,
    log: [...machine.log],
    proof,
    shutdown: machine.shutdownReason,
    ...countsOf(machine),
    notes: notesOf(relocation, end, cpus, firstSmi),
  };
}

function activity(machine: Machine, id: number, proof: LoopProof | undefined): CpuActivity {
  const idle = machine.idleReason(id);
  if (idle !== undefined) return idle;
  return proof?.loops.some((loop) => loop.id === id) === true ? 'spinning' : 'running';
}

/** What the firmware's own report of the first normal SMI says. */
function firstSmiOf(log: readonly string[], cpus: number): RelocationReport['firstSmi'] {
  for (let entered = 0; entered <= cpus; entered++) {
    if (log.includes(logLines.firstSmiCount(entered, cpus))) return { entered, of: cpus };
  }
  return undefined;
}

/** Indices of the CPUs of which the firmware says that they did not come to the first normal SMI. */
function absentees(log: readonly string[]): number[] {
  return log.flatMap((line) => {
    const match = /^First SMI: CPU\[([0-9A-F]+)\].*did not check in$/.exec(line);
    return match === null ? [] : [Number.parseInt(match[1]!, 16)];
  });
}

function notesOf(
  { machine, options }: Relocation,
  { unmodelled }: End,
  cpus: readonly CpuReport[],
  firstSmi: RelocationReport['firstSmi'],
): string[] {
  const { accelerator = 'tcg', kvm = {} } = options;
  const notes = [...findAccelerator(accelerator).notes(kvm)];
  if (firstSmi !== undefined && firstSmi.entered < firstSmi.of && cpus.every(isPlaced)) {
    const missing = absentees(machine.log).map((id) => `CPU ${id}`);
    notes.push(
      `Every CPU has its SMBASE, but the first normal SMI reached ${firstSmi.entered} of ${firstSmi.of}: ${missing.join(', ')} missed it, and will miss the next ones.`,
    );
  }
  if (unmodelled !== undefined)
    notes.push(`The run ended at something that is not modelled: ${unmodelled.message}.`);
  return notes;
}

/** Misplaced CPUs that a summary names; the report has them all. */
const NAMED_IN_SUMMARY = 4;

function isPlaced(cpu: CpuReport): boolean {
  return cpu.smbase === cpu.planned;
}

/** A plan is known, and this is not it. */
function isMisplaced(cpu: CpuReport): boolean {
  return cpu.planned !== undefined && !isPlaced(cpu);
}

function verdict(
  relocation: Relocation,
  { stop, proof, stray, unmodelled }: End,
  cpus: readonly CpuReport[],
  firstSmi: RelocationReport['firstSmi'],
): { outcome: RelocationOutcome; summary: string } {
  const { machine, firmware } = relocation;
  const wrong = cpus.filter(isMisplaced);
  const wrongText = [
    ...wrong
      .slice(0, NAMED_IN_SUMMARY)
      .map((cpu) => `CPU ${cpu.id} has SMBASE ${hex(cpu.smbase)} where ${hex(cpu.planned!)} was planned`),
    ...(wrong.length > NAMED_IN_SUMMARY ? [`and so on for ${wrong.length - NAMED_IN_SUMMARY} more`] : []),
  ].join(', ');
  const shutDown = stop === 'shutdown' ? `shut down: ${machine.shutdownReason}` : undefined;
  if (isAstray(relocation)) {
    const garbage = unmodelled && 'the next SMI started a CPU where no handler is';
    const consequence = shutDown ?? garbage;
    return {
      outcome: 'wrong-smbase',
      summary: [wrongText, ...(consequence ? [consequence] : [])].join('; '),
    };
  }
  if (shutDown !== undefined) return { outcome: 'shutdown', summary: shutDown };
  if (firstSmi !== undefined && cpus.every(isPlaced)) {
    const { entered, of } = firstSmi;
    const summary =
      entered === of
        ? `${of} of ${of} CPUs relocated and entered a normal SMI at their own SMBASE`
        : `${of} of ${of} CPUs relocated, but only ${entered} of them entered the first normal SMI`;
    return { outcome: 'relocated', summary };
  }
  const halted = stop === 'idle' || stop === 'asleep' || stop === 'suspended';
  const rest = stop === 'suspended' ? 'the machine sleeps in S3' : 'every processor is halted';
  if (firmware === undefined && halted) {
    const ran = 'the ROM ran until every processor halted';
    if (cpus.every(isPlaced))
      return { outcome: 'relocated', summary: `${ran}, each with the SMBASE that its log planned` };
    if (cpus.every((cpu) => cpu.planned === undefined))
      return { outcome: 'ended', summary: `${ran}; its debug log plans no SMBASE` };
  }
  if (halted || proof !== undefined) {
    const waits = cpus.filter((cpu) => cpu.waitingOn !== undefined && cpu.state === 'spinning');
    const what = waits.map((cpu) => `CPU ${cpu.id} ${cpu.waitingOn}`).join('; ');
    const parts = [
      what || `${rest} and nothing will wake ${stop === 'suspended' ? 'it' : 'one'}`,
      wrongText,
    ].filter((text) => text !== '');
    const where = cpus.some((cpu) => cpu.planned !== undefined) ? 'stuck in SMBASE relocation' : 'stuck';
    return { outcome: 'stuck', summary: `${where}: ${parts.join('; ')}` };
  }
  const lost = stray.map(
    (id) =>
      `CPU ${id} runs at ${hex(linearIp(machine, id))}${cpus[id]!.smm ? ' in SMM' : ''}, where the firmware has no code`,
  );
  const why = lost.length > 0 ? lost.join(', ') : 'without an end or a proven endless loop';
  return {
    outcome: 'budget-exhausted',
    summary: `gave up after ${machine.retired} instructions${lost.length > 0 ? ': ' : ' '}${why}`,
  };
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
