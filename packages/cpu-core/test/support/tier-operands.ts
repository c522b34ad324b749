/** Registers, operands and frames of the sequences that random programs of the tier comparison are made of. */
import type { Bits } from './flat-machine.ts';
import type { Random } from './random.ts';
import * as M from './tier-map.ts';
import type { Item } from './tier-program.ts';

/** Families of general registers that a sequence may change: `a` is AL, AH, AX, EAX and RAX. */
export type Family = 'a' | 'c' | 'd' | 'di' | 'bp' | 'r8' | 'r9' | 'r10' | 'r12' | 'r13';

/** Where a sequence stands. */
export interface Scope {
  readonly random: Random;
  readonly bits: Bits;
  readonly user: boolean;
  /** Registers it may change. SI is {@link M.BORDER} and BX a small index; R15 is the device. */
  readonly free: readonly Family[];
  /** Labels of code that may be patched: name and offset of the byte or dword, and what it may become. */
  readonly patches: { readonly label: string; readonly offset: number; readonly width: 1 | 4 | 12 }[];
  /** Numbers for labels. */
  readonly serial: { next: number };
}

const CC = ['o', 'no', 'b', 'ae', 'e', 'ne', 'be', 'a', 's', 'ns', 'p', 'np', 'l', 'ge', 'le', 'g'];
/** Size keywords by width, bytes. */
export const WORD: Readonly<Record<number, string>> = { 1: 'byte', 2: 'word', 4: 'dword', 8: 'qword' };

/** Name of a register of a width, bytes. */
export function nameOf(family: Family | 'si' | 'b' | 'sp', width: number): string {
  if (family.startsWith('r')) return `${family}${{ 1: 'b', 2: 'w', 4: 'd', 8: '' }[width]}`;
  const short = family.length === 1 ? `${family}x` : family;
  if (width === 1) return `${family.length === 1 ? family : family}l`;
  return `${{ 2: '', 4: 'e', 8: 'r' }[width]}${short}`;
}

/** Operands for one scope. */
export class Operands {
  readonly s: Scope;
  readonly native: number;

  constructor(scope: Scope) {
    this.s = scope;
    this.native = scope.bits / 8;
  }

  get random(): Random {
    return this.s.random;
  }

  cc(): string {
    return this.random.pick(CC);
  }

  width(least = 1): number {
    const sizes = [1, 2, 4, 8].filter((x) => x >= least && (x < 8 || this.s.bits === 64));
    return this.random.pick(sizes);
  }

  /** A register that may be changed. `low`: no AH (it cannot stand beside a REX prefix). */
  reg(width: number, low = false): string {
    const { free, bits } = this.s;
    const able = width > 1 || bits === 64 ? free : free.filter((x) => x.length === 1);
    const family = this.random.pick(able.length > 0 ? able : (['a'] as const));
    if (width > 1) return nameOf(family, width);
    if (bits === 64 && family.length > 1) return low ? nameOf(family, 1) : 'al';
    return !low && this.random.below(3) === 0 ? `${family}h` : `${family}l`;
  }

  has(...families: Family[]): boolean {
    return families.every((family) => this.s.free.includes(family));
  }

  /** Register of the native width. */
  n(family: Family | 'si' | 'b' | 'sp'): string {
    return nameOf(family, this.native);
  }

  imm(width: number): string {
    return String(BigInt.asIntN(width === 8 ? 32 : width * 8, this.random.value()));
  }

  /** A memory operand: around the page border, on the code's page, or on the stack. */
  mem(width: number): string {
    const random = this.random;
    const disp = random.below(40) - 20;
    const signed = disp < 0 ? `${disp}` : `+${disp}`;
    switch (random.below(16)) {
      case 0:
        return `${WORD[width]} [${M.DATA_BY_CODE + random.below(64)}]`;
      case 1:
        if (this.s.bits !== 16) return `${WORD[width]} [${this.n('sp')}-${64 + random.below(64)}]`;
        return `${WORD[width]} [${M.STACK - 0x80 + random.below(16)}]`;
      case 2:
      case 3:
      case 4: {
        const scale = this.s.bits === 16 ? '' : `*${random.pick([1, 2, 4, 8])}`;
        return `${WORD[width]} [${this.n('si')}+${this.n('b')}${scale}${signed}]`;
      }
      case 5:
        // FS and GS have bases of their own.
        return `${WORD[width]} [${random.pick(['fs', 'gs'])}:${this.n('si')}${signed}]`;
      case 6:
        // The other address size.
        if (this.s.bits === 32) return `${WORD[width]} [si+bx${signed}]`;
        return `${WORD[width]} [esi+ebx*${random.pick([1, 2, 4, 8])}${signed}]`;
      default:
        return `${WORD[width]} [${this.n('si')}${signed}]`;
    }
  }

  one(...open: string[]): Item {
    return { open };
  }

  /** Lines of which one may fault; the handler goes on behind them with `extra` words left on the stack by them. */
  guarded(lines: readonly string[], after: readonly string[] = [], extra = 0): Item {
    const n = this.native;
    const sp = this.n('sp');
    // What the lines pushed lies under the place to go on at: put that on top again.
    const [pushes, rest] = [lines.slice(0, extra), lines.slice(extra)];
    const drop = this.s.bits === 16 ? `add sp, ${n * (1 + extra)}` : `lea ${sp}, [${sp}+${n * (1 + extra)}]`;
    return { open: [...pushes, 'push %g', ...rest, '%g:', drop, ...after] };
  }
}
