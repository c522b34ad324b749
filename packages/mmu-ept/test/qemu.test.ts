/**
 * The walkers against QEMU: thousands of page-table entries and control bits, each tried by real guest code in
 * supervisor or user mode under TCG; error codes, accessed and dirty flags compared. Needs qemu-system-x86_64 and nasm.
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { inScratch, missingTools, nasmFile, qemuOutput } from '../../../tests/support/qemu.ts';
import { type Access, FlatMemory, GuestWalker, unpagedState, WALK_OK } from '../src/index.ts';

const missing = missingTools('qemu-system-x86_64', 'nasm');

/** One case of the probe: register values, entries and the access word of test/support/access-probe.asm. */
interface Case {
  cr0: number;
  cr4: number;
  efer: number;
  pde: [number, number];
  pte: [number, number];
  access: number;
}

/** Numbers from a fixed seed (xorshift), so that a failure can be repeated. */
function makeRandom(): (n: number) => number {
  let x = 0x2545_f491;
  return (n) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % n;
  };
}

function makeCases(pae: boolean, count: number): Case[] {
  const random = makeRandom();
  const often = () => random(8) !== 0;
  const seldom = () => random(12) === 0;
  const flags = () =>
    (often() ? 1 : 0) | (random(4) ? 2 : 0) | (random(4) ? 4 : 0) | ((random(8) << 5) % 0x80);
  const high = () => (pae ? (random(4) ? 0 : 0x8000_0000) | (seldom() ? 0x8_0000 : 0) : 0) >>> 0;
  return Array.from({ length: count }, () => {
    const large = random(3) === 0;
    const reserved = large && seldom() ? (pae ? 0x2000 : 0x20_0000) : 0;
    return {
      cr0: (0x8000_0011 | (random(2) ? 0x1_0000 : 0)) >>> 0,
      cr4: (pae ? 0x20 : 0x10) | (random(2) ? 0x10_0000 : 0) | (random(2) ? 0x20_0000 : 0),
      efer: pae && random(3) ? 0x800 : 0,
      pde: [(large ? 0x40_0080 : 0x3000) | reserved | flags(), high()],
      pte: [0x5000 | flags(), high()],
      access: random(3) | (random(2) << 2) | (random(2) << 3),
    };
  });
}

function runInQemu(cases: readonly Case[], pae: boolean): Uint8Array {
  return inScratch((path) => {
    const list = new Uint32Array(cases.length * 8 + 8).fill(0xffff_ffff, cases.length * 8);
    cases.forEach((c, i) => {
      list.set([c.cr0, c.cr4, c.efer, ...c.pde, ...c.pte, c.access], i * 8);
    });
    writeFileSync(path('cases.bin'), list);
    const source = fileURLToPath(new URL('support/access-probe.asm', import.meta.url));
    const rom = nasmFile(source, ['-w-number-overflow', ...(pae ? ['-DPAE'] : [])]);
    const loader = `loader,file=${path('cases.bin')},addr=0x100000,force-raw=on`;
    const args = ['-cpu', 'max', '-m', '16', '-no-reboot', '-device', loader];
    return qemuOutput({ rom, machine: 'pc', debugPort: 0xe9, args });
  });
}

describe.skipIf(missing !== undefined)(`guest walks as QEMU does them ${missing ?? ''}`, () => {
  it.each([
    ['32-bit paging', false],
    ['PAE paging', true],
  ])(
    '%s',
    (_name, pae) => {
      const cases = makeCases(pae, 20_000);
      const out = runInQemu(cases, pae);
      expect(out.length).toBe(cases.length * 3);
      const memory = new FlatMemory(0x8000);
      const walker = new GuestWalker(memory);
      const pdeAt = pae ? 0x2010 : 0x2004;
      const pteAt = pae ? 0x3008 : 0x3004;
      memory.write64(0x1000, 0x2001, 0);
      const seen = new Map<number, number>();
      const complaints: string[] = [];
      cases.forEach((c, i) => {
        memory.write32(pdeAt, c.pde[0]);
        memory.write32(pteAt, c.pte[0]);
        if (pae) {
          memory.write32(pdeAt + 4, c.pde[1]);
          memory.write32(pteAt + 4, c.pte[1]);
        }
        const { cr0, cr4, efer, access } = c;
        const registers = { cr0, cr4, efer, cr3: pae ? 0x1000 : 0x2000, rflagsAc: (access & 8) !== 0 };
        const paging = { ...unpagedState(), ...registers, maxPhyAddr: 40, pse36: true };
        const r = walker.walk(paging, 0x40_1000, (access & 3) as Access, (access & 4) !== 0, false);
        const error = r.outcome === WALK_OK ? 0xff : r.errorCode;
        const qemu = out.subarray(i * 3, i * 3 + 3);
        seen.set(error, (seen.get(error) ?? 0) + 1);
        // QEMU sets accessed flags on the way to a fault, so the entries tell only where there is none.
        const ours = [error, memory.read32(pdeAt) & 0xff, memory.read32(pteAt) & 0xff];
        // QEMU 7.2 reports a reserved bit without the present bit, which the SDM rules out (RSVD only with P = 1).
        const compared = (error & 0x8) !== 0 ? ~0x1 : ~0;
        const sameCode = (((qemu[0] as number) ^ error) & compared) === 0;
        const same = error === 0xff ? ours.every((byte, k) => byte === qemu[k]) : sameCode;
        if (!same && complaints.length < 5)
          complaints.push(JSON.stringify({ i, ...c, ours, qemu: [...qemu] }));
      });
      expect(complaints).toEqual([]);
      // Every kind of fault that the format can raise came up: not present, protection, reserved, by each access.
      expect(seen.get(0xff)).toBeGreaterThan(1000);
      for (const error of [
        0x00, 0x02, 0x04, 0x06, 0x01, 0x03, 0x05, 0x07, 0x09, 0x0b, 0x0d, 0x0f, 0x11, 0x15,
      ]) {
        expect(seen.get(error), `error code ${error.toString(16)}`).toBeGreaterThan(10);
      }
    },
    60_000,
  );
});
