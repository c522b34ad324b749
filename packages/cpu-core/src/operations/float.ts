/** SSE floating point. Intel SDM Vol. 2, "Two-Byte Opcode Map". */
import type * as descriptions from '../semantics/float.ts';
import { type Encoding, type Operation, operations } from './operation.ts';

/** What is described in `semantics/float.ts`. It may raise #XM: {@link Operation.mayFault} is not false. */
const float = (does: keyof typeof descriptions, ...at: Encoding[]): Operation => ({
  does: `float.${does}`,
  flags: 'keeps',
  traits: ['vector'],
  at,
});
/** The four forms of an arithmetic instruction by what their mnemonics end in. */
const PS = (opcode: string): Operation => float('compute', [`0F ${opcode}`, 'Vx,Wx', 'np', 'sse']);
const SS = (opcode: string): Operation => float('compute', [`0F ${opcode}`, 'Vx,Wd', 'F3', 'sse']);
const PD = (opcode: string): Operation => float('compute', [`0F ${opcode}`, 'Vx,Wx', '66', 'sse2']);
const SD = (opcode: string): Operation => float('compute', [`0F ${opcode}`, 'Vx,Wq', 'F2', 'sse2']);
/** Comparisons that set all six status flags. */
const ordering = (...at: Encoding[]): Operation => ({ ...float('order', ...at), flags: 'sets' });

/** Rows. */
export const FLOAT = operations({
  LDMXCSR: float('loadControl', ['0F AE /2 m', 'Md', 'np', 'sse']),
  STMXCSR: float('storeControl', ['0F AE /3 m', 'Md', 'np', 'sse']),
  ADDPS: PS('58'),
  ADDSS: SS('58'),
  ADDPD: PD('58'),
  ADDSD: SD('58'),
  MULPS: PS('59'),
  MULSS: SS('59'),
  MULPD: PD('59'),
  MULSD: SD('59'),
  SUBPS: PS('5C'),
  SUBSS: SS('5C'),
  SUBPD: PD('5C'),
  SUBSD: SD('5C'),
  MINPS: PS('5D'),
  MINSS: SS('5D'),
  MINPD: PD('5D'),
  MINSD: SD('5D'),
  DIVPS: PS('5E'),
  DIVSS: SS('5E'),
  DIVPD: PD('5E'),
  DIVSD: SD('5E'),
  MAXPS: PS('5F'),
  MAXSS: SS('5F'),
  MAXPD: PD('5F'),
  MAXSD: SD('5F'),
  SQRTPS: PS('51'),
  SQRTSS: SS('51'),
  SQRTPD: PD('51'),
  SQRTSD: SD('51'),
  RSQRTPS: PS('52'),
  RSQRTSS: SS('52'),
  RCPPS: PS('53'),
  RCPSS: SS('53'),
  CMPPS: float('compare', ['0F C2', 'Vx,Wx,Ub', 'np', 'sse']),
  CMPSS: float('compare', ['0F C2', 'Vx,Wd,Ub', 'F3', 'sse']),
  CMPPD: float('compare', ['0F C2', 'Vx,Wx,Ub', '66', 'sse2']),
  CMPSD: float('compare', ['0F C2', 'Vx,Wq,Ub', 'F2', 'sse2']),
  UCOMISS: ordering(['0F 2E', 'Vx,Wd', 'np', 'sse']),
  UCOMISD: ordering(['0F 2E', 'Vx,Wq', '66', 'sse2']),
  COMISS: ordering(['0F 2F', 'Vx,Wd', 'np', 'sse']),
  COMISD: ordering(['0F 2F', 'Vx,Wq', '66', 'sse2']),
  HADDPD: float('horizontal', ['0F 7C', 'Vx,Wx', '66', 'pni']),
  HADDPS: float('horizontal', ['0F 7C', 'Vx,Wx', 'F2', 'pni']),
  HSUBPD: float('horizontal', ['0F 7D', 'Vx,Wx', '66', 'pni']),
  HSUBPS: float('horizontal', ['0F 7D', 'Vx,Wx', 'F2', 'pni']),
  ADDSUBPD: float('addSub', ['0F D0', 'Vx,Wx', '66', 'pni']),
  ADDSUBPS: float('addSub', ['0F D0', 'Vx,Wx', 'F2', 'pni']),
  CVTSI2SS: float('fromInteger', ['0F 2A', 'Vx,Ey', 'F3', 'sse']),
  CVTSI2SD: float('fromInteger', ['0F 2A', 'Vx,Ey', 'F2', 'sse2']),
  CVTTSS2SI: float('toInteger', ['0F 2C', 'Gy,Wd', 'F3', 'sse']),
  CVTTSD2SI: float('toInteger', ['0F 2C', 'Gy,Wq', 'F2', 'sse2']),
  CVTSS2SI: float('toInteger', ['0F 2D', 'Gy,Wd', 'F3', 'sse']),
  CVTSD2SI: float('toInteger', ['0F 2D', 'Gy,Wq', 'F2', 'sse2']),
  CVTSS2SD: float('convertLane', ['0F 5A', 'Vx,Wd', 'F3', 'sse2']),
  CVTSD2SS: float('convertLane', ['0F 5A', 'Vx,Wq', 'F2', 'sse2']),
  CVTPI2PS: float('convertFromMmx', ['0F 2A', 'Vx,Qq', 'np', 'sse']),
  CVTPI2PD: float('convert', ['0F 2A', 'Vx,Qq', '66', 'sse2']),
  CVTTPS2PI: float('convertToMmx', ['0F 2C', 'Pq,Wq', 'np', 'sse']),
  CVTTPD2PI: float('convertToMmx', ['0F 2C', 'Pq,Wx', '66', 'sse2']),
  CVTPS2PI: float('convertToMmx', ['0F 2D', 'Pq,Wq', 'np', 'sse']),
  CVTPD2PI: float('convertToMmx', ['0F 2D', 'Pq,Wx', '66', 'sse2']),
  CVTPS2PD: float('convert', ['0F 5A', 'Vx,Wq', 'np', 'sse2']),
  CVTPD2PS: float('convert', ['0F 5A', 'Vx,Wx', '66', 'sse2']),
  CVTDQ2PS: float('convert', ['0F 5B', 'Vx,Wx', 'np', 'sse2']),
  CVTPS2DQ: float('convert', ['0F 5B', 'Vx,Wx', '66', 'sse2']),
  CVTTPS2DQ: float('convert', ['0F 5B', 'Vx,Wx', 'F3', 'sse2']),
  CVTTPD2DQ: float('convert', ['0F E6', 'Vx,Wx', '66', 'sse2']),
  CVTDQ2PD: float('convert', ['0F E6', 'Vx,Wq', 'F3', 'sse2']),
  CVTPD2DQ: float('convert', ['0F E6', 'Vx,Wx', 'F2', 'sse2']),
});
