/** An explanation, for a person and as JSON. */
import { type Explanation, endingOf, factInWords, HOSTS, type Quirk, traceFormOf } from '@smm/machine';
import type { Diagnosis, Divergence } from '@smm/trace';
import type { Io } from '../io.ts';
import { describeConfiguration } from './configuration.ts';
import { evidenceExcerpt } from './excerpt.ts';
import { mailResult, outcomeLine } from './report.ts';
import { runToJson } from './run-json.ts';
import { colours, counted, table, wrap } from './text.ts';

/** The whole explanation. */
export function renderExplanation(explanation: Explanation, io: Io): string {
  const { run, passes } = explanation;
  const parts = [
    describeConfiguration(run.options),
    wrap(outcomeLine(run.report, io), io),
    ...run.report.notes.map((note) => wrap(`Note: ${note}`, io)),
    ...(passes ? passingParts(explanation, io) : failingParts(explanation, io)),
  ];
  return `${parts.join('\n')}\n`;
}

/** What the mail's table needs below it: cause, first divergence, proof. */
export function renderCause(explanation: Explanation, io: Io): string {
  const { diagnoses, causes } = explanation;
  const first = diagnoses[0];
  const sentences = [
    ...(first === undefined ? [] : [first.sentence]),
    divergenceSentence(explanation),
    ...(causes.length === 0 ? [] : [causeSentences(causes)]),
    ...causes.map(fixSentence),
  ];
  const lines = first === undefined ? [] : ['', ...excerptOf(first, explanation)];
  return `${[wrap(sentences.join(' '), io), ...lines].join('\n')}\n`;
}

function failingParts(explanation: Explanation, io: Io): string[] {
  const { diagnoses, causes, remedies, quirks } = explanation;
  const title = colours(io).bold;
  return [
    ...divergenceParts(explanation, io),
    '',
    title('What the trace shows'),
    ...(diagnoses.length === 0
      ? ['  No known signature.']
      : diagnoses.flatMap((diagnosis) => diagnosisParts(diagnosis, explanation, io))),
    '',
    title('Cause'),
    ...causeParts(causes, quirks, io),
    ...(causes.length === 0
      ? []
      : ['', title('Fix'), ...causes.map((quirk) => wrap(fixSentence(quirk), io, '  '))]),
    ...(remedies.length === 0
      ? []
      : [
          '',
          title('Other changes that were tried'),
          table(
            ['change', 'relocates', 'result'],
            remedies.map(({ change, helps, report }) => [change, helps ? 'yes' : 'no', mailResult(report)]),
            io,
          ),
        ]),
  ];
}

function passingParts(explanation: Explanation, io: Io): string[] {
  const { quirks, harmless, losses, reference, divergence } = explanation;
  const title = colours(io).bold;
  const same = divergence?.first === undefined;
  const comparison =
    reference === undefined
      ? []
      : same
        ? [`It agrees with ${reference.label} on everything that the guest can notice.`]
        : quirks.length > 0
          ? []
          : [`${divergenceSentence(explanation)} Both relocate.`];
  return [
    '',
    title('Why it passes'),
    ...(quirks.length === 0
      ? [wrap('No known fault is in force.', io, '  ')]
      : harmless.map((reason) => wrap(reason, io, '  '))),
    ...comparison.map((text) => wrap(text, io, '  ')),
    ...(losses.length === 0
      ? []
      : [
          '',
          title('What is lost all the same'),
          ...losses.map((loss) => wrap(loss, io, '  ')),
          ...explanation.diagnoses.flatMap((diagnosis) => diagnosisParts(diagnosis, explanation, io)),
        ]),
  ];
}

function divergenceParts(explanation: Explanation, io: Io): string[] {
  const { reference, divergence } = explanation;
  const title = colours(io).bold;
  if (reference === undefined) {
    return [
      '',
      title('First divergence'),
      wrap('No variant of this guest relocates, so there is nothing to compare it with.', io, '  '),
    ];
  }
  const first = divergence?.first;
  if (first === undefined) return [];
  const [here, there] = sides(first);
  return [
    '',
    title(`First divergence from ${reference.label}`),
    `  VCPU ${first.vcpu}, after ${counted(first.agreed, 'fact')} on which both runs agree:`,
    `    here:   ${here}`,
    `    there:  ${there}`,
  ];
}

/** One sentence on where the run and its reference part. */
function divergenceSentence({ reference, divergence }: Explanation): string {
  if (reference === undefined) return '';
  const first = divergence?.first;
  if (first === undefined) return `The guest notices no difference to ${reference.label}.`;
  const [here, there] = sides(first);
  return `First divergence from ${reference.label}: here VCPU ${first.vcpu} ${here}, there it ${there}.`;
}

function sides({ a, b }: Divergence): [string, string] {
  return [factInWords(a), factInWords(b)];
}

function diagnosisParts(diagnosis: Diagnosis, explanation: Explanation, io: Io): string[] {
  const { title, quirk, confidence, sentence } = diagnosis;
  return [
    `  ${title} (${quirk === undefined ? '' : `${quirk}, `}${confidence})`,
    wrap(sentence, io, '  '),
    ...excerptOf(diagnosis, explanation).map((line) => `    ${line}`),
  ];
}

function excerptOf(diagnosis: Diagnosis, { run }: Explanation): string[] {
  return evidenceExcerpt(diagnosis, run.events, traceFormOf(run.options));
}

function causeParts(causes: readonly Quirk[], quirks: readonly Quirk[], io: Io): string[] {
  if (causes.length > 0) return [wrap(causeSentences(causes), io, '  ')];
  const text =
    quirks.length === 0
      ? 'No known fault is in force: the firmware, the ROM or the configuration itself is the cause.'
      : `Not a known fault: it also fails without ${quirks.map(({ id }) => id).join(', ')}.`;
  return [wrap(text, io, '  ')];
}

function causeSentences(causes: readonly Quirk[]): string {
  const each = causes.map(
    ({ id, title, component, before }, index) =>
      `${index === 0 ? (causes.length === 1 ? 'The cause is' : 'There is more than one cause:') : 'And'} ${id}, ${component}: ${lowerFirst(title)}. ${before}`,
  );
  const ids = causes.map(({ id }) => id).join(' and ');
  const proof =
    causes.length === 1
      ? `With ${ids} alone removed the same configuration relocates.`
      : `Only with all of ${ids} removed the same configuration relocates.`;
  return [...each, proof].join(' ');
}

function fixSentence({ id, component, commit, open, after }: Quirk): string {
  const fixed = HOSTS.filter(({ quirks }) => !quirks.includes(id)).map(({ name }) => name);
  const where = component === 'KVM' ? ` Hosts that have the fix: ${fixed.join(', ')}.` : '';
  const ended = open === true ? `is ${endingOf({ commit, open })}` : `was fixed by ${commit}`;
  return `${id} ${ended} (${component}): ${lowerFirst(after)}${where}`;
}

function lowerFirst(text: string): string {
  return /^[A-Z][a-z]/.test(text) ? text.charAt(0).toLowerCase() + text.slice(1) : text;
}

/** The explanation as JSON. */
export function explanationToJson(explanation: Explanation): Record<string, unknown> {
  const { passes, run, reference, divergence, diagnoses, causes, remedies, harmless, losses } = explanation;
  const first = divergence?.first;
  return {
    version: 1,
    passes,
    run: runToJson(run),
    reference:
      reference === undefined
        ? null
        : { label: reference.label, outcome: reference.report.outcome, summary: reference.report.summary },
    divergence:
      first === undefined
        ? null
        : {
            vcpu: first.vcpu,
            agreed: first.agreed,
            here: first.a?.fact ?? null,
            there: first.b?.fact ?? null,
          },
    diagnoses: diagnoses.map((diagnosis) => diagnosisToJson(diagnosis)),
    causes: causes.map(({ id, title, component, commit, before, after }) => ({
      id,
      title,
      component,
      commit,
      before,
      after,
    })),
    remedies: remedies.map(({ change, helps, report }) => ({
      change,
      helps,
      outcome: report.outcome,
      summary: report.summary,
    })),
    harmless,
    losses,
  };
}

/** A diagnosis as JSON; `offset` is added to the indices of its evidence. */
export function diagnosisToJson(diagnosis: Diagnosis, offset = 0): Record<string, unknown> {
  const { id, quirk, title, sentence, vcpu, confidence, evidence, causes = [], collect } = diagnosis;
  return {
    id,
    quirk: quirk ?? null,
    title,
    sentence,
    vcpu: vcpu ?? null,
    confidence,
    evidence: evidence.map(({ index, line }) =>
      index === undefined ? { line } : { index: index + offset, line },
    ),
    causes: causes.map((cause) => ({ ...cause, quirk: cause.quirk ?? null })),
    collect,
  };
}
