/** Real QEMU (TCG) and nasm, the judges of many tests: images in, what the guest printed and left in memory out. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
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

export type QemuProgram = 'qemu-system-i386' | 'qemu-system-x86_64';

/** Why tests that need these programs are skipped, for their names; undefined if all are there. */
export function missingTools(...tools: readonly (QemuProgram | 'nasm')[]): string | undefined {
  const missing = tools.filter((tool) => spawnSync(tool, ['--version']).error !== undefined);
  return missing.length === 0 ? undefined : `(skipped: needs ${missing.join(', ')})`;
}

/** A folder for files of one run: gives the path of a name in it, and is gone at the end. */
export function inScratch<T>(use: (path: (name: string) => string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'smm-qemu-'));
  try {
    return use((name) => join(folder, name));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The flat binary that nasm makes of a file. */
export function nasmFile(source: string, options: readonly string[] = []): Buffer {
  return inScratch((path) => {
    execFileSync('nasm', ['-f', 'bin', ...options, '-o', path('out'), source]);
    return readFileSync(path('out'));
  });
}

/** A program that ends by itself: it writes to the exit port. */
export interface QemuProbe {
  readonly program?: QemuProgram;
  /** What `-bios` is given, or the read-only flash. */
  readonly rom: Uint8Array;
  readonly pflash?: boolean;
  /** Options of `-machine`. */
  readonly machine?: string;
  /** Options of `-accel`. */
  readonly accel?: string;
  /** Port whose bytes are the output. */
  readonly debugPort?: number;
  /** Port of `isa-debug-exit`. */
  readonly exitPort?: number;
  /** Further options. */
  readonly args?: readonly string[];
}

/** What follows QEMU's warning of threads on AMD processors, in a line of its own. */
const SECOND_WARNING = 'Please configure -smp options properly';

/** Bytes that the guest wrote to the debug port until it ended the run; throws if it did not within a minute. */
export function qemuOutput({
  program = 'qemu-system-x86_64',
  rom,
  pflash = false,
  machine = 'q35,smm=on',
  accel = 'tcg',
  debugPort = 0x402,
  exitPort = 0xf4,
  args = [],
}: QemuProbe): Uint8Array {
  return inScratch((path) => {
    const [image, output] = [path('rom.bin'), path('output')];
    writeFileSync(image, rom);
    const { status, signal, stderr } = spawnSync(
      program,
      [
        ...[
          '-machine',
          machine,
          '-accel',
          accel,
          '-display',
          'none',
          '-vga',
          'none',
          '-nodefaults',
          '-no-user-config',
        ],
        ...(pflash ? ['-drive', `if=pflash,unit=0,format=raw,readonly=on,file=${image}`] : ['-bios', image]),
        ...['-chardev', `file,id=debug,path=${output}`],
        ...['-device', `isa-debugcon,iobase=${debugPort},chardev=debug`],
        ...['-device', `isa-debug-exit,iobase=${exitPort},iosize=1`],
        ...args,
      ],
      { timeout: 300_000, encoding: 'utf8' },
    );
    // The status is odd where the guest ended the run, but 1 also where QEMU could not begin: then it says why. It may
    // warn.
    const says = stderr
      .split('\n')
      .filter((line) => line !== '' && !line.includes(': warning: ') && !line.startsWith(SECOND_WARNING));
    if (status === null || status % 2 === 0 || says.length > 0)
      throw new Error(`${program} ended with ${status ?? signal}: ${stderr}`);
    return new Uint8Array(readFileSync(output));
  });
}

/** A run that is watched, and ended from outside. */
export interface QemuRun {
  readonly program: QemuProgram;
  readonly image: Uint8Array;
  /** Number, or QEMU's topology. */
  readonly cpus: number | string;
  readonly memoryMiB: number;
  readonly cpu?: string;
  /** The run is over when the log holds this text, or this is true of it. */
  readonly until: string | ((log: string) => boolean);
  readonly timeoutMs?: number;
  /** Map the image as pflash instead of as -bios. */
  readonly pflash?: boolean;
}

export interface QemuResult {
  /** What the guest wrote to port 402h. */
  readonly log: string;
  readonly finished: boolean;
  /** Reads guest-physical RAM below the hole. */
  read(address: number, length: number): Uint8Array;
  /** Removes the files. */
  dispose(): void;
}

/** Runs an image until its log says that it is over; memory can be read then. */
export async function runQemu({
  program,
  image,
  cpus,
  memoryMiB,
  cpu,
  until,
  timeoutMs = 300_000,
  pflash = false,
}: QemuRun): Promise<QemuResult> {
  const folder = mkdtempSync(join(tmpdir(), 'smm-qemu-'));
  const path = (name: string): string => join(folder, name);
  const [rom, log, ram] = [path('rom.bin'), path('debug.log'), path('ram')];
  writeFileSync(rom, image);
  const child = spawn(
    program,
    [
      '-machine q35,smm=on,memory-backend=ram -accel tcg -display none -nodefaults -no-reboot'.split(' '),
      ['-object', `memory-backend-file,id=ram,size=${memoryMiB}M,mem-path=${ram},share=on`],
      ['-m', `${memoryMiB}`, '-smp', `${cpus}`, ...(cpu === undefined ? [] : ['-cpu', cpu])],
      pflash ? ['-drive', `if=pflash,format=raw,readonly=on,file=${rom}`] : ['-bios', rom],
      ['-debugcon', `file:${log}`, '-global', 'isa-debugcon.iobase=0x402'],
    ].flat(),
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  const text = (): string => (existsSync(log) ? readFileSync(log, 'latin1') : '');
  const over = (): boolean => (typeof until === 'string' ? text().includes(until) : until(text()));
  const deadline = Date.now() + timeoutMs;
  let finished = over();
  while (!finished && Date.now() < deadline && child.exitCode === null) {
    await sleep(25);
    finished = over();
  }
  // The last processors may still be on their way out of SMM.
  await sleep(100);
  child.kill('SIGKILL');
  return {
    log: text(),
    finished,
    read(address, length) {
      const bytes = new Uint8Array(length);
      const file = openSync(ram, 'r');
      readSync(file, bytes, 0, length, address);
      closeSync(file);
      return bytes;
    },
    dispose: () => rmSync(folder, { recursive: true, force: true }),
  };
}
