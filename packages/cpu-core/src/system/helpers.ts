/** The helper of every operation that the engine does not describe itself, by operation number. */
import type { Insn } from '../insn.ts';
import { OP, type OpName } from '../ops.ts';
import type { Processor } from '../processor.ts';
import * as arithmetic from './arithmetic.ts';
import * as bcd from './bcd.ts';
import { execCpuid } from './cpuid.ts';
import * as far from './far.ts';
import * as interrupts from './interrupt-instructions.ts';
import { execIret } from './iret.ts';
import * as misc from './misc.ts';
import { execRdmsr, execWrmsr } from './msr.ts';
import { execIn, execOut } from './port-io.ts';
import * as segments from './segment-instructions.ts';
import { execRsm } from './smm.ts';
import * as sse from './sse.ts';
import { execString } from './strings.ts';
import * as syscall from './syscall.ts';
import * as system from './system-registers.ts';
import { execUnmodelled } from './unmodelled.ts';
import { X87_HELPERS } from './x87/helpers.ts';

/** One instruction in TypeScript: ST_RIP is the next instruction's; faults by `cpu.fault`. */
export type Helper = (cpu: Processor, insn: Insn) => void;

const TABLE: Partial<Record<OpName, Helper>> = {
  INVALID: interrupts.execUndefined,
  SHLD: arithmetic.execDoubleShift,
  SHRD: arithmetic.execDoubleShift,
  DIV: arithmetic.execDivide64,
  IDIV: arithmetic.execDivide64,
  POPCNT: arithmetic.execPopcnt,
  LZCNT: arithmetic.execLzcnt,
  TZCNT: arithmetic.execTzcnt,
  CRC32: arithmetic.execCrc32,
  DAA: bcd.execDecimalAdjust,
  DAS: bcd.execDecimalAdjust,
  AAA: bcd.execAsciiAdjust,
  AAS: bcd.execAsciiAdjust,
  AAM: bcd.execAam,
  AAD: bcd.execAad,
  MOVBE: misc.execMovbe,
  CMPXCHG8B: misc.execCmpxchg8b,
  CMPXCHG16B: misc.execCmpxchg16b,
  PUSHA: misc.execPusha,
  POPA: misc.execPopa,
  ENTER: misc.execEnter,
  XLAT: misc.execXlat,
  SALC: misc.execSalc,
  PUSHF: interrupts.execPushf,
  POPF: interrupts.execPopf,
  CLI: interrupts.execCli,
  STI: interrupts.execSti,
  PAUSE: misc.execPause,
  JMPF: far.execJmpFar,
  CALLF: far.execCallFar,
  RETF: far.execRetFar,
  IRET: execIret,
  INT: interrupts.execInt,
  INT3: interrupts.execInt3,
  INT1: interrupts.execInt1,
  INTO: interrupts.execInto,
  BOUND: interrupts.execBound,
  UD0: interrupts.execUndefined,
  UD1: interrupts.execUndefined,
  UD2: interrupts.execUndefined,
  SYSCALL: syscall.execSyscall,
  SYSRET: syscall.execSysret,
  SYSENTER: syscall.execSysenter,
  SYSEXIT: syscall.execSysexit,
  SWAPGS: syscall.execSwapgs,
  RSM: execRsm,
  HLT: interrupts.execHlt,
  MOVS: execString,
  STOS: execString,
  LODS: execString,
  CMPS: execString,
  SCAS: execString,
  INS: execString,
  OUTS: execString,
  IN: execIn,
  OUT: execOut,
  MOV_SREG: segments.execMovToSegment,
  MOV_FROM_SREG: segments.execMovFromSegment,
  PUSH_SREG: segments.execPushSegment,
  POP_SREG: segments.execPopSegment,
  LES: segments.execLoadFarPointer,
  LDS: segments.execLoadFarPointer,
  LSS: segments.execLoadFarPointer,
  LFS: segments.execLoadFarPointer,
  LGS: segments.execLoadFarPointer,
  LLDT: segments.execLldt,
  LTR: segments.execLtr,
  SLDT: segments.execStoreSelector,
  STR: segments.execStoreSelector,
  LAR: segments.execDescriptorQuery,
  LSL: segments.execDescriptorQuery,
  VERR: segments.execVerify,
  VERW: segments.execVerify,
  ARPL: segments.execArpl,
  MOV_CR_R: system.execMovToCr,
  MOV_R_CR: system.execMovFromCr,
  MOV_DR_R: system.execMovToDr,
  MOV_R_DR: system.execMovFromDr,
  CLTS: system.execClts,
  LMSW: system.execLmsw,
  SMSW: system.execSmsw,
  LGDT: system.execLgdt,
  LIDT: system.execLidt,
  INVLPG: misc.execInvlpg,
  INVD: misc.execInvalidateCaches,
  WBINVD: misc.execInvalidateCaches,
  CPUID: execCpuid,
  RDMSR: execRdmsr,
  WRMSR: execWrmsr,
  RDTSC: misc.execRdtsc,
  RDTSCP: misc.execRdtscp,
  RDPID: misc.execRdpid,
  RDPMC: misc.execRdpmc,
  MONITOR: misc.execMonitor,
  MWAIT: misc.execMwait,
  RDRAND: misc.execRandom,
  RDSEED: misc.execRandom,
  XGETBV: misc.execExtendedControl,
  XSETBV: misc.execExtendedControl,
  VMCALL: interrupts.execUndefined,
  RDFSBASE: misc.execSegmentBase,
  RDGSBASE: misc.execSegmentBase,
  WRFSBASE: misc.execSegmentBase,
  WRGSBASE: misc.execSegmentBase,
  CLFLUSH: misc.execClflush,
  PREFETCH: misc.execPrefetch,
  CLAC: (cpu) => interrupts.execAlignmentFlag(cpu, false),
  STAC: (cpu) => interrupts.execAlignmentFlag(cpu, true),
  FXSAVE: sse.execFxsave,
  FXRSTOR: sse.execFxrstor,
  LDMXCSR: sse.execLdmxcsr,
  STMXCSR: sse.execStmxcsr,
  ...X87_HELPERS,
  EMMS: sse.execEmms,
  X87_UNMODELLED: execUnmodelled,
  MMX_UNMODELLED: execUnmodelled,
  SSE_UNMODELLED: execUnmodelled,
  VEX_UNMODELLED: execUnmodelled,
  SYSTEM_UNMODELLED: execUnmodelled,
};

/** Helpers by operation number; undefined where the engine has semantics. */
export const HELPERS: readonly (Helper | undefined)[] = Object.freeze(
  Object.keys(OP).map((name) => TABLE[name as OpName]),
);
