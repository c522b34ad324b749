/** Sequences of random programs that jump, write code, fault, or meet devices and changing pages. */
import { VectorLeaves } from './tier-leaves-vector.ts';
import * as M from './tier-map.ts';
import { nameOf, WORD } from './tier-operands.ts';
import type { Item } from './tier-program.ts';

/** All sequences for one scope. */
export class Leaves extends VectorLeaves {
  /** A return address of one's own, an indirect jump or call, a jump table. */
  indirect(): Item {
    const random = this.random;
    const n = this.native;
    const sp = this.n('sp');
    switch (random.below(6)) {
      case 0:
        return this.one(
          `mov ${this.n('a')}, %a`,
          `jmp ${this.n('a')}`,
          'inc dword [si]'.replace('[si]', `[${this.n('si')}]`),
          '%a:',
        );
      case 1:
        return this.one('push %a', 'ret', 'ud2', '%a:');
      case 2:
        return this.one('call %a', '%a:', `pop ${this.reg(n)}`);
      case 3:
        // Two calls, one return to the outer one.
        return this.one(
          'call %a',
          'jmp %e',
          '%a: call %b',
          '%b:',
          `lea ${sp}, [${sp}+${n}]`.replace('lea sp, [sp+2]', 'add sp, 2'),
          'ret',
          '%e:',
        );
      case 4:
        return this.one(
          `mov ${this.n('a')}, %a`,
          `call ${this.n('a')}`,
          'jmp %e',
          '%a:',
          `add ${this.reg(this.width(2))}, 7`,
          'ret',
          '%e:',
        );
      default: {
        if (!this.has('di')) return this.flags();
        const di = this.n('di');
        const d = { 2: 'dw', 4: 'dd', 8: 'dq' }[n];
        const arm = (k: number): string[] => [
          `%${k}:`,
          `${random.pick(['add', 'xor', 'sbb'])} ${this.reg(4)}, ${k * 77 + 1}`,
          'jmp %e',
        ];
        return this.one(
          ...(this.s.bits === 16
            ? ['and di, 3', 'shl di, 1', 'jmp [di+%t]']
            : [`and ${nameOf('di', 4)}, 3`, `jmp [${di}*${n}+%t]`]),
          `%t: ${d} %0, %1, %2, %3`,
          ...arm(0),
          ...arm(1),
          ...arm(2),
          ...arm(3),
          '%e:',
        );
      }
    }
  }

  /** Code that is written over: by itself, by others, by the other processor, by the host. */
  patchable(): Item {
    const random = this.random;
    const { serial, patches } = this.s;
    switch (random.below(4)) {
      case 0: {
        const label = `p${serial.next++}`;
        patches.push({ label, offset: 1, width: 1 });
        return {
          open: [`${random.pick(['add', 'xor', 'sub', 'cmp', 'adc'])} al, ${random.below(100)}`],
          gives: label,
        };
      }
      case 1: {
        const label = `q${serial.next++}`;
        patches.push({ label, offset: this.s.bits === 16 ? 2 : 1, width: 4 });
        return { open: [`mov ${this.has('d') ? 'edx' : 'eax'}, 0x12345678`], gives: label };
      }
      case 2: {
        const label = `poke${serial.next++}`;
        patches.push({ label, offset: 0, width: 1 });
        return { open: ['nop'], gives: label };
      }
      default: {
        const label = `s${serial.next++}`;
        patches.push({ label, offset: 0, width: 12 });
        return { open: ['times 12 nop'], gives: label };
      }
    }
  }

  /** Writes over such code. */
  patch(): Item {
    const random = this.random;
    const { patches } = this.s;
    if (patches.length === 0) return this.patchable();
    // The latest is near, often in the same loop.
    const target = random.below(2) ? patches.at(-1)! : random.pick(patches);
    const at = `@${target.label}+${target.offset}`;
    const needs = [target.label];
    const harmless = random.pick(M.HARMLESS);
    if (target.width === 12) {
      if (!this.has('c', 'di', 'a')) return this.flags();
      const n = 1 + random.below(12);
      return {
        open: [`mov ${this.n('di')}, ${at}`, `mov ${this.n('c')}, ${n}`, `mov al, ${harmless}`, 'rep stosb'],
        needs,
      };
    }
    if (target.width === 4)
      return {
        open: [
          `${random.pick(['mov', 'add', 'xor'])} ${random.pick(['dword', 'word'])} [${at}], ${random.below(30_000)}`,
        ],
        needs,
      };
    if (target.offset === 0) return { open: [`mov byte [${at}], ${harmless}`], needs };
    return { open: [`${random.pick(['mov', 'xor', 'add'])} byte [${at}], ${random.below(100)}`], needs };
  }

  /** String instructions: across pages, onto the device, onto code, into missing pages. */
  string(): Item {
    const random = this.random;
    if (!this.has('a', 'c', 'di')) return this.binary();
    const [si, di, c] = [this.n('si'), this.n('di'), this.n('c')];
    const w = this.random.pick(this.s.bits === 64 ? ['b', 'w', 'd', 'q'] : ['b', 'w', 'd']);
    const op = random.pick(['movs', 'movs', 'stos', 'stos', 'lods', 'cmps', 'scas']);
    const rep =
      op === 'cmps' || op === 'scas'
        ? random.pick(['repe ', 'repne ', ''])
        : random.pick(['rep ', 'rep ', '']);
    const near = (page: number): number => page - random.below(40);
    const from = random.pick([
      near(M.BORDER),
      near(M.BORDER),
      M.BORDER + random.below(64),
      near(M.DEVICE_PAGE + 0x40),
      near(M.DEMAND_PAGE),
      M.READ_ONLY_PAGE + random.below(80),
    ]);
    const to = random.pick([
      near(M.BORDER),
      near(M.BORDER),
      M.BORDER + random.below(64),
      M.DEVICE_PAGE + 0x200 + random.below(64),
      near(M.MISSING_PAGE),
      M.DEMAND_PAGE + random.below(32),
      M.DATA_BY_CODE - random.below(16),
      M.RIGHTS_BYTE + 0x800,
      near(M.READ_ONLY_PAGE + 16),
    ]);
    const n = random.pick([0, 1, 2, 3, 5, 12, 40, 40, 300]);
    // A copy onto itself a few bytes on.
    const overlap = op === 'movs' && random.below(4) === 0;
    const start = overlap ? near(M.BORDER) : from;
    const down = random.below(6) === 0;
    return this.guarded(
      [
        `push ${si}`,
        ...(op === 'stos' || op === 'scas' ? [] : [`mov ${si}, ${start}`]),
        `mov ${di}, ${overlap ? start + random.below(9) : to}`,
        ...(random.below(8) ? [`mov ${c}, ${rep ? n : random.below(3)}`] : [`and ${c}, 63`]),
        ...(down ? ['std'] : []),
        `${rep}${op}${w}`,
      ],
      ['cld', `mov ${si}, ${M.BORDER}`],
      1,
    );
  }

  /** A fault in the middle of ordinary code. */
  fault(): Item {
    const random = this.random;
    const w = this.width();
    const { bits, user } = this.s;
    const missing = M.MISSING_PAGE + random.below(0x1000 - 8);
    const readOnly = M.READ_ONLY_PAGE + random.below(0x1000 - 8);
    const kinds: string[][] = [
      ['ud2'],
      [`mov ${this.reg(w)}, [${missing}]`],
      [`mov [${missing}], ${this.reg(w)}`],
      [`${random.pick(['add', 'adc', 'xor', 'sub'])} [${readOnly}], ${this.reg(w)}`],
      [`${random.pick(['add', 'sbb'])} ${this.reg(w)}, [${missing}]`],
      [`inc ${WORD[w]} [${readOnly}]`],
      [`xadd [${readOnly}], ${this.reg(w, true)}`],
      [`mov ${WORD[Math.max(w, 2)]} [${M.MISSING_PAGE + 0xfff}], 5`],
      [`push ${WORD[this.native]} [${missing}]`],
      [`jmp ${M.MISSING_PAGE + 0x10}`],
      [`call [${missing}]`],
      ['div byte [%z]'.replace('%z', String(M.COUNTERS + 0x1fc))],
    ];
    if (bits === 64) kinds.push(['mov rax, 0x800000000000', `mov [rax], ${this.reg(w)}`]);
    if (bits === 32) kinds.push(['mov ax, 0xfff8', 'mov fs, ax']);
    if (bits === 16) kinds.push([`mov ${this.reg(2)}, [0xffff]`]);
    if (user) kinds.push(['hlt'], [`mov ${nameOf('a', Math.max(this.native, 4))}, cr0`]);
    return this.guarded(random.pick(kinds));
  }

  /** Accesses to the device, some of which do something. */
  device(): Item {
    const random = this.random;
    const at = (offset: number): string =>
      this.s.bits === 64 && random.below(2) ? `[r15+${offset}]` : `[${M.DEVICE_PAGE + offset}]`;
    switch (random.below(5)) {
      case 0:
        return this.one(`mov ${this.reg(this.width(), true)}, ${at(random.below(16) * 4)}`);
      case 1:
        return this.one(
          `${random.pick(['add', 'xor', 'or'])} dword ${at(random.below(16) * 4)}, ${random.below(99)}`,
        );
      case 2:
        return this.one(`mov ${this.reg(4)}, ${at(M.DEV_TIME)}`);
      case 3:
        return this.one(
          `mov ${WORD[random.pick([1, 2, 4])]} ${at(random.pick([M.DEV_IRQ, M.DEV_SMI, M.DEV_IRQ_OTHER, M.DEV_SMI_OTHER, M.DEV_EXIT, M.DEV_SWAP, M.DEV_POKE, M.DEV_NMI]))}, ${random.below(100)}`,
        );
      default:
        // Half of it on the page before.
        return this.one(
          `mov ${random.below(2) ? `${this.reg(4)}, [${M.DEVICE_PAGE - 2}]` : `[${M.DEVICE_PAGE - 1}], ${this.reg(4)}`}`,
        );
    }
  }

  /** Mappings and rights change by the guest's own doing. */
  mapping(): Item {
    const random = this.random;
    if (!this.has('a')) return this.flags();
    const out = (value: number): string[] => [`mov al, ${value}`, `out ${M.PORT}, al`];
    const plain = [M.OUT_DEMAND_OUT, M.OUT_CODE_NX, M.OUT_CODE_READ_ONLY, M.OUT_CODE_MISSING, M.OUT_SWAP];
    if (this.s.user || random.below(3)) return this.one(...out(random.pick(plain)));
    return random.below(2)
      ? this.one(...out(M.OUT_SWAP_LAZY), `invlpg [${M.SWAP_PAGE}]`)
      : this.one(...out(M.OUT_DEMAND_OUT_LAZY), `invlpg [${M.DEMAND_PAGE}]`);
  }

  /** Runs code, or stores, on the pages whose rights and mappings change. */
  changing(): Item {
    const random = this.random;
    const w = this.width();
    const page = random.pick([M.RIGHTS_PAGE, M.ALIAS_PAGE, M.SWAP_PAGE, M.SWAP_PAGE]);
    switch (random.below(5)) {
      case 0:
      case 1:
        if (!this.has('a', 'd')) return this.flags();
        return this.one(`call ${page + random.pick(M.FIXED_ENTRIES)}`);
      case 2:
        return this.one(`mov byte [${random.pick([M.RIGHTS_PAGE, M.ALIAS_PAGE]) + 2}], ${random.below(100)}`);
      case 3:
        return this.one(
          `${random.pick(['add', 'mov', 'xor'])} ${WORD[w]} [${M.DEMAND_PAGE + random.below(64)}], ${this.reg(w, true)}`,
        );
      default:
        return this.one(`mov ${this.reg(w)}, [${page + 0xf00 + random.below(32)}]`);
    }
  }

  /** Single-stepped for a while. */
  singleStep(body: readonly Item[]): Item {
    const top = this.n('sp');
    const flag = this.s.bits === 16 ? [] : [`or dword [${top}], 0x100`];
    const clear = this.s.bits === 16 ? [] : [`and dword [${top}], -257`];
    if (this.s.bits === 16) {
      return {
        open: ['push bp', 'pushf', 'mov bp, sp', 'or word [bp], 0x100', 'popf', 'pop bp'],
        body,
        close: ['push bp', 'pushf', 'mov bp, sp', 'and word [bp], -257', 'popf', 'pop bp'],
      };
    }
    return { open: ['pushf', ...flag, 'popf'], body, close: ['pushf', ...clear, 'popf'] };
  }

  /** Time, identification and other instructions that leave the generated code. */
  system(): Item {
    const { bits, user } = this.s;
    const list = ['cld', 'pause'];
    if (this.has('a', 'd')) list.push('rdtsc');
    if (this.has('a')) list.push(`in al, ${M.PORT}`, `in eax, ${M.PORT}`);
    list.push(`out ${M.PORT + 1}, al`);
    for (const op of ['sidt', 'sgdt']) list.push(`${op} ${this.mem(4).replace('dword ', '')}`);
    if (!user) list.push('cli', 'sti', 'hlt', 'wbinvd');
    if (this.has('a') && bits !== 64) list.push('daa', 'aaa');
    return this.one(this.random.pick(list));
  }

  /** Walks a pointer over memory, across a page border. */
  stream(): Item {
    const random = this.random;
    if (!this.has('di')) return this.binary();
    const w = this.width();
    const di = this.n('di');
    const pages: [number, number][] = [
      [M.BORDER - 0x80, 0x100],
      [M.BORDER - 0x40, 0x200],
      [M.READ_ONLY_PAGE, 0x80],
      [M.DEMAND_PAGE, 0x80],
      [M.DATA_BY_CODE, 0x40],
      [M.DEVICE_PAGE + 0x200 - 16, 32],
    ];
    const [at, length] = random.pick(pages);
    const read = at === M.READ_ONLY_PAGE;
    const others = this.s.free.filter((x) => x !== 'di');
    const inner = new Leaves({ ...this.s, free: others.length > 0 ? others : ['a'] });
    const operand = `${WORD[w]} [${di}]`;
    const work =
      read || random.below(2)
        ? `${random.pick(['add', 'adc', 'xor', 'cmp'])} ${inner.reg(w, true)}, ${operand}`
        : `${random.pick(['add', 'mov', 'sbb', 'xor'])} ${operand}, ${inner.reg(w, true)}`;
    const step = random.pick([w, w, 1, 3]);
    return {
      open: [`mov ${di}, ${at}`, '%:', work],
      close: [`add ${di}, ${step}`, `cmp ${di}, ${at + length}`, 'jb %'],
      body: [],
    };
  }
}
