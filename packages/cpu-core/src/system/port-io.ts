/** IN and OUT with their privilege checks. Intel SDM Vol. 1, "I/O Permission Bit Map". */
import {
  CR0_PE,
  DESC_TYPE_TSS_AVAIL,
  DESC_TYPE_TSS_BUSY,
  GP_VECTOR,
  RFLAGS_IOPL,
  RFLAGS_VM,
  SEG_TR,
} from '@smm/x86-defs';
import { type Insn, K_IMM } from '../insn.ts';
import type { Processor } from '../processor.ts';

/** Widths of port accesses, bytes. */
export type PortSize = 1 | 2 | 4;

/** Offset of the I/O map base in a TSS. */
const TSS_IO_MAP_BASE = 0x66;

/** Raises #GP(0) if the current privilege may not touch the ports. */
export function checkPort(cpu: Processor, port: number, size: number): void {
  const s = cpu.state;
  if (!(s.cr0 & CR0_PE)) return;
  const flags = s.eflags;
  if (!(flags & RFLAGS_VM) && cpu.cpl <= (flags & RFLAGS_IOPL) >> 12) return;
  const type = s.segAttr(SEG_TR) & 0x9f;
  const limit = s.segLimit(SEG_TR);
  const tss32 = type === (0x80 | DESC_TYPE_TSS_AVAIL) || type === (0x80 | DESC_TYPE_TSS_BUSY);
  if (!tss32 || limit < TSS_IO_MAP_BASE + 1) cpu.fault(GP_VECTOR, 0);
  const base = s.segBase(SEG_TR);
  const map = cpu.memory.load(base + TSS_IO_MAP_BASE, 2, false);
  const at = map + (port >>> 3);
  if (at + 1 > limit) cpu.fault(GP_VECTOR, 0);
  const bits = cpu.memory.load(base + at, 2, false);
  if ((bits >> (port & 7)) & ((1 << size) - 1)) cpu.fault(GP_VECTOR, 0);
}

function portNumber(cpu: Processor, kind: number, insn: Insn): number {
  return kind === K_IMM ? insn.imm & 0xff : cpu.state.gpr16(2);
}

/** IN. */
export function execIn(cpu: Processor, insn: Insn): void {
  const s = cpu.state;
  const port = portNumber(cpu, insn.kind1, insn);
  checkPort(cpu, port, insn.size);
  const value = cpu.ports.io.in(port, insn.size as PortSize, cpu.attrs());
  if (insn.size === 1) s.setGpr8(0, value);
  else if (insn.size === 2) s.setGpr16(0, value);
  else s.setGpr32(0, value);
}

/** OUT. */
export function execOut(cpu: Processor, insn: Insn): void {
  const s = cpu.state;
  const port = portNumber(cpu, insn.kind0, insn);
  checkPort(cpu, port, insn.size);
  const value = insn.size === 1 ? s.gpr8(0) : insn.size === 2 ? s.gpr16(0) : s.gpr32(0);
  cpu.ports.io.out(port, insn.size as PortSize, value, cpu.attrs());
}
