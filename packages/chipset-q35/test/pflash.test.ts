/**
 * Both flash chips against QEMU's, by sequences of commands from SMM and from outside; the variable store's file too.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newResolution, PhysicalAddressSpace, TX_SMM } from '@smm/bus';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Pflash } from '../src/pflash.ts';
import { configWrite } from './support/model.ts';
import { type Access, imageFiller, oracleMissing, runOnQemu, type Size } from './support/qemu-oracle.ts';

const missing = oracleMissing();
const CODE_SIZE = 0x1_2000;
const VARS_SIZE = 0x1_6000; // not a power of two, as OVMF's is not
const CODE = 2 ** 32 - CODE_SIZE;
const VARS = CODE - VARS_SIZE;
const SMI_ON: Access[] = [
  ...configWrite(0xf8, 0x40, 4, 0x601),
  ...configWrite(0xf8, 0x44, 1, 0x80),
  { kind: 'out', port: 0x630, size: 4, value: 0x21 },
];
const contents = () => Uint8Array.from({ length: VARS_SIZE }, (_, i) => (i * 7 + (i >>> 8)) & 0xff);

function build(secure: boolean) {
  const bytes = new Uint8Array(VARS_SIZE + CODE_SIZE);
  bytes.set(contents());
  bytes.set(imageFiller(CODE_SIZE), VARS_SIZE);
  const space = new PhysicalAddressSpace({ ram: bytes });
  const written: [number, number][] = [];
  const ports = { space, bytes, written: (at: number, size: number) => written.push([at, size]) };
  const chip = (name: string, start: number, hostOffset: number, sizeBytes: number, readonly: boolean) =>
    new Pflash(ports, { name, start, hostOffset, sizeBytes, readonly, secure }, 1);
  return {
    bytes,
    space,
    written,
    vars: chip('pflash1', VARS, 0, VARS_SIZE, false),
    code: chip('pflash0', CODE, VARS_SIZE, CODE_SIZE, true),
  };
}

function compare(accesses: readonly Access[], secure: boolean): void {
  const { space, bytes } = build(secure);
  const ours: number[] = [];
  for (const a of accesses) {
    if (a.kind === 'read') ours.push(space.read(a.gpa, a.size, 0));
    else if (a.kind === 'smm-read') ours.push(space.read(a.gpa, a.size, TX_SMM));
    else if (a.kind === 'write') space.write(a.gpa, a.size, a.value, 0);
    else if (a.kind === 'smm-write') space.write(a.gpa, a.size, a.value, TX_SMM);
  }
  const dir = mkdtempSync(join(tmpdir(), 'pflash-'));
  try {
    const file = join(dir, 'vars');
    writeFileSync(file, contents());
    const args = [
      ...['-m', '256', '-drive', `if=pflash,unit=1,format=raw,file=${file}`],
      ...['-global', `driver=cfi.pflash01,property=secure,value=${secure ? 'on' : 'off'}`],
    ];
    const theirs = runOnQemu([...SMI_ON, ...accesses], args, { sizeBytes: CODE_SIZE, pflash: true });
    const hex = (values: readonly number[]) => values.map((v) => v.toString(16)).join(' ');
    expect(hex(ours)).toBe(hex(theirs));
    const stored = readFileSync(file);
    const differs = stored.findIndex((byte, i) => byte !== bytes[i]);
    expect(differs === -1 ? 'equal' : `byte ${differs.toString(16)}: ${stored[differs]!}`).toBe('equal');
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

const rd = (gpa: number, size: Size = 1, smm = true): Access => ({
  kind: smm ? 'smm-read' : 'read',
  gpa,
  size,
});
const wr = (gpa: number, value: number, size: Size = 1, smm = true): Access => ({
  kind: smm ? 'smm-write' : 'write',
  gpa,
  size,
  value,
});

describe.skipIf(missing !== undefined)(`flash equals QEMU's ${missing ?? ''}`, () => {
  it('what_firmware_does: detection, programs, back to the array', () => {
    const at = VARS + 0x10;
    compare(
      [
        ...[rd(at), wr(at, 0x50), rd(at), wr(at, 0x70), rd(at), wr(at, 0xff), rd(at)],
        ...[0x11, 0xaa, 0x00, 0xff].flatMap((v, i) => [wr(at + i, 0x10), wr(at + i, v)]),
        ...[wr(at, 0xff), rd(at, 4), rd(at, 4, false)],
      ],
      true,
    );
  });

  it('status_after_each_command', () => {
    for (const chip of [VARS, CODE]) {
      compare(
        [
          ...[0x10, 0x40].flatMap((c) => [
            wr(chip, c),
            rd(chip),
            wr(chip, 0x5a),
            rd(chip),
            rd(chip + 8, 4),
            rd(chip + 8, 2),
            wr(chip, 0x70),
            rd(chip),
          ]),
          ...[wr(chip, 0x50), rd(chip), wr(chip, 0x70), rd(chip)],
          ...[
            wr(chip + 0x1008, 0x20),
            ...(chip === VARS ? [rd(chip)] : []), // QEMU has failed by now, before the confirmation
            wr(chip + 0x1008, 0xd0),
            rd(chip),
            wr(chip, 0xff),
            rd(chip + 0x1000, 4),
            rd(chip + 0xffc, 4),
          ],
          ...[wr(chip, 0x28), rd(chip), wr(chip, 0xd0), rd(chip), wr(chip, 0x50)],
          ...[0x01, 0xd0, 0x2f, 0xff].flatMap((v) => [
            wr(chip, 0x60),
            rd(chip),
            wr(chip, v),
            rd(chip),
            wr(chip, 0xff),
            wr(chip, 0x70),
            rd(chip),
            wr(chip, 0x50),
            wr(chip, 0xff),
            rd(chip),
          ]),
        ],
        true,
      );
    }
  });

  it('identification_and_CFI_tables', () => {
    const each = Array.from({ length: 0x60 }, (_, i) => rd(VARS + i));
    compare(
      [wr(VARS, 0x90), ...each, rd(VARS, 2), rd(VARS, 4), rd(VARS + 0x101, 1), wr(VARS, 0xff), rd(VARS)],
      true,
    );
    compare(
      [
        wr(VARS, 0x98),
        ...each,
        rd(VARS + 0x10, 2),
        rd(VARS + 0x10, 4),
        rd(VARS + 0x110, 1),
        wr(VARS, 0xff),
        rd(VARS),
      ],
      true,
    );
    compare([wr(CODE, 0x98), ...Array.from({ length: 0x40 }, (_, i) => rd(CODE + i)), wr(CODE, 0xff)], true);
  });

  it('buffered_writes', () => {
    const at = VARS + 0x40;
    for (const count of [0, 3, 15]) {
      compare(
        [
          ...[wr(at, 0xe8), rd(at), wr(at, count), rd(at)],
          ...Array.from({ length: count + 1 }, (_, i) => [wr(at + i, 0xc0 + i), rd(at)]).flat(),
          ...[wr(at, 0xd0), rd(at), wr(at, 0xff), rd(at, 4), rd(at + count, 4)],
        ],
        true,
      );
    }
  });

  it('commands_from_outside_SMM_do_nothing_when_secure', () => {
    const at = VARS + 0x20;
    compare(
      [
        ...[0x90, 0x70, 0x10, 0x00, 0x20, 0xd0].flatMap((v) => [
          wr(at, v, 1, false),
          rd(at, 1, false),
          rd(at),
        ]),
        ...[
          wr(at, 0x10),
          rd(at, 1, false),
          rd(at),
          wr(at, 0x77, 1, false),
          rd(at, 1, false),
          wr(at, 0x78),
          rd(at),
          wr(at, 0xff),
          rd(at, 1, false),
        ],
        ...[wr(at, 0x90), rd(at), rd(at, 4, false), wr(at, 0xff)],
      ],
      true,
    );
  });

  it.each([true, false])('random sequences, secure %s', (secure) => {
    const chip = fc.constantFrom(VARS, VARS, CODE);
    const offset = fc.constantFrom(0, 1, 0x10, 0xffe, 0x1000, 0x1fff, 0x1ffc);
    const size = fc.constantFrom<Size>(1, 1, 2, 4);
    const aligned = (o: number, s: Size) => o - (o % s); // QEMU's processor splits unaligned device accesses by itself
    const smm = fc.constantFrom(true, true, true, false);
    // Not E8h, whose cycles have their own test. Not 20h alone: QEMU erases before the confirmation, here after it.
    const command = fc.constantFrom(
      0x00,
      0x10,
      0x40,
      0x50,
      0x60,
      0x70,
      0x90,
      0x98,
      0xd0,
      0xf0,
      0xff,
      0xff,
      0x01,
      0x2f,
    );
    const step = fc.oneof(
      fc.tuple(chip, offset, size, smm).map(([c, o, s, m]) => [rd(c + aligned(o, s), s, m)]),
      fc.tuple(chip, offset, command, size, smm).map(([c, o, v, s, m]) => [wr(c + aligned(o, s), v, s, m)]),
      fc
        .tuple(chip, offset)
        .map(([c, o]) => [wr(c, 0xff), wr(c, 0xff), wr(c + o, 0x20), wr(c + o, 0xd0), rd(c)]),
      fc
        .tuple(
          chip,
          offset,
          fc.nat().filter((v) => ![0x20, 0xe8].includes(v & 0xff)),
          size,
          smm,
        )
        .map(([c, o, v, s, m]) => [wr(c + aligned(o, s), v, s, m)]),
    );
    fc.assert(
      fc.property(fc.array(step, { minLength: 40, maxLength: 250 }), (steps) => {
        compare(
          [
            ...steps.flat(),
            wr(VARS, 0xff),
            wr(VARS, 0xff),
            ...[0, 0x10, 0xffc, 0x1000].map((o) => rd(VARS + o, 4)),
          ],
          secure,
        );
      }),
      { numRuns: 8, endOnFailure: true },
    );
  });
});

describe('flash', () => {
  it('forgets_an_erase_that_is_not_confirmed', () => {
    const { space, bytes, written } = build(false);
    space.write(VARS, 1, 0x20, 0);
    space.write(VARS, 1, 0x77, 0);
    expect([space.read(VARS, 1, 0), written]).toEqual([bytes[0], []]);
  });

  it('tells_which_bytes_of_the_array_changed', () => {
    const { space, written, vars } = build(true);
    for (const [at, v] of [
      [VARS + 5, 0x10],
      [VARS + 5, 0x00],
      [VARS + 0x1234, 0x20],
      [VARS + 0x1234, 0xd0],
    ] as const) {
      space.write(at, 1, v, TX_SMM);
    }
    expect(written).toEqual([
      [5, 1],
      [0x1000, 0x1000],
    ]);
    vars.reset();
    expect(space.read(VARS + 0x1234, 1, TX_SMM)).toBe(0xff);
  });

  it('reads_straight_from_memory_in_array_mode_alone_and_after_a_restore', () => {
    const { space, vars } = build(true);
    const at = newResolution();
    const kinds = () =>
      [true, false].map((smm) => {
        space.resolve(VARS, smm, at);
        return at.kind;
      });
    const saved = [vars.save()];
    const seen = [kinds()];
    space.write(VARS, 1, 0x70, TX_SMM);
    seen.push(kinds());
    saved.push(vars.save());
    vars.restore(saved[0]!);
    seen.push(kinds());
    vars.restore(saved[1]!);
    seen.push(kinds());
    expect(seen).toEqual([
      ['ram', 'ram'],
      ['device', 'ram'],
      ['ram', 'ram'],
      ['device', 'ram'],
    ]);
    expect(space.read(VARS, 1, TX_SMM)).toBe(0x80);
  });
});
