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

/** The summary, with its outcome before it where it does not begin so; green or red. */
export function outcomeLine({ outcome, summary }: RelocationReport, io: Io): string {
  const colour = colours(io);
  const text = summary.startsWith(outcome) ? summary : `${outcome}: ${summary}`;
  return `${outcome === 'relocated' ? colour.green(text) : colour.red(text)}.`;
}

function cpuTable(report: RelocationReport, io: Io): string {
  const rows = report.cpus.map((cpu) => [
    String(cpu.id),
    hex(cpu.smbase),
    cpu.planned === undefined ? '-' : hex(cpu.planned),
    cpu.smm ? `${cpu.state}, in SMM` : cpu.state,
    cpu.waitingOn ?? '',
  ]);
  return table(['CPU', 'SMBASE', 'planned', 'state', 'waiting on'], rows, io);
}

/** The result in the mail's words, for the last column of its table. */
export function mailResult({ outcome, summary, cpus, firstSmi }: RelocationReport): string {
  if (outcome === 'relocated') {
    const bases = cpus.map((cpu) => bare(cpu.smbase)).join(' ');
    const all = firstSmi === undefined || firstSmi.entered === firstSmi.of;
    const first = all ? 'all CPUs' : `${firstSmi.entered} of ${firstSmi.of} CPUs`;
    return `relocated: SMBASE ${bases}, ${first} in the first normal SMI`;
  }
  if (outcome !== 'stuck') return `${outcome}: ${summary}`;
  for (const thief of cpus) {
    const owner = cpus.find((cpu) => cpu !== thief && cpu.planned === thief.smbase);
    if (owner !== undefined) {
      return `stuck in SMBASE relocation, VCPU ${thief.id} took VCPU ${owner.id}'s SMBASE`;
    }
  }
  const [first] = cpus.filter((cpu) => cpu.state === 'spinning' && cpu.waitingOn !== undefined);
  return `stuck in SMBASE relocation${first === undefined ? '' : `, VCPU ${first.id} ${first.waitingOn}`}`;
}
