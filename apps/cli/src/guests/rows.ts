/** What a Linux guest says of itself on its serial port: `ROW name: verdict (uptime N)`. */

/** The rows that a guest prints when it suspends once, in order. */
export const GUEST_ROWS = [
  'boot',
  'efivarfs',
  'efibootmgr-list',
  'bootnext',
  'bootorder',
  'timeout',
  'setvar',
  'stress-set',
  'stress-del',
  's3-1',
  'var-after-s3-1',
  'setvar-after-s3-1',
  'efibootmgr-after-s3-1',
  'delentry',
  'done',
] as const;

/** One row. */
export interface GuestRow {
  /** What was tried. */
  readonly name: string;
  /** It did what it should. */
  readonly passed: boolean;
  /** The guest's own words. */
  readonly verdict: string;
}

/** Rows that have no `PASS`: how many variables there were, and how many are left. */
const COUNTED: Readonly<Record<string, RegExp>> = {
  'stress-set': /^20\/20 in \d+s$/,
  'stress-del': /^20\/20 left=0$/,
};

/** The rows of a serial text, in order; those that never came are not among them. */
export function guestRows(serial: string): GuestRow[] {
  return [...serial.matchAll(/^ROW ([\w-]+): (.*?)(?: \(uptime [\d.]+\))?\r?$/gm)].map(
    ([, name = '', verdict = '']) => ({ name, verdict, passed: (COUNTED[name] ?? /^PASS/).test(verdict) }),
  );
}

/** The kernel's release, `6.1`; undefined before it said so. */
function kernelRelease(serial: string): string | undefined {
  return /Linux version (\d+\.\d+)/.exec(serial)?.[1];
}

/** Names of rows that a suspend makes, and of those before it that are about variables. */
const OF_S3 = /s3/;
const OF_VARIABLES = /^(efi|boot(next|order)|timeout|setvar|stress|delentry)(?!.*s3)/;

/** The result in the words of the mail's table: `Linux 6.1 boots, S3 works, variables work`. */
export function guestResult(serial: string, stuck: string): string {
  const release = kernelRelease(serial);
  const rows = guestRows(serial);
  if (release === undefined) return stuck;
  const verdictOf = (which: RegExp): 'work' | 'fail' | undefined => {
    const wanted = GUEST_ROWS.filter((name) => which.test(name));
    const found = rows.filter(({ name }) => which.test(name));
    if (found.some(({ passed }) => !passed)) return 'fail';
    return wanted.every((name) => found.some((row) => row.name === name)) ? 'work' : undefined;
  };
  const s3 = verdictOf(OF_S3);
  const variables = verdictOf(OF_VARIABLES);
  const boots = rows.some(({ name, passed }) => name === 'boot' && passed);
  const done = rows.some(({ name, passed }) => name === 'done' && passed);
  const parts = [
    `Linux ${release} ${boots ? 'boots' : 'begins'}`,
    ...(s3 === undefined ? [] : [`S3 ${s3}s`]),
    ...(variables === undefined ? [] : [`variables ${variables}`]),
    ...(done ? [] : [stuck]),
  ];
  return parts.join(', ');
}
