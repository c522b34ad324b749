import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { cli, fitsSchema, MAIL, scratch } from './support.ts';

const folder = scratch();
const tcg = join(folder, 'tcg.jsonl');
const kvm = join(folder, 'kvm.jsonl');
const dat = join(folder, 'kvm.dat');

beforeAll(async () => {
  await cli(`relocate -smp 2 --bitness 32 --trace ${tcg}`);
  await cli(`relocate ${MAIL} --trace ${kvm}`);
  await cli(`trace convert ${kvm} ${dat}`);
});

describe('convert', () => {
  it('goes from format to format without loss of what both can hold', async () => {
    const { out: direct } = await cli(`trace convert ${kvm} -`);
    const { out: throughDat } = await cli(`trace convert ${dat} -`);
    expect(direct.split('\n').length).toBeGreaterThan(100);
    // CPUs are merged by time; equal times may come in either order.
    const sorted = (text: string) => text.split('\n').sort();
    expect(sorted(throughDat)).toEqual(sorted(direct));
  });

  it('writes the words of either form', async () => {
    const { out: old } = await cli(`trace convert ${kvm} - --form 2015`);
    const { out: current } = await cli(`trace convert ${kvm} - --form current`);
    expect(old).toContain('kvm_enter_smm:');
    expect(current).toContain('kvm_smm_transition:');
    expect(current).toMatch(/kvm_page_fault: .*address 0x00000000fee00020 error_code 0x181/);
  });

  it('says what it wrote, on standard error', async () => {
    const { out, err } = await cli(`trace convert ${kvm} ${join(folder, 'again.txt')}`);
    expect(out).toBe('');
    expect(err).toMatch(
      /events, 0 lines not understood, 0 passed over\.\nWrote [\d,]+ events to .*again\.txt \(trace-cmd text\)\.\n$/,
    );
  });

  const hasTraceCmd = spawnSync('trace-cmd', ['--version']).error === undefined;
  it.skipIf(!hasTraceCmd)(
    `real trace-cmd reads the .dat and prints the lines of our text, but for its plugins' own${hasTraceCmd ? '' : ' (skipped: needs trace-cmd)'}`,
    async () => {
      const report = execFileSync('trace-cmd', ['report', '-N', '-i', dat], { encoding: 'utf8' });
      const kernels = report.split('\n').filter((line) => /kvm_(page_fault|apic|mmio|enter_smm):/.test(line));
      const { out } = await cli(`trace convert ${kvm} - --form 2015`);
      const ours = out.split('\n').filter((line) => /kvm_(page_fault|apic|mmio|enter_smm):/.test(line));
      expect(kernels.length).toBeGreaterThan(10);
      // CPUs are merged by time; equal times may come in either order.
      expect([...kernels].sort()).toEqual([...ours].sort());
    },
  );

  it("says how to print a .dat of 2015 whose entries have no RIP, which today's plugin wants", async () => {
    const file = join(folder, 'old.txt');
    writeFileSync(file, 'kvm_entry: vcpu 0\n');
    const { err } = await cli(`trace convert ${file} ${join(folder, 'old.dat')}`);
    expect(err).toContain('trace-cmd report -N');
    const { err: other } = await cli(`trace convert ${file} ${join(folder, 'new.dat')} --form current`);
    expect(other).not.toContain('trace-cmd report -N');
  });

  it.each(['none', 'zlib', 'zstd'])('writes version 7, compression %s, and reads it again', async (how) => {
    const file = join(folder, `${how}.dat`);
    const { err } = await cli(`trace convert ${kvm} ${file} --compression ${how}`);
    expect(err).toMatch(/trace\.dat v7\)\.\n$/);
    const { out } = await cli(`trace convert ${file} -`);
    expect(out).toBe((await cli(`trace convert ${dat} -`)).out);
  });

  it.skipIf(!hasTraceCmd)(
    `trace-cmd and we read what the other compressed by Zstandard${hasTraceCmd ? '' : ' (skipped: needs trace-cmd)'}`,
    async () => {
      const report = (file: string) =>
        execFileSync('trace-cmd', ['report', '-i', file], { encoding: 'utf8' });
      const ours = join(folder, 'ours.dat');
      const theirs = join(folder, 'theirs.dat');
      await cli(`trace convert ${dat} ${ours} --compression zstd`);
      expect(report(ours)).toBe(report(dat));
      execFileSync('trace-cmd', [
        'convert',
        '--file-version',
        '7',
        '--compression',
        'zstd',
        '-i',
        dat,
        '-o',
        theirs,
      ]);
      expect((await cli(`trace convert ${theirs} -`)).out).toBe((await cli(`trace convert ${dat} -`)).out);
    },
  );

  it.each([
    [`${kvm} ${join(folder, 'x.txt')} --compression zstd`, /are for \.dat files/],
    [`${kvm} ${join(folder, 'x.dat')} --compression lzma`, /--compression/],
    [`${kvm} ${join(folder, 'x.dat')} --compression zstd --file-version 6`, /cannot be compressed/],
  ])('refuses %s', async (command, words) => {
    const { code, err } = await cli(`trace convert ${command}`);
    expect(code).toBe(2);
    expect(err).toMatch(words);
  });
});

describe('diff says what it compared', () => {
  const text = (name: string, lines: string) => {
    const file = join(folder, name);
    writeFileSync(file, lines);
    return file;
  };

  it('names the first difference and counts the facts', async () => {
    const a = text(
      'a.txt',
      'kvm_entry: vcpu 0\nkvm_inj_exception: #DF (0x0)\nkvm_msr: msr_read 1b = 0xfee00900\n',
    );
    const b = text(
      'b.txt',
      'kvm_entry: vcpu 0\nkvm_inj_exception: #GP (0x0)\nkvm_msr: msr_read 1b = 0xfee00900\n',
    );
    const { code, out } = await cli(`trace diff ${a} ${b}`);
    expect(code).toBe(0);
    expect(out).toContain('exception 1 and 1, msr 1 and 1.');
    expect(out).toMatch(/First divergence: VCPU 0.*\n\n.*a\.txt: exception #DF/);
    const equal = await cli(`trace diff ${a} ${a}`);
    expect(equal.out).toContain('notices no difference');
  });

  it('ends with code 2 where there is nothing to compare', async () => {
    const a = text('fpu.txt', 'kvm_entry: vcpu 0\nkvm_fpu: load\n');
    const { code, out } = await cli(`trace diff ${a} ${kvm}`);
    expect(code).toBe(2);
    expect(out).toContain('Nothing to compare: ');
    const { out: answer } = await cli(`trace diff ${a} ${a} --json`);
    expect(JSON.parse(answer)).toMatchObject({ verdict: 'nothing to compare', first: null });
  });
});

describe('diff', () => {
  it('finds where kvm leaves tcg: VCPU 1 reads its APIC ID in SMM', async () => {
    const { out, code } = await cli(`trace diff ${kvm} ${tcg}`);
    expect(code).toBe(0);
    expect(out).toMatch(/^First divergence: VCPU 1, after \d+ facts on which both agree\.$/m);
    expect(out).toContain('reads APIC_ID as 0x0 from an ordinary page of memory');
    expect(out).toContain('reads APIC_ID as 0x1000000 from its local APIC');
  });

  it('finds nothing between a trace and itself', async () => {
    expect((await cli(`trace diff ${tcg} ${tcg}`)).out).toContain('The guest notices no difference');
  });

  it('reads one of them from a pipe, and compares formats with each other', async () => {
    const { out: text } = await cli(`trace convert ${kvm} -`);
    const piped = await cli(['trace', 'diff', dat, '-'], { input: text });
    expect(piped.out).toContain('standard input (text)');
    expect(piped.out).toContain(`The guest notices no difference between ${dat} and standard input.`);
    const { out } = await cli(`trace diff ${tcg} ${dat}`);
    expect(out).toContain('First divergence: VCPU 1');
  });

  it('prints JSON', async () => {
    const { out } = await cli(`trace diff ${kvm} ${tcg} --json`);
    expect(JSON.parse(out)).toMatchObject({ version: 1, first: { vcpu: 1 } });
  });
});

it('a truncated trace.dat and a truncated .jsonl are refused with what to do', async () => {
  const bytes = readFileSync(dat);
  const cut = join(folder, 'cut.dat');
  writeFileSync(cut, bytes.subarray(0, bytes.length >> 1));
  const cutText = join(folder, 'cut.jsonl');
  const text = readFileSync(kvm, 'utf8');
  writeFileSync(cutText, text.slice(0, text.length - 20));
  for (const file of [cut, cutText]) {
    const { code, err, out } = await cli(`diagnose ${file}`);
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(err).toMatch(/^smm: cannot read .*cut\.[a-z]+: .+\n$/);
    expect(err.trimEnd().split('\n')).toHaveLength(1);
  }
});

describe('text that is longer than what is held', () => {
  const death = ' CPU 1/KVM-102 [001] 9.000000: kvm_exit: reason TRIPLE_FAULT rip 0xabc info 0 0\n';
  const quiet = (count: number) =>
    Array.from({ length: count }, (_, i) => ` CPU 0/KVM-101 [000] ${i}.000000: kvm_entry: vcpu 0\n`).join('');

  it('is diagnosed in its first and last events, and what was not looked at is said', async () => {
    const input = `${quiet(500)}${death}`;
    const { out, code } = await cli('diagnose - --events 100', { input });
    expect(code).toBe(0);
    expect(out).toContain('first 50 and the last 50 events; 401 between them');
    expect(out).toContain('A CPU died');
    expect(out).toContain('kvm_exit:         reason TRIPLE_FAULT rip 0xabc');
    const { out: answer } = await cli('diagnose - --events 100 --json', { input });
    expect(fitsSchema('diagnose', JSON.parse(answer))).toMatchObject({
      events: 501,
      skipped: 401,
      diagnoses: [{ id: 'cpu-died', evidence: [{ index: 500 }] }],
    });
    const { out: none } = await cli('diagnose - --events 100', {
      input: `${quiet(99)}${death}${quiet(300)}`,
    });
    expect(none).toContain('No known failure shows in the events that were looked at: 100 of 400.');
  });

  it('refuses a window that holds nothing', async () => {
    const { code, err } = await cli('diagnose - --events 1', { input: death });
    expect(code).toBe(2);
    expect(err).toContain('--events is less than 2');
  });

  it('is converted as it is read, to what the whole would be, but for cpus=', async () => {
    const long = join(folder, 'long.txt');
    writeFileSync(long, quiet(100_100));
    const { out, err, code } = await cli(`trace convert ${long} -`);
    expect(code).toBe(0);
    expect(err).toContain('100,100 events');
    const lines = out.split('\n');
    expect(lines).toHaveLength(100_101);
    const { out: short } = await cli('trace convert - -', { input: quiet(1000) });
    expect(short.split('\n').slice(1, -1)).toEqual(lines.slice(0, 1000));
  });
});
