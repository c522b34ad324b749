/**
 * Any bytes may be code: in 16, 32 and 64 bit a machine does the same with them on the interpreter and the translator,
 * or both say by the same name what the model lacks.
 */
import { assemble } from '@smm/asm';
import { cpuModel, Interpreter, stateHash } from '@smm/cpu-core';
import { Machine, memoryHash } from '@smm/machine';
import { SAVE_STATE_AMD64, SmmError } from '@smm/x86-defs';
import { expect, it } from 'vitest';
import type { Random } from '../../packages/cpu-core/test/support/random.ts';
import { fuzz, toHex } from '../support/fuzz.ts';

/** Where the bytes go, and the byte that chooses the mode: 0, 1, 2 for 16, 32, 64 bit. */
const [CODE, MODE] = [0x7c00, 0x500];
const LENGTH = 48;
const INSTRUCTIONS = 150;

/** Goes into the mode, with flat segments, identity-mapped, and jumps to the bytes. */
const ROM = assemble(
  `bits 16
  xor ax, ax
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov sp, 0x7000
  cmp byte [${MODE}], 1
  je protected
  ja long
  jmp 0:${CODE}
protected:
  lgdt [cs:gdtr]
  mov eax, cr0
  or al, 1
  mov cr0, eax
  jmp dword 0x08:0xf0000 + flat
long:
  mov edi, 0x1000
  mov dword [edi], 0x2003
  mov edi, 0x2000
  mov dword [edi], 0x3003
  mov edi, 0x3000
  mov dword [edi], 0x83
  mov dword [edi+8], 0x200083
  mov eax, 0x1000
  mov cr3, eax
  mov eax, 0x620
  mov cr4, eax
  mov ecx, 0xc0000080
  mov eax, 0x100
  xor edx, edx
  wrmsr
  lgdt [cs:gdtr]
  mov eax, cr0
  or eax, 0x80000001
  mov cr0, eax
  mov ax, 0x10
  mov ds, ax
  mov es, ax
  mov ss, ax
  jmp dword 0x18:${CODE}
bits 32
flat:
  mov ax, 0x10
  mov ds, ax
  mov es, ax
  mov ss, ax
  jmp ${CODE} - 0xf0000
align 8
gdt:
  dq 0
  dq 0x00cf9b000000ffff
  dq 0x00cf93000000ffff
  dq 0x00af9b000000ffff
gdtr:
  dw 31
  dd 0xf0000 + gdt`,
  { bits: 16, org: 0 },
).bytes;

function flash(): Uint8Array {
  const image = new Uint8Array(0x1_0000);
  image.set(ROM);
  image.set(assemble('jmp 0xf000:0', { bits: 16, org: 0xfff0 }).bytes, 0xfff0);
  return image;
}

const interpreter = new Interpreter();

function machine(tier: 'interpreter' | 'translator'): Machine {
  return new Machine({
    cpus: 1,
    memoryMiB: 32,
    model: cpuModel('qemu64'),
    flash: flash(),
    saveState: SAVE_STATE_AMD64,
    accelerator: 'tcg',
    behaviour: {},
    schedule: { seed: 0, slice: 50 },
    comm: 'fuzz',
    tier,
    interpreter,
    ...(tier === 'translator' && { translator: { threshold: 1 } }),
  });
}

interface Input {
  readonly mode: number;
  readonly code: Uint8Array;
}

/** Bytes that open instructions of all kinds more often than chance. */
const OPENERS = [
  0x0f, 0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x48, 0x41, 0xd9, 0xdd, 0xff, 0xf7, 0xc1, 0xeb, 0x75, 0xcd, 0x8e, 0x90,
];

function make(random: Random): Input {
  const code = new Uint8Array(LENGTH).map(() => (random.below(4) ? random.next() : random.pick(OPENERS)));
  // MOV to a register: often the address of something.
  for (let at = 0; at < 15; at += 5)
    code.set(
      [0xb8 + random.below(8), random.next(), random.pick([0, 0x50, 0x7c]), 0, random.pick([0, 0, 0xfe])],
      at,
    );
  if (random.below(2)) code.set([0xeb, 0x100 - LENGTH + random.below(8)], LENGTH - 2); // a loop
  return { mode: random.below(3), code };
}

/** What came of it, in words. */
function run(m: Machine, { mode, code }: Input): string {
  m.reset();
  m.space.write(MODE, 1, mode, 0);
  m.space.writeBlock(CODE, code, 0);
  let end: string;
  try {
    end = m.run({ instructions: INSTRUCTIONS });
  } catch (error) {
    if (!(error instanceof SmmError)) throw error;
    end = `${error.code}: ${error.message}`;
  }
  const [cpu] = m.processors;
  return `${end} ${m.retired} ${cpu!.state.rip.toString(16)} ${stateHash(cpu!)} ${memoryHash(m)}`;
}

it('any bytes run, the same on both tiers', () => {
  const [a, b] = [machine('interpreter'), machine('translator')];
  const ends = new Map<string, number>();
  fuzz<Input>({
    runs: [300, 30_000],
    make,
    use: (input) => {
      const [expected, seen] = [run(a, input), run(b, input)];
      if (seen !== expected) throw new Error(`interpreter: ${expected}\ntranslator: ${seen}`);
      const end = expected.split(/[ :]/)[0]!;
      ends.set(end, (ends.get(end) ?? 0) + 1);
    },
    show: ({ mode, code }) => `${mode} ${toHex(code)}`,
  });
  expect(ends.get('budget')).toBeGreaterThan(0);
  expect(b.translations!.compiled).toBeGreaterThan(0);
});
