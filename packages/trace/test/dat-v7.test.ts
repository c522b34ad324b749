import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateSync, inflateSync } from 'node:zlib';
import { formatTrace, readTraceDat, type TraceCodec, type TraceForm, writeTraceDat } from '@smm/trace';
import { afterAll, describe, expect, it } from 'vitest';
import { healthyTrace } from './healthy.ts';

const folder = mkdtempSync(join(tmpdir(), 'smm-trace-'));
afterAll(() => rmSync(folder, { recursive: true }));

const traceCmd = (...args: string[]): string =>
  execFileSync('trace-cmd', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

function hasTraceCmd(): boolean {
  try {
    traceCmd('--version');
    return true;
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'ENOENT');
  }
}

const zlib: TraceCodec = {
  name: 'zlib',
  version: '1',
  compress: (data) => deflateSync(data),
  decompress: (data, size) => inflateSync(data, { maxOutputLength: Math.max(1, size) }),
};

const host = (form: TraceForm) => ({ form, vcpus: 3, amd: false, apicv: false, smis: 40, seed: 5 });
const reason = hasTraceCmd() ? '' : ' (skipped: needs trace-cmd)';

describe.each(['2015', 'current'] as const)('trace.dat version 7 in the form of %s', (form) => {
  const events = healthyTrace(host(form));
  const plain = writeTraceDat(events, { form, version: 7, cpus: 8 });

  it.each([
    ['as it is', undefined],
    ['compressed', zlib],
  ])('comes back, %s', (_title, codec) => {
    const bytes = writeTraceDat(events, { form, version: 7, cpus: 8, ...(codec && { codec }) });
    const read = readTraceDat(bytes, { codecs: [zlib] });
    expect(read.events).toEqual(events);
    expect(read).toMatchObject({
      cpus: 8,
      form,
      counts: { unit: 'record', lines: events.length, passedOver: 0 },
    });
    if (codec) expect(bytes.length).toBeLessThan(plain.length / 2);
  });

  it.skipIf(reason !== '')(`trace-cmd report prints it as our formatter does${reason}`, () => {
    const file = join(folder, `${form}.dat`);
    writeFileSync(file, plain);
    expect(traceCmd('report', '-N', file)).toBe(formatTrace(events, { form, plugins: false, cpus: 8 }));
  });

  it.skipIf(reason !== '')(`is read as trace-cmd converts it${reason}`, () => {
    const six = join(folder, `${form}-6.dat`);
    const seven = join(folder, `${form}-7.dat`);
    writeFileSync(six, writeTraceDat(events, { form, cpus: 8 }));
    traceCmd('convert', '--file-version', '7', '--compression', 'none', '-i', six, '-o', seven);
    expect(readTraceDat(readFileSync(seven)).events).toEqual(events);
  });
});

describe('bad files of version 7', () => {
  const events = healthyTrace({ ...host('current'), smis: 1 });
  const packed = writeTraceDat(events, { version: 7, codec: zlib });

  it('a compressed file needs its codec, by name', () => {
    expect(() => readTraceDat(packed)).toThrow(
      expect.objectContaining({ code: 'TRACE_DAT_COMPRESSION', details: { algorithm: 'zlib' } }),
    );
  });

  it('a damaged piece is said', () => {
    const bytes = packed.slice();
    bytes.fill(0xee, 80, 120);
    expect(() => readTraceDat(bytes, { codecs: [zlib] })).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/^TRACE_/) }),
    );
  });

  it('options that go round in a circle are no endless loop', () => {
    const bytes = writeTraceDat(events, { version: 7 });
    // The last option says where the next options are: nowhere. Here it says that they are where they are.
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const pointer = bytes.indexOf(0, bytes.indexOf(0x6e, 18)) + 2;
    view.setBigUint64(bytes.length - 8, view.getBigUint64(pointer, true), true);
    expect(() => readTraceDat(bytes)).toThrow(expect.objectContaining({ code: 'TRACE_FOREIGN' }));
  });

  it.each([100, 1000, packed.length - 10])('cut at byte %i it is truncated or foreign', (length) => {
    expect(() => readTraceDat(packed.slice(0, length), { codecs: [zlib] })).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/^TRACE_(?:TRUNCATED|FOREIGN)$/) }),
    );
  });
});

describe.skipIf(reason !== '')(`a file of 2015 whose entries have a RIP${reason}`, () => {
  it('is printed right by the plugins of today, and by the formats of the file', () => {
    const events = healthyTrace(host('2015')).map((event) =>
      event.name === 'kvm_entry' ? { ...event, rip: 0x1234n } : event,
    );
    const file = join(folder, 'rip.dat');
    writeFileSync(file, writeTraceDat(events, { form: '2015', cpus: 8 }));
    const report = traceCmd('report', file);
    expect(report).not.toContain('CANT FIND FIELD');
    expect(report).toMatch(/kvm_entry: +vcpu 0 rip 0x1234$/m);
    expect(traceCmd('report', '-N', file)).toBe(
      formatTrace(events, { form: '2015', plugins: false, cpus: 8 }),
    );
    expect(readTraceDat(readFileSync(file)).events).toEqual(events);
  });
});
