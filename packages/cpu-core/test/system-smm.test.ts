/** SMI acceptance and RSM, against Intel SDM Vol. 3, "System Management Mode", and the documented deviations. */
import { SAVE_WORD } from '@smm/x86-defs';
import { describe, expect, it } from 'vitest';
import * as L from '../src/layout.ts';
import type { ProcessorBehaviour, ProcessorObserver } from '../src/ports.ts';
import { cpuModel } from '../src/system/models.ts';
import {
  amd64Codec,
  SAVE_AUTO_HALT,
  SAVE_CR0,
  SAVE_CR4,
  SAVE_REVISION,
  SAVE_RIP,
  SAVE_SMBASE,
} from './support/amd64-codec.ts';
import { assemble } from './support/assemble.ts';
import { type Bits, FlatMachine } from './support/flat-machine.ts';

const CODE = 0x1000;
const ENTRY = 0x3_8000;
const SAVE = 0x3_fe00;
const RSM = 'rsm';

/** Real-mode counting loop by default; `handler` runs at SMBASE+8000h. */
function machine(
  options: {
    code?: string;
    handler?: string;
    bits?: Bits;
    behaviour?: Partial<ProcessorBehaviour>;
    observer?: ProcessorObserver;
    model?: string;
  } = {},
) {
  const m = new FlatMachine({
    tier: 'evaluator',
    model: cpuModel(options.model ?? 'qemu64'),
    behaviour: options.behaviour ?? {},
    ports: { saveState: amd64Codec(), ...(options.observer && { observer: options.observer }) },
  });
  const bits = options.bits ?? 16;
  m.load(CODE, assemble(options.code ?? 'again: inc eax\njmp again', { bits, org: CODE }));
  m.load(ENTRY, assemble(options.handler ?? RSM, { bits: 16, org: 0x8000 }));
  m.start(bits, CODE);
  return m;
}

describe('SMI entry', () => {
  it('sets the state that the SDM lists', () => {
    const m = machine({ bits: 64, code: 'nop\nnop' });
    const s = m.cpu.state;
    s.cr4 = 0x620;
    s.cr3 = 0x5000;
    s.cr0 = 0x8001_0033;
    m.cpu.modeChanged();
    m.cpu.raiseSmi();
    m.cpu.run(0);
    expect(s.smm).toBe(false); // no budget, no event
    m.load(ENTRY, Uint8Array.of(0xeb, 0xfe));
    m.cpu.run(1);
    expect(s.smm).toBe(true);
    expect(s.rip).toBe(0x8000n);
    expect([s.segSelector(1), s.segBase(1), s.segLimit(1)]).toEqual([0x3000, 0x3_0000, 0xffff_ffff]);
    for (const segment of [0, 2, 3, 4, 5]) {
      expect([s.segSelector(segment), s.segBase(segment), s.segLimit(segment)]).toEqual([0, 0, 0xffff_ffff]);
    }
    expect(s.rflags).toBe(2);
    expect(s.cr0).toBe(0x1_0032 & ~0xc); // PE, EM, TS, PG cleared
    expect([s.cr4, s.efer, s.cr3, s.get32(L.ST_DR7)]).toEqual([0, 0, 0x5000, 0x400]);
    expect(m.view.getUint32(SAVE + SAVE_REVISION, true)).toBe(0x2_0064);
    expect(m.view.getUint32(SAVE + SAVE_SMBASE, true)).toBe(0x3_0000);
    expect(m.view.getBigUint64(SAVE + 0xd0, true)).toBe(0x500n); // EFER with LMA
  });

  it('runs 16-bit code above 64 K: EIP is not cut by a far-reaching 32-bit jump', () => {
    const m = machine({ handler: 'mov ebp, 0x20000\ndb 0x66\njmp bp' });
    m.load(0x5_0000, assemble('mov byte [cs:dword 0x30000], 0x5a\nrsm', { bits: 16, org: 0 }));
    m.cpu.raiseSmi();
    m.cpu.run(5);
    expect(m.ram[0x6_0000]).toBe(0x5a);
    expect(m.cpu.state.smm).toBe(false);
  });

  it('goes from 16-bit SMM to 64-bit code with PE and PG in one MOV CR0 (edk2 SmmStartup)', () => {
    const m = machine({
      handler: `
        mov eax, 0x1000
        mov cr3, eax
        o32 lgdt [cs:gdtr]
        mov eax, 0x668
        mov cr4, eax
        mov ecx, 0xc0000080
        rdmsr
        or ah, 9
        wrmsr
        mov eax, 0x80010033
        mov cr0, eax
        jmp dword 8:(0x30000+target)
        align 8
        gdt: dq 0, 0x00af9b000000ffff
        gdtr: dw 15
              dd 0x30000+gdt
        bits 64
        target:
        mov rax, 0x1122334455667788
        mov rbx, 0x2000
        mov [rbx], rax
        rsm`,
    });
    m.cpu.raiseSmi();
    const before = m.cpu.state.gpr32(1);
    m.cpu.run(16);
    expect(m.view.getBigUint64(0x2000, true)).toBe(0x1122_3344_5566_7788n);
    const s = m.cpu.state;
    expect([s.smm, s.cr0 & 0x8000_0001, s.efer, s.gpr32(1)]).toEqual([false, 0, 0, before]);
  });
});

describe('RSM', () => {
  it('is #UD outside SMM', () => {
    const m = machine({ code: RSM });
    const seen: number[] = [];
    m.cpu.ports.observer = { interruptDelivered: (_cpu, vector) => void seen.push(vector) };
    m.cpu.run(1);
    expect(seen[0]).toBe(6);
  });

  it('takes a rewritten RIP and SMBASE', () => {
    const m = machine({
      handler: `mov dword [0x${(SAVE + SAVE_RIP).toString(16)}], 0x2000
                mov dword [0x${(SAVE + SAVE_SMBASE).toString(16)}], 0x51800
                rsm`.replaceAll('[0x3', '[dword 0x3'),
    });
    m.load(0x2000, Uint8Array.of(0xf4)); // HLT: the hook
    m.cpu.raiseSmi();
    const exit = m.cpu.run(4);
    expect(exit).toEqual({ reason: 'halted', retired: 4 });
    expect(m.cpu.state.smbase).toBe(0x5_1800);
    expect(m.cpu.state.rip).toBe(0x2001n);
  });

  it.each<[string, Partial<ProcessorBehaviour>, number, number]>([
    ['keeps SMBASE without the relocation bit', {}, 0x64, 0x3_0000],
    ['takes it anyway where the revision is not checked', { rsmChecksRevision: false }, 0x64, 0x5_1800],
    ['masks it', { smbaseMask: 0xffff_8000 }, 0x2_0064, 0x5_0000],
  ])('%s', (_name, behaviour, revision, smbase) => {
    const m = machine({ behaviour, handler: 'hlt\nrsm' });
    m.cpu.raiseSmi();
    m.cpu.run(1);
    m.view.setUint32(SAVE + SAVE_REVISION, revision, true);
    m.view.setUint32(SAVE + SAVE_SMBASE, 0x5_1800, true);
    m.cpu.state.activity &= ~L.ACT_HALTED;
    m.cpu.run(1);
    expect(m.cpu.state.smbase).toBe(smbase);
  });

  it.each<[string, number, number]>([
    ['a reserved CR4 bit', SAVE_CR4, 0x8000_0000],
    ['CR0.PG without PE', SAVE_CR0, 0x8000_0010],
    ['CR0.NW without CD', SAVE_CR0, 0x2000_0010],
  ])('shuts down on %s', (_name, at, value) => {
    const reasons: string[] = [];
    const m = machine({ handler: 'hlt\nrsm', observer: { shutdown: (_cpu, why) => void reasons.push(why) } });
    m.cpu.raiseSmi();
    m.cpu.run(1);
    m.view.setUint32(SAVE + at, value, true);
    m.cpu.state.activity &= ~L.ACT_HALTED;
    expect(m.cpu.run(10).reason).toBe('shutdown');
    expect(reasons[0]).toContain('RSM');
  });
});

describe('latching', () => {
  it('holds one SMI in SMM and takes it right after RSM, before any instruction', () => {
    const log: string[] = [];
    const m = machine({
      observer: {
        smiEntered: (_cpu, _base, rip) => void log.push(`in ${rip.toString(16)}`),
        smmLeft: (_cpu, _old, _new, rip) => void log.push(`out ${rip.toString(16)}`),
      },
      handler: 'nop\nrsm',
    });
    m.cpu.run(3);
    const rip = m.cpu.state.rip.toString(16);
    m.cpu.raiseSmi();
    m.cpu.run(1);
    m.cpu.raiseSmi();
    m.cpu.raiseSmi();
    m.cpu.run(4);
    expect(log).toEqual([`in ${rip}`, `out ${rip}`, `in ${rip}`, `out ${rip}`]);
  });

  it.each([
    [true, true],
    [false, false],
  ])('INIT in SMM with initBlockedInSmm=%s waits for RSM: %s', (initBlockedInSmm, waits) => {
    const m = machine({ behaviour: { initBlockedInSmm }, handler: 'nop\nnop\nrsm' });
    m.cpu.raiseSmi();
    m.cpu.run(1);
    m.cpu.raiseInit();
    m.cpu.run(1);
    expect(m.cpu.state.smm).toBe(waits);
    if (!waits) return;
    m.cpu.run(1); // RSM
    m.load(0xffff0 & 0x3f_ffff, Uint8Array.of(0xf4));
    m.map = (page) => (page === 0xffff_f000 ? 0xff000 : page);
    m.cpu.run(1);
    expect(m.cpu.state.segSelector(1)).toBe(0xf000);
    expect(m.cpu.state.smbase).toBe(0x3_0000);
  });

  it('blocks NMI until RSM, and keeps it blocked if the SMI came inside an NMI handler', () => {
    for (const inside of [false, true]) {
      const m = machine({ handler: 'nop\nrsm' });
      if (inside) m.cpu.state.activity |= L.ACT_NMI_BLOCKED;
      const seen: number[] = [];
      m.cpu.ports.observer = { interruptDelivered: (_cpu, vector) => void seen.push(vector) };
      m.view.setUint32(8, 0x2000, true);
      m.load(0x2000, Uint8Array.of(0x90, 0xcf));
      m.cpu.raiseSmi();
      m.cpu.run(1);
      m.cpu.raiseNmi();
      m.cpu.run(1);
      expect(seen).toEqual([]);
      m.cpu.run(1);
      expect(seen).toEqual(inside ? [] : [2]);
    }
  });
});

describe('SMI and activity', () => {
  it('wakes HLT; RSM halts again while the auto-HALT field is set', () => {
    const m = machine({ code: 'hlt\nnop\nnop' });
    expect(m.cpu.run(5)).toEqual({ reason: 'halted', retired: 1 });
    m.cpu.raiseSmi();
    expect(m.cpu.run(5)).toEqual({ reason: 'halted', retired: 1 });
    expect(m.ram[SAVE + SAVE_AUTO_HALT]).toBe(1);
    expect(m.cpu.state.rip).toBe(BigInt(CODE + 1));
  });

  it('goes on after HLT where the handler cleared the field, or the behaviour has none', () => {
    const clear = `mov byte [dword 0x${(SAVE + SAVE_AUTO_HALT).toString(16)}], 0\nrsm`;
    for (const m of [
      machine({ code: 'hlt\nnop\nnop', handler: clear }),
      machine({ code: 'hlt\nnop\nnop', behaviour: { autoHaltRestart: false } }),
    ]) {
      m.cpu.run(1);
      m.cpu.raiseSmi();
      m.cpu.run(m.ram[ENTRY] === 0x0f ? 2 : 3);
      expect(m.cpu.state.rip).toBe(BigInt(CODE + 2));
    }
  });

  it('stays in HLT with smiWakesHalted=false, the SMI pending', () => {
    const m = machine({ code: 'hlt\nnop', behaviour: { smiWakesHalted: false } });
    m.cpu.run(1);
    m.cpu.raiseSmi();
    expect(m.cpu.run(5)).toEqual({ reason: 'halted', retired: 0 });
    expect(m.cpu.state.activity & L.ACT_SMI_PENDING).toBeTruthy();
  });

  it.each(['latched', 'wakes'] as const)('in wait-for-SIPI: %s', (smiInWaitForSipi) => {
    const m = machine({ behaviour: { smiInWaitForSipi }, handler: 'hlt' });
    m.cpu.reset('power-up', false);
    expect(m.cpu.run(1).reason).toBe('wait-for-sipi');
    m.cpu.raiseSmi();
    const exit = m.cpu.run(1);
    if (smiInWaitForSipi === 'wakes') {
      expect(m.cpu.state.smm).toBe(true);
      return;
    }
    expect(exit).toEqual({ reason: 'wait-for-sipi', retired: 0 });
    m.cpu.raiseSipi(2);
    m.cpu.run(1);
    expect(m.cpu.state.smm).toBe(true);
    expect(m.view.getUint16(SAVE + 0x10, true)).toBe(0x200); // CS of the SIPI
  });

  it('loses the first SMI after INIT where QEMU does', () => {
    const m = machine({ behaviour: { firstSmiAfterInitLost: true } });
    m.cpu.reset('init', false);
    m.cpu.raiseSmi();
    expect(m.cpu.state.activity & L.ACT_SMI_PENDING).toBe(0);
    m.cpu.raiseSmi();
    expect(m.cpu.state.activity & L.ACT_SMI_PENDING).toBeTruthy();
  });

  it('sets IDTR to zero on entry where KVM does', () => {
    const m = machine({ behaviour: { smmEntryIdtr: 'zero' }, handler: 'hlt' });
    m.cpu.state.set32(L.ST_IDTR_LIMIT, 0x3ff);
    m.cpu.raiseSmi();
    m.cpu.run(1);
    expect(m.cpu.state.get32(L.ST_IDTR_LIMIT)).toBe(0);
  });
});

it('leaves EFER alone where the layout cannot hold it (legacy, revision 20000h)', () => {
  const m = machine();
  const codec = amd64Codec();
  m.cpu.ports.saveState = {
    revision: 0x2_0000,
    save: codec.save,
    restore: (area, words) => {
      codec.restore(area, words);
      words.fill(0, SAVE_WORD.efer, SAVE_WORD.efer + 2);
    },
  };
  m.cpu.state.efer = 0x800;
  m.cpu.raiseSmi();
  m.cpu.run(1); // RSM
  expect([m.cpu.state.smm, m.cpu.state.efer]).toEqual([false, 0x800]);
});
