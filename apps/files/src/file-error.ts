/** What the system says of a file, in words. */
import { SmmError } from '@smm/x86-defs';

/** A file cannot be read or written; the message says which, and why. */
export class FileError extends SmmError {
  /** The reason alone. */
  readonly why: string;

  /**
   * @param what - what was attempted and with which file: `cannot read the ROM rom.bin`
   * @param why - the reason, without a full stop
   */
  constructor(what: string, why: string, fix: string, details: Readonly<Record<string, unknown>> = {}) {
    super('FILE', `${what}: ${why}`, fix, details);
    this.why = why;
  }
}

const REASONS = new Map([
  ['ENOENT', 'there is no such file or folder'],
  ['EACCES', 'permission denied'],
  ['EPERM', 'permission denied'],
  ['EISDIR', 'it is a folder'],
  ['ENOTDIR', 'a part of the path is not a folder'],
  ['ENOSPC', 'the disk is full'],
  ['EDQUOT', 'the quota of the disk is used up'],
  ['EFBIG', 'the file would be larger than is allowed here'],
  ['EROFS', 'the disk is read-only'],
  ['EIO', 'the disk reports an error'],
  ['ELOOP', 'its links lead in a circle'],
  ['ENAMETOOLONG', 'the name is too long'],
  ['EMFILE', 'too many files are open'],
  ['ENFILE', 'too many files are open'],
  ['EPIPE', 'nobody reads it any more'],
]);

/** The reason in what node:fs threw. */
export function reasonOf(error: unknown): string {
  const code = codeOf(error);
  if (code === 'ERR_INVALID_ARG_VALUE') return 'no file can have this name';
  return (code !== undefined && (REASONS.get(code) ?? code)) || 'the system gave no reason';
}

/** The system's name of what node:fs threw. */
export function codeOf(error: unknown): string | undefined {
  const { code } = Object(error) as { code?: unknown };
  return typeof code === 'string' ? code : undefined;
}

/** A {@link FileError} of what node:fs threw; one that is a FileError already stays as it is. */
export function fileError(
  what: string,
  path: string,
  error: unknown,
  fix = 'Check the path and its permissions.',
): FileError {
  if (error instanceof FileError) return error;
  return new FileError(`${what} ${path}`, reasonOf(error), fix, { path, code: codeOf(error) });
}
