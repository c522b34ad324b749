/**
 * Moves, the stack, flags, strings, ports, caches and hints. CBW is CBW, CWDE or CDQE by size, CWD is CWD, CDQ or CQO.
 */
import { type Encoding, KEEPS, operations } from './operation.ts';

/** Operations that move data: between registers and memory, on the stack, in strings, through ports. */
export const DATA = operations({
  MOV: {
    does: 'move.mov',
    ...KEEPS,
    at: [
      ['88', 'Eb,Gb'],
      ['89', 'Ev,Gv'],
      ['8A', 'Gb,Eb'],
      ['8B', 'Gv,Ev'],
      ['A0', 'AL,Ob'],
      ['A1', 'rAX,Ov'],
      ['A2', 'Ob,AL'],
      ['A3', 'Ov,rAX'],
      ['B0+', 'Zb,Ib'],
      ['B8+', 'Zv,Iv'],
      ['C6 /0', 'Eb,Ib'],
      ['C7 /0', 'Ev,Iz'],
    ],
  },
  MOVZX: {
    does: 'move.movzx',
    ...KEEPS,
    at: [
      ['0F B6', 'Gv,Eb'],
      ['0F B7', 'Gv,Ew'],
    ],
  },
  MOVSX: {
    does: 'move.movsx',
    ...KEEPS,
    at: [
      ['63', 'Gv,Ez', 'o64'],
      ['0F BE', 'Gv,Eb'],
      ['0F BF', 'Gv,Ew'],
    ],
  },
  LEA: { does: 'move.lea', ...KEEPS, at: [['8D m', 'Gv,M']] },
  XCHG: {
    does: 'move.xchg',
    ...KEEPS,
    at: [
      ['86', 'Eb,Gb', 'lock'],
      ['87', 'Ev,Gv', 'lock'],
      ...['91', '92', '93', '94', '95', '96', '97'].map((opcode): Encoding => [opcode, 'Zv,rAX']),
    ],
  },
  XADD: {
    does: 'arith.xadd',
    at: [
      ['0F C0', 'Eb,Gb', 'lock'],
      ['0F C1', 'Ev,Gv', 'lock'],
    ],
  },
  CMPXCHG: {
    does: 'arith.cmpxchg',
    at: [
      ['0F B0', 'Eb,Gb', 'lock'],
      ['0F B1', 'Ev,Gv', 'lock'],
    ],
  },
  CMPXCHG8B: {
    helper: 'misc.execCmpxchg8b',
    at: [['0F C7 /1 m', 'Mq', 'lock', 'cx8', ['CMPXCHG16B', 'Mx', 'cx16']]],
  },
  CMPXCHG16B: { helper: 'misc.execCmpxchg16b', at: [] },
  MOVBE: {
    helper: 'misc.execMovbe',
    at: [
      ['0F 38 F0 m', 'Gv,Mv', 'np 66', 'movbe'],
      ['0F 38 F1 m', 'Mv,Gv', 'np 66', 'movbe'],
    ],
  },
  MOVNTI: { does: 'move.mov', at: [['0F C3 m', 'My,Gy', 'np', 'sse2']] },
  PUSH: {
    does: 'stack.push',
    at: [
      ['50+', 'Zv', 'd64'],
      ['68', 'Iz', 'd64'],
      ['6A', 'Ib', 'd64'],
      ['FF /6', 'Ev', 'd64'],
    ],
  },
  POP: {
    does: 'stack.pop',
    at: [
      ['58+', 'Zv', 'd64'],
      ['8F /0', 'Ev', 'd64'],
    ],
  },
  PUSHA: { helper: 'misc.execPusha', at: [['60', '', 'i64']] },
  POPA: { helper: 'misc.execPopa', at: [['61', '', 'i64']] },
  PUSHF: { helper: 'interrupts.execPushf', at: [['9C', '', 'd64']] },
  POPF: { helper: 'interrupts.execPopf', ends: true, at: [['9D', '', 'd64']] },
  ENTER: { helper: 'misc.execEnter', at: [['C8', 'Uw,Ib2', 'd64']] },
  LEAVE: { does: 'stack.leave', at: [['C9', '', 'd64']] },
  XLAT: { helper: 'misc.execXlat', at: [['D7', '', 'b']] },
  CMOVCC: { does: 'move.cmov', traits: ['condition'], at: [['0F 40cc', 'Gv,Ev', '', 'cmov']] },
  SETCC: { does: 'move.setcc', traits: ['condition'], at: [['0F 90cc', 'Eb']] },
  CBW: { does: 'move.cbw', ...KEEPS, at: [['98', '', 'os']] },
  CWD: { does: 'move.cwd', ...KEEPS, at: [['99', '', 'os']] },
  LAHF: {
    does: 'move.ahFlags',
    traits: ['sizeless'],
    at: [
      ['9F', '', 'b i64'],
      ['9F', '', 'b o64', 'lahf-lm'],
    ],
  },
  SAHF: {
    does: 'move.ahFlags',
    traits: ['sizeless'],
    at: [
      ['9E', '', 'b i64'],
      ['9E', '', 'b o64', 'lahf-lm'],
    ],
  },
  SALC: { helper: 'misc.execSalc', at: [['D6', '', 'i64 b']] },
  CLC: { does: 'move.flagBit', traits: ['sizeless'], at: [['F8']] },
  STC: { does: 'move.flagBit', traits: ['sizeless'], at: [['F9']] },
  CMC: { does: 'move.flagBit', traits: ['sizeless'], at: [['F5']] },
  CLD: { does: 'move.flagBit', ...KEEPS, traits: ['sizeless'], at: [['FC']] },
  STD: { does: 'move.flagBit', ...KEEPS, traits: ['sizeless'], at: [['FD']] },
  CLI: { helper: 'interrupts.execCli', ends: true, at: [['FA']] },
  STI: { helper: 'interrupts.execSti', ends: true, at: [['FB']] },
  NOP: {
    does: 'move.nothing',
    ...KEEPS,
    traits: ['idle'],
    at: [
      ['90', '', 'np 66 F2 rexb', '', ['XCHG', 'Zv,rAX']],
      ['0F 0D r', '', 'modrm', 'family6'],
      ...[4, 5, 6, 7].map((reg): Encoding => [`0F 18 /${reg} m`, '', 'modrm', 'family6']),
      ['0F 18 r', '', 'modrm', 'family6'],
      // Reserved NOPs: MPX, CLDEMOTE, ENDBR and RDSSP are NOPs on a processor without those features.
      ...['19', '1A', '1B', '1C', '1D', '1E', '1F'].map(
        (opcode): Encoding => [`0F ${opcode}`, '', 'modrm', 'family6'],
      ),
    ],
  },
  PAUSE: { helper: 'misc.execPause', ends: true, at: [['90', '', 'F3']] },
  MOVS: {
    helper: 'strings.execString',
    ends: true,
    at: [
      ['A4', '', 'b'],
      ['A5', '', 'os'],
    ],
  },
  STOS: {
    helper: 'strings.execString',
    ends: true,
    at: [
      ['AA', '', 'b'],
      ['AB', '', 'os'],
    ],
  },
  LODS: {
    helper: 'strings.execString',
    ends: true,
    at: [
      ['AC', '', 'b'],
      ['AD', '', 'os'],
    ],
  },
  CMPS: {
    helper: 'strings.execString',
    ends: true,
    at: [
      ['A6', '', 'b'],
      ['A7', '', 'os'],
    ],
  },
  SCAS: {
    helper: 'strings.execString',
    ends: true,
    at: [
      ['AE', '', 'b'],
      ['AF', '', 'os'],
    ],
  },
  INS: {
    helper: 'strings.execString',
    ends: true,
    at: [
      ['6C', '', 'b'],
      ['6D', '', 'z'],
    ],
  },
  OUTS: {
    helper: 'strings.execString',
    ends: true,
    at: [
      ['6E', '', 'b'],
      ['6F', '', 'z'],
    ],
  },
  IN: {
    helper: 'portIo.execIn',
    ends: true,
    at: [
      ['E4', 'AL,Ub', 'b'],
      ['E5', 'eAX,Ub', 'z'],
      ['EC', 'AL,DX', 'b'],
      ['ED', 'eAX,DX', 'z'],
    ],
  },
  OUT: {
    helper: 'portIo.execOut',
    ends: true,
    at: [
      ['E6', 'Ub,AL', 'b'],
      ['E7', 'Ub,eAX', 'z'],
      ['EE', 'DX,AL', 'b'],
      ['EF', 'DX,eAX', 'z'],
    ],
  },
  PREFETCH: {
    does: 'move.nothing',
    ...KEEPS,
    traits: ['idle'],
    at: [
      ['0F 0D m', 'Mb', '', 'family6'],
      ...[0, 1, 2, 3].map((reg): Encoding => [`0F 18 /${reg} m`, 'Mb', '', 'family6']),
    ],
  },
  CLFLUSH: {
    helper: 'misc.execClflush',
    at: [
      ['0F AE /7 m', 'Mb', 'np', 'clflush'],
      ['0F AE /7 m', 'Mb', '66', 'clflushopt'],
    ],
  },
  LFENCE: { does: 'move.nothing', ...KEEPS, traits: ['idle'], at: [['0F AE /5 r', '', 'np', 'sse2']] },
  MFENCE: { does: 'move.nothing', ...KEEPS, traits: ['idle'], at: [['0F AE /6 r', '', 'np', 'sse2']] },
  SFENCE: { does: 'move.nothing', ...KEEPS, traits: ['idle'], at: [['0F AE /7 r', '', 'np', 'sse|mmxext']] },
  RDRAND: { helper: 'misc.execRandom', at: [['0F C7 /6 r', 'Ev', 'np 66', 'rdrand']] },
  RDSEED: { helper: 'misc.execRandom', at: [['0F C7 /7 r', 'Ev', 'np 66', 'rdseed']] },
});
