/** Errors of the command line, and how any error becomes one paragraph and an exit code. */
import { SmmError, UnmodelledError } from '@smm/x86-defs';
import { EXIT } from './io.ts';

/** The command line asks for something that makes no sense. Exit code 2. */
export class UsageError extends SmmError {
  constructor(message: string, fix: string, details: Readonly<Record<string, unknown>> = {}) {
    super('USAGE', message, fix, details);
  }
}

/** Runs `read`; what it throws is a mistake in what the user gave, `what`, even if a format is merely not modelled. */
export function asUsage<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof UsageError || !SmmError.isInstance(error)) throw error;
    throw new UsageError(`${what}: ${error.message}`, error.fix, { ...error.details, code: error.code });
  }
}

/** One paragraph for a person, and the exit code. */
export function paragraphOf(error: unknown): { text: string; exitCode: number } {
  if (SmmError.isInstance(error)) {
    const exitCode = error instanceof UnmodelledError ? EXIT.GUEST_FAILED : EXIT.USAGE;
    return { text: `${sentence(printable(error.message))} ${printable(error.fix)}`, exitCode };
  }
  const message = error instanceof Error ? error.message : String(error);
  return {
    text: `internal error: ${sentence(printable(message))} This is a fault of smm: please report it with the command line; SMM_DEBUG=1 prints where it happened.`,
    exitCode: EXIT.GUEST_FAILED,
  };
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

/** One line without control characters, which an unreadable file may bring into a message. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\uFFFD]+/gu, ' ').trim();
}
