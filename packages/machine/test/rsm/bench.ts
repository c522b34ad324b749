/** Machines that stand in an SMI handler, about to leave it, whose save state can be written over. */
import { cpuModel } from '@smm/cpu-core';
import { SAVE_STATE_AMD64, SAVE_STATE_LEGACY32_KVM, type SaveStateLayout } from '@smm/x86-defs';
import {
  DEFAULT_KVM_OPTIONS,
  DEFAULT_SCHEDULE,
  Machine,
  type MachineSnapshot,
  type MachineStop,
  resolveSwitches,
} from '../../src/index.ts';
import { rom } from '../flat-rom.ts';
import { parts } from '../runs.ts';

/** Bytes written over: offset in the 512 bytes of the save area, width in bytes, value. */
export type RsmEdit = readonly [offset: number, width: number, value: bigint];

/** One save state. */
export interface RsmCase {
  /** Name of one of {@link BENCHES}. */
  readonly bench: string;
  readonly edits: readonly RsmEdit[];
}

const MODES = ['real', '32-bit', 'pae', '4-level'] as const;
type Mode = (typeof MODES)[number];
const ACCELERATORS = ['tcg', 'kvm', 'kvm,ept=0'] as const;
const TIERS = ['interpreter', 'translator'] as const;
type Tier = (typeof TIERS)[number];

/** Guest-physical and linear address of what the guest's vector for NMI leads to, in every mode: a loop. */
export const NMI_HANDLER = 0x500;
const HANDLER = 0x3_8000;
const SAVE_AREA = 0x3_fe00;
const JUMP_HERE = [0xeb, 0xfe];
const RSM = [0x0f, 0xaa];

/** A kind of machine. */
interface BenchKind {
  readonly name: string;
  readonly mode: Mode;
  readonly accelerator: string;
  readonly tier: Tier;
  readonly layout: SaveStateLayout;
}

/**
 * Every mode that an SMI can interrupt, under every accelerator, interpreted and translated from the second time on.
 */
export const BENCHES: readonly BenchKind[] = MODES.flatMap((mode) =>
  ACCELERATORS.flatMap((accelerator) =>
    TIERS.map((tier) => ({
      name: `${mode} ${accelerator} ${tier}`,
      mode,
      accelerator,
      tier,
      layout: mode === '32-bit' ? SAVE_STATE_LEGACY32_KVM : SAVE_STATE_AMD64,
    })),
  ),
);

/** Guest code that enters a mode and stays there. */
function source(mode: Mode): string {
  if (mode === 'real') return 'jmp $';
  const long = mode === '4-level';
  const small = mode === '32-bit';
  return `xor ax, ax
    mov ds, ax
    mov ss, ax
    mov sp, 0x7000
    o32 lgdt [cs:gdtr]
    ${small ? 'mov dword [0x8000], 0x87' : 'mov dword [0x8000], 0x9001\nmov dword [0x9000], 0xa001\nmov dword [0xa000], 0x87'}
    mov eax, ${small ? 0x10 : 0x20}
    mov cr4, eax
    ${long ? 'mov ecx, 0xc0000080\nrdmsr\nor eax, 0x100\nwrmsr' : ''}
    mov eax, ${mode === 'pae' ? 0x9000 : 0x8000}
    mov cr3, eax
    mov eax, 0x80000011
    mov cr0, eax
    jmp dword 8:(0xf0000 + here)
  align 8
  gdt: dq 0, ${long ? '0x00af9b000000ffff' : '0x00cf9b000000ffff'}, 0x00cf93000000ffff
  gdtr: dw 23
    dd 0xf0000 + gdt
  bits ${long ? 64 : 32}
  here: mov eax, 0x10
    mov ds, eax
    mov es, eax
    mov ss, eax
    jmp $`;
}

/** Vector 2 of a table at 0, with its address. */
function nmiVector(mode: Mode): [number, number[]] {
  const [low, high] = [NMI_HANDLER & 0xff, NMI_HANDLER >> 8];
  if (mode === 'real') return [2 * 4, [low, high, 0, 0]];
  return [2 * (mode === '4-level' ? 16 : 8), [low, high, 8, 0, 0, 0x8e, 0, 0]];
}

/** One machine in its handler. */
export class RsmBench {
  readonly #machine: Machine;
  readonly #snapshot: MachineSnapshot;

  constructor({ mode, accelerator, tier, layout }: BenchKind) {
    const kvm = accelerator !== 'tcg';
    const switches = resolveSwitches({ accelerator: kvm ? 'kvm' : 'tcg' });
    const machine = new Machine({
      cpus: 1,
      memoryMiB: 32,
      model: cpuModel('qemu64'),
      flash: rom(source(mode)),
      saveState: layout,
      accelerator: kvm
        ? { options: { ...DEFAULT_KVM_OPTIONS, ept: accelerator === 'kvm' }, switches: switches.kvm }
        : 'tcg',
      behaviour: switches.behaviour,
      schedule: { ...DEFAULT_SCHEDULE, slice: 200 },
      comm: 'rsm',
      trace: () => {},
      onReset: () => {},
      interpreter: parts.interpreter,
      tier,
      translator: { threshold: 2 },
      decodedMiB: 1,
    });
    this.#machine = machine;
    this.#poke(NMI_HANDLER, JUMP_HERE);
    this.#poke(...nmiVector(mode));
    machine.run({ instructions: 1_000 });
    this.#poke(HANDLER, JUMP_HERE);
    machine.processors[0]!.raiseSmi();
    machine.run({ instructions: 1 });
    if (!machine.processors[0]!.state.smm) throw new Error('the processor is not in SMM');
    this.#poke(HANDLER, RSM);
    this.#snapshot = machine.save();
  }

  #poke(gpa: number, bytes: ArrayLike<number>): void {
    const at = this.#machine.plan.ramOffset + gpa;
    this.#machine.bytes.set(bytes, at);
    this.#machine.written(at, bytes.length);
  }

  #edit(edits: readonly RsmEdit[]): void {
    for (const [offset, width, value] of edits) {
      const bytes = Array.from({ length: width }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));
      this.#poke(SAVE_AREA + offset, bytes);
    }
  }

  /** Leaves the handler with a changed save state and lets the guest run on for a while. */
  run(edits: readonly RsmEdit[], instructions = 500): MachineStop {
    this.#machine.restore(this.#snapshot);
    this.#edit(edits);
    return this.#machine.run({ instructions, until: () => this.#machine.clock.now() > 1e9 });
  }

  /** Puts the processor back into its handler, which now loops, and lets it run on after `act`. */
  stay(act: (processor: Machine['processors'][number]) => void, edits: readonly RsmEdit[] = []): MachineStop {
    this.#machine.restore(this.#snapshot);
    this.#edit(edits);
    this.#poke(HANDLER, JUMP_HERE);
    act(this.processor);
    return this.#machine.run({ instructions: 500 });
  }

  /** Goes on with what it does. */
  stayOn(): MachineStop {
    return this.#machine.run({ instructions: 500 });
  }

  /** Lets the handler of {@link stay} end. */
  leave(): MachineStop {
    this.#poke(HANDLER, RSM);
    return this.#machine.run({ instructions: 500 });
  }

  /** Why the processor shut down. */
  get reason(): string | undefined {
    return this.#machine.shutdownReason;
  }

  /** SMIs that it has taken. */
  get smmEntries(): number {
    return this.#machine.smmEntries[0]!;
  }

  get processor(): Machine['processors'][number] {
    return this.#machine.processors[0]!;
  }
}

const made = new Map<string, RsmBench>();

/** The bench of a name; made once. */
export function rsmBench(name: string): RsmBench {
  let bench = made.get(name);
  if (bench === undefined) {
    bench = new RsmBench(BENCHES.find((one) => one.name === name)!);
    made.set(name, bench);
  }
  return bench;
}
