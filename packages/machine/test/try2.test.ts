import { it } from 'vitest';
import { prepareRelocation, runRelocation } from '../src/relocation.ts';
import * as T from '@smm/trace';
it('trace', () => {
  const events: T.TraceEvent[] = [];
  const o = JSON.parse(process.env['TRY'] ?? '{}');
  const r = prepareRelocation({ cpus: 2, bitness: 32, accelerator: 'kvm', host: 'rhel7-3.10.0-323', ...o, trace: (e) => { events.push(e); } });
  const t = process.hrtime.bigint();
  const rep = runRelocation(r);
  console.log(rep.outcome, rep.summary, rep.instructions, Number(process.hrtime.bigint() - t) / 1e6, 'ms');
  const text = (T as any).formatTrace?.(events, {form: '2015'}) ?? '';
  require('fs').writeFileSync('/tmp/t/trace.txt', typeof text === 'string' ? text : text.join('\n'));
  console.log(JSON.stringify((T as any).diagnose(events), (k, v) => typeof v === 'bigint' ? v.toString(16) : v, 1));
}, 600000);
