/** Splits one source line into tokens, in NASM's lexical rules. */
import { AsmError } from './errors.ts';

/** One lexical unit. `text` is as written; for strings `bytes` holds the characters. */
export type Token =
  | { readonly kind: 'name'; readonly text: string }
  | { readonly kind: 'number'; readonly text: string; readonly value: bigint }
  | { readonly kind: 'string'; readonly text: string; readonly bytes: readonly number[] }
  | { readonly kind: 'punctuation'; readonly text: string };

const NAME = /^(?:\$\$|\$|[A-Za-z_.?@][A-Za-z0-9_.?@#$~]*)/;
const NUMBER = /^[0-9][0-9A-Za-z_]*/;
const PUNCTUATION = [
  '<<',
  '>>',
  '//',
  '+',
  '-',
  '*',
  '/',
  '%',
  '&',
  '|',
  '^',
  '~',
  '(',
  ')',
  '[',
  ']',
  ',',
  ':',
];
const ESCAPES: Readonly<Record<string, number>> = {
  n: 10,
  t: 9,
  r: 13,
  '0': 0,
  '\\': 92,
  '`': 96,
  "'": 39,
  '"': 34,
};

/** The integer that a NASM literal means, or undefined when it is none: 10, 0x1F, 1Fh, 0b1, 1b, 0o7, 7o, 1_000. */
function parseNumber(text: string): bigint | undefined {
  const plain = text.replaceAll('_', '').toLowerCase();
  const forms: readonly (readonly [RegExp, string])[] = [
    [/^0[xh]([0-9a-f]+)$/, '0x'],
    [/^0[by]([01]+)$/, '0b'],
    [/^0[oq]([0-7]+)$/, '0o'],
    [/^0[dt]([0-9]+)$/, ''],
    [/^([0-9][0-9a-f]*)h$/, '0x'],
    [/^([01]+)[by]$/, '0b'],
    [/^([0-7]+)[oq]$/, '0o'],
    [/^([0-9]+)[dt]?$/, ''],
  ];
  for (const [form, prefix] of forms) {
    const digits = form.exec(plain)?.[1];
    if (digits !== undefined) return BigInt(prefix + digits);
  }
  return undefined;
}

function readString(line: string, start: number): Token & { readonly kind: 'string' } {
  const quote = line.charAt(start);
  const bytes: number[] = [];
  let at = start + 1;
  for (; at < line.length && line.charAt(at) !== quote; at++) {
    let character = line.charAt(at);
    if (quote === '`' && character === '\\') {
      character = line.charAt(++at);
      if (character === 'x') {
        bytes.push(Number.parseInt(line.slice(at + 1, at + 3), 16));
        at += 2;
        continue;
      }
      const code = ESCAPES[character];
      if (code === undefined) throw new AsmError('ASM_SYNTAX', `unknown escape \\${character}`);
      bytes.push(code);
      continue;
    }
    const code = character.charCodeAt(0);
    if (code > 0x7f) throw new AsmError('ASM_SYNTAX', 'only ASCII characters are allowed in strings');
    bytes.push(code);
  }
  if (at >= line.length) throw new AsmError('ASM_SYNTAX', `string without closing ${quote}`);
  return { kind: 'string', text: line.slice(start, at + 1), bytes };
}

/** Tokens of `line` up to its `;` comment. Throws {@link AsmError} `ASM_SYNTAX`. */
export function tokenize(line: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < line.length) {
    const character = line.charAt(at);
    if (character === ';') break;
    if (/\s/.test(character)) {
      at++;
      continue;
    }
    if (character === "'" || character === '"' || character === '`') {
      const token = readString(line, at);
      tokens.push(token);
      at += token.text.length;
      continue;
    }
    const rest = line.slice(at);
    const number = NUMBER.exec(rest)?.[0];
    if (number !== undefined) {
      const value = parseNumber(number);
      if (value === undefined) throw new AsmError('ASM_SYNTAX', `'${number}' is not a number`);
      tokens.push({ kind: 'number', text: number, value });
      at += number.length;
      continue;
    }
    const name = NAME.exec(rest)?.[0];
    if (name !== undefined) {
      tokens.push({ kind: 'name', text: name });
      at += name.length;
      continue;
    }
    const sign = PUNCTUATION.find((text) => rest.startsWith(text));
    if (sign === undefined) throw new AsmError('ASM_SYNTAX', `unexpected character '${character}'`);
    tokens.push({ kind: 'punctuation', text: sign });
    at += sign.length;
  }
  return tokens;
}

/** Reads tokens one after the other. */
export class TokenReader {
  readonly #tokens: readonly Token[];
  #at = 0;

  /** A reader at the first of `tokens`. */
  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  /** True when all tokens are consumed. */
  get done(): boolean {
    return this.#at >= this.#tokens.length;
  }

  /** The token `ahead` places further, or undefined past the end. */
  peek(ahead = 0): Token | undefined {
    return this.#tokens[this.#at + ahead];
  }

  /** Consumes one token; it is a syntax error if there is none. */
  next(): Token {
    const token = this.#tokens[this.#at++];
    if (token === undefined) throw new AsmError('ASM_SYNTAX', 'the line ends too early');
    return token;
  }

  /** Consumes punctuation `text` if it is next. */
  accept(text: string): boolean {
    const token = this.peek();
    if (token?.kind !== 'punctuation' || token.text !== text) return false;
    this.#at++;
    return true;
  }

  /** Consumes a name that equals `word` in any case, if it is next. */
  acceptWord(word: string): boolean {
    const token = this.peek();
    if (token?.kind !== 'name' || token.text.toLowerCase() !== word) return false;
    this.#at++;
    return true;
  }

  /** Consumes punctuation `text` or throws `ASM_SYNTAX`. */
  expect(text: string): void {
    if (this.accept(text)) return;
    throw new AsmError(
      'ASM_SYNTAX',
      `'${text}' expected${this.done ? ' at the end' : ` before '${this.peek()?.text}'`}`,
    );
  }

  /** Throws `ASM_SYNTAX` unless all tokens are consumed. */
  expectEnd(): void {
    if (!this.done) throw new AsmError('ASM_SYNTAX', `unexpected '${this.peek()?.text}'`);
  }
}
