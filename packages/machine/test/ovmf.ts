/** Debian's OVMF builds that require SMM (packages ovmf and ovmf-ia32, 2022.11-6+deb12u2). */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import type { BootOptions } from '../src/index.ts';

export const sha256 = (bytes: Uint8Array | string): string =>
  createHash('sha256').update(bytes).digest('hex');

const FOLDER = '/usr/share/OVMF';
const IMAGES = {
  x64: {
    code: `${FOLDER}/OVMF_CODE_4M.secboot.fd`,
    vars: `${FOLDER}/OVMF_VARS_4M.fd`,
    sha256: 'd50189a486d22af418198226a3a5bcb6ddac775590f6a808bd629474ee034d62',
  },
  ia32: {
    code: `${FOLDER}/OVMF32_CODE_4M.secboot.fd`,
    vars: `${FOLDER}/OVMF32_VARS_4M.fd`,
    sha256: 'd068b51430d3063b6063836a4c633c3e807c9629d3431910a9f4a2a9334da4b7',
  },
} as const;
export type Architecture = keyof typeof IMAGES;

/** Why these images cannot be booted here, for names of tests; undefined if they can. */
export function ovmfMissing(): string | undefined {
  for (const { code, vars, sha256: expected } of Object.values(IMAGES)) {
    if (!existsSync(code) || !existsSync(vars)) return `(skipped: needs the packages ovmf and ovmf-ia32)`;
    if (sha256(readFileSync(code)) !== expected)
      return `(skipped: ${code} is of another version than was measured)`;
  }
  return undefined;
}

export function readOvmf(architecture: Architecture): Pick<BootOptions, 'code' | 'vars'> {
  const { code, vars } = IMAGES[architecture];
  return { code: readFileSync(code), vars: readFileSync(vars) };
}
