/** Runs a relocation in pieces, so that a caller can show progress, answer signals or stop between them. */
import type { RelocationReport } from './outcome.ts';
import { defaultBudget, type Relocation, runRelocation } from './relocation.ts';

/** Instructions of a piece: what lies between two looks of `runRelocation`, so that both take the same course. */
const PIECE = { early: 250_000, late: 2_000_000, earlyUntil: 2_000_000 };

/**
 * Runs a prepared relocation from where it stands to its outcome, as `runRelocation` does, and yields a report after every piece.
 * A run whose firmware is done while a CPU has a wrong SMBASE ends when that is still so a piece later: what it executes then is
 * whatever lies in memory.
 */
export function* runInPieces(relocation: Relocation): Generator<RelocationReport, RelocationReport> {
  const { machine, options } = relocation;
  const budget = options.budget ?? defaultBudget(options.cpus ?? 1);
  let wasAstray = false;
  for (;;) {
    const length = machine.retired < PIECE.earlyUntil ? PIECE.early : PIECE.late;
    const end = Math.min(budget, (Math.floor(machine.retired / length) + 1) * length);
    const report = runRelocation({ ...relocation, options: { ...options, budget: end } });
    const wentOn = machine.retired >= end && report.proof === undefined && report.shutdown === undefined;
    const isAstray = wentOn && report.outcome === 'wrong-smbase';
    const isOpen = report.outcome === 'budget-exhausted' || (isAstray && !wasAstray);
    if (!isOpen || machine.retired >= budget) return report;
    wasAstray = isAstray;
    yield report;
  }
}

/** Runs a prepared relocation to its outcome; see {@link runInPieces}. */
export function settle(relocation: Relocation): RelocationReport {
  const pieces = runInPieces(relocation);
  for (;;) {
    const piece = pieces.next();
    if (piece.done === true) return piece.value;
  }
}
