import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { cli, scratch } from './support.ts';

const folder = scratch();
const binary = join(folder, 'binary.dat');
writeFileSync(binary, new Uint8Array(1000).fill(0));
const prose = join(folder, 'prose.txt');
writeFileSync(prose, 'Nothing of a trace here.\n');
const empty = join(folder, 'empty.dat');
writeFileSync(empty, '');
const oddRom = join(folder, 'odd.bin');
writeFileSync(oddRom, new Uint8Array(1000));
const rom = join(folder, 'rom.bin');
writeFileSync(rom, new Uint8Array(0x1_0000));
const directory = join(folder, 'directory');
mkdirSync(directory);

/** Each with a pattern that the paragraph must hold: what is wrong, or what to do. */
const BAD: readonly (readonly [string, RegExp])[] = [
  // Unknown names, with what is known.
  ['boot --firmware x64 --vars-out=', /--vars-out '' is empty: it names nothing/],
  ['relocate --trace=', /--trace '' is empty/],
  ['relocate -cpu pentium9', /pentium9.*Use one of: .*pentium/],
  ['relocate -cpu qemu64,+frobnicate', /frobnicate/],
  ['relocate --quirk +Q99', /no quirk Q99.*smm quirks/],
  ['relocate --quirk +Q4', /Q4.*no mechanism/],
  ['relocate --quirk Q1', /Write \+Q1 or -Q1/],
  ['relocate --host rhel9', /no host rhel9.*linux-current/],
  ['relocate -accel xen', /xen.*Use tcg or kvm/],
  ['relocate -accel kvm,eptt=0', /eptt.*Known here: ept/],
  ['relocate -accel kvm,ept=maybe', /ept=maybe is neither on nor off/],
  ['relocate -machine pc', /pc is not modelled.*q35/],
  ['relocate --edk2 2019', /2019.*2015 or 2024/],
  ['relocate --bitness 16', /16.*32 or 64/],
  ['relocate --tseg 3', /3.*1 or 2 or 8/],
  ['relocate --frobnicate', /unknown option '--frobnicate'/],
  ['relocate -frobnicate', /unknown option '--frobnicate'/],
  ['frobnicate', /unknown command 'frobnicate'/],
  ['quirks Q77', /no quirk Q77/],
  // Overlapping options.
  ['relocate -accel tcg --host linux-4.4', /--host linux-4\.4 .*tcg.*Leave out/],
  ['relocate -accel tcg -machine kernel_irqchip=off', /kernel_irqchip.*tcg/],
  ['relocate -accel tcg,ept=0', /tcg has no options/],
  ['relocate -smp 2 --smp 3', /-smp is given twice/],
  ['relocate -accel kvm -machine q35,accel=kvm', /both name an accelerator/],
  ['relocate -accel kvm,kernel_irqchip=on -machine kernel_irqchip=off', /kernel_irqchip is given by/],
  ['relocate -accel kvm,ept=0,ept=1', /ept is given twice/],
  ['relocate -accel kvm --quirk +Q1,-Q1', /Q1 is named twice/],
  [`relocate --rom ${rom} --edk2 2024`, /--edk2 chooses our firmware.*--rom/],
  [`relocate -bios ${rom} --no-wait`, /--no-wait chooses our firmware/],
  ['relocate --trace - --json', /both write to standard output/],
  ['trace diff - -', /both traces are standard input/],
  // Numbers.
  ['relocate -smp 0', /0 CPUs.*-smp 1 to 255/],
  ['relocate -smp 300', /300 CPUs.*x2APIC/],
  ['relocate -smp two', /two is not a whole number/],
  ['relocate -smp 2,cores=2', /cores=2/],
  ['relocate -m 9000', /9000/],
  ['relocate -m lots', /lots is not a memory size/],
  ['relocate --slice 0', /at least one instruction/],
  ['matrix -smp 1,0', /0 CPUs/],
  ['explore --runs 0', /whole number of at least 1/],
  ['explore --runs 5 --slice 0', /whole numbers of at least 1/],
  // Files.
  ['relocate --rom /nowhere/rom.bin', /cannot read the ROM \/nowhere\/rom\.bin: there is no such file/],
  [`relocate --rom ${directory}`, /it is a folder/],
  [`relocate --rom ${oddRom}`, /has 1000 bytes.*64 KiB/],
  ['relocate --trace hang.json', /hang\.json does not say which trace format.*perfetto-trace/],
  ['relocate --trace hang.pcap', /hang\.pcap does not say which trace format/],
  [`diagnose ${binary}`, /neither text nor a trace\.dat/],
  [`diagnose ${prose}`, /No KVM or machine event.*trace-cmd report/],
  [`diagnose ${empty}`, /the file is empty/],
  ['diagnose /nowhere/trace.dat', /there is no such file/],
  [`trace convert ${prose} out.txt`, /No KVM or machine event/],
  ['trace convert - out.pcap', /does not say which trace format/],
  // Arguments.
  ['diagnose', /missing required argument 'file'/],
  ['firmware', /required option '-o, --output <file>'/],
  ['firmware -o x.bin --quirk Q1', /Q1 is no defect of the firmware/],
  ['relocate extra', /too many arguments/],
  ['relocate -smp', /argument missing/],
];

it.each(BAD)('%s: one paragraph, exit 2', async (command, pattern) => {
  const { code, out, err } = await cli(command);
  expect(err).toMatch(pattern);
  expect(code).toBe(2);
  expect(out).toBe('');
  expect(err.trimEnd().split('\n'), 'one paragraph').toHaveLength(1);
  expect(err).toMatch(/^smm: .*[.)?]\n$/);
  expect(err).not.toMatch(/\bat .*:\d+:\d+/);
});

describe('internal errors', () => {
  it('are one paragraph too, with exit 1, and a stack only for SMM_DEBUG', async () => {
    const { paragraphOf } = await import('../src/usage-error.ts');
    const { text, exitCode } = paragraphOf(new TypeError('x is not a function'));
    expect(exitCode).toBe(1);
    expect(text).toMatch(/^internal error: x is not a function\. .*report/);
  });

  it('something not modelled exits 1 with what to do', async () => {
    const { UnmodelledError } = await import('@smm/x86-defs');
    const { paragraphOf } = await import('../src/usage-error.ts');
    const error = new UnmodelledError(
      'CPU_UNMODELLED',
      'AESENC at 0x1000 is not modelled',
      'Use integer code.',
    );
    expect(paragraphOf(error)).toEqual({
      exitCode: 1,
      text: 'AESENC at 0x1000 is not modelled. Use integer code.',
    });
  });
});
