/**
 * The `qemu-7.2` flavour against QEMU itself: random register histories run as machine code under TCG, every value that
 * the guest read and every vector that it took compared with the model's. Needs qemu-system-x86_64 7.2 and nasm.
 */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inScratch, nasmFile, qemuOutput } from '../../../tests/support/qemu.ts';
import { makeRig } from './rig.ts';

const version = spawnSync('qemu-system-x86_64', ['--version'], { encoding: 'utf8' }).stdout ?? '';
const usable = version.includes('version 7.2') && spawnSync('nasm', ['-v']).status === 0;
const reason = usable ? '' : ' (skipped: needs qemu-system-x86_64 7.2 and nasm)';

type Op = { op: 1 | 2 | 3 | 4 | 5; cpu?: number; offset: number; value: number };

/** Runs the list in QEMU and returns what it wrote to port 402h. */
function runInQemu(ops: readonly Op[], cpus: number): Buffer {
  return inScratch((path) => {
    const program = Buffer.alloc((ops.length + 1) * 8);
    ops.forEach(({ op, cpu = 0, offset, value }, i) => {
      program.writeUInt8(op, i * 8);
      program.writeUInt8(cpu, i * 8 + 1);
      program.writeUInt16LE(offset, i * 8 + 2);
      program.writeUInt32LE(value, i * 8 + 4);
    });
    writeFileSync(path('program.bin'), program);
    const source = fileURLToPath(new URL('qemu-probe.asm', import.meta.url));
    const rom = nasmFile(source, [`-DPROGRAM="${path('program.bin')}"`, `-DCPUS=${cpus}`]);
    const args = ['-smp', `${cpus}`, '-m', '16'];
    return Buffer.from(qemuOutput({ rom, machine: 'pc', accel: 'tcg,thread=single', exitPort: 0x501, args }));
  });
}

/** Runs the list on the model; the answer is one array per operation. */
function runOnModel(ops: readonly Op[], count: number): number[][] {
  const { cpus } = makeRig(count, { flavour: 'qemu-7.2' });
  return ops.map(({ op, cpu = 0, offset, value }) => {
    const { apic } = cpus[cpu]!;
    const bytes: number[] = [];
    if (op === 1) {
      const read = apic.read(offset, 4, 0);
      bytes.push(read & 0xff, (read >>> 8) & 0xff, (read >>> 16) & 0xff, read >>> 24);
    } else if (op === 4) bytes.push(apic.read(offset, 1, 0));
    else if (op === 2) apic.write(offset, 4, value, 0);
    else if (op === 3) {
      while (apic.intr) bytes.push(apic.acknowledge());
      bytes.push(0);
    }
    return bytes;
  });
}

/** Compares the two, operation by operation, so that a failure names the first one that differs. */
function compare(ops: readonly Op[], cpus = 1): number {
  const output = runInQemu(ops, cpus);
  let at = 0;
  const history: string[] = [];
  runOnModel(ops, cpus).forEach((bytes, i) => {
    const { op, cpu = 0, offset, value } = ops[i]!;
    history.push(
      `${cpu}: ${['', 'read', 'write', 'sti', 'readb', 'wait'][op]} ${offset.toString(16)} ${value.toString(16)}`,
    );
    const theirs = [...output.subarray(at, at + bytes.length)];
    if (theirs.join() !== bytes.join()) {
      const tail = history.slice(-12).join('\n');
      expect.fail(`operation ${i}: QEMU ${theirs.join(' ')}, model ${bytes.join(' ')} after\n${tail}`);
    }
    at += bytes.length;
  });
  expect(output.length).toBe(at);
  return at;
}

const read = (offset: number): Op => ({ op: 1, offset, value: 0 });
const write = (offset: number, value: number): Op => ({ op: 2, offset, value: value >>> 0 });
const WINDOW: Op = { op: 3, offset: 0, value: 0 };

const dword = fc.oneof(fc.constantFrom(0, 0xffff_ffff), fc.integer({ min: 0, max: 0xffff_ffff }));
/** ICR low dwords that cannot reset the only CPU: fixed or lowest priority, any trigger, level, destination. */
const icr = fc
  .tuple(fc.integer({ min: 0, max: 255 }), fc.constantFrom(0, 0x100), fc.integer({ min: 0, max: 0xf }), dword)
  .map(([vector, mode, upper, rest]) => vector | mode | (upper << 11) | (rest & 0xc_0000));
/** Every register address, but not Current Count, which follows the host's clock in QEMU. */
const anyOffset = fc.integer({ min: 1, max: 0x7f }).map((slot) => (slot === 0x39 ? 0x380 : slot * 16));
const operation: fc.Arbitrary<Op> = fc.oneof(
  { weight: 8, arbitrary: anyOffset.map(read) },
  {
    weight: 1,
    arbitrary: fc.tuple(anyOffset, fc.integer({ min: 0, max: 3 })).map(([offset, byte]): Op => {
      return { op: 4, offset: offset + byte, value: 0 };
    }),
  },
  { weight: 2, arbitrary: fc.constant(WINDOW) },
  { weight: 2, arbitrary: fc.constant(write(0xb0, 0)) },
  { weight: 3, arbitrary: icr.map((value) => write(0x300, value)) },
  { weight: 2, arbitrary: fc.constantFrom(0, 1, 2, 0x11, 0xff).map((dest) => write(0x310, dest << 24)) },
  { weight: 1, arbitrary: dword.map((value) => write(0x310, value)) },
  { weight: 2, arbitrary: dword.map((value) => write(0x80, value % 0x60)) },
  { weight: 2, arbitrary: fc.constantFrom(0x1ff, 0xff, 0x11f, 0xffff_ffff).map((v) => write(0xf0, v)) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(0, 1 << 24, 0x11 << 24, 0xffff_ffff).map((v) => write(0xd0, v)),
  },
  { weight: 1, arbitrary: fc.constantFrom(0, 0xf000_0000, 0x1234_5678).map((v) => write(0xe0, v)) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom(0x320, 0x330, 0x340, 0x350, 0x360, 0x370, 0x380, 0x3e0), dword)
      .map(([offset, value]) => write(offset, value | 0x1_0000)), // masked, so that no host timer fires
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom(0x30, 0x90, 0xa0, 0x100, 0x1f0, 0x240, 0x280, 0x2f0, 0x3f0, 0x400, 0x500), dword)
      .map(([offset, value]) => write(offset, value)),
  },
);

/** What one of several processors may do: addresses, ids and fixed IPIs without self shorthand. */
const routing: fc.Arbitrary<Op> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc
      .tuple(
        fc.integer({ min: 16, max: 255 }),
        fc.constantFrom(0, 0x100),
        fc.boolean(),
        fc.constantFrom(0, 0, 0, 2),
      )
      .map(([vector, mode, logical, short]) =>
        write(0x300, vector | mode | (logical ? 0x800 : 0) | 0x4000 | (short << 18)),
      ),
  },
  {
    weight: 3,
    arbitrary: fc
      .constantFrom(0, 1, 2, 3, 4, 5, 8, 0xf, 0x11, 0x13, 0x21, 0x2f, 0xf1, 0xff)
      .map((dest) => write(0x310, dest << 24)),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(0, 1, 2, 4, 8, 0x11, 0x12, 0x21, 0xff).map((v) => write(0xd0, v << 24)),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(0, 0, 0x5000_0000, 0xf000_0000, 0xf000_0000).map((v) => write(0xe0, v)),
  },
  { weight: 1, arbitrary: fc.constantFrom(0, 1, 2, 3, 5, 0x21).map((id) => write(0x20, id << 24)) },
  { weight: 1, arbitrary: fc.constantFrom(0, 0x40, 0x80).map((tpr) => write(0x80, tpr)) },
  { weight: 1, arbitrary: fc.constantFrom(0x1ff, 0x1ff, 0xff).map((svr) => write(0xf0, svr)) },
  { weight: 1, arbitrary: fc.constantFrom(0x20, 0xd0, 0xe0, 0x300, 0x310, 0xa0).map(read) },
);

describe.skipIf(!usable)(`QEMU 7.2${reason}`, () => {
  it('reads_the_same_after_reset_at_every_address', () => {
    const ops: Op[] = [];
    for (let slot = 1; slot < 0x100; slot++) ops.push(read(slot * 16));
    expect(compare(ops)).toBe(255 * 4);
  });

  it('delivers_by_priority_like_the_model', () => {
    const send = (vector: number) => write(0x300, 0x4_4000 | vector);
    const ops = [write(0xf0, 0x1ff), send(0x31), send(0x52), send(0x43), WINDOW, read(0xa0), WINDOW];
    ops.push(write(0xb0, 0), WINDOW, write(0x80, 0x40), write(0xb0, 0), WINDOW, write(0x80, 0x20), WINDOW);
    compare(ops);
    expect(runOnModel(ops, 1).filter((_, i) => ops[i] === WINDOW)).toEqual([
      [0x52, 0],
      [0],
      [0x43, 0],
      [0],
      [0x31, 0],
    ]);
  });

  it.each([1, 2, 3, 4, 5, 6])(
    'agrees_over_a_random_history_of_4000_operations, seed %i',
    (seed) => {
      const [ops] = fc.sample(fc.array(operation, { minLength: 4000, maxLength: 4000, size: 'max' }), {
        numRuns: 1,
        seed,
      });
      expect(compare(ops!)).toBeGreaterThan(4000);
    },
    60_000,
  );

  // Logical ids in one flat byte, in clusters, missing, doubled; physical ids rewritten; shorthands only with ids as
  // they were, for QEMU 7.2 takes the id register for an index there.
  const route: fc.Arbitrary<Op> = fc
    .record({ cpu: fc.integer({ min: 0, max: 3 }), op: routing })
    .map(({ cpu, op }) => ({ ...op, cpu }));
  const AP_START: Op[] = [
    write(0x300, 0xc_4500),
    write(0x300, 0xc_4608),
    { op: 5, offset: 0, value: 0 },
    ...[0, 1, 2, 3].map((cpu): Op => ({ ...write(0xf0, 0x1ff), cpu })),
  ];

  it.each([1, 2, 3, 4])(
    'routes among four processors like the model, seed %i',
    (seed) => {
      const [history] = fc.sample(fc.array(route, { minLength: 1500, maxLength: 1500, size: 'max' }), {
        numRuns: 1,
        seed,
      });
      const ops = [...AP_START];
      for (const op of history!) {
        ops.push(op);
        // After every IPI each processor opens its interrupts and ends what it took.
        if (op.op === 2 && op.offset === 0x300) {
          for (let cpu = 0; cpu < 4; cpu++) ops.push({ ...WINDOW, cpu }, { ...write(0xb0, 0), cpu });
        }
      }
      compare(ops, 4);
      const taken = runOnModel(ops, 4).map((bytes, i) => (ops[i]!.op === 3 ? bytes.length - 1 : 0));
      expect(taken.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(150); // it was about something
    },
    60_000,
  );
});
