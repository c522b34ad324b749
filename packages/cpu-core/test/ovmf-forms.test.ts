/**
 * Every form of instruction that a boot of OVMF executes is modelled. `data/ovmf-forms.txt` was recorded from Debian's
 * OVMF (X64 and IA32, with SMM) on QEMU: code size, mnemonic, operands, opcode (`/n` ModRM reg, `m` memory, `rN`
 * register form with r/m N), prefix.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type * as Iced from 'iced-x86';
import { describe, expect, test } from 'vitest';
import { decode } from '../src/decode/decode.ts';
import { type CodeSize, Insn } from '../src/insn.ts';
import { OP_NAMES } from '../src/ops.ts';
import { type Bits, FlatMachine } from './support/flat-machine.ts';

const { Decoder, Mnemonic } = createRequire(import.meta.url)('iced-x86') as typeof Iced;

const CODE = 0x2000;
const UD_VECTOR = 6;

interface Form {
  readonly text: string;
  readonly bits: Bits;
  readonly code: Uint8Array;
}

const MANDATORY: Readonly<Record<string, number>> = { movdqa: 0x66, movdqu: 0xf3, pause: 0xf3 };

/** Width in bits of what the operand size decides, or 0 if nothing says it. */
function operandWidth(operands: readonly string[]): number {
  for (const operand of operands) {
    const number = /^[rm](8|16|32|64)$/.exec(operand);
    if (number) return Number(number[1]);
    if (operand === 'ax') return 16;
    if (operand === 'eax') return 32;
    if (operand === 'rax') return 64;
  }
  return 0;
}

function encode(line: string): Form {
  const [mode, mnemonic, operandText, opcodeText, prefix = ''] = line.split('|') as [
    string,
    string,
    string,
    string,
    string?,
  ];
  const bits = Number(mode) as Bits;
  const [opcode, modRm] = opcodeText.split('/') as [string, string?];
  const code = [...Buffer.from(opcode, 'hex')];
  const operands = operandText.split(',');
  const memory = /m\d/.test(operandText) && !modRm?.includes('r');
  if (modRm !== undefined) {
    const form = /^(\d)(?:r(\d))?/.exec(modRm)!;
    const reg = Number(form[1]) << 3;
    const rm = Number(form[2] ?? 3);
    code.push(memory ? reg | (bits === 16 ? 7 : 3) : 0xc0 | reg | rm);
  } else if (!/^(a[0-3])$/.test(opcode)) {
    // [rBX] as memory, else CX with BX; unread by instructions without ModRM byte. Control and debug registers:
    // number 0.
    if (memory) code.push(bits === 16 ? 7 : 3);
    else {
      const number = /cr(\d)/.exec(operandText);
      code.push(0xc0 | (number ? (Number(number[1]) & 7) << 3 : /sreg/.test(operandText) ? 0 : 8) | 3);
    }
  }
  const x87 = code[0]! >= 0xd8 && code[0]! <= 0xdf;
  const width = x87 || /^(fxsave|fxrstor)$/.test(mnemonic) ? 0 : operandWidth(operands);
  const head: number[] = [];
  if (prefix !== '') head.push(Number.parseInt(prefix, 16));
  if (width === 16 && bits !== 16 && !/^(mov sreg|ltr|lldt|ret|retf)/.test(`${mnemonic} ${operandText}`))
    head.push(0x66);
  if (width === 32 && bits === 16) head.push(0x66);
  if (MANDATORY[mnemonic]) head.push(MANDATORY[mnemonic]);
  const cr8 = operandText.includes('cr8') ? 0x44 : 0;
  const wide =
    bits === 64 && (width === 64 || /^(fx\w+64|movabs|cqo|cdqe|iretq|retfq|\w+ (movsq|stosq))/.test(mnemonic))
      ? 0x48
      : 0;
  if (cr8 | wide && !/^(push|pop)$/.test(mnemonic)) head.push(cr8 | wide);
  return { text: line, bits, code: Uint8Array.from([...head, ...code, ...new Array<number>(12).fill(0)]) };
}

const forms = readFileSync(new URL('data/ovmf-forms.txt', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map(encode);

/** The recorder's spellings that iced does not share. */
const SPELLING: Readonly<Record<string, string>> = {
  movabs: 'mov',
  popal: 'popad',
  pushal: 'pushad',
  ljmp: 'jmp',
  lcall: 'call',
  retfq: 'retf',
};

describe('instructions of OVMF', () => {
  test('are encoded here as they were recorded, says iced-x86', () => {
    const different = forms.flatMap(({ text, bits, code }) => {
      const decoder = new Decoder(bits, code, 0);
      const insn = decoder.decode();
      const found = (Mnemonic[insn.mnemonic] ?? '?').toLowerCase();
      insn.free();
      decoder.free();
      const word = text.split('|')[1]!.split(' ').at(-1)!;
      return (SPELLING[word] ?? word) === found ? [] : [`${text}: ${found}`];
    });
    expect(different).toEqual([]);
  });

  test('all have a name of their own in the decoder', () => {
    const insn = new Insn();
    const missing = forms.filter((form) => {
      decode(form.code, 0, 15, form.bits as CodeSize, insn);
      return /^INVALID$|_UNMODELLED$/.test(OP_NAMES[insn.op]!);
    });
    expect(missing.map(({ text }) => text)).toEqual([]);
    expect(forms.length).toBeGreaterThan(1200);
  });

  test.each(['evaluator', 'interpreter'] as const)('all execute (%s)', (tier) => {
    const m = new FlatMachine({ tier });
    const undefinedOnes: string[] = [];
    for (const form of forms) {
      m.ram.fill(0);
      m.load(CODE, form.code);
      m.cpu.reset('power-up', true);
      m.start(form.bits, CODE);
      for (let r = 0; r < 16; r++) if (r !== 4) m.cpu.state.setGpr64(r, r === 1 ? 2n : 0x4000n);
      m.cpu.state.cr4 |= 0x600;
      let vector = -1;
      m.onFault = (number) => {
        if (vector === -1) vector = number;
      };
      try {
        m.cpu.run(1);
      } catch (error) {
        throw new Error(`${form.text}: ${Buffer.from(form.code).toString('hex')}: ${error}`);
      }
      if (vector === UD_VECTOR) undefinedOnes.push(form.text);
    }
    // Outside SMM RSM is undefined.
    expect(undefinedOnes).toEqual(['32|rsm||0faa', '64|rsm||0faa']);
  });
});
