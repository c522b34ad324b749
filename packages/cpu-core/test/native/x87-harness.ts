/** Builds and talks to `x87.c`. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What one run on the real processor starts from. */
export interface NativeVector {
  /** FNSAVE image, 108 of 112 bytes used. */
  readonly image: Uint8Array;
  readonly flags: number;
  /** At most `codeBytes` of the harness. */
  readonly code: Uint8Array;
  /** `operandBytes` of the harness, at the operand. */
  readonly memory: Uint8Array;
}

/** What it left. */
export interface NativeResult {
  readonly image: DataView;
  readonly flags: number;
  readonly rax: bigint;
  /** Signal number, 0 if none. */
  readonly signal: number;
  readonly memory: Uint8Array;
}

const IMAGE = 112;

/** Why there is no native processor to ask, or undefined. */
export function nativeSkip(): string | undefined {
  if (process.arch !== 'x64' || process.platform !== 'linux') return 'needs an x86-64 Linux';
  return spawnSync('gcc', ['--version']).status === 0 ? undefined : 'needs gcc';
}

/** The compiled harness. */
export class NativeFpu {
  readonly #folder = mkdtempSync(join(tmpdir(), 'smm-x87-'));
  readonly #codeBytes: number;
  readonly #operandBytes: number;

  /** Room for code, a multiple of 8, and bytes at the operand, a multiple of 8 and at most 4096. */
  constructor(codeBytes = 48, operandBytes = 112) {
    this.#codeBytes = codeBytes;
    this.#operandBytes = operandBytes;
    const source = fileURLToPath(new URL('x87.c', import.meta.url));
    const sizes = [`-DCODE_BYTES=${codeBytes}`, `-DOPERAND_BYTES=${operandBytes}`];
    execFileSync('gcc', ['-O1', '-no-pie', ...sizes, '-o', join(this.#folder, 'x87'), source]);
  }

  /** Runs all vectors. */
  run(vectors: readonly NativeVector[]): NativeResult[] {
    const vectorSize = IMAGE + 8 + this.#codeBytes + 8 + this.#operandBytes;
    const resultSize = IMAGE + 8 + 8 + 8 + this.#operandBytes;
    const input = new DataView(new ArrayBuffer(vectors.length * vectorSize));
    const bytes = new Uint8Array(input.buffer);
    vectors.forEach((v, i) => {
      const at = i * vectorSize;
      bytes.set(v.image, at);
      input.setBigUint64(at + IMAGE, BigInt(v.flags), true);
      bytes.set(v.code, at + IMAGE + 8);
      input.setBigUint64(at + IMAGE + 8 + this.#codeBytes, BigInt(v.code.length), true);
      bytes.set(v.memory, at + IMAGE + 16 + this.#codeBytes);
    });
    const out = execFileSync(join(this.#folder, 'x87'), { input: bytes, maxBuffer: 1 << 30 });
    if (out.length !== vectors.length * resultSize) throw new Error(`the harness gave ${out.length} bytes`);
    const view = new DataView(out.buffer, out.byteOffset, out.length);
    return vectors.map((_, i) => {
      const at = i * resultSize;
      return {
        image: new DataView(out.buffer, out.byteOffset + at, 108),
        flags: Number(view.getBigUint64(at + IMAGE, true)),
        rax: view.getBigUint64(at + IMAGE + 8, true),
        signal: Number(view.getBigUint64(at + IMAGE + 16, true)),
        memory: new Uint8Array(out.buffer, out.byteOffset + at + IMAGE + 24, this.#operandBytes),
      };
    });
  }

  /** Removes the program. */
  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true });
  }
}
