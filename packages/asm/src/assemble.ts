/** The assembler: passes over the source until no size and no label changes. */
import { checkOptions, isObject, isOneOf, isWhole, maybe, type OptionCheck } from '@smm/x86-defs';
import { AsmError } from './errors.ts';
import { constant, type Value } from './expression.ts';
import { CONDITIONS } from './instructions/integer.ts';
import { INSTRUCTIONS } from './instructions/row.ts';
import { Pass, type Statement } from './pass.ts';
import type { AssembledProgram, AssembleOptions } from './program.ts';
import { tokenize } from './tokens.ts';

const MAX_PASSES = 60;

function sameSymbols(a: ReadonlyMap<string, Value>, b: ReadonlyMap<string, Value>): boolean {
  if (a.size !== b.size) return false;
  for (const [name, value] of a) {
    const other = b.get(name);
    if (other === undefined || other.number !== value.number || other.unknown !== value.unknown) return false;
  }
  return true;
}

/**
 * Assembles `source`, a subset of NASM's language, to a flat binary.
 *
 * Throws an {@link AsmError} (`code` ASM_*) that names the line and its text.
 */
export function assemble(source: string, options: AssembleOptions = {}): AssembledProgram {
  checkOptions<AssembleOptions>('the options of assemble', options, {
    bits: maybe(isOneOf([16, 32, 64])),
    org: maybe(isAddress),
    symbols: maybe((option, value) => {
      isObject(option, value);
      for (const [name, at] of Object.entries(value as object)) isAddress(`${option}.${name}`, at);
    }),
  });
  const statements: Statement[] = [];
  for (const [index, text] of source.split(/\r?\n/).entries()) {
    try {
      const tokens = tokenize(text);
      if (tokens.length > 0) statements.push({ line: index + 1, text, tokens });
    } catch (error) {
      throw error instanceof AsmError ? error.at(index + 1, text) : error;
    }
  }
  const externals = new Map<string, Value>();
  for (const [name, value] of Object.entries(options.symbols ?? {}))
    externals.set(name, constant(BigInt(value)));
  const near = new Set<number>();
  let previous: ReadonlyMap<string, Value> = new Map();
  let length = -1;
  for (let count = 0; count < MAX_PASSES; count++) {
    const pass = new Pass(options, externals, previous, near, false);
    pass.run(statements);
    const stable = sameSymbols(pass.symbols, previous) && pass.bytes.length === length;
    if (stable && pass.undefinedSymbol !== undefined) throw pass.undefinedSymbol;
    if (stable) {
      const final = new Pass(options, externals, previous, near, true);
      final.run(statements);
      const symbols = new Map(
        [...final.symbols].map(([name, value]) => [name, Number(value.number)] as const),
      );
      return { bytes: Uint8Array.from(final.bytes), symbols, listing: final.listing };
    }
    previous = pass.symbols;
    length = pass.bytes.length;
  }
  throw new AsmError(
    'ASM_NOT_CONVERGED',
    `sizes still change after ${MAX_PASSES} passes`,
    1,
    statements[0]?.text ?? '',
  );
}

/** All mnemonics that {@link assemble} knows, sorted. */
export function mnemonics(): readonly string[] {
  return [...INSTRUCTIONS.keys()].sort();
}

/** Condition names by their 4-bit code, synonyms together. Intel SDM volume 1, "EFLAGS Condition Codes". */
export function conditionNames(): readonly (readonly string[])[] {
  return CONDITIONS;
}

const isAddress: OptionCheck = (option, value) => {
  if (typeof value !== 'bigint') isWhole(Number.MIN_SAFE_INTEGER)(option, value);
};
