/** One pass: walks over the statements with what the pass before found out, and collects bytes and symbols. */
import { encodeInstruction, pushChecked, type WrittenPrefixes } from './encode.ts';
import { AsmError } from './errors.ts';
import { constant, isPlain, parseExpression, type SymbolLookup, type Value } from './expression.ts';
import { INSTRUCTIONS } from './instructions/row.ts';
import { type Operand, parseOperand } from './operands.ts';
import type { AssembleOptions, ListingLine } from './program.ts';
import { REGISTERS, type Register } from './registers.ts';
import { type Token, TokenReader } from './tokens.ts';

const PREFIXES: Readonly<Record<string, number>> = {
  lock: 0xf0,
  rep: 0xf3,
  repe: 0xf3,
  repz: 0xf3,
  repne: 0xf2,
  repnz: 0xf2,
};
const DATA_SIZES: Readonly<Record<string, number>> = { db: 8, dw: 16, dd: 32, dq: 64 };
const DIRECTIVES = new Set([
  'bits',
  'org',
  'align',
  'times',
  'default',
  'equ',
  'db',
  'dw',
  'dd',
  'dq',
  'use16',
  'use32',
]);
const MAX_OUTPUT = 0x100_0000;
const MOST_NESTED_TIMES = 16;

/** Words that cannot be labels. */
function isReserved(word: string): boolean {
  const lower = word.toLowerCase();
  return (
    DIRECTIVES.has(lower) ||
    INSTRUCTIONS.has(lower) ||
    lower in PREFIXES ||
    /^[oa](?:16|32|64)$/.test(lower) ||
    REGISTERS.has(lower)
  );
}

/** One source line with its tokens. */
export interface Statement {
  /** 1-based. */
  readonly line: number;
  /** As written. */
  readonly text: string;
  /** Without comment. */
  readonly tokens: readonly Token[];
}

/** State of one pass over the source. */
export class Pass {
  readonly bytes: number[] = [];
  readonly symbols = new Map<string, Value>();
  readonly listing: ListingLine[] = [];
  undefinedSymbol: AsmError | undefined;
  #bits: number;
  #origin: bigint;
  #defaultRelative = false;
  #scope = '';
  #statement: Statement = { line: 0, text: '', tokens: [] };
  #jump = 0;
  /** Repetitions so far, and how many are within each other now. */
  #repeated = 0;
  #nested = 0;
  #start = 0n;
  readonly #externals: ReadonlyMap<string, Value>;
  readonly #previous: ReadonlyMap<string, Value>;
  readonly #near: Set<number>;
  readonly #final: boolean;

  constructor(
    options: AssembleOptions,
    externals: ReadonlyMap<string, Value>,
    previous: ReadonlyMap<string, Value>,
    near: Set<number>,
    final: boolean,
  ) {
    this.#bits = options.bits ?? 16;
    this.#origin = BigInt(options.org ?? 0);
    this.#externals = externals;
    this.#previous = previous;
    this.#near = near;
    this.#final = final;
  }

  get #here(): bigint {
    return this.#origin + BigInt(this.bytes.length);
  }

  run(statements: readonly Statement[]): void {
    for (const statement of statements) {
      this.#statement = statement;
      const offset = this.bytes.length;
      const address = Number(this.#here);
      try {
        this.#line(new TokenReader(statement.tokens));
      } catch (error) {
        throw error instanceof AsmError ? error.at(statement.line, statement.text) : error;
      }
      if (this.#final) {
        const bytes = Uint8Array.from(this.bytes.slice(offset));
        this.listing.push({ line: statement.line, address, offset, bytes, text: statement.text });
      }
    }
  }

  #fullName(name: string): string {
    return name.startsWith('.') ? this.#scope + name : name;
  }

  readonly #lookup: SymbolLookup = (name) => {
    if (name === '$') return { ...constant(this.#start), relocatable: 1 };
    if (name === '$$') return { ...constant(this.#origin), relocatable: 1 };
    const full = this.#fullName(name);
    const value = this.symbols.get(full) ?? this.#previous.get(full) ?? this.#externals.get(full);
    if (value !== undefined) return value;
    this.undefinedSymbol ??= new AsmError('ASM_UNDEFINED_SYMBOL', `'${full}' is not defined`).at(
      this.#statement.line,
      this.#statement.text,
    );
    return { ...constant(this.#here), unknown: true };
  };

  #define(name: string, value: Value): void {
    if (isReserved(name)) throw new AsmError('ASM_SYNTAX', `'${name}' is a reserved word`);
    const full = this.#fullName(name);
    if (this.symbols.has(full)) throw new AsmError('ASM_DUPLICATE_SYMBOL', `'${full}' is defined twice`);
    this.symbols.set(full, value);
    if (!name.startsWith('.')) this.#scope = name;
  }

  #line(reader: TokenReader): void {
    this.#start = this.#here;
    const first = reader.peek();
    if (first?.kind === 'name') {
      const second = reader.peek(1);
      const colon = second?.kind === 'punctuation' && second.text === ':';
      if (second?.kind === 'name' && second.text.toLowerCase() === 'equ') {
        reader.next();
        reader.next();
        const value = parseExpression(reader, this.#lookup);
        reader.expectEnd();
        if (value.terms.length > 0) throw new AsmError('ASM_SYNTAX', 'equ takes a value, not a register');
        this.#define(first.text, value);
        return;
      }
      // `es:` cannot be a label, so a colon after a reserved word falls through to the error of #define.
      if (colon || !isReserved(first.text)) {
        // Without a colon a label must stand before an instruction; alone it is more likely a misspelt one.
        if (!colon && (second?.kind !== 'name' || !isReserved(second.text))) {
          throw new AsmError(
            'ASM_UNKNOWN_INSTRUCTION',
            `'${first.text}' is not an instruction (a label takes a colon)`,
          );
        }
        reader.next();
        if (colon) reader.next();
        if (colon && reader.peek()?.kind === 'name' && reader.acceptWord('equ')) {
          const value = parseExpression(reader, this.#lookup);
          reader.expectEnd();
          this.#define(first.text, value);
          return;
        }
        this.#define(first.text, { ...constant(this.#here), relocatable: 1 });
      }
    }
    if (!reader.done) this.#statementBody(reader);
  }

  #statementBody(reader: TokenReader): void {
    this.#start = this.#here;
    const token = reader.next();
    if (token.kind !== 'name') throw new AsmError('ASM_SYNTAX', `'${token.text}' cannot start a statement`);
    const word = token.text.toLowerCase();
    const dataSize = DATA_SIZES[word];
    if (dataSize !== undefined) {
      this.#data(reader, dataSize);
      return;
    }
    switch (word) {
      case 'bits':
        this.#setBits(Number(this.#number(reader, 'bits')));
        return;
      case 'org': {
        const origin = this.#number(reader, 'org');
        if (this.bytes.length > 0) throw new AsmError('ASM_SYNTAX', 'org must come before the first byte');
        this.#origin = origin;
        return;
      }
      case 'default':
        if (reader.acceptWord('rel')) this.#defaultRelative = true;
        else if (reader.acceptWord('abs')) this.#defaultRelative = false;
        else throw new AsmError('ASM_SYNTAX', "default takes 'rel' or 'abs'");
        reader.expectEnd();
        return;
      case 'align':
        this.#align(reader);
        return;
      case 'times':
        this.#times(reader);
        return;
      default:
        this.#instruction(word, reader);
    }
  }

  #number(reader: TokenReader, what: string): bigint {
    const value = parseExpression(reader, this.#lookup);
    reader.expectEnd();
    if (!isPlain(value) && !value.unknown) throw new AsmError('ASM_SYNTAX', `${what} takes a plain number`);
    return value.number;
  }

  #setBits(bits: number): void {
    if (bits !== 16 && bits !== 32 && bits !== 64)
      throw new AsmError('ASM_SYNTAX', 'bits takes 16, 32 or 64');
    this.#bits = bits;
  }

  #data(reader: TokenReader, size: number): void {
    do {
      const token = reader.peek();
      const after = reader.peek(1);
      const alone = after === undefined || (after.kind === 'punctuation' && after.text === ',');
      if (token?.kind === 'string' && alone) {
        reader.next();
        for (const byte of token.bytes) this.bytes.push(byte);
        const width = size / 8;
        const rest = token.bytes.length % width;
        if (rest !== 0) for (let fill = rest; fill < width; fill++) this.bytes.push(0);
      } else {
        const value = parseExpression(reader, this.#lookup);
        if (value.terms.length > 0) throw new AsmError('ASM_SYNTAX', 'data cannot be a register');
        pushChecked(this.bytes, value, size, false, this.#final);
      }
    } while (reader.accept(',') && !reader.done);
    reader.expectEnd();
  }

  #align(reader: TokenReader): void {
    const value = parseExpression(reader, this.#lookup);
    const boundary = Number(value.number);
    if (boundary <= 0 || (boundary & (boundary - 1)) !== 0) {
      throw new AsmError('ASM_SYNTAX', 'align takes a power of two');
    }
    const fill = reader.accept(',') ? [] : undefined;
    const count = (boundary - (this.bytes.length % boundary)) % boundary;
    this.#room(count);
    if (fill === undefined) {
      reader.expectEnd();
      for (let n = 0; n < count; n++) this.bytes.push(0x90);
      return;
    }
    this.#repeat(this.#rest(reader), count);
  }

  #times(reader: TokenReader): void {
    const value = parseExpression(reader, this.#lookup);
    if (!isPlain(value) && !value.unknown) throw new AsmError('ASM_SYNTAX', 'times takes a plain number');
    const count = Number(value.number);
    if (count < 0 && this.#final) throw new AsmError('ASM_RANGE', `times ${count} is negative`);
    if (!value.unknown) this.#room(count);
    this.#repeat(this.#rest(reader), value.unknown ? 0 : Math.max(0, count));
  }

  #rest(reader: TokenReader): Token[] {
    const rest: Token[] = [];
    while (!reader.done) rest.push(reader.next());
    return rest;
  }

  #room(count: number): void {
    if (this.bytes.length + count > MAX_OUTPUT)
      throw new AsmError('ASM_RANGE', `more than ${MAX_OUTPUT} bytes of output`);
  }

  /**
   * What is repeated may be a repetition, and need not put out anything: how deep it goes and how often it is done are
   * bounded too.
   */
  #repeat(tokens: readonly Token[], count: number): void {
    if (++this.#nested > MOST_NESTED_TIMES)
      throw new AsmError('ASM_SYNTAX', `times is nested more than ${MOST_NESTED_TIMES} deep`);
    for (let n = 0; n < count; n++) {
      if (++this.#repeated > MAX_OUTPUT)
        throw new AsmError('ASM_RANGE', `more than ${MAX_OUTPUT} repetitions`);
      this.#statementBody(new TokenReader(tokens));
    }
    this.#nested--;
  }

  #prefixes(first: string, reader: TokenReader): readonly [string, WrittenPrefixes] {
    const group1: number[] = [];
    let segment: Register | undefined;
    let operandSize = 0;
    let addressSize = 0;
    let word = first;
    for (;;) {
      const prefix = PREFIXES[word];
      const register = REGISTERS.get(word);
      const size = /^([oa])(16|32|64)$/.exec(word);
      if (prefix !== undefined) group1.push(prefix);
      else if (register?.class === 'segment') segment = register;
      else if (size?.[1] === 'o') operandSize = Number(size[2]);
      else if (size !== null) addressSize = Number(size[2]);
      else break;
      const token = reader.next();
      if (token.kind !== 'name')
        throw new AsmError('ASM_SYNTAX', `an instruction expected before '${token.text}'`);
      word = token.text.toLowerCase();
    }
    return [word, { group1, segment, operandSize, addressSize }];
  }

  #instruction(first: string, reader: TokenReader): void {
    const [mnemonic, prefixes] = this.#prefixes(first, reader);
    if (!INSTRUCTIONS.has(mnemonic)) {
      throw new AsmError('ASM_UNKNOWN_INSTRUCTION', `'${mnemonic}' is not an instruction`);
    }
    const operands: Operand[] = [];
    if (!reader.done) {
      do operands.push(parseOperand(reader, this.#lookup));
      while (reader.accept(','));
    }
    reader.expectEnd();
    const jump = this.#jump++;
    const { bytes, near } = encodeInstruction(mnemonic, operands, prefixes, {
      bits: this.#bits,
      defaultRelative: this.#defaultRelative,
      address: this.#here,
      final: this.#final,
      near: this.#near.has(jump),
    });
    if (near) this.#near.add(jump);
    this.#room(bytes.length);
    this.bytes.push(...bytes);
  }
}
