/**
 * Random programs that never fault and never end: arithmetic, memory around a page border, calls, loops,
 * self-modification.
 */
import type { Bits } from './flat-machine.ts';
import type { Random } from './random.ts';

/** Where the program starts; its page also holds data. */
export const PROGRAM = 0x1000;
/** Around this page border lies the data that most operands are in. */
export const BORDER = 0x6000;

const NAMES: Readonly<Record<number, string[]>> = {
  8: ['rax', 'rcx', 'rdx', 'rdi', 'rbp', 'r8', 'r13'],
  4: ['eax', 'ecx', 'edx', 'edi', 'ebp'],
  2: ['ax', 'cx', 'dx', 'di', 'bp'],
  1: ['al', 'ah', 'cl', 'ch', 'dl', 'dh'],
};
const WORD: Readonly<Record<number, string>> = { 1: 'byte', 2: 'word', 4: 'dword', 8: 'qword' };
const CC = ['o', 'no', 'b', 'ae', 'e', 'ne', 'be', 'a', 's', 'ns', 'p', 'np', 'l', 'ge', 'le', 'g'];

/** NASM source. SI, ESI or RSI points to {@link BORDER} and BX, EBX or RBX is a small index; both stay as they are. */
export function randomProgram(random: Random, bits: Bits, device: boolean): string {
  const si = bits === 64 ? 'rsi' : bits === 32 ? 'esi' : 'si';
  const bx = bits === 64 ? 'rbx' : bits === 32 ? 'ebx' : 'bx';
  const sizes = bits === 64 ? [1, 2, 4, 8] : [1, 2, 4];
  const native = bits / 8;
  const lines: string[] = [];
  let label = 0;
  const reg = (w: number): string => random.pick(NAMES[w]!);
  const plainReg = (w: number): string => (w === 1 ? random.pick(['al', 'cl', 'dl']) : reg(w));
  const mem = (w: number): string => {
    const disp = random.below(40) - 20;
    const index =
      random.below(3) === 0 ? (bits === 16 ? `+${bx}` : `+${bx}*${random.pick([1, 2, 4, 8])}`) : '';
    // Now and then data on the code's own page.
    if (random.below(12) === 0 && bits !== 16) return `${WORD[w]} [${PROGRAM + 0xe00 + random.below(64)}]`;
    return `${WORD[w]} [${si}${index}${disp < 0 ? disp : `+${disp}`}]`;
  };
  const imm = (w: number): string => {
    const value = random.value();
    return String(BigInt.asIntN(w === 8 ? 32 : w * 8, value));
  };
  const one = (): void => {
    const w = random.pick(sizes);
    switch (random.below(28)) {
      case 0:
      case 1:
      case 2: {
        const op = random.pick(['add', 'or', 'adc', 'sbb', 'and', 'sub', 'xor', 'cmp', 'test']);
        const forms = [
          `${reg(w)}, ${reg(w)}`,
          `${reg(w)}, ${imm(w)}`,
          `${mem(w)}, ${reg(w)}`,
          `${mem(w)}, ${imm(w)}`,
        ];
        if (op !== 'test') forms.push(`${reg(w)}, ${mem(w)}`);
        lines.push(`${op} ${random.pick(forms)}`);
        return;
      }
      case 3:
        lines.push(`${random.pick(['inc', 'dec', 'neg', 'not'])} ${random.below(2) ? reg(w) : mem(w)}`);
        return;
      case 4: {
        const op = random.pick(['shl', 'shr', 'sar', 'rol', 'ror', 'rcl', 'rcr']);
        lines.push(
          `${op} ${random.below(2) ? reg(w) : mem(w)}, ${random.below(3) ? random.below(40) : 'cl'}`,
        );
        return;
      }
      case 5:
        lines.push(
          `mov ${random.pick([`${reg(w)}, ${mem(w)}`, `${mem(w)}, ${reg(w)}`, `${mem(w)}, ${imm(w)}`])}`,
        );
        return;
      case 6: {
        const to = random.pick(sizes.filter((x) => x > 1));
        const from = to === 2 ? 1 : random.pick([1, 2]);
        const source = random.below(2) ? plainReg(from) : mem(from);
        lines.push(`${random.pick(['movzx', 'movsx'])} ${reg(to)}, ${source}`);
        return;
      }
      case 7:
        if (w > 1) lines.push(`imul ${reg(w)}, ${random.below(2) ? reg(w) : mem(w)}`);
        else lines.push(`${random.pick(['mul', 'imul'])} ${reg(random.pick(sizes))}`);
        return;
      case 8:
        if (w > 1) lines.push(`cmov${random.pick(CC)} ${reg(w)}, ${random.below(2) ? reg(w) : mem(w)}`);
        else lines.push(`set${random.pick(CC)} ${random.below(2) ? reg(1) : mem(1)}`);
        return;
      case 9:
        lines.push(`push ${reg(native)}`, `pop ${reg(native)}`);
        return;
      case 10:
      case 11: {
        const over = `L${label++}`;
        if (random.below(2)) lines.push(`cmp ${reg(w)}, ${reg(w)}`);
        lines.push(`j${random.pick(CC)} ${over}`);
        for (let i = random.below(3); i >= 0; i--) one();
        lines.push(`${over}:`);
        return;
      }
      case 12: {
        const again = `L${label++}`;
        lines.push(
          `mov cl, ${1 + random.below(4)}`,
          `${again}:`,
          `add ${mem(1)}, cl`,
          'dec cl',
          `jnz ${again}`,
        );
        return;
      }
      case 13:
        lines.push('call F1');
        return;
      case 14: {
        // Patch the immediate of an instruction ahead or just behind.
        const patched = `L${label++}`;
        const store = `mov byte [${patched}+1], ${random.below(256)}`;
        if (random.below(2)) lines.push(store, `${patched}: add al, ${random.below(100)}`);
        else lines.push(`${patched}: add al, ${random.below(100)}`, store);
        return;
      }
      case 15:
        lines.push(`xor byte [S1+1], ${random.below(256)}`);
        return;
      case 16:
        if (w > 1)
          lines.push(
            `${random.pick(['bt', 'bts', 'btr', 'btc'])} ${random.below(2) ? reg(w) : mem(w)}, ${random.below(64)}`,
          );
        else lines.push(`xchg ${reg(4)}, ${mem(4)}`);
        return;
      case 17:
        if (w > 1) lines.push(`${random.pick(['bsf', 'bsr'])} ${reg(w)}, ${reg(w)}`);
        else lines.push(`lea ${reg(native)}, [${si}+${bx}+${random.below(100)}]`);
        return;
      case 18:
        lines.push(
          `${random.pick(['xadd', 'cmpxchg'])} ${random.below(2) ? plainReg(w) : mem(w)}, ${plainReg(w)}`,
        );
        return;
      case 19:
        lines.push(
          random.pick(['lahf', 'sahf', 'cbw', 'cwd', 'cwde', 'cdq', 'clc', 'stc', 'cmc', 'cld', 'nop']),
        );
        return;
      case 20:
        lines.push(
          'xor edx, edx',
          'mov ecx, 77',
          `${random.pick(['div', 'idiv'])} ecx`.replace('idiv ecx', 'div ecx'),
        );
        return;
      case 21: {
        const target = `L${label++}`;
        lines.push(`mov ${NAMES[native]![0]}, ${target}`, `jmp ${NAMES[native]![0]}`, `${target}:`);
        return;
      }
      case 22: {
        const di = bits === 64 ? 'rdi' : bits === 32 ? 'edi' : 'di';
        const cx = bits === 64 ? 'rcx' : bits === 32 ? 'ecx' : 'cx';
        lines.push(`mov ${di}, ${BORDER - 6}`, `mov ${cx}, ${1 + random.below(12)}`, 'rep stosb');
        return;
      }
      case 23:
        if (device && bits !== 16)
          lines.push(`mov ${reg(4)}, [${bits === 64 ? 'r15' : 'DEVICE'}+${random.below(16) * 4}]`);
        return;
      case 24:
        if (device && bits !== 16)
          lines.push(
            `add dword [${bits === 64 ? 'r15' : 'DEVICE'}+${random.below(16) * 4}], ${random.below(99)}`,
          );
        return;
      case 25:
        lines.push('call S1');
        return;
      case 26: {
        const wide = mem(4).replace('dword ', '');
        const device16 = device && bits !== 16 && random.below(6) === 0;
        const place = device16 ? `[${bits === 64 ? 'r15' : 'DEVICE'}+${random.below(48)}]` : wide;
        const x = `xmm${random.below(8)}`;
        lines.push(`movdqu ${random.pick([`${x}, ${place}`, `${place}, ${x}`])}`);
        return;
      }
      case 27: {
        // Sums, comparisons, shuffles and a register's way there.
        const registers = 0xc0 | random.below(64);
        const opcode = random.pick([
          0xfc, 0xfd, 0xfe, 0xd4, 0xef, 0xdb, 0x74, 0x66, 0x61, 0x6c, 0xd2, 0xe4, 0xf5,
        ]);
        lines.push(
          random.pick([
            `db 66h, 0fh, ${opcode}, ${registers}`,
            `db 66h, 0fh, 70h, ${registers}, ${random.next() & 0xff}`,
            `db 66h, 0fh, 6eh, ${registers & ~7}`,
            `db 66h, 0fh, 7eh, ${(registers & ~7) | random.below(3)}`,
          ]),
        );
        return;
      }
    }
  };
  const body = 40 + random.below(60);
  for (let i = 0; i < body; i++) one();
  return [
    'DEVICE equ 0xfee00000',
    'start:',
    ...lines,
    'jmp start',
    'F1: add eax, 3',
    'ret',
    'times 0xf00-($-$$) db 0x90', // the code goes on across the page border
    'S1: add al, 1',
    'adc dl, ah',
    'jmp S2',
    'times 0xffd-($-$$) db 0x90',
    'S2: mov ecx, 0x12345678', // lies on two pages
    'ret',
  ].join('\n');
}
