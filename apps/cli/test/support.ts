import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { claimOutput, openRandom, openStore, readBounded, readPieces } from '@smm/files';
import { Ajv } from 'ajv';
import { expect } from 'vitest';
import type { Io } from '../src/io.ts';
import { smm } from '../src/program.ts';

/** What one invocation did. */
export interface Result {
  code: number;
  out: string;
  err: string;
}

/** Runs the program in this process. `command` is split at spaces. */
export async function cli(
  command: string | readonly string[],
  { input = '', terminal = false, columns = 120, env = {} as Record<string, string> } = {},
): Promise<Result> {
  const result: Result = { code: -1, out: '', err: '' };
  const decoder = new TextDecoder();
  const io: Io = {
    out: (text) => {
      result.out += typeof text === 'string' ? text : decoder.decode(text);
    },
    err: (text) => {
      result.err += text;
    },
    outIsTerminal: terminal,
    errIsTerminal: terminal,
    columns: terminal ? columns : undefined,
    env,
    readFile: (what, path, limit) =>
      path === 0 ? new TextEncoder().encode(input) : readBounded(what, path, limit),
    readPieces: (what, path) => (path === 0 ? [new TextEncoder().encode(input)] : readPieces(what, path)),
    openRandom,
    claim: claimOutput,
    openStore,
    breathe: async () => undefined,
  };
  result.code = await smm(typeof command === 'string' ? command.split(' ') : command, io);
  return result;
}

/** A JSON answer. */
export async function json<T>(command: string): Promise<T & { code: number }> {
  const { code, out } = await cli(`${command} --json`);
  return { ...(JSON.parse(out) as T), code };
}

/** Fails unless an object is as a schema of this package, `diagnose` or `boot`, says; gives the object. */
export function fitsSchema(name: 'diagnose' | 'boot' | 'relocate', object: unknown): unknown {
  const schema = JSON.parse(readFileSync(ofPackage(`schema/${name}.schema.json`), 'utf8')) as object;
  const validate = new Ajv({ allErrors: true, allowUnionTypes: true }).compile(schema);
  validate(object);
  expect(validate.errors, JSON.stringify(object, null, 1).slice(0, 2000)).toBeNull();
  return object;
}

/** What the tests look at in `relocate --json`. */
export interface RelocateJson {
  outcome: string;
  summary: string;
  cpus: { id: number; smbase: string; planned: string; state: string; waitingOn: string | null }[];
  firstSmi: { entered: number; of: number } | null;
  log: string[];
  notes: string[];
  configuration: { quirks: string[]; host: string | null };
}

/** A folder of this test run's own. */
export function scratch(): string {
  return mkdtempSync(join(tmpdir(), 'smm-cli-'));
}

/** A file of this package. */
export function ofPackage(path: string): string {
  return fileURLToPath(new URL(`../${path}`, import.meta.url));
}

/** The options that make the mail's machine. */
export const MAIL = '-smp 2 --bitness 32 -accel kvm --host rhel7-3.10.0-323';

/** Fails unless the patterns are found in `lines` in this order, possibly with others between. */
export function inOrder(lines: readonly string[], patterns: readonly RegExp[]): void {
  let at = 0;
  for (const pattern of patterns) {
    const found = lines.findIndex((line, index) => index >= at && pattern.test(line));
    if (found < 0) throw new Error(`no line after line ${at} matches ${pattern}`);
    at = found + 1;
  }
}
