/** CPU time of this process and of children. */
import { spawn } from 'node:child_process';
import { atEnd, killGroup } from './cleanup.ts';

/** User and system time of all threads of this process so far, seconds. */
export function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** A child that has ended. */
export interface ChildResult {
  /** Standard output. */
  readonly stdout: string;
  /** Standard error. */
  readonly stderr: string;
  /** Exit code of the command, or -1. */
  readonly code: number;
  /** User and system time of the command and its children, seconds. */
  readonly seconds: number;
}

const MARK = '@cpu';

/**
 * Runs a command under bash's `time`, which asks the kernel for the resource usage of the ended child: Node tells that
 * of all its children together only, and only as part of its own.
 * @param onStart - called with the shell's process id
 */
export function timedChild(
  command: readonly string[],
  { seconds = 300, onStart }: { seconds?: number; onStart?: () => void } = {},
): Promise<ChildResult> {
  return new Promise((resolve, reject) => {
    const child = spawn('bash', ['-c', `TIMEFORMAT='${MARK} %3U %3S'; time "$@"`, 'bash', ...command], {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      env: { ...process.env, LC_ALL: 'C' },
    });
    const forget = atEnd(() => killGroup(child.pid));
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('latin1').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('latin1').on('data', (text: string) => {
      stderr += text;
    });
    const timer = setTimeout(() => {
      killGroup(child.pid);
    }, seconds * 1000);
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(timer);
      forget();
      const times = stderr.match(new RegExp(`${MARK} (\\S+) (\\S+)`));
      if (times === null)
        reject(new Error(`${command[0]} did not end in ${seconds} s: ${stderr.slice(-200)}`));
      else resolve({ stdout, stderr, code: code ?? -1, seconds: Number(times[1]) + Number(times[2]) });
    });
    onStart?.();
  });
}
