/** Runs an image in real QEMU (TCG) until its log ends, and reads guest memory from the file behind it. */
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
  readonly bitness: 32 | 64;
  readonly image: Uint8Array;
  readonly cpus: number;
  readonly memoryMiB: number;
  readonly cpu: string;
  /** The run is over when this is true of the log. */
  readonly until: (log: string) => boolean;
  readonly timeoutMs?: number;
}

export interface QemuResult {
  readonly log: string;
  /** Reads guest-physical RAM below the hole. */
  read(address: number, length: number): Uint8Array;
  dispose(): void;
}

export function haveQemu(): boolean {
  return ['qemu-system-i386', 'qemu-system-x86_64'].every(
    (name) => spawnSync(name, ['--version']).status === 0,
  );
}

export async function runQemu({
  bitness,
  image,
  cpus,
  memoryMiB,
  cpu,
  until,
  timeoutMs = 60_000,
}: QemuRun): Promise<QemuResult> {
  const folder = mkdtempSync(join(tmpdir(), 'smm-machine-'));
  const [rom, log, ram] = ['rom.bin', 'debug.log', 'ram'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  writeFileSync(rom, image);
  const child = spawn(
    bitness === 32 ? 'qemu-system-i386' : 'qemu-system-x86_64',
    [
      '-machine q35,smm=on,memory-backend=ram -accel tcg -display none -nodefaults -no-reboot'.split(' '),
      ['-object', `memory-backend-file,id=ram,size=${memoryMiB}M,mem-path=${ram},share=on`],
      ['-m', `${memoryMiB}`, '-smp', `${cpus}`, '-cpu', cpu, '-bios', rom],
      ['-debugcon', `file:${log}`, '-global', 'isa-debugcon.iobase=0x402'],
    ].flat(),
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  const text = (): string => (existsSync(log) ? readFileSync(log, 'latin1') : '');
  const deadline = Date.now() + timeoutMs;
  while (!until(text()) && Date.now() < deadline && child.exitCode === null) await sleep(25);
  // The last processors may still be on their way out of SMM.
  await sleep(100);
  child.kill('SIGKILL');
  return {
    log: text(),
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
