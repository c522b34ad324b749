/** The Q35 chipset in this machine: where its RAM and ROM lie, and where its effects go. */
import type { Clock, IoPortSpace, PhysicalAddressSpace } from '@smm/bus';
import {
  type Board,
  type Part,
  type PeripheralOptions,
  Q35Chipset,
  type Q35Options,
  SLP_TYP_S3,
  type WakeCause,
} from '@smm/chipset-q35';
import { decodeSmram } from '@smm/smram';
import { SmmError, UnmodelledError } from '@smm/x86-defs';
import type { MemoryPlan } from './memory-plan.ts';

/** What the chipset is built from. */
export interface ChipsetParts {
  /** Guest-physical address space. */
  readonly space: PhysicalAddressSpace;
  /** I/O ports. */
  readonly ports: IoPortSpace;
  /** Virtual time. */
  readonly clock: Clock;
  /** Where RAM and ROM lie. */
  readonly plan: MemoryPlan;
  /** Processors. */
  readonly cpus: number;
  /** Raises an SMI for one processor or all. */
  readonly smi: (target: number | 'all', command?: number) => void;
  /** A byte written to the debug port. */
  readonly debugByte: (byte: number) => void;
  /** The guest asked for a reset; undefined: refused loudly. */
  readonly reset: ((kind: 'system' | 'cpu') => void) | undefined;
  /** The guest entered a sleep state; undefined: refused loudly. */
  readonly sleep: ((type: number) => void) | undefined;
  /** The guest wants S3. */
  readonly suspend: () => void;
  /** S3 ends. */
  readonly wake: (cause: WakeCause) => void;
  /** Processors that there is room for, by APIC id; default 0, 1, 2... of those that are there. */
  readonly apicIds: readonly number[] | undefined;
  /** What the board has by default otherwise. */
  readonly board: Pick<Q35Options, 'extTsegMb' | 'startTime'> | undefined;
  /** Devices around the core. */
  readonly peripherals: PeripheralOptions | undefined;
  /** Further parts. */
  readonly parts: ((board: Board) => readonly Part[]) | undefined;
}

/** Builds the chipset. */
export function buildChipset({
  space,
  ports,
  clock,
  plan,
  cpus,
  smi,
  debugByte,
  reset,
  sleep,
  suspend,
  wake,
  apicIds,
  board,
  peripherals,
  parts,
}: ChipsetParts): Q35Chipset {
  return new Q35Chipset(
    {
      memory: space,
      io: ports,
      clock,
      decodeSmram,
      smi,
      debugOut: debugByte,
      reset: reset ?? refuseReset,
      sleep: (type) => {
        if (type === SLP_TYP_S3) suspend();
        else (sleep ?? refuseSleep)(type);
      },
      wake,
    },
    {
      ram: { hostOffset: plan.ramOffset, sizeBytes: plan.ramSize },
      rom: { hostOffset: plan.romOffset, sizeBytes: plan.romSize },
      cpuCount: cpus,
      ...(apicIds === undefined ? {} : { apicIds }),
      ...board,
      ...(peripherals === undefined ? {} : { peripherals }),
      ...(parts === undefined ? {} : { parts }),
    },
  );
}

function refuseReset(kind: 'system' | 'cpu'): never {
  throw new UnmodelledError(
    'MACHINE_RESET',
    `the guest asked for a ${kind} reset`,
    'A reset requested by the guest is not modelled here: run the machine up to this point.',
    { kind },
  );
}

function refuseSleep(type: number): never {
  throw new SmmError(
    'SLEEP_UNHANDLED',
    `the guest entered sleep type ${type}, and nobody handles it`,
    'Give the machine onSleep.',
    { type },
  );
}
