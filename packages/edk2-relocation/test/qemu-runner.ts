/** Runs an image in real QEMU until its log ends, and reads guest memory afterwards. */
import { spawn, spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface QemuRun {
  readonly program: 'qemu-system-i386' | 'qemu-system-x86_64';
  readonly image: Uint8Array;
  /** Number, or QEMU's topology. */
  readonly cpus: number | string;
  /** MiB. */
  readonly memory: number;
  readonly cpu?: string;
  /** The run is over when the log holds this text. */
  readonly until: string;
  readonly timeoutMs?: number;
  /** Map the image as pflash instead of as -bios. */
  readonly pflash?: boolean;
}

export interface QemuResult {
  readonly log: string;
  readonly finished: boolean;
  /** Reads guest-physical RAM below the hole. */
  read(address: number, length: number): Uint8Array;
  dispose(): void;
}

export function haveQemu(): boolean {
  return ['qemu-system-i386', 'qemu-system-x86_64'].every(
    (name) => spawnSync(name, ['--version']).status === 0,
  );
}

export async function runQemu(run: QemuRun): Promise<QemuResult> {
  const folder = mkdtempSync(join(tmpdir(), 'smm-qemu-'));
  const rom = join(folder, 'rom.bin');
  const log = join(folder, 'debug.log');
  const ram = join(folder, 'ram');
  writeFileSync(rom, run.image);
  const child = spawn(
    run.program,
    [
      ...[
        '-machine',
        'q35,smm=on,memory-backend=ram',
        '-accel',
        'tcg',
        '-display',
        'none',
        '-nodefaults',
        '-no-reboot',
      ],
      ...['-object', `memory-backend-file,id=ram,size=${run.memory}M,mem-path=${ram},share=on`],
      ...['-m', String(run.memory), '-smp', String(run.cpus)],
      ...(run.cpu === undefined ? [] : ['-cpu', run.cpu]),
      ...(run.pflash === true ? ['-drive', `if=pflash,format=raw,readonly=on,file=${rom}`] : ['-bios', rom]),
      ...['-debugcon', `file:${log}`, '-global', 'isa-debugcon.iobase=0x402'],
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  const read = () => (existsSync(log) ? readFileSync(log, 'latin1') : '');
  const deadline = Date.now() + (run.timeoutMs ?? 20_000);
  let finished = false;
  while (!finished && Date.now() < deadline && child.exitCode === null) {
    await sleep(25);
    finished = read().includes(run.until);
  }
  // The last processors may still be on their way out of SMM.
  await sleep(50);
  child.kill('SIGKILL');
  return {
    log: read(),
    finished,
    read(address, length) {
      const bytes = new Uint8Array(length);
      const file = openSync(ram, 'r');
      readSync(file, bytes, 0, length, address);
      closeSync(file);
      return bytes;
    },
    dispose() {
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
