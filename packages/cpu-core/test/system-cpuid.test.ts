/**
 * CPUID against what QEMU 7.2 (TCG, one processor, real mode) answers: `data/qemu-7.2-cpuid.json`, measured with a ROM.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type CpuidContext, cpuid } from '../src/system/cpuid.ts';
import { CPU_MODELS, cpuModel } from '../src/system/models.ts';

const MEASURED = JSON.parse(
  readFileSync(new URL('data/qemu-7.2-cpuid.json', import.meta.url), 'utf8'),
) as Record<string, Record<string, string>>;

const ALONE: CpuidContext = {
  topology: { apicId: 0, logicalProcessors: 1 },
  osxsave: false,
  apicEnabled: true,
};

function hex(registers: readonly number[]): string {
  return registers.map((r) => (r >>> 0).toString(16)).join(' ');
}

describe('CPUID as QEMU answers', () => {
  it.each(Object.keys(MEASURED))('%s', (name) => {
    const model = cpuModel(name);
    const ours: Record<string, string> = {};
    for (const key of Object.keys(MEASURED[name]!)) {
      const [leaf, subleaf] = key.split('.').map((x) => Number.parseInt(x, 16));
      ours[key] = hex(cpuid(model, leaf!, subleaf!, ALONE));
    }
    expect(ours).toEqual(MEASURED[name]);
  });
});

describe('-cpu syntax', () => {
  it('adds and takes features by any of their names', () => {
    const model = cpuModel('coreduo,-xd,+sse4_1,popcnt=on,monitor=off');
    expect(model.features.has('nx')).toBe(false);
    expect(model.features.has('sse4.1')).toBe(true);
    expect(model.features.has('popcnt')).toBe(true);
    expect(cpuid(model, 1, 0, ALONE)[2] & 8).toBe(0);
  });

  it('sets phys-bits', () => {
    expect(cpuid(cpuModel('qemu64,phys-bits=36'), 0x8000_0008, 0, ALONE)[0]).toBe(0x3024);
  });

  it.each([
    ['qemu46', 'CPU_MODEL_UNKNOWN', 'qemu64'],
    ['qemu64,+sse5', 'CPU_FEATURE_UNKNOWN', 'sse2'],
    ['qemu64,phys-bits=x', 'CPU_OPTION_INVALID', 'Correct'],
    ['qemu64,sse2=maybe', 'CPU_OPTION_INVALID', 'Correct'],
  ])('%s is refused with %s', (spec, code, fix) => {
    expect(() => cpuModel(spec)).toThrow(
      expect.objectContaining({ code, fix: expect.stringContaining(fix) }),
    );
  });

  it('offers no feature in `max` that stops the machine', () => {
    expect(CPU_MODELS).toContain('max');
    for (const f of ['avx', 'xsave', 'aes', 'rdrand', 'svm', 'vmx'])
      expect(cpuModel('max').features.has(f)).toBe(false);
  });
});

describe('place', () => {
  it('shows APIC id and logical processors', () => {
    const place = { ...ALONE, topology: { apicId: 3, logicalProcessors: 4 } };
    const one = cpuid(cpuModel('qemu64'), 1, 0, place);
    expect(one[1] >>> 24).toBe(3);
    expect((one[1] >>> 16) & 0xff).toBe(4);
    expect(hex(cpuid(cpuModel('qemu64'), 0xb, 1, place))).toBe('2 4 201 3');
    expect(hex(cpuid(cpuModel('qemu64,cpuid-0xb=off'), 0xb, 0, place))).toBe('0 0 0 0');
  });
});
