/** A processor's registers by the names that the SDM gives them. */
import { CR0_PE, RFLAGS_VM, refuse } from '@smm/x86-defs';
import type { Processor } from './processor.ts';
import {
  type BigRegister,
  type NumberRegister,
  type RegisterName,
  type RegisterRow,
  registerRows,
} from './register-names.ts';

/** Value of a register: a number where at most 32 bits exist, else a bigint. Both unsigned. */
export type RegisterValue<N extends RegisterName> = N extends BigRegister ? bigint : number;

/**
 * Reads and writes registers by name, what depends on them included: after a write the processor goes on as if it had
 * been so all along. Segments are `cs` (selector), `cs.base`, `cs.limit` (bytes) and `cs.attributes` (16-bit
 * save-state form); flags are `cf`, `zf`, `if` and so on, `iopl`; x87 registers count from the top of the stack. Bases
 * and CR2 are linear addresses, CR3, PDPTEs and SMBASE guest-physical ones.
 */
export class RegisterFile {
  readonly #cpu: Processor;
  readonly #rows: ReadonlyMap<string, RegisterRow>;

  constructor(cpu: Processor) {
    this.#cpu = cpu;
    this.#rows = registerRows();
    for (const name of this.#rows.keys()) {
      Object.defineProperty(this, name, {
        enumerable: true,
        get: () => this.get(name as RegisterName),
        set: (value: number | bigint) => this.#set(name, value),
      });
    }
  }

  /** All names. */
  get names(): readonly RegisterName[] {
    return [...this.#rows.keys()] as RegisterName[];
  }

  /** A register's value. Throws `SmmError` `OPTION_VALUE` for a name that is none. */
  get<N extends RegisterName>(name: N): RegisterValue<N> {
    return this.#row(name).get(this.#cpu) as RegisterValue<N>;
  }

  /**
   * Writes a register and nothing else, whatever an instruction would check: 32-bit general registers clear the upper
   * half, as everywhere. In real and virtual-8086 mode a selector brings its base, 16 times itself, along. Throws
   * `SmmError` `OPTION_VALUE` for a name that is none and a value that does not fit.
   */
  set<N extends RegisterName>(name: N, value: RegisterValue<N>): void {
    this.#set(name, value);
  }

  #row(name: string): RegisterRow {
    const row = this.#rows.get(name);
    if (row !== undefined) return row;
    return refuse('the name of a register', name, 'one of registers.names, such as rax, cs.base or xmm0');
  }

  #set(name: string, value: number | bigint): void {
    const row = this.#row(name);
    const { bits, big, effect } = row;
    const least = big ? 0n : 0;
    const fits = typeof value === (big ? 'bigint' : 'number') && value >= least && value < 2n ** BigInt(bits);
    if (!fits || (!big && !Number.isInteger(value)))
      refuse(`register ${name}`, value, `a ${big ? 'bigint' : 'whole number'} of ${bits} bits without sign`);
    const cpu = this.#cpu;
    row.set(cpu, value);
    const realBase = this.#rows.get(`${name}.base`);
    if (bits === 16 && realBase !== undefined && addressesLikeRealMode(cpu))
      realBase.set(cpu, BigInt(value) << 4n);
    if (effect === 'none') return;
    cpu.modeChanged();
    if (effect === 'translations') cpu.flushAll();
    cpu.recheckEvents();
  }
}

function addressesLikeRealMode({ state }: Processor): boolean {
  return !(state.cr0 & CR0_PE) || (state.eflags & RFLAGS_VM) !== 0;
}

/** {@link RegisterFile} with a property for each register: `registers.rax`, `registers['cs.base']`. */
export type Registers = RegisterFile & { [N in NumberRegister]: number } & { [N in BigRegister]: bigint };

/** The registers of a processor. */
export function registersOf(cpu: Processor): Registers {
  return new RegisterFile(cpu) as Registers;
}
