/** The table of `paging/programs.ts` under every accelerator and tier, and beside QEMU's TCG. */
import { cpuModel } from '@smm/cpu-core';
import { SAVE_STATE_AMD64 } from '@smm/x86-defs';
import { beforeAll, describe, expect, it } from 'vitest';
import { missingTools, runQemu } from '../../../tests/support/qemu.ts';
import { DEFAULT_KVM_OPTIONS, DEFAULT_SCHEDULE, Machine, resolveSwitches } from '../src/index.ts';
import { PAGING_RULES } from './paging/programs.ts';
import { PAGING_FORMATS, type PagingFormat, pagingRom } from './paging/world.ts';
import { parts } from './runs.ts';

const CPU = 'qemu64,+pdpe1gb,+smep,+smap';
/** What TCG has not. */
const MODEL = `${CPU},+pcid`;
const ACCELERATORS = ['tcg', 'kvm', 'kvm,ept=0'] as const;
const TIERS = ['interpreter', 'translator'] as const;

function run(
  flash: Uint8Array,
  accelerator: (typeof ACCELERATORS)[number],
  tier: (typeof TIERS)[number],
  quirks: readonly string[] = [],
): readonly string[] {
  const kvm = accelerator !== 'tcg';
  const switches = resolveSwitches({ accelerator: kvm ? 'kvm' : 'tcg', quirks });
  const options = { ...DEFAULT_KVM_OPTIONS, ept: accelerator === 'kvm' };
  const machine = new Machine({
    cpus: 1,
    memoryMiB: 64,
    model: cpuModel(MODEL),
    flash,
    saveState: SAVE_STATE_AMD64,
    accelerator: kvm ? { options, switches: switches.kvm } : 'tcg',
    behaviour: switches.behaviour,
    schedule: DEFAULT_SCHEDULE,
    comm: 'test',
    interpreter: parts.interpreter,
    tier,
    translator: { threshold: 2 },
  });
  expect(machine.run({ instructions: 10_000_000 })).toBe('idle');
  return machine.log;
}

describe.each<PagingFormat>(PAGING_FORMATS)('%s', (format) => {
  const rules = PAGING_RULES.filter((rule) => rule.format === format);
  const rom = pagingRom(format, rules);

  describe.each(ACCELERATORS)('%s', (accelerator) => {
    describe.each(TIERS)('%s', (tier) => {
      let log: readonly string[] = [];
      beforeAll(() => {
        log = run(rom, accelerator, tier);
      });
      it.each(rules.map((rule, line) => ({ line, ...rule })))('$name', ({ line, expected }) => {
        expect(log[line]).toBe(expected);
      });
    });
  });

  if (format === 'pae')
    it('tcg with quirk Q31 reads PDPTEs from memory, as QEMU does', () => {
      const log = run(rom, 'tcg', 'interpreter', ['+Q31']);
      rules.forEach(({ name, qemu }, line) => {
        if (qemu?.why.includes('Q31') === true) expect(log[line], name).toBe(qemu.prints);
      });
    });

  describe.skipIf(missingTools('qemu-system-x86_64') !== undefined)('QEMU', () => {
    let log: readonly string[] = [];
    beforeAll(async () => {
      const result = await runQemu({
        program: 'qemu-system-x86_64',
        image: rom,
        cpus: 1,
        memoryMiB: 64,
        cpu: CPU,
        until: (text) => text.split('\n').length > rules.length,
      });
      result.dispose();
      log = result.log.split('\n');
    });
    it.each(
      rules.map((rule, line) => ({ line, ...rule })).filter(({ qemu }) => !qemu || qemu.prints !== undefined),
    )('$name', ({ line, expected, qemu }) => {
      expect(log[line]).toBe(qemu?.prints ?? expected);
    });
  });
});
