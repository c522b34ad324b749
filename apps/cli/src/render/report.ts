/** One run, for a person. */
import type { RelocationReport } from '@smm/machine';
import type { Run } from '../drive.ts';
import type { Io } from '../io.ts';
import { describeConfiguration } from './configuration.ts';
import { bare, colours, counted, hex, table, wrap } from './text.ts';

/** Configuration, processors, debug log, outcome, proof and notes. */
export function renderRun({ options, report }: Run, io: Io): string {
  const colour = colours(io);
  const log = report.log.length === 0 ? ['  (empty)'] : report.log.map((line) => `  ${line}`);
  const parts = [
    describeConfiguration(options),
    '',
    cpuTable(report, io),
    '',
    'debug log (port 0x402):',
    ...log,
    '',
    wrap(outcomeLine(report, io), io),
    ...(report.proof === undefined ? [] : [wrap(`Proof: ${report.proof.sentence}.`, io)]),
    ...report.notes.map((note) => wrap(`Note: ${note}`, io)),
    colour.dim(
      `${counted(report.instructions, 'instruction')}, ${(report.virtualNs / 1e6).toFixed(1)} ms of virtual time.`,
    ),
  ];
  return `${parts.join('\n')}\n`;
}

/** `stuck: ...` in red, `relocated: ...` in green. */
export function outcomeLine({ outcome, summary }: RelocationReport, io: Io): string {
  const colour = colours(io);
  const word = outcome === 'relocated' ? colour.green(outcome) : colour.red(outcome);
  return `${word}: ${summary.startsWith(`${outcome} `) ? summary.slice(outcome.length + 1) : summary}.`;
}

function cpuTable(report: RelocationReport, io: Io): string {
  const rows = report.cpus.map((cpu) => [
    String(cpu.id),
    hex(cpu.smbase),
    hex(cpu.planned),
    cpu.smm ? `${cpu.state}, in SMM` : cpu.state,
    cpu.waitingOn ?? '',
  ]);
  return table(['CPU', 'SMBASE', 'planned', 'state', 'waiting on'], rows, io);
}

/** The result in the mail's words, for the last column of its table. */
export function mailResult({ outcome, summary, cpus, log }: RelocationReport): string {
  const bases = cpus.map((cpu) => bare(cpu.smbase)).join(' ');
  if (outcome === 'relocated') {
    const missing = log.filter((line) => line.endsWith('did not check in')).length;
    const first =
      missing === 0
        ? 'all CPUs in the first normal SMI'
        : `${missing} of ${cpus.length} CPUs lost in the first normal SMI`;
    return `relocated: SMBASE ${bases}, ${first}`;
  }
  if (outcome === 'stuck') {
    const thief = cpus.find((cpu) => cpu.smbase !== cpu.planned);
    const owner = cpus.find((cpu) => cpu !== thief && cpu.planned === thief?.smbase);
    if (thief !== undefined && owner !== undefined) {
      return `stuck in SMBASE relocation, VCPU ${thief.id} took VCPU ${owner.id}'s SMBASE`;
    }
  }
  return summary;
}
