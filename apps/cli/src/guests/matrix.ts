/** The table of the mail with real guests: every configuration, several at a time, and what each came to. */
import { availableParallelism, homedir } from 'node:os';
import type { Io } from '../io.ts';
import { progressLine } from '../render/progress.ts';
import { GUESTS, type GuestFiles, type GuestName, guestFiles, guestsFolder } from './files.ts';
import { GUEST_ROWS, type GuestRow, guestResult, guestRows } from './rows.ts';
import { type GuestConfiguration, type GuestReport, type GuestRun, runGuest } from './run.ts';

/** A configuration and its result. */
export interface GuestResult extends GuestConfiguration {
  /** In the words of the mail's table. */
  readonly result: string;
  /** Everything passed. */
  readonly passed: boolean;
  /** What the guest said. */
  readonly rows: readonly GuestRow[];
  /** What `smm boot` said. */
  readonly report: GuestReport | undefined;
}

/** SMBASE after reset. */
const DEFAULT_SMBASE = '0x30000';
/** The module in which processors wait for each other's relocation. */
const RELOCATES = /^PiSmmCpuDxeSmm\+/;

/** Runs one configuration; tests stand in for it. */
export type RunGuest = (configuration: GuestConfiguration, files: GuestFiles) => Promise<GuestRun>;

/** Runs all, as many at a time as there are processors. Throws `UsageError` for a guest that is not made yet. */
export async function runGuests(
  list: readonly GuestConfiguration[],
  io: Io,
  run: RunGuest = runGuest,
): Promise<GuestResult[]> {
  const folder = guestsFolder(io.env, homedir());
  const names = new Set(list.map(({ guest }) => guest));
  const files = new Map([...names].map((name) => [name, guestFiles(folder, name)] as const));
  const results: GuestResult[] = [];
  const progress = progressLine(io);
  const running = new Set<number>();
  let next = 0;
  const show = (): void => {
    const what = [...running].map((index) => inWords(list[index]!)).join('; ');
    progress.show(`${results.filter(Boolean).length} of ${list.length} done, running ${what}`);
  };
  const worker = async (): Promise<void> => {
    while (next < list.length) {
      const index = next++;
      const configuration = list[index]!;
      running.add(index);
      show();
      results[index] = judge(configuration, await run(configuration, files.get(configuration.guest)!));
      running.delete(index);
      progress.clear();
      if (io.errIsTerminal) io.err(`${inWords(configuration)}: ${results[index].result}\n`);
    }
  };
  await Promise.all(Array.from({ length: Math.min(list.length, availableParallelism()) }, worker));
  progress.clear();
  return results;
}

/** `32 kvm 2 rhel7-3.10.0-323`. */
function inWords({ guest, accelerator, cpus, host }: GuestConfiguration): string {
  return [GUESTS[guest].bitness, accelerator, cpus, ...(host === undefined ? [] : [host])].join(' ');
}

function judge(configuration: GuestConfiguration, { report, serial, errors }: GuestRun): GuestResult {
  const rows = guestRows(serial);
  const passed = GUEST_ROWS.every((name) => rows.some((row) => row.name === name && row.passed));
  return { ...configuration, result: guestResult(serial, endOf(report, errors)), passed, rows, report };
}

/** Where a guest ended that did not turn itself off. */
function endOf(report: GuestReport | undefined, errors: string): string {
  if (report === undefined) return `ended without a report: ${errors.trim().split('\n').at(-1) ?? ''}`;
  const { outcome, summary, stuck, cpus } = report;
  const relocating = cpus.some(({ smbase }) => smbase === DEFAULT_SMBASE);
  if (stuck !== null && relocating && RELOCATES.test(stuck.at)) return 'stuck in SMBASE relocation';
  return `${outcome}: ${summary}`;
}

/** Guests by the words of `--arch`. */
export const GUEST_NAMES = Object.keys(GUESTS) as readonly GuestName[];
