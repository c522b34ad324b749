/** The inputs of `data/field`. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const FOLDER = fileURLToPath(new URL('./data/field/', import.meta.url));

/** Names without their ending. */
export const FIELD_NAMES = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.txt'))
  .map((name) => name.slice(0, -4));

/** Text of one input. */
export function fieldText(name: string): string {
  return readFileSync(`${FOLDER}${name}.txt`, 'utf8');
}
