/** What must not outlive this process: children, scratch files, a work tree. Undone however it ends. */

const pending = new Set<() => void>();

/** Undoes something at the end of the process, unless called off before by the function that is returned. */
export function atEnd(undo: () => void): () => void {
  pending.add(undo);
  return () => pending.delete(undo);
}

/** Ends a child and its descendants; harmless when they have ended. The child must lead a process group. */
export function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // it has ended
  }
}

const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** Makes signals end the process in order, with a clean last line on the terminal. Call once. */
export function installCleanup(): void {
  process.on('exit', () => {
    for (const undo of [...pending].reverse()) undo();
    pending.clear();
  });
  for (const [signal, code] of Object.entries(SIGNALS)) {
    process.on(signal, () => {
      if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
      process.exit(code);
    });
  }
}
