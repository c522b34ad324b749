import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { explainOfFirmware, normaliseArguments } from '../src/arguments.ts';
import { cli } from './support.ts';

const VALUES = new Set(['--smp', '--quirk', '--accel', '--rom', '-m', '-o']);
const split = (text: string) => (text === '' ? [] : text.split(' '));

it.each([
  ['relocate -smp 2', 'relocate --smp 2'],
  ['-smp=2 -accel kvm,ept=0', '--smp=2 --accel kvm,ept=0'],
  ['-m 512 -json', '-m 512 --json'],
  ['--quirk -Q1 -json', '--quirk -Q1 --json'],
  ['-quirk=-Q1', '--quirk=-Q1'],
  ['-bios rom.bin', '--rom rom.bin'],
  ['diagnose -', 'diagnose -'],
  ['-h', '-h'],
  ['-- -smp', '-- -smp'],
  ['-smp', '--smp'],
])('%s becomes %s', (given, wanted) => {
  expect(normaliseArguments(split(given), VALUES)).toEqual(split(wanted));
});

it('what is in the form of the parser already stays as it is', () => {
  const word = fc.constantFrom(
    'relocate',
    '--smp',
    '--quirk',
    '-Q1',
    '+Q1',
    '-m',
    '-',
    '--json',
    '-smp',
    'x',
  );
  fc.assert(
    fc.property(fc.array(word), (args) => {
      const once = normaliseArguments(args, VALUES);
      expect(normaliseArguments(once, VALUES)).toEqual(once);
    }),
  );
});

describe("QEMU's forms mean the same", () => {
  it.each([
    ['-smp 2', '--smp cpus=2'],
    ['-smp 2 -m 2G', '-smp 2 -m 2048M'],
    ['-smp 2 -accel tcg', '-smp 2 -machine q35,accel=tcg'],
    ['-smp 2 -accel kvm,kernel_irqchip=off', '-smp 2 -accel kvm -machine q35,kernel_irqchip=off,smm=on'],
    ['-smp 2 --host linux-4.4', '-smp 2 -accel kvm --host=linux-4.4'],
    ['-smp 2 -bitness 32', '-smp 2 --bitness 32'],
  ])('%s and %s', async (a, b) => {
    const first = await cli(`relocate ${a} --json`);
    const second = await cli(`relocate ${b} --json`);
    expect(first.code).toBe(0);
    expect(second.out).toBe(first.out);
  });
});

describe('explain of real firmware', () => {
  it('is boot --explain, and explain of our own stays what it is', () => {
    expect(explainOfFirmware(['explain', '--firmware', 'ia32', '--smp', '2'])).toEqual([
      'boot',
      '--firmware',
      'ia32',
      '--smp',
      '2',
      '--explain',
    ]);
    expect(explainOfFirmware(['explain', '--smp', '2'])).toEqual(['explain', '--smp', '2']);
  });
});
