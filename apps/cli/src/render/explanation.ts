/** An explanation, for a person and as JSON. */
import { type Explanation, findHost, HOSTS, type Quirk, traceFormOf } from '@smm/machine';
import type { Diagnosis, Divergence } from '@smm/trace';
import type { Io } from '../io.ts';
import { describeConfiguration } from './configuration.ts';
import { evidenceExcerpt } from './excerpt.ts';
import { outcomeLine } from './report.ts';
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
    ...causes.map((quirk) => causeSentence(quirk)),
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
    ...(causes.length === 0 ? [] : ['', title('Fix'), ...causes.flatMap((quirk) => fixParts(quirk, io))]),
    ...(remedies.length === 0
      ? []
      : [
          '',
          title('Other changes that were tried'),
          table(
            ['change', 'relocates', 'result'],
            remedies.map(({ change, helps, summary }) => [change, helps ? 'yes' : 'no', summary]),
            io,
          ),
        ]),
  ];
}

function passingParts(explanation: Explanation, io: Io): string[] {
  const { quirks, harmless, losses, reference, divergence } = explanation;
  const title = colours(io).bold;
  const agreement =
    reference === undefined
      ? []
      : divergence?.first === undefined
        ? [wrap(`It agrees with ${reference.label} on everything that the guest can notice.`, io)]
        : [wrap(divergenceSentence(explanation), io)];
  return [
    '',
    title('Why it passes'),
    ...(quirks.length === 0
      ? [wrap('No known fault is in force.', io, '  ')]
      : harmless.map((reason) => wrap(reason, io, '  '))),
    ...agreement.map((text) => `  ${text.replaceAll('\n', '\n  ')}`),
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
  return `First divergence from ${reference.label}: VCPU ${first.vcpu} ${here} here, ${there} there.`;
}

function sides({ a, b }: Divergence): [string, string] {
  return [a?.fact ?? 'does nothing more', b?.fact ?? 'does nothing more'];
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
  if (causes.length > 0) return causes.map((quirk) => wrap(causeSentence(quirk, causes.length), io, '  '));
  const text =
    quirks.length === 0
      ? 'No known fault is in force: the firmware, the ROM or the configuration itself is the cause.'
      : `Not a known fault: it also fails without ${quirks.map(({ id }) => id).join(', ')}.`;
  return [wrap(text, io, '  ')];
}

function causeSentence(quirk: Quirk, together = 1): string {
  const { id, title, component, before } = quirk;
  const proof =
    together === 1
      ? `With ${id} alone removed the same configuration relocates.`
      : 'Each of these alone keeps it from relocating.';
  return `The cause is ${id}, ${component}: ${lowerFirst(title)}. ${before} ${proof}`;
}

function fixParts({ id, component, commit, after }: Quirk, io: Io): string[] {
  const hosts = HOSTS.filter(({ name }) => !findHost(name).quirks.includes(id)).map(({ name }) => name);
  const where = component === 'KVM' ? ` Hosts that have it: ${hosts.join(', ')}.` : '';
  return [wrap(`${component}, ${commit}: ${lowerFirst(after)}${where}`, io, '  ')];
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
    remedies,
    harmless,
    losses,
  };
}

/** A diagnosis as JSON. */
export function diagnosisToJson(diagnosis: Diagnosis): Record<string, unknown> {
  const { id, quirk, title, sentence, vcpu, confidence, evidence } = diagnosis;
  return { id, quirk: quirk ?? null, title, sentence, vcpu, confidence, evidence };
}
