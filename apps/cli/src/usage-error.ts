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

/** A file cannot be read or written: node's error in words. */
export function fileError(doing: string, path: string, error: unknown): UsageError {
  const code = (error as { code?: unknown }).code;
  const reasons: Readonly<Record<string, string>> = {
    ENOENT: 'there is no such file or folder',
    EACCES: 'permission denied',
    EPERM: 'permission denied',
    EISDIR: 'it is a folder',
    ENOTDIR: 'a part of the path is not a folder',
    ENOSPC: 'the disk is full',
    EROFS: 'the disk is read-only',
  };
  const reason = (typeof code === 'string' && (reasons[code] ?? code)) || 'the system gave no reason';
  return new UsageError(`cannot ${doing} ${path}: ${reason}`, 'Check the path and its permissions.', {
    path,
    code,
  });
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
