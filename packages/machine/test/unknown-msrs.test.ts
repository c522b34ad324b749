/** MSRs that are not modelled: under tcg as QEMU has them, under kvm #GP; the trace tells of each. */
import type { TraceEvent } from '@smm/trace';
import { describe, expect, it, vi } from 'vitest';
import { missingTools, qemuOutput } from '../../../tests/support/qemu.ts';
import { flat, rom } from './flat-rom.ts';

vi.setConfig({ testTimeout: 60_000 }); // QEMU on a loaded host

/** AMD's own, all that Linux 6.1 touches on this processor among them; some of nobody. */
const MSRS = [
  ...[0xc001_0000, 0xc001_0003, 0xc001_0004, 0xc001_0007, 0xc001_0010, 0xc001_0015, 0xc001_001f, 0xc001_0055],
  ...[0xc001_0058, 0xc001_0117, 0xc001_1022, 0xc001_1029, 0xc001_102a, 0xc001_102c],
];
const UNKNOWN = [0xce, 0x140, 0x4d0, 0x1234_5678, 0xc001_0234, 0xc000_0105];

/** Reads each, writes it, reads it again; what was read goes to port 402h. Ends through port F4h, or HLT. */
const program = (numbers: readonly number[]): string =>
  [
    'mov ax, 0x9000\nmov ss, ax\nmov sp, 0x100\nlidt [cs:none]',
    ...numbers.flatMap((number) => [
      `mov ecx, ${number}\nrdmsr\ncall print`,
      `mov ecx, ${number}\nmov eax, 0x12345000\nmov edx, 0x9a\nwrmsr\nrdmsr\ncall print`,
    ]),
    'mov al, 0\nmov dx, 0xf4\nout dx, al\ncli\nhlt',
    'print:\nmov ebx, edx\nmov cx, 8\nmov dx, 0x402',
    'next: out dx, al\nshrd eax, ebx, 8\nshr ebx, 8\nloop next\nret\nnone: dw 0\ndd 0',
  ].join('\n');

/** Runs here to the end of the program. */
function run(
  numbers: readonly number[],
  kvm: boolean,
): { bytes: number[]; notes: string[]; shutdown: boolean } {
  const bytes: number[] = [];
  const notes: string[] = [];
  const trace = (event: TraceEvent) => {
    if (event.name === 'smm_note') notes.push(event.text);
  };
  const machine = flat(program(numbers), { kvm, trace, debug: (byte) => bytes.push(byte) });
  const stop = machine.run({ instructions: 100_000 });
  return { bytes, notes, shutdown: stop === 'shutdown' };
}

const missing = missingTools('qemu-system-x86_64');

describe('an MSR that is not modelled', () => {
  it.skipIf(missing !== undefined)(
    `is under tcg what QEMU's is, and the trace tells of it ${missing ?? ''}`,
    () => {
      const theirs = qemuOutput({ rom: rom(program([...MSRS, ...UNKNOWN])), args: ['-m', '64'] });
      const { bytes, notes } = run([...MSRS, ...UNKNOWN], false);
      expect(bytes).toEqual([...theirs]);
      expect(bytes).toHaveLength((MSRS.length + UNKNOWN.length) * 16);
      expect(notes).toHaveLength(UNKNOWN.length * 3); // read, written, read: none of AMD's rows
      expect(notes.slice(0, 2)).toEqual([
        expect.stringMatching(
          /^MSR ceh is not modelled: the guest reads 0 at rip [0-9a-f]+h, as under QEMU's TCG$/,
        ),
        expect.stringMatching(/^MSR ceh is not modelled: the guest's 9a12345000h is forgotten at rip/),
      ]);
    },
  );

  it.each(UNKNOWN)('is #GP under kvm: %i', (number) => {
    expect(run([number], true)).toMatchObject({ bytes: [], shutdown: true });
  });

  it("of AMD's is there under kvm as well", () => {
    expect(run(MSRS, true)).toEqual({ ...run(MSRS, false), notes: [] });
  });
});
