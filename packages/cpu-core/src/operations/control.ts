/** Transfers of control, near and far, and traps. JMP and CALL are near, with a target, a register or memory. */
import { operations } from './operation.ts';

/** Rows; `INVALID`, #UD, is the first of all operations. */
export const CONTROL = operations({
  INVALID: { helper: 'interrupts.execUndefined', ends: true, at: [] },
  JCC: {
    does: 'control.jcc',
    ends: true,
    traits: ['condition'],
    at: [
      ['70cc', 'Jb', 'f64'],
      ['0F 80cc', 'Jz', 'f64'],
    ],
  },
  JMP: {
    does: 'control.jmp',
    ends: true,
    at: [
      ['E9', 'Jz', 'f64'],
      ['EB', 'Jb', 'f64'],
      ['FF /4', 'Ev', 'f64'],
    ],
  },
  CALL: {
    does: 'control.call',
    ends: true,
    at: [
      ['E8', 'Jz', 'f64'],
      ['FF /2', 'Ev', 'f64'],
    ],
  },
  RET: {
    does: 'control.ret',
    ends: true,
    at: [
      ['C2', 'Uw', 'f64'],
      ['C3', '', 'f64'],
    ],
  },
  LOOP: { does: 'control.loop', ends: true, traits: ['counts'], at: [['E2', 'Jb', 'f64']] },
  LOOPE: { does: 'control.loop', ends: true, traits: ['counts'], at: [['E1', 'Jb', 'f64']] },
  LOOPNE: { does: 'control.loop', ends: true, traits: ['counts'], at: [['E0', 'Jb', 'f64']] },
  JCXZ: { does: 'control.loop', ends: true, traits: ['counts'], at: [['E3', 'Jb', 'f64']] },
  JMPF: {
    helper: 'far.execJmpFar',
    ends: true,
    at: [
      ['EA', 'Ap', 'i64 os'],
      ['FF /5 m', 'Mp', 'os'],
    ],
  },
  CALLF: {
    helper: 'far.execCallFar',
    ends: true,
    at: [
      ['9A', 'Ap', 'i64 os'],
      ['FF /3 m', 'Mp', 'os'],
    ],
  },
  RETF: {
    helper: 'far.execRetFar',
    ends: true,
    at: [
      ['CA', 'Uw', 'os'],
      ['CB', '', 'os'],
    ],
  },
  IRET: { helper: 'iret.execIret', ends: true, at: [['CF', '', 'os']] },
  INT: { helper: 'interrupts.execInt', ends: true, at: [['CD', 'Ub', 'os']] },
  INT3: { helper: 'interrupts.execInt3', ends: true, at: [['CC']] },
  INT1: { helper: 'interrupts.execInt1', ends: true, at: [['F1']] },
  INTO: { helper: 'interrupts.execInto', ends: true, at: [['CE', '', 'i64']] },
  BOUND: { helper: 'interrupts.execBound', at: [['62 m', 'Gv,Ma', 'i64']] },
  UD0: { helper: 'interrupts.execUndefined', ends: true, at: [['0F FF', 'Gv,Ev']] },
  UD1: { helper: 'interrupts.execUndefined', ends: true, at: [['0F B9', 'Gv,Ev']] },
  UD2: { helper: 'interrupts.execUndefined', ends: true, at: [['0F 0B']] },
  SYSCALL: { helper: 'syscall.execSyscall', ends: true, at: [['0F 05', '', '', 'syscall']] },
  SYSRET: { helper: 'syscall.execSysret', ends: true, at: [['0F 07', '', 'os', 'syscall']] },
  SYSENTER: { helper: 'syscall.execSysenter', ends: true, at: [['0F 34', '', '', 'sep']] },
  SYSEXIT: { helper: 'syscall.execSysexit', ends: true, at: [['0F 35', '', 'os', 'sep']] },
  RSM: { helper: 'smm.execRsm', ends: true, at: [['0F AA']] },
  HLT: { helper: 'interrupts.execHlt', ends: true, at: [['F4']] },
});
