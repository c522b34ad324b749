import { describe, expect, it } from 'vitest';
import { FULL } from '../../../tests/support/form.ts';
import { missingTools, type QemuRun, runQemu } from '../../../tests/support/qemu.ts';
import { buildFirmware, expectedLog, type FirmwareShape, logLines, planTiles } from '../src/index.ts';

const missing = missingTools('qemu-system-i386', 'qemu-system-x86_64');

interface Case {
  readonly program: QemuRun['program'];
  readonly bitness: 32 | 64;
  readonly shape: FirmwareShape;
  readonly cpus: number;
  readonly memory: number;
}

function cases(): Case[] {
  const i386 = 'qemu-system-i386';
  const x64 = 'qemu-system-x86_64';
  if (!FULL) {
    return [
      { program: i386, bitness: 32, shape: '2015', cpus: 2, memory: 2048 },
      { program: x64, bitness: 64, shape: '2015', cpus: 2, memory: 2048 },
      { program: x64, bitness: 32, shape: '2015', cpus: 3, memory: 512 },
      { program: i386, bitness: 32, shape: '2024', cpus: 1, memory: 512 },
      { program: x64, bitness: 64, shape: '2024', cpus: 5, memory: 512 },
    ];
  }
  const all: Case[] = [];
  for (const cpus of [1, 2, 3, 5, 8, 255]) {
    for (const memory of [512, 2048]) {
      for (const shape of ['2015', '2024'] as const) {
        all.push({ program: i386, bitness: 32, shape, cpus, memory });
        all.push({ program: x64, bitness: 32, shape, cpus, memory });
        all.push({ program: x64, bitness: 64, shape, cpus, memory });
      }
    }
  }
  all.push({ program: x64, bitness: 64, shape: '2015', cpus: 3, memory: 2560 });
  return all;
}

const END = `${logLines.end()}\n`;

describe.skipIf(missing !== undefined)(`in real QEMU ${missing ?? ''}`, () => {
  it.each(cases())(
    '$program runs the $bitness-bit image of $shape with $cpus CPUs and $memory MiB',
    async ({ program, bitness, shape, cpus, memory }) => {
      const tolud = memory * 0x10_0000;
      const firmware = buildFirmware({ bitness, shape, tolud });
      const cpu = program === 'qemu-system-i386' ? { cpu: 'coreduo,-nx' } : {};
      const pflash = bitness === 64;
      const run = await runQemu({
        program,
        image: firmware.image,
        cpus,
        memoryMiB: memory,
        ...cpu,
        pflash,
        until: END,
      });
      try {
        const smmStacks = firmware.symbols.get('SmmStacks') ?? 0;
        const { handlerSize } = firmware;
        expect(run.log).toBe(
          expectedLog({ tolud, cpus, shape, handlerSize, smmStacks, smmStackSize: 0x1000 }),
        );
        // Every CPU saved its state in its own tile; the layout is that of the QEMU binary, not of the firmware.
        const plan = planTiles({ tolud, cpus, shape, handlerSize });
        const wide = program === 'qemu-system-x86_64';
        for (const smbase of plan.smbase) {
          const area = new DataView(run.read(smbase + 0xfc00, 0x400).buffer);
          expect(area.getUint32(0x2fc, true)).toBe(wide ? 0x2_0064 : 0x2_0000);
          expect(area.getUint32(wide ? 0x300 : 0x2f8, true)).toBe(smbase);
        }
        // The borrowed bytes are back: nothing of the template is left at 38000h.
        expect(run.read(0x3_8000, 0x20).every((byte) => byte === 0)).toBe(true);
      } finally {
        run.dispose();
      }
    },
    120_000,
  );

  it.each([32, 64] as const)('sleeps in S3 and relocates again, %i-bit', async (bitness) => {
    const { image, handlerSize } = buildFirmware({ bitness, shape: '2015', s3: true });
    const program = bitness === 32 ? 'qemu-system-i386' : 'qemu-system-x86_64';
    const run = await runQemu({ program, image, cpus: 3, memoryMiB: 2048, until: END });
    run.dispose();
    expect(run.log).toBe(expectedLog({ tolud: 0x8000_0000, cpus: 3, shape: '2015', handlerSize, s3: true }));
  });

  it('runs with gaps in the APIC ids', async () => {
    const { image, handlerSize } = buildFirmware({ bitness: 64, shape: '2015' });
    const cpus = '6,sockets=2,cores=3';
    const run = await runQemu({ program: 'qemu-system-x86_64', image, cpus, memoryMiB: 2048, until: END });
    const apicIds = [0, 1, 2, 4, 5, 6];
    expect(run.log).toBe(expectedLog({ tolud: 0x8000_0000, cpus: 6, apicIds, shape: '2015', handlerSize }));
    run.dispose();
  });

  const emptyLeaf = 'qemu64,level=13,cpuid-0xb=off';
  it.each([
    {
      quirks: ['Q5'] as const,
      cpu: emptyLeaf,
      last: 'CPU[001]  APIC ID=0000  SMBASE=7FFC1800  SaveState=7FFD1400  Size=00000400\n',
    },
    { quirks: ['Q6'] as const, cpu: 'qemu64', last: `${logLines.sending(1)}\n` },
    { quirks: ['Q7'] as const, cpu: 'qemu64', last: `${logLines.moduleExit()}\n` },
    {
      quirks: ['Q25'] as const,
      cpu: 'qemu64,+nx',
      last: /SMM exception 0E error 00000008 at 7FFD[0-9A-F]{4}\n$/,
    },
  ])(
    'firmware with $quirks stops at its place',
    async ({ quirks, cpu, last }) => {
      const { image } = buildFirmware({ bitness: 64, shape: '2015', quirks });
      const until = END;
      const run = await runQemu({
        program: 'qemu-system-x86_64',
        image,
        cpus: 2,
        memoryMiB: 2048,
        cpu,
        until,
        timeoutMs: 2500,
      });
      expect(run.finished).toBe(false);
      if (typeof last === 'string') expect(run.log.endsWith(last)).toBe(true);
      else expect(run.log).toMatch(last);
      run.dispose();
    },
    30_000,
  );

  it('reports a CPU that does not come to the first normal SMI, after a bounded wait', async () => {
    // With Q5 both CPUs register as APIC id 0, so under the shared flag of 2024 the AP is never sent its SMBASE.
    const { image } = buildFirmware({ bitness: 64, shape: '2024', quirks: ['Q5'] });
    const run = await runQemu({
      program: 'qemu-system-x86_64',
      image,
      cpus: 2,
      memoryMiB: 2048,
      cpu: emptyLeaf,
      until: END,
    });
    expect(run.finished).toBe(true);
    expect(run.log).toContain(
      `${logLines.firstSmi(0, 0, 0x7f7f_9000, false)}\n${logLines.firstSmi(1, 0, 0x7f7f_b000, true)}`,
    );
    expect(run.log).toContain(logLines.firstSmiCount(1, 2));
    run.dispose();
  });

  it('relocates with Q8 and Q24 where they do not bite', async () => {
    const { image } = buildFirmware({ bitness: 64, shape: '2015', quirks: ['Q8', 'Q24'] });
    const cpu = 'qemu64,+nx';
    const run = await runQemu({
      program: 'qemu-system-x86_64',
      image,
      cpus: 2,
      memoryMiB: 2048,
      cpu,
      until: END,
    });
    expect(run.finished).toBe(true);
    run.dispose();
  });

  it('does without Q5 on the CPU that Q5 fails on', async () => {
    const { image } = buildFirmware({ bitness: 64, shape: '2015' });
    const run = await runQemu({
      program: 'qemu-system-x86_64',
      image,
      cpus: 2,
      memoryMiB: 2048,
      cpu: emptyLeaf,
      until: END,
    });
    expect(run.finished).toBe(true);
    run.dispose();
  });
});
