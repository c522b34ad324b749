/** The loops in which a CPU can be found, so that a machine can say what each CPU waits for. */
import type { FirmwareShape } from './tiles.ts';

/** A range of code in which a CPU waits. */
export interface WaitLoop {
  /** Symbol of the loop. */
  readonly name: string;
  /** First address, linear. */
  readonly start: number;
  /** Address behind the last instruction, linear. */
  readonly end: number;
  /** `halt`: the CPU sleeps; `spin`: it polls memory; `dead`: it will never leave. */
  readonly kind: 'halt' | 'spin' | 'dead';
  /** What is awaited, as edk2 names it. `[index]` stands for the number in `indexRegister`. */
  readonly waitsFor: string;
  /** Register that holds the CPU index, for `waitsFor` with `[index]`. */
  readonly indexRegister?: 'edi';
  /** Address of the flag or the array that is polled, guest-physical. */
  readonly polls?: number;
}

interface LoopRow {
  readonly name: string;
  readonly kind: WaitLoop['kind'];
  readonly waitsFor: string;
  readonly waitsFor2024?: string;
  readonly polls?: string;
}

const ROWS: readonly LoopRow[] = [
  { name: 'FlashPark', kind: 'dead', waitsFor: 'nothing: not the bootstrap processor, or no SMM' },
  { name: 'dxe.WakeUpAps.waitForAps', kind: 'spin', waitsFor: 'all APs to register', polls: 'gApsFinished' },
  {
    name: 'SmmRelocateBases.waitForAp',
    kind: 'spin',
    waitsFor: 'mRebased[index]',
    waitsFor2024: 'mRebased',
    polls: 'mRebased',
  },
  {
    name: 'SmmRelocateBases.waitForBsp',
    kind: 'spin',
    waitsFor: 'mRebased[index]',
    waitsFor2024: 'mRebased',
    polls: 'mRebased',
  },
  { name: 'SmmInitHandlerDeadLoop', kind: 'dead', waitsFor: 'nothing: ASSERT, APIC ID not found' },
  { name: 'dxe.SmmExceptionDeadLoop', kind: 'dead', waitsFor: 'nothing: exception in SMM' },
  { name: 'smm.SmmExceptionDeadLoop', kind: 'dead', waitsFor: 'nothing: exception in SMM' },
  { name: 'dxe.SendIpi.waitIdle', kind: 'spin', waitsFor: 'ICR delivery status' },
  { name: 'dxe.SendIpi.waitSent', kind: 'spin', waitsFor: 'ICR delivery status' },
  { name: 'smm.SendIpi.waitIdle', kind: 'spin', waitsFor: 'ICR delivery status' },
  { name: 'smm.SendIpi.waitSent', kind: 'spin', waitsFor: 'ICR delivery status' },
  { name: 'WaitForFirstSmi', kind: 'spin', waitsFor: 'the first normal SMI', polls: 'gFirstSmiDone' },
  {
    name: 'SmiRendezvous.waitForCheckIn',
    kind: 'spin',
    waitsFor: 'all CPUs to enter the first normal SMI',
    polls: 'mCheckInCount',
  },
  {
    name: 'SmiRendezvous.waitForAllCpusInSync',
    kind: 'spin',
    waitsFor: 'the gathering CPU to end the SMI',
    polls: 'mAllCpusInSync',
  },
  { name: 'ApIdle', kind: 'halt', waitsFor: 'an SMI (AP idle)' },
  { name: 'Suspended', kind: 'halt', waitsFor: 'the machine to fall asleep in S3' },
  { name: 'BspIdle', kind: 'halt', waitsFor: 'nothing: the firmware is done' },
];

/** The loops of a firmware whose symbols are `symbols`. */
export function waitLoopsOf(symbols: ReadonlyMap<string, number>, shape: FirmwareShape): readonly WaitLoop[] {
  const loops: WaitLoop[] = [];
  for (const row of ROWS) {
    const start = symbols.get(row.name);
    const end = symbols.get(`${row.name}End`);
    if (start === undefined || end === undefined) continue;
    const waitsFor = shape === '2024' ? (row.waitsFor2024 ?? row.waitsFor) : row.waitsFor;
    const polls = row.polls === undefined ? undefined : symbols.get(row.polls);
    loops.push({
      name: row.name,
      start,
      end,
      kind: row.kind,
      waitsFor,
      ...(waitsFor.includes('[index]') ? { indexRegister: 'edi' as const } : {}),
      ...(polls === undefined ? {} : { polls }),
    });
  }
  return loops;
}
