/**
 * Delivery of exceptions and interrupts through the IVT or IDT.
 * Intel SDM Vol. 3, "Exception and Interrupt Handling", "64-Bit Mode Interrupt Handling"; Vol. 2, "INT
 * n/INTO/INT3/INT1".
 */
import {
  CR0_PE,
  DB_VECTOR,
  DE_VECTOR,
  DESC_TYPE_INT_GATE,
  DESC_TYPE_INT_GATE16,
  DESC_TYPE_TASK_GATE,
  DESC_TYPE_TRAP_GATE,
  DESC_TYPE_TRAP_GATE16,
  DF_VECTOR,
  GP_VECTOR,
  NP_VECTOR,
  PF_VECTOR,
  RFLAGS_AC,
  RFLAGS_IF,
  RFLAGS_IOPL,
  RFLAGS_NT,
  RFLAGS_RF,
  RFLAGS_TF,
  RFLAGS_VM,
  SEG_ATTR_CODE,
  SEG_ATTR_DB,
  SEG_ATTR_DC,
  SEG_ATTR_L,
  SEG_ATTR_P,
  SEG_ATTR_S,
  SEG_CS,
  SEG_DS,
  SEG_ES,
  SEG_FS,
  SEG_GS,
  SEG_SS,
  SS_VECTOR,
  TS_VECTOR,
  UnmodelledError,
} from '@smm/x86-defs';
import { VECTOR_SHUTDOWN } from '../fault.ts';
import * as L from '../layout.ts';
import type { Processor } from '../processor.ts';
import { isCanonicalRange } from './operands.ts';
import {
  checkStackSegment,
  type Descriptor,
  isNull,
  loadDescriptor,
  loadNull,
  loadRealSegment,
  markAccessed,
  readDescriptor,
} from './segments.ts';
import { Stack } from './stack.ts';
import { tssIst, tssRsp, tssStack } from './tss.ts';

/**
 * What is delivered. `exception`: a fault (RF is set in the saved flags). `trap`: an exception after its instruction.
 * `software`: INT n, INT3, INTO (the gate's DPL counts). `interrupt`, `nmi`: from outside.
 */
export type DeliveryKind = 'exception' | 'trap' | 'interrupt' | 'nmi' | 'software';

/** Field of RSP. */
const RSP = L.ST_GPR + 4 * 8;

const CONTRIBUTORY: ReadonlySet<number> = new Set([DE_VECTOR, TS_VECTOR, NP_VECTOR, SS_VECTOR, GP_VECTOR]);

/**
 * What comes of a second exception while the first is delivered. Intel SDM Vol. 3, "Conditions for Generating a Double
 * Fault".
 */
function combine(first: number, second: number): 'serial' | 'double' | 'shutdown' {
  if (first === DF_VECTOR) return 'shutdown';
  const secondCounts = CONTRIBUTORY.has(second);
  if (CONTRIBUTORY.has(first) && secondCounts) return 'double';
  return first === PF_VECTOR && (secondCounts || second === PF_VECTOR) ? 'double' : 'serial';
}

/**
 * Delivers an event at RIP; faults met on the way become the second exception, #DF or shutdown. Used between
 * instructions.
 */
export function deliverEvent(
  cpu: Processor,
  firstVector: number,
  firstKind: DeliveryKind,
  firstError = -1,
  firstCr2 = 0,
): void {
  let vector = firstVector;
  let kind = firstKind;
  let error = firstError;
  let cr2 = firstCr2;
  for (;;) {
    if (vector === PF_VECTOR) cpu.state.cr2 = cr2;
    try {
      deliver(cpu, vector, kind, error);
      return;
    } catch (thrown) {
      if (thrown !== cpu.pendingFault) throw thrown;
    }
    const fault = cpu.pendingFault;
    if (fault.vector === VECTOR_SHUTDOWN) {
      cpu.enterShutdown(fault.reason);
      return;
    }
    const result = kind === 'exception' || kind === 'trap' ? combine(vector, fault.vector) : 'serial';
    if (result === 'shutdown') {
      if (fault.vector === PF_VECTOR) cpu.state.cr2 = fault.cr2;
      cpu.enterShutdown(`triple fault: exception ${fault.vector} while delivering #DF`);
      return;
    }
    if (result === 'double' && fault.vector === PF_VECTOR) cpu.state.cr2 = fault.cr2;
    vector = result === 'double' ? DF_VECTOR : fault.vector;
    error = result === 'double' ? 0 : fault.errorCode;
    cr2 = fault.cr2;
    kind = 'exception';
  }
}

/** Delivers one event; a fault on the way is thrown and nothing but memory below the stack pointer has changed. */
export function deliver(cpu: Processor, vector: number, kind: DeliveryKind, error = -1): void {
  const s = cpu.state;
  cpu.ports.observer?.interruptDelivered?.(
    cpu.index,
    vector,
    kind === 'trap' ? 'exception' : kind,
    error < 0 ? undefined : error,
    s.rip,
  );
  if (!(s.cr0 & CR0_PE)) deliverReal(cpu, vector);
  else if (cpu.longMode) deliverLong(cpu, vector, kind, error);
  else deliverProtected(cpu, vector, kind, error);
  s.activity &= ~(L.ACT_SHADOW_STI | L.ACT_SHADOW_MOVSS);
  cpu.modeChanged();
  cpu.recheckInterrupts();
}

function flagsImage(cpu: Processor, vector: number, kind: DeliveryKind): number {
  const flags = cpu.state.rflags;
  return kind === 'exception' && vector !== DB_VECTOR ? flags | RFLAGS_RF : flags;
}

function deliverReal(cpu: Processor, vector: number): void {
  const s = cpu.state;
  if (vector * 4 + 3 > s.idtrLimit) cpu.fault(GP_VECTOR, vector * 8 + 2);
  const at = (s.idtrBase + vector * 4) >>> 0;
  const offset = cpu.memory.load(at, 2, false);
  const selector = cpu.memory.load((at + 2) >>> 0, 2, false);
  const flags = s.rflags;
  const stack = Stack.current(cpu);
  stack.push(flags, 2);
  stack.push(s.segSelector(SEG_CS), 2);
  stack.pushField(L.ST_RIP, 2);
  stack.commit();
  s.rflags = flags & ~(RFLAGS_IF | RFLAGS_TF | RFLAGS_RF | RFLAGS_AC);
  loadRealSegment(cpu, SEG_CS, selector);
  s.setNumber(L.ST_RIP, offset);
}

interface Gate {
  type: number;
  selector: number;
  /** Signed; exact where canonical. */
  offset: number;
  ist: number;
}

/** Reads and checks the IDT entry. */
function readGate(cpu: Processor, vector: number, kind: DeliveryKind, ext: number): Gate {
  const s = cpu.state;
  const long = cpu.longMode;
  const size = long ? 16 : 8;
  const error = (vector * 8 + 2) | ext;
  if (vector * size + size - 1 > s.idtrLimit) cpu.fault(GP_VECTOR, error);
  const base = s.idtrBase + vector * size;
  const at = long ? base : base >>> 0;
  const low = cpu.memory.load(at, 4, false);
  const high = cpu.memory.load(long ? at + 4 : (at + 4) >>> 0, 4, false);
  const top = long ? cpu.memory.load(at + 8, 4, false) : 0;
  const type = (high >>> 8) & 0x1f;
  const wide = type === DESC_TYPE_INT_GATE || type === DESC_TYPE_TRAP_GATE;
  const narrow = type === DESC_TYPE_INT_GATE16 || type === DESC_TYPE_TRAP_GATE16;
  const task = type === DESC_TYPE_TASK_GATE;
  if (!(wide || (!long && (narrow || task)))) cpu.fault(GP_VECTOR, error);
  if (kind === 'software' && ((high >>> 13) & 3) < cpu.cpl) cpu.fault(GP_VECTOR, error);
  if (!(high & 0x8000)) cpu.fault(NP_VECTOR, error);
  if (task) {
    throw new UnmodelledError(
      'CPU_TASK_SWITCH_UNMODELLED',
      `processor ${cpu.index}: vector ${vector} goes through a task gate at RIP ${s.rip.toString(16)}h`,
      'Hardware task switches are not modelled: use an interrupt or trap gate.',
      { vector, rip: s.rip },
    );
  }
  const offset = ((high & 0xffff_0000) | (low & 0xffff)) >>> 0;
  return {
    type,
    selector: low >>> 16,
    offset: narrow ? low & 0xffff : (top | 0) * 0x1_0000_0000 + offset,
    ist: long ? high & 7 : 0,
  };
}

/** The handler's code segment, checked; error codes carry its selector. */
function handlerSegment(cpu: Processor, selector: number, ext: number): Descriptor {
  if (isNull(selector)) cpu.fault(GP_VECTOR, ext);
  const d = readDescriptor(cpu, selector, GP_VECTOR, ext);
  const code = (d.attributes & (SEG_ATTR_S | SEG_ATTR_CODE)) === (SEG_ATTR_S | SEG_ATTR_CODE);
  if (!code || d.dpl > cpu.cpl) cpu.fault(GP_VECTOR, (selector & 0xfffc) | ext);
  if (cpu.longMode && (d.attributes & (SEG_ATTR_L | SEG_ATTR_DB)) !== SEG_ATTR_L) {
    cpu.fault(GP_VECTOR, (selector & 0xfffc) | ext);
  }
  if (!(d.attributes & SEG_ATTR_P)) cpu.fault(NP_VECTOR, (selector & 0xfffc) | ext);
  return d;
}

/** Flags inside the handler: TF NT RF VM cleared, IF too through an interrupt gate. */
function enterHandler(cpu: Processor, gate: Gate, code: Descriptor, cpl: number): void {
  const s = cpu.state;
  let cleared = RFLAGS_TF | RFLAGS_NT | RFLAGS_RF | RFLAGS_VM;
  if (!(gate.type & 1)) cleared |= RFLAGS_IF;
  s.rflags &= ~cleared;
  loadDescriptor(cpu, SEG_CS, (gate.selector & 0xfffc) | cpl, code);
  s.setNumber(L.ST_RIP, gate.offset);
}

function deliverProtected(cpu: Processor, vector: number, kind: DeliveryKind, error: number): void {
  const s = cpu.state;
  const ext = kind === 'software' ? 0 : 1;
  const flags = flagsImage(cpu, vector, kind);
  const vm = (flags & RFLAGS_VM) !== 0;
  if (vm && kind === 'software' && vector !== 3 && vector !== 4 && (flags & RFLAGS_IOPL) !== RFLAGS_IOPL) {
    cpu.fault(GP_VECTOR, 0);
  }
  const gate = readGate(cpu, vector, kind, ext);
  const code = handlerSegment(cpu, gate.selector, ext);
  const size = gate.type >= DESC_TYPE_INT_GATE ? 4 : 2;
  const conforming = (code.attributes & SEG_ATTR_DC) !== 0;
  const inner = !conforming && code.dpl < cpu.cpl;
  if (vm && (!inner || code.dpl !== 0)) cpu.fault(GP_VECTOR, (gate.selector & 0xfffc) | ext);
  let stack: Stack;
  let stackSegment: Descriptor | undefined;
  if (inner) {
    const { selector, pointer } = tssStack(cpu, code.dpl, ext);
    stackSegment = checkStackSegment(cpu, selector, code.dpl, TS_VECTOR, ext);
    stack = Stack.inSegment(cpu, pointer, stackSegment, code.dpl === 3);
    if (vm) for (const segment of [SEG_GS, SEG_FS, SEG_DS, SEG_ES]) stack.push(s.segSelector(segment), size);
    stack.push(s.segSelector(SEG_SS), size);
    stack.pushField(RSP, size);
  } else stack = Stack.current(cpu);
  stack.push(flags, size);
  stack.push(s.segSelector(SEG_CS), size);
  stack.pushField(L.ST_RIP, size);
  if (error >= 0) stack.push(error, size);
  if (gate.offset > code.limit) cpu.fault(GP_VECTOR, ext);
  markAccessed(cpu, code);
  const cpl = inner ? code.dpl : cpu.cpl;
  if (stackSegment) {
    markAccessed(cpu, stackSegment);
    loadDescriptor(cpu, SEG_SS, stackSegment.selector, stackSegment);
    if (vm) for (const segment of [SEG_GS, SEG_FS, SEG_DS, SEG_ES]) loadNull(cpu, segment, 0);
  }
  enterHandler(cpu, gate, code, cpl);
  stack.commit();
}

function deliverLong(cpu: Processor, vector: number, kind: DeliveryKind, error: number): void {
  const s = cpu.state;
  const ext = kind === 'software' ? 0 : 1;
  const gate = readGate(cpu, vector, kind, ext);
  const code = handlerSegment(cpu, gate.selector, ext);
  const conforming = (code.attributes & SEG_ATTR_DC) !== 0;
  const inner = !conforming && code.dpl < cpu.cpl;
  const cpl = inner ? code.dpl : cpu.cpl;
  let pointer = cpu.code64 ? s.getSigned(RSP) : s.get32(RSP);
  if (gate.ist) pointer = tssIst(cpu, gate.ist, ext);
  else if (inner) pointer = tssRsp(cpu, code.dpl, ext);
  if (!isCanonicalRange(pointer, 1)) cpu.fault(SS_VECTOR, ext);
  const stack = Stack.long(cpu, pointer - (pointer & 0xf), cpl === 3);
  stack.push(s.segSelector(SEG_SS), 8);
  stack.pushField(RSP, 8);
  stack.push(flagsImage(cpu, vector, kind), 8);
  stack.push(s.segSelector(SEG_CS), 8);
  stack.pushField(L.ST_RIP, 8);
  if (error >= 0) stack.push(error, 8);
  if (!isCanonicalRange(gate.offset, 1)) cpu.fault(GP_VECTOR, ext);
  markAccessed(cpu, code);
  if (inner) loadNull(cpu, SEG_SS, code.dpl);
  enterHandler(cpu, gate, code, cpl);
  stack.commit();
}
