/** Stacks from the task-state segment. Intel SDM Vol. 3, "Task-State Segment (TSS)", "64-Bit TSS". */
import { DESC_TYPE_TSS_AVAIL, SEG_TR, TS_VECTOR } from '@smm/x86-defs';
import type { Processor } from '../processor.ts';

/** A stack pointer that the TSS holds. */
export interface TssStack {
  /** Stack segment selector. */
  selector: number;
  /** Stack pointer. */
  pointer: number;
}

function address(cpu: Processor, offset: number, size: number, ext: number): number {
  const s = cpu.state;
  if (offset + size - 1 > s.segLimit(SEG_TR)) cpu.fault(TS_VECTOR, (s.segSelector(SEG_TR) & 0xfffc) | ext);
  const at = s.segBase(SEG_TR) + offset;
  return cpu.longMode ? at : at >>> 0;
}

/** SS:ESP or SS:SP for a privilege level from a 32- or 16-bit TSS. */
export function tssStack(cpu: Processor, dpl: number, ext: number): TssStack {
  const wide = (cpu.state.segAttr(SEG_TR) & 0xf) >= DESC_TYPE_TSS_AVAIL;
  const size = wide ? 4 : 2;
  const at = address(cpu, wide ? 4 + dpl * 8 : 2 + dpl * 4, wide ? 6 : 4, ext);
  return {
    pointer: cpu.memory.load(at, size, false),
    selector: cpu.memory.load((at + size) >>> 0, 2, false),
  };
}

function longPointer(cpu: Processor, offset: number, ext: number): number {
  const { memory } = cpu;
  memory.loadWords(address(cpu, offset, 8, ext), false);
  return (memory.high | 0) * 0x1_0000_0000 + memory.low;
}

/** RSP for a privilege level from a 64-bit TSS, signed; exact where canonical. */
export function tssRsp(cpu: Processor, dpl: number, ext: number): number {
  return longPointer(cpu, 4 + dpl * 8, ext);
}

/** Interrupt stack 1..7 from a 64-bit TSS, signed; exact where canonical. */
export function tssIst(cpu: Processor, ist: number, ext: number): number {
  return longPointer(cpu, 0x24 + (ist - 1) * 8, ext);
}
