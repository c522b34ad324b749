/** Runs an attack on this machine. */
import type { Board, Part } from '@smm/chipset-q35';
import { cpuModel, stateHash } from '@smm/cpu-core';
import { SAVE_STATE_AMD64 } from '@smm/x86-defs';
import {
  DEFAULT_KVM_OPTIONS,
  DEFAULT_SCHEDULE,
  Machine,
  type MachineStop,
  memoryHash,
  resolveSwitches,
} from '../../../src/index.ts';
import { parts } from '../../runs.ts';
import { type Attack, MEMORY_MIB, ROM_BYTES, SECRET, TSEG } from './attack.ts';

/** The six configurations: three accelerators, each interpreted and translated from the first execution on. */
export const CONFIGURATIONS = (['tcg', 'kvm', 'kvm,ept=0'] as const).flatMap((accelerator) =>
  (['interpreter', 'translator'] as const).map((tier) => ({ accelerator, tier })),
);

/** One of {@link CONFIGURATIONS}. */
export type Configuration = (typeof CONFIGURATIONS)[number];

/** More than any attack needs. */
const INSTRUCTIONS = 20_000_000;
const VIRTUAL_NS = 1e9;

/** What an attack left behind. */
export interface Outcome {
  readonly stop: MachineStop;
  /** Why a processor shut down. */
  readonly reason: string | undefined;
  readonly log: readonly string[];
  /** Where the secret was found outside SMRAM: addresses, registers. */
  readonly leaks: readonly string[];
  /** Flash at the end, variables first. */
  readonly flash: Uint8Array;
  /** Of processors, memory and time: the same for both tiers. */
  readonly state: readonly string[];
}

/** The machine, powered on. */
export function machineFor(
  attack: Attack,
  { accelerator, tier }: Configuration,
  added: readonly Part[] | ((board: Board) => readonly Part[]) = [],
): Machine {
  const kvm = accelerator !== 'tcg';
  const switches = resolveSwitches({ accelerator: kvm ? 'kvm' : 'tcg', quirks: [] });
  const ept = accelerator === 'kvm';
  return new Machine({
    cpus: attack.cpus,
    memoryMiB: MEMORY_MIB,
    model: cpuModel('qemu64'),
    flash: attack.image,
    saveState: SAVE_STATE_AMD64,
    accelerator: kvm ? { options: { ...DEFAULT_KVM_OPTIONS, ept }, switches: switches.kvm } : 'tcg',
    behaviour: switches.behaviour,
    schedule: { ...DEFAULT_SCHEDULE, slice: 1_000 },
    comm: 'attack',
    parts: (board) => (typeof added === 'function' ? added(board) : added),
    interpreter: parts.interpreter,
    tier,
    translator: { threshold: 1 },
    peripherals: ({ interrupts, bytes, written }) => ({
      interrupts,
      fwCfg: {},
      ...(attack.varsBytes > 0 && {
        flash: { varsBytes: attack.varsBytes, bytes, written, secure: attack.secure },
      }),
    }),
  });
}

/** Runs it to its end. */
export function runHere(attack: Attack, configuration: Configuration): Outcome {
  const machine = machineFor(attack, configuration);
  const stop = machine.run({
    instructions: INSTRUCTIONS,
    // Timers of the chipset run on when every processor has halted for good.
    until: () => machine.log.at(-1) === 'end' || machine.clock.now() > VIRTUAL_NS,
  });
  const { ramOffset, romOffset } = machine.plan;
  const pages = machine.save().memory.filter(({ at }) => at >= ramOffset);
  return {
    stop,
    reason: machine.shutdownReason,
    log: machine.log,
    leaks: [
      ...pages.flatMap(({ at, bytes }) => leaksInRam(at - ramOffset, bytes, attack)),
      ...leaksInRegisters(machine),
    ],
    flash: machine.bytes.slice(romOffset, romOffset + attack.varsBytes + ROM_BYTES),
    state: [
      ...machine.processors.map((processor) => stateHash(processor)),
      ...[memoryHash(machine), machine.retired, machine.clock.now(), machine.deviceAccesses].map(String),
    ],
  };
}

/** Addresses outside SMRAM that hold eight bytes of the secret, in RAM from `start` on. */
export function leaksInRam(start: number, ram: Uint8Array, { locked }: Attack): string[] {
  const text = Buffer.from(ram.buffer, ram.byteOffset, ram.byteLength);
  const found: string[] = [];
  for (const part of [SECRET.slice(0, 8), SECRET.slice(8)]) {
    for (let offset = text.indexOf(part); offset >= 0; offset = text.indexOf(part, offset + 1)) {
      const at = start + offset;
      const window = locked && at >= 0x3_0000 && at < 0x5_0000;
      const inside = window || (at >= 0xa_0000 && at < 0xc_0000) || at >= TSEG;
      if (!inside) found.push(`RAM ${at.toString(16)}`);
    }
  }
  return found;
}

/** General registers of processors outside SMM that hold a part of the secret. */
function leaksInRegisters(machine: Machine): string[] {
  const secret = new DataView(new TextEncoder().encode(SECRET).buffer);
  const words = [0, 4, 8, 12].map((i) => secret.getUint32(i, true));
  return machine.processors
    .filter(({ state }) => !state.smm)
    .flatMap(({ index, state }) =>
      Array.from({ length: 16 }, (_, i) => state.gpr32(i) >>> 0)
        .map((value, i) => (words.includes(value) ? `processor ${index} register ${i}` : ''))
        .filter((text) => text !== ''),
    );
}
