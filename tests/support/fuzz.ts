/**
 * Random input for what takes bytes or text from others: any input gives a result or an `SmmError`, within 10 seconds
 * and 512 MiB. Inputs that once did not are kept with each fuzzer and tried first. The short form tries some, the full
 * form a million, or fewer of what costs more.
 */
import { SmmError } from '@smm/x86-defs';
import { Random } from '../../packages/cpu-core/test/support/random.ts';
import { seedOf, sized } from './form.ts';

const MOST_SECONDS = 10;
const MOST_BYTES = 512 << 20;

/** What is fuzzed. */
export interface Fuzzed<T> {
  /** Runs of the short form and of the full one. */
  readonly runs: readonly [short: number, full: number];
  /** Inputs that were found once. */
  readonly corpus?: readonly T[];
  /** An input from random numbers. */
  readonly make: (random: Random) => T;
  /** Uses it; throws `SmmError` for what it refuses, and anything else for a mistake. */
  readonly use: (input: T) => void;
  /** The input as text, to be added to the corpus. */
  readonly show: (input: T) => string;
}

/** What came of all inputs. */
export interface FuzzTally {
  /** Inputs that were taken. */
  taken: number;
  /** Inputs that were refused, by code of the error. */
  readonly refused: Map<string, number>;
}

/** Throws for the first input that gives another error than `SmmError`, takes too long or too much memory. */
export function fuzz<T>({ runs, corpus = [], make, use, show }: Fuzzed<T>): FuzzTally {
  const tally: FuzzTally = { taken: 0, refused: new Map() };
  const memory = bytesUsed();
  const total = sized(...runs);
  for (let n = -corpus.length; n < total; n++) {
    const input = n < 0 ? corpus[n + corpus.length]! : make(new Random(seedOf(n)));
    const begin = process.cpuUsage(); // not the wall's clock: others use the machine too
    try {
      use(input);
      tally.taken++;
    } catch (error) {
      if (!(error instanceof SmmError)) throw new Error(`input ${n}: ${show(input)}`, { cause: error });
      tally.refused.set(error.code, (tally.refused.get(error.code) ?? 0) + 1);
    }
    const { user, system } = process.cpuUsage(begin);
    const seconds = (user + system) / 1e6;
    if (seconds > MOST_SECONDS)
      throw new Error(`input ${n} took ${seconds} s of processor time: ${show(input)}`);
    if (n % 256 === 0 && bytesUsed() - memory > MOST_BYTES)
      throw new Error(`memory grew to ${bytesUsed()} bytes at input ${n}: ${show(input)}`);
  }
  return tally;
}

function bytesUsed(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Bytes with some of them changed, cut, repeated or put elsewhere. */
export function damaged(random: Random, bytes: Uint8Array): Uint8Array {
  let result = bytes.slice();
  for (let n = random.below(8); n >= 0; n--) {
    if (result.length === 0) return result;
    const at = random.below(result.length);
    switch (random.below(6)) {
      case 0:
        result = result.slice(0, at);
        break;
      case 1:
        result.copyWithin(at, random.below(result.length), random.below(result.length));
        break;
      case 2:
        new DataView(result.buffer).setUint8(at, random.pick([0, 1, 0x7f, 0x80, 0xff]));
        break;
      case 3:
        for (let i = 0; i < 4 && at + i < result.length; i++)
          result[at + i] = Number(random.value() >> 8n) & 0xff;
        break;
      default:
        result[at] = random.next();
    }
  }
  return result;
}

/** Bytes of hexadecimal text, as `show` of most fuzzers writes them. */
export function fromHex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}
