/** Sequences of random programs that compute: arithmetic, flags, bits, the stack. */
import { nameOf, Operands } from './tier-operands.ts';
import type { Item } from './tier-program.ts';

/** Sequences that touch registers, flags and plain memory. */
export class PlainLeaves extends Operands {
  /** Arithmetic and logic of two operands. */
  binary(): Item {
    const w = this.width();
    const op = this.random.pick(['add', 'or', 'adc', 'sbb', 'and', 'sub', 'xor', 'cmp', 'test', 'mov']);
    const forms = [
      `${this.reg(w, true)}, ${this.reg(w, true)}`,
      `${this.reg(w)}, ${this.imm(w)}`,
      `${this.mem(w)}, ${this.reg(w, true)}`,
      `${this.mem(w)}, ${this.imm(w)}`,
    ];
    if (op !== 'test') forms.push(`${this.reg(w, true)}, ${this.mem(w)}`);
    return this.one(`${op} ${this.random.pick(forms)}`);
  }

  unary(): Item {
    const w = this.width();
    return this.one(
      `${this.random.pick(['inc', 'dec', 'neg', 'not'])} ${this.random.below(2) ? this.reg(w) : this.mem(w)}`,
    );
  }

  shift(): Item {
    const w = this.width();
    const op = this.random.pick(['shl', 'shr', 'sar', 'rol', 'ror', 'rcl', 'rcr']);
    if (this.random.below(6) === 0 && w > 1) {
      const count = this.random.below(2) ? 'cl' : String(this.random.below(33));
      return this.one(
        `${this.random.pick(['shld', 'shrd'])} ${this.random.below(2) ? this.reg(w) : this.mem(w)}, ${this.reg(w)}, ${count}`,
      );
    }
    const lines: string[] = [];
    if (this.has('c') && this.random.below(4) === 0)
      lines.push(`mov cl, ${this.random.pick([0, 0, 1, 8, 16, 31, 32, 33, 64])}`);
    const count = this.random.below(3) ? String(this.random.below(40)) : 'cl';
    lines.push(`${op} ${this.random.below(2) ? this.reg(w) : this.mem(w)}, ${count}`);
    return this.one(...lines);
  }

  extend(): Item {
    const to = this.width(2);
    const from = to === 2 ? 1 : this.random.pick([1, 2]);
    const source = this.random.below(2) ? this.reg(from, true) : this.mem(from);
    return this.one(`${this.random.pick(['movzx', 'movsx'])} ${this.reg(to)}, ${source}`);
  }

  multiply(): Item {
    const w = this.width();
    if (w > 1 || !this.has('a', 'd')) {
      const wide = Math.max(w, 2);
      return this.one(`imul ${this.reg(wide)}, ${this.random.below(2) ? this.reg(wide) : this.mem(wide)}`);
    }
    return this.one(`${this.random.pick(['mul', 'imul'])} ${this.reg(this.width(), true)}`);
  }

  /** A division that may fault: the handler goes on behind it. */
  divide(): Item {
    if (!this.has('a', 'd')) return this.binary();
    const w = this.width();
    const op = this.random.pick(['div', 'idiv']);
    if (this.random.below(3)) {
      const clear =
        w === 1 ? 'mov ah, 0' : `xor ${nameOf('d', Math.max(w, 2))}, ${nameOf('d', Math.max(w, 2))}`;
      return this.guarded([clear, `${op} ${this.mem(w)}`]);
    }
    return this.guarded([`${op} ${this.random.below(2) ? this.reg(w, true) : this.mem(w)}`]);
  }

  conditional(): Item {
    const w = this.width();
    if (w > 1)
      return this.one(`cmov${this.cc()} ${this.reg(w)}, ${this.random.below(2) ? this.reg(w) : this.mem(w)}`);
    return this.one(`set${this.cc()} ${this.random.below(2) ? this.reg(1) : this.mem(1)}`);
  }

  bits(): Item {
    const w = this.width(2);
    switch (this.random.below(4)) {
      case 0:
        return this.one(
          `${this.random.pick(['bsf', 'bsr'])} ${this.reg(w)}, ${this.random.below(2) ? this.reg(w) : this.mem(w)}`,
        );
      case 1: {
        // A register offset in memory reaches far: keep it small.
        const index = nameOf('b', w);
        return this.one(
          `${this.random.pick(['bt', 'bts', 'btr', 'btc'])} ${this.random.below(2) ? this.reg(w) : this.mem(w)}, ${index}`,
        );
      }
      case 2:
        return this.one(this.s.bits === 64 || w !== 8 ? `bswap ${this.reg(w === 2 ? 4 : w)}` : 'nop');
      default:
        return this.one(
          `${this.random.pick(['bt', 'bts', 'btr', 'btc'])} ${this.random.below(2) ? this.reg(w) : this.mem(w)}, ${this.random.below(64)}`,
        );
    }
  }

  exchange(): Item {
    const w = this.width();
    const lock = this.random.below(4) === 0;
    const op = this.random.pick(['xchg', 'xadd', 'cmpxchg']);
    if (op === 'cmpxchg' && !this.has('a')) return this.unary();
    const to = lock || this.random.below(2) ? this.mem(w) : this.reg(w, true);
    return this.one(`${lock ? 'lock ' : ''}${op} ${to}, ${this.reg(w, true)}`);
  }

  flags(): Item {
    const random = this.random;
    const a = this.has('a');
    return this.one(
      random.pick([
        ...(a ? ['lahf', 'sahf', 'cbw', 'cwde', 'salc'].slice(0, this.s.bits === 64 ? 4 : 5) : []),
        ...(a && this.has('d') ? ['cwd', 'cdq'] : []),
        'clc',
        'stc',
        'cmc',
        'nop',
        `rcl ${this.reg(this.width())}, 1`,
        `adc ${this.reg(4)}, 0`,
      ]),
    );
  }

  stack(): Item {
    const random = this.random;
    const n = this.native;
    const sp = this.n('sp');
    switch (random.below(6)) {
      case 0:
        return this.one(`push ${this.reg(n)}`, `pop ${this.reg(n)}`);
      case 1:
        return this.one(`pushf`, `pop ${this.reg(n)}`);
      case 2:
        return this.one(`push ${this.mem(n)}`, `pop ${this.mem(n)}`);
      case 3:
        return this.one(`push ${this.imm(1)}`, `pop ${this.reg(n)}`);
      case 4:
        if (!this.has('bp')) return this.flags();
        return this.one(`push ${this.n('bp')}`, `mov ${this.n('bp')}, ${sp}`, `sub ${sp}, 24`, 'leave');
      default:
        // Flags pushed, changed and popped: CF, ZF, DF stays.
        return this.one(
          'pushf',
          `pop ${this.reg(n)}`,
          `push ${random.pick([0x46, 0x93, 0x202, 0x2d7])}`,
          'popf',
          ...(random.below(2) ? ['sti'] : []),
        );
    }
  }

  lea(): Item {
    const w = this.width(2);
    return this.one(`lea ${this.reg(w)}, [${this.n('si')}+${this.n('b')}+${this.random.below(100)}]`);
  }
}
