/** An explained boot, for a person and as JSON. */
import { activityOf, type BootExplanation, endingOf, factInWords } from '@smm/machine';
import type { BootRequest } from '../boot/request.ts';
import type { Io } from '../io.ts';
import { describeBoot } from './boot.ts';
import { evidenceExcerpt } from './excerpt.ts';
import { diagnosisToJson } from './explanation.ts';
import { colours, counted, hex, table, wrap } from './text.ts';

/** The whole explanation. */
export function renderBootExplanation(request: BootRequest, explanation: BootExplanation, io: Io): string {
  const { run, passes, reference, divergence, diagnoses, causes, quirks, form } = explanation;
  const { report } = run;
  const colour = colours(io);
  const text = report.summary.startsWith(report.outcome)
    ? report.summary
    : `${report.outcome}: ${report.summary}`;
  const first = divergence?.first;
  return [
    describeBoot(request),
    wrap(`${passes ? colour.green(text) : colour.red(text)}.`, io),
    table(
      ['CPU', 'SMBASE', ...(reference ? ['SMBASE there'] : []), 'what it does'],
      report.cpus.map((cpu) => [
        String(cpu.id),
        hex(cpu.smbase),
        ...(reference ? [hex(reference.report.cpus[cpu.id]!.smbase)] : []),
        activityOf(cpu, report.stuck),
      ]),
      io,
    ),
    ...(reference === undefined
      ? [
          '',
          wrap(
            passes
              ? 'No known fault is in force.'
              : 'No other configuration of this guest is known to relocate.',
            io,
          ),
        ]
      : ['', colour.bold(`First divergence from ${reference.label}`)]),
    ...(reference !== undefined && first === undefined
      ? [wrap('The guest notices no difference.', io, '  ')]
      : []),
    ...(first === undefined
      ? []
      : [
          `  VCPU ${first.vcpu}, after ${counted(first.agreed, 'fact')} on which both runs agree:`,
          `    here:   ${factInWords(first.a)}`,
          ...first.context.a.map((line) => `      ${line}`),
          `    there:  ${factInWords(first.b)}`,
          ...first.context.b.map((line) => `      ${line}`),
        ]),
    ...(diagnoses.length === 0 ? [] : ['', colour.bold('What the trace shows')]),
    ...diagnoses.flatMap((diagnosis) => [
      wrap(
        `${diagnosis.title}${diagnosis.quirk ? ` (${diagnosis.quirk})` : ''}: ${diagnosis.sentence}`,
        io,
        '  ',
      ),
      ...evidenceExcerpt(diagnosis, run.events, form).map((line) => `    ${line}`),
    ]),
    ...(passes ? [] : ['', colour.bold('Cause'), wrap(causeInWords(causes, quirks), io, '  ')]),
    '',
  ].join('\n');
}

function causeInWords(causes: BootExplanation['causes'], quirks: BootExplanation['quirks']): string {
  if (quirks.length === 0)
    return 'No known fault is in force: the firmware or the configuration itself is the cause.';
  if (causes.length === 0)
    return `Taking away one of ${quirks.map(({ id }) => id).join(', ')} does not help.`;
  return causes
    .map(
      ({ id, component, title, before, commit, open }) =>
        `${id}, ${component}: ${title}. ${before} Without ${id} alone the same configuration relocates. It ${open === true ? `is ${endingOf({ commit, open })}` : `was fixed by ${commit}`}.`,
    )
    .join(' ');
}

/** The explanation as JSON. */
export function bootExplanationToJson(explanation: BootExplanation): Record<string, unknown> {
  const { passes, run, reference, divergence, diagnoses, causes } = explanation;
  const first = divergence?.first;
  const sideOf = ({ report }: NonNullable<typeof reference>): Record<string, unknown> => ({
    outcome: report.outcome,
    summary: report.summary,
    cpus: report.cpus.map(({ id, smbase, smmEntries }) => ({ id, smbase: hex(smbase), smmEntries })),
    instructions: report.instructions,
  });
  return {
    version: 1,
    passes,
    run: sideOf(run),
    reference: reference === undefined ? null : { label: reference.label, ...sideOf(reference) },
    divergence:
      first === undefined
        ? null
        : {
            vcpu: first.vcpu,
            agreed: first.agreed,
            here: first.a?.fact ?? null,
            there: first.b?.fact ?? null,
            context: first.context,
          },
    diagnoses: diagnoses.map((diagnosis) => diagnosisToJson(diagnosis)),
    causes: causes.map(({ id, title, component, commit }) => ({ id, title, component, commit })),
  };
}
