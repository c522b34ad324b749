/**
 * Debian's OVMF builds that require SMM, unmodified, against what QEMU 7.2 does with them:
 * `qemu-system-x86_64 -accel tcg -icount shift=6,sleep=off -m 256`, flash with `secure=on`.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { Boot, type BootOptions, type BootReport, runBoot } from '../src/index.ts';
import { type Architecture, ovmfMissing, readOvmf, sha256 } from './ovmf.ts';

/** Measured on QEMU; equal for every -smp. */
const GOLDEN = {
  serialSha256: '818879147f3e612fe1a0e701c763773a5b4b2d0293a8fcb2f059a8e347ce9b89',
  serialBytes: 1239,
  nvramSha256: {
    x64: '5a35dc6a830dbdbf4ee954fa30daf719e31dd601f94acafa87f7f45c14cfce00',
    ia32: 'a956c668848055766200531edad52e01a9a9d4bfe42eaa460a1626ad08ec9d27',
  },
  smmEntries: 623,
  apmWrites: 622,
  /** BDS from the call of its protocol on. */
  smisByPhase: { DXE: 48, BDS: 526, shell: 48 },
  /** Highest SMBASE below the end of RAM; the others lie 2000h apart below it. */
  topBelowTolud: { x64: 0x3_d000, ia32: 0x3_a000 },
};

const missing = ovmfMissing();

interface Done {
  readonly boot: Boot;
  readonly report: BootReport;
  readonly serial: Uint8Array;
}

function bootToShell(architecture: Architecture, options: Partial<BootOptions>): Done {
  const serial: number[] = [];
  const boot = new Boot({ ...readOvmf(architecture), ...options, serial: (byte) => serial.push(byte) });
  const report = runBoot(boot, { until: 'shell', budget: 3_000_000_000 });
  const end = Buffer.from(serial).indexOf('Shell> ') + 'Shell> '.length;
  return { boot, report, serial: Uint8Array.from(serial.slice(0, end)) };
}

describe.skipIf(missing !== undefined)(`OVMF ${missing ?? ''}`, () => {
  describe.each([
    ['x64', 'tcg', {}],
    ['ia32', 'tcg', {}],
    ['x64', 'kvm', { kvm: { ept: false } }],
  ] as const)('%s, two CPUs, %s %j', (architecture, accelerator, more) => {
    let done: Done;
    beforeAll(() => {
      done = bootToShell(architecture, { cpus: 2, accelerator, ...more });
    });

    it('prompts, having printed what QEMU prints', () => {
      expect(done.report.outcome, done.report.summary).toBe('shell');
      expect(done.serial.length).toBe(GOLDEN.serialBytes);
      expect(sha256(done.serial)).toBe(GOLDEN.serialSha256);
    });

    it('leaves the variables that QEMU leaves', () => {
      expect(sha256(done.boot.vars())).toBe(GOLDEN.nvramSha256[architecture]);
    });

    it('relocates to the same places and enters SMM as often', () => {
      const top = 0x1000_0000 - GOLDEN.topBelowTolud[architecture];
      expect(done.report.cpus.map(({ smbase }) => smbase)).toEqual([top - 0x2000, top]);
      expect(done.report.cpus.map(({ smmEntries }) => smmEntries)).toEqual([
        GOLDEN.smmEntries,
        GOLDEN.smmEntries,
      ]);
      expect(done.report.smis).toBe(GOLDEN.apmWrites);
      expect(Object.fromEntries(done.report.smisByPhase)).toEqual(GOLDEN.smisByPhase);
    });

    it('takes no exception, and no interrupt but the timer', () => {
      expect([...done.report.delivered.keys()]).toEqual(['interrupt 32']);
    });

    it('is not stuck at the prompt, however long that idles', () => {
      const idle = runBoot(done.boot, { budget: done.boot.machine.retired + 40_000_000 });
      expect(idle.outcome).toBe('budget');
      expect(idle.virtualNs - done.report.virtualNs).toBeGreaterThan(10e9);
    });

    it('holds SMRAM and its flash against code outside SMM', () => {
      const { machine } = done.boot;
      const tseg = 0x0f00_0000;
      const handler = done.report.cpus[0]!.smbase + 0x8000;
      const before = machine.peek(handler, 64, true);
      expect(before.some((byte) => byte !== 0 && byte !== 0xff)).toBe(true);
      for (const gpa of [tseg, handler, 0x0fff_f000]) {
        expect(machine.peek(gpa, 16).every((byte) => byte === 0xff)).toBe(true);
        machine.space.write(gpa, 4, 0x1234_5678, 0);
      }
      // Reopening it: SMRAM, ESMRAMC and the 30000h window by CF8h and by ECAM; TOLUD and TSEGMB are locked or without
      // effect on it.
      const ecam = 0xb000_0000;
      for (const [register, value] of [
        [0x9d, 0x4a],
        [0x9e, 0x00],
        [0x9c, 0x00],
        [0x50, 0x00],
        [0xac, 0x00],
      ] as const) {
        machine.ports.out(0xcf8, 4, (0x8000_0000 | (register & 0xfc)) >>> 0, 0);
        machine.ports.out(0xcfc + (register & 3), 1, value, 0);
        machine.space.write(ecam + register, 1, value, 0);
        expect(
          machine.peek(handler, 16).every((byte) => byte === 0xff),
          register.toString(16),
        ).toBe(true);
      }
      expect(machine.peek(handler, 64, true)).toEqual(before);
      // fw_cfg's DMA reads a file into memory: its signature must not arrive in TSEG.
      const control = 0x1_0000;
      machine.space.writeBlock(control, Uint8Array.of(0, 0, 0, 0x0a, 0, 0, 0, 4), 0);
      const target = new DataView(new ArrayBuffer(8));
      target.setBigUint64(0, BigInt(handler));
      machine.space.writeBlock(control + 8, new Uint8Array(target.buffer), 0);
      machine.ports.out(0x514, 4, 0, 0);
      machine.ports.out(0x518, 4, 0x0000_0100, 0); // big-endian 10000h
      expect(machine.peek(handler, 64, true)).toEqual(before);
      // Program a byte of the variable store without SMM.
      const flash = 0x1_0000_0000 - done.boot.vars().length - readOvmf(architecture).code.length;
      const store = done.boot.vars();
      machine.space.write(flash + 0x100, 1, 0x10, 0);
      machine.space.write(flash + 0x100, 1, 0x00, 0);
      expect(done.boot.vars()).toEqual(store);
    });
  });
});
