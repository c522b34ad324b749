/** Attacker programs: guest assembly with a header that says what they try, what hardware does, and what is printed. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { assemble } from '@smm/asm';

/** What lies in SMRAM and must never be seen: 16 bytes of ASCII. */
export const SECRET = 'KeptInSMRAM-only';
/** RAM of the machine, MiB: so much that a window of 256 MiB can lie over TSEG and not over low memory. */
export const MEMORY_MIB = 272;
/** TSEG, 1 MB at the end of RAM: guest-physical. */
export const TSEG = (MEMORY_MIB - 1) * 0x10_0000;
/** Code flash in bytes: ends at 4 GiB. */
export const ROM_BYTES = 0x1_0000;

const FOLDER = join(import.meta.dirname, '..');
const MASK = 0x5a5a_5a5a;

/** One attacker program. */
export interface Attack {
  /** File name without `.asm`. */
  readonly name: string;
  /** First sentence of the header. */
  readonly title: string;
  /** Lines on the debug port. */
  readonly log: readonly string[];
  /** Processors. */
  readonly cpus: number;
  /** SMRAM is locked before the attack. */
  readonly locked: boolean;
  /** The compatible range is at FEDA0000h. */
  readonly high: boolean;
  /**
   * Flash chips in place of the ROM: bytes of the variables' chip below the code, 0 for a plain ROM; commands in SMM
   * alone when `secure`.
   */
  readonly varsBytes: number;
  readonly secure: boolean;
  /** The firmware image: variables (byte i is i & FFh, the first 4 KiB are the attack's `vars:`), then code. */
  readonly image: Uint8Array;
}

/** Every attack of the folder in order of name. */
export function attacks(): Attack[] {
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith('.asm'))
    .sort()
    .map((file) => parse(file.slice(0, -4), readFileSync(join(FOLDER, file), 'utf8')));
}

/**
 * Header lines: `; title`, then `; hardware:`, `; source:` (both demanded), `; setup:` with words
 * `cpus=2 lock=no high=yes flash=plain|secure`, and one `; log:` a line that the debug port shows. Other comment lines
 * continue the one above.
 */
function parse(name: string, source: string): Attack {
  const header = source.split('\n').slice(
    0,
    source.split('\n').findIndex((line) => !line.startsWith(';')),
  );
  const values = (key: string): string[] =>
    header.flatMap((line) => (line.startsWith(`; ${key}:`) ? [line.slice(key.length + 3).trim()] : []));
  for (const key of ['hardware', 'source', 'log']) {
    if (values(key).length === 0) throw new Error(`${name}.asm has no line "; ${key}:" in its header`);
  }
  const setup = new Map(
    values('setup').flatMap((line) => line.split(/\s+/).map((word) => word.split('=') as [string, string])),
  );
  for (const [key] of setup) {
    if (!['cpus', 'lock', 'high', 'flash'].includes(key))
      throw new Error(`${name}.asm: setup has no "${key}"`);
  }
  const cpus = Number(setup.get('cpus') ?? 1);
  const locked = setup.get('lock') !== 'no';
  const high = setup.get('high') === 'yes';
  const varsBytes = setup.has('flash') ? ROM_BYTES : 0;
  const titleLines = header.slice(
    0,
    header.findIndex((line) => /^; \w+:/.test(line)),
  );
  const title = titleLines.map((line) => line.slice(2)).join(' ');
  const options = { title, cpus, locked, high, varsBytes, secure: setup.get('flash') === 'secure' };
  return { name, log: values('log'), ...options, image: imageOf(source, options) };
}

function imageOf(
  source: string,
  { cpus, locked, high, varsBytes }: Omit<Attack, 'name' | 'log' | 'image'>,
): Uint8Array {
  const prologue = readFileSync(join(FOLDER, 'support', 'prologue.asm'), 'utf8');
  const stubs = Array.from({ length: 32 }, (_, vector) => `align 8\n push ${vector}\n jmp near fault`);
  const secret = new DataView(new TextEncoder().encode(SECRET).buffer);
  const { bytes, symbols } = assemble(
    [`${prologue}\nalign 8\nstubs:`, ...stubs, source, ...(cpus > 1 ? [] : ['ap_attack: ret'])].join('\n'),
    {
      bits: 16,
      org: 0x1_0000,
      symbols: {
        TSEG,
        COMPAT: high ? 0xfeda_0000 : 0xa_0000,
        LOCK: Number(locked),
        HIGH: Number(high),
        CPUS: cpus,
        FLASH: varsBytes,
        ...Object.fromEntries(
          [0, 1, 2, 3].map((i) => [`SECRET${i}`, (secret.getUint32(i * 4, true) ^ MASK) >>> 0]),
        ),
      },
    },
  );
  if (bytes.length > 0xfff0) throw new Error(`${bytes.length} bytes of code do not fit`);
  const image = Uint8Array.from({ length: varsBytes + ROM_BYTES }, (_, i) => (i < varsBytes ? i & 0xff : 0));
  image.set(bytes, varsBytes);
  image.set(assemble('jmp 0xf000:0', { bits: 16, org: 0xfff0 }).bytes, varsBytes + 0xfff0);
  // What an attack wants at the start of the variables (page tables, descriptors): the 4 KiB from its label `vars` on.
  const vars = symbols.get('vars');
  if (vars !== undefined) image.set(bytes.subarray(Number(vars) - 0x1_0000).subarray(0, 0x1000), 0);
  return image;
}
