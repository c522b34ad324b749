/** Courses of OVMF that are known, line by line. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { FULL } from '../../../tests/support/form.ts';
import { sha256 } from './ovmf.ts';

/** Lines of a course of which one hash is kept. */
const CHUNK = 40;

/** One hash for each so many lines, and how many lines there are. */
function digest(lines: readonly string[]): string {
  const parts: string[] = [];
  for (let at = 0; at < lines.length; at += CHUNK)
    parts.push(sha256(lines.slice(at, at + CHUNK).join('\n')).slice(0, 16));
  return `${[...parts, `${lines.length} lines`].join('\n')}\n`;
}

/**
 * The course that was seen is the interpreter's. What that is, is kept in `data/courses`, so that the interpreter need
 * not run; it does in the full form, which keeps the file true
 * (`npm run test:full -- packages/machine/test/tiers-ovmf -u` writes it anew), and where the course seen is another.
 */
export async function expectCourse(
  name: string,
  seen: readonly string[],
  interpreter: () => readonly string[],
): Promise<void> {
  const file = fileURLToPath(new URL(`data/courses/${name}.txt`, import.meta.url));
  const known = existsSync(file) ? readFileSync(file, 'latin1') : '';
  if (!FULL && digest(seen) === known) return;
  const expected = interpreter();
  const at = expected.findIndex((line, i) => line !== seen[i]);
  expect([at, seen[at], seen.length]).toEqual([-1, undefined, expected.length]);
  if (FULL) await expect(digest(expected)).toMatchFileSnapshot(file);
  else
    console.warn(`${name}.txt is out of date: the interpreter too has another course, the same as seen here`);
}
