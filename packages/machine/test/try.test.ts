import { it } from 'vitest';
import { prepareRelocation, runRelocation } from '../src/relocation.ts';
import type { TraceEvent } from '@smm/trace';

const cases = JSON.parse(process.env['TRY'] ?? '[{}]');
it.each(cases)('try %j', (o: any) => {
  const events: TraceEvent[] = [];
  const r = prepareRelocation({ tier: 'evaluator', ...o, trace: (e: TraceEvent) => { events.push(e); } });
  const t = process.hrtime.bigint();
  let report;
  try { report = runRelocation(r); } catch (e) { console.log(e, r.machine.log.join('\n'), r.machine.processors.map(p=>p.state.rip.toString(16))); throw e; }
  const ms = Number(process.hrtime.bigint() - t) / 1e6;
  console.log(report.log.join('\n'), '\n', report.outcome, report.summary, report.proof?.sentence, JSON.stringify(report.cpus.slice(0,4), (k, v) => typeof v === 'bigint' ? v.toString(16) : v), report.instructions, ms, 'ms', events.length, 'events');
}, 600000);
