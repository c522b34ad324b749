/**
 * Tells that the lines of a text were cut at one width, as `cut -c` and terminals do, so that numbers may lack digits.
 */

/** The name of an event anywhere in a line. */
const NAME = /\b(?:kvm|smm)_\w+(?=:)/;
/** What a number that lacks digits ends with. */
const NUMBER_END = /[0-9a-fx]$/;
/** Lines that must have been cut, and the part of all lines that they must be. */
const FEWEST = 4;
const SMALLEST_PART = 0.1;

/** True if a line of a text that is cut at `width` may lack the end of its last number. */
export function isCutLine(line: string, width: number | undefined): boolean {
  return line.length === width && NUMBER_END.test(line);
}

/**
 * The width at which lines are cut: the longest have events of different names, and each is followed by an event of its
 * own, not by its rest. Undefined if they are whole.
 */
export function cutWidth(text: string): number | undefined {
  const lines = text.split(/\r?\n/).slice(0, -1);
  let width = 0;
  for (const line of lines) if (line.length > width) width = line.length;
  const names = new Set<string>();
  let count = 0;
  for (const [i, line] of lines.entries()) {
    if (line.length !== width) continue;
    const name = NAME.exec(line)?.[0];
    const next = lines[i + 1];
    if (name === undefined || (next !== undefined && !NAME.test(next))) return undefined;
    names.add(name);
    count++;
  }
  return names.size > 1 && count >= FEWEST && count >= SMALLEST_PART * lines.length ? width : undefined;
}
