import {
  couldHideFailure,
  diagnose,
  firstDivergence,
  formatTrace,
  hashTrace,
  readTrace,
  readTraceDat,
  type TraceEvent,
  writeJsonl,
  writePerfetto,
  writeTraceDat,
} from '@smm/trace';
import { SmmError } from '@smm/x86-defs';
import fc from 'fast-check';
import { describe, it } from 'vitest';
import { FIELD_NAMES, fieldText } from './field-files.ts';
import { healthyText, healthyTrace } from './healthy.ts';
import { goodRun, mailRun } from './scenarios.ts';

const FULL = process.env['SMM_FULL'] === '1';
const RUNS = FULL ? 20_000 : 60;

/** Inputs that were internal errors once. */
const FOUND: readonly string[] = [
  '{"name":"kvm_fpu","ts":0,"cpu":1e15,"load":true}',
  '{"name":"kvm_fpu","ts":1e300,"cpu":0,"load":true}',
  '{"name":"kvm_fpu","ts":-1,"cpu":-1,"load":true}',
  '{"name":"kvm_eoi","ts":0,"cpu":0,"apicid":1e308,"vector":0.5}',
  '{"name":"kvm_exit","ts":0,"cpu":0,"exitReason":1.5,"isa":1}',
  '{"name":"kvm_emulate_insn","ts":0,"cpu":0,"rip":"0x0","failed":false}',
  ' x-1 [4294967295] 1.000000: kvm_fpu: load',
  ' x-1 [001] 99999999999999999999.000000: kvm_fpu: load',
  'kvm_pic_set_irq: chip 0 pin 4000000000 (level|masked)',
  `kvm_cr: cr_write 0 = 0x${'f'.repeat(400)}`,
  `kvm_set_irq: gsi ${'9'.repeat(400)} level 1 source 0`,
  'kvm_exit: reason UNKNOWN (99999999999999999999) rip 0x0 info 0 0',
  'kvm_exit: exit_reason=99999999999999999999 guest_rip=0x0 isa=7',
  'kvm_apic_accept_irq: apicid ffffffffffffffff vec 255 (SIPI|edge)',
  'kvm_enter_smm: vcpu 4294967295: leaving SMM, smbase 0x0',
  'CPU[FFFFFFFFFF]  APIC ID=0000  SMBASE=7FFC1000\nkvm_fpu: load',
  '=\n=\n=\n=\n=\n=\n=\n=\n=\n=\nkvm_fpu: load',
  'constructor: x\n__proto__: y\n x-1 [001] 1.000000: toString: z\nkvm_fpu: load',
];

/** Everything that the commands do with a trace: a result or an SmmError. */
function useAll(bytes: Uint8Array): void {
  try {
    const { events, planned, form, notes, counts, cut } = readTrace(bytes);
    diagnose(events, {
      planned,
      complete: !couldHideFailure(counts),
      ...(form && { form }),
      ...(notes && { notes }),
      ...(cut !== undefined && { cut }),
    });
    firstDivergence(events, goodRun());
    firstDivergence(events, [...events].reverse());
    writeJsonl(events);
    writePerfetto(events);
    hashTrace(events);
    for (const each of ['2015', 'current'] as const) {
      formatTrace(events, { form: each });
      if (events.length > 0) readTraceDat(writeTraceDat(events, { form: each }));
    }
  } catch (error) {
    if (!(error instanceof SmmError)) throw error;
  }
}

const utf8 = new TextEncoder();
const HOST = { vcpus: 2, amd: false, apicv: false, smis: 1, seed: 7 } as const;
const texts: readonly string[] = [
  ...FIELD_NAMES.map(fieldText),
  healthyText({ ...HOST, form: '2015' }).slice(0, 3000),
  healthyText({ ...HOST, form: 'current' }).slice(0, 3000),
  writeJsonl(mailRun()),
];
const dats: readonly Uint8Array[] = [
  writeTraceDat(healthyTrace({ ...HOST, form: 'current' }).slice(0, 20), { form: 'current' }),
  writeTraceDat(mailRun() as TraceEvent[]),
];

/** Changes that keep most of the input: bytes changed, pieces doubled, cut out, moved, and telling numbers put in. */
const mutations = fc.array(
  fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    size: fc.nat(40),
    what: fc.constantFrom('byte', 'double', 'cut', 'swap', 'insert'),
    byte: fc.nat(255),
    text: fc.constantFrom(
      '0',
      '-1',
      'ffffffffffffffffff',
      '4294967296',
      '1e400',
      'null',
      '\n',
      '=',
      '(',
      '[9999]',
      'kvm_exit: ',
    ),
  }),
  { minLength: 1, maxLength: 6 },
);

function mutate(
  bytes: Uint8Array,
  changes: typeof mutations extends fc.Arbitrary<infer T> ? T : never,
): Uint8Array {
  let out = [...bytes];
  for (const { at, size, what, byte, text } of changes) {
    const start = Math.floor(at * out.length);
    const piece = out.slice(start, start + size);
    if (what === 'byte') out[start] = byte;
    else if (what === 'double') out = [...out.slice(0, start), ...piece, ...out.slice(start)];
    else if (what === 'cut') out = [...out.slice(0, start), ...out.slice(start + size)];
    else if (what === 'swap') out = [...out.slice(start), ...out.slice(0, start)];
    else out = [...out.slice(0, start), ...utf8.encode(text), ...out.slice(start)];
  }
  return Uint8Array.from(out);
}

describe('any bytes give a result or an SmmError', () => {
  it.each(FOUND.map((text) => [text.slice(0, 60), text]))('%s', (_title, text) => {
    useAll(utf8.encode(text));
    useAll(utf8.encode(`${text}\n`));
  });

  it('mutated text and JSONL', () => {
    fc.assert(
      fc.property(fc.constantFrom(...texts), mutations, (text, changes) => {
        useAll(mutate(utf8.encode(text), changes));
      }),
      { numRuns: RUNS },
    );
  });

  it('mutated trace.dat', () => {
    fc.assert(
      fc.property(fc.constantFrom(...dats), mutations, (bytes, changes) => {
        useAll(mutate(bytes, changes));
      }),
      { numRuns: RUNS },
    );
  });

  it('anything at all', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.string({ maxLength: 200 }), (bytes, text) => {
        useAll(bytes);
        useAll(utf8.encode(text));
        useAll(Uint8Array.of(0x17, 8, 0x44, ...utf8.encode('tracing6\0'), ...bytes));
      }),
      { numRuns: RUNS },
    );
  });
});
