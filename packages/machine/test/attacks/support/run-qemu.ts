/** Runs an attack's image on real QEMU (TCG). */
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
import { type Attack, MEMORY_MIB } from './attack.ts';
import { leaksInRam } from './run-here.ts';

/** The program is there. */
export function haveQemu(): boolean {
  return spawnSync('qemu-system-x86_64', ['--version']).status === 0;
}

/** What an attack left behind in QEMU. */
export interface QemuOutcome {
  readonly log: readonly string[];
  readonly leaks: readonly string[];
  /** Flash at the end, variables first; the ROM where there is none. */
  readonly flash: Uint8Array;
}

/**
 * Runs until the log ends with `end`, has `lines` lines and stands still, or QEMU ends (a triple fault) or `timeoutMs`
 * are over.
 */
export async function runQemu(attack: Attack, lines: number, timeoutMs = 20_000): Promise<QemuOutcome> {
  const folder = mkdtempSync(join(tmpdir(), 'smm-attack-'));
  const [code, vars, log, ram] = ['code', 'vars', 'log', 'ram'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
    string,
  ];
  try {
    writeFileSync(code, attack.image.subarray(attack.varsBytes));
    writeFileSync(vars, attack.image.subarray(0, attack.varsBytes));
    const child = spawn(
      'qemu-system-x86_64',
      [
        '-machine q35,smm=on,memory-backend=ram -accel tcg -cpu qemu64 -display none -nodefaults -no-reboot'.split(
          ' ',
        ),
        ['-object', `memory-backend-file,id=ram,size=${MEMORY_MIB}M,mem-path=${ram},share=on`],
        ['-m', `${MEMORY_MIB}`, '-smp', `${attack.cpus}`],
        ['-debugcon', `file:${log}`, '-global', 'isa-debugcon.iobase=0x402'],
        attack.varsBytes === 0
          ? ['-bios', code]
          : [
              ['-drive', `if=pflash,unit=0,format=raw,readonly=on,file=${code}`],
              ['-drive', `if=pflash,unit=1,format=raw,file=${vars}`],
              attack.secure ? ['-global', 'driver=cfi.pflash01,property=secure,value=on'] : [],
            ].flat(),
      ].flat(),
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
    const text = (): string => (existsSync(log) ? readFileSync(log, 'latin1') : '');
    const over = (): boolean => text().endsWith('end\n') || text().split('\n').length > lines;
    const deadline = Date.now() + timeoutMs;
    while (!over() && Date.now() < deadline && child.exitCode === null) await sleep(20);
    await sleep(50); // for what a lost fight would still print
    child.kill('SIGKILL');
    return {
      log: text().split('\n').slice(0, -1),
      leaks: leaksInFile(ram, attack),
      flash: Buffer.concat([
        attack.varsBytes === 0 ? Buffer.alloc(0) : readFileSync(vars),
        readFileSync(code),
      ]),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function leaksInFile(ram: string, attack: Attack): string[] {
  const file = openSync(ram, 'r');
  try {
    const piece = Buffer.alloc(0x10_0000);
    const leaks: string[] = [];
    for (let mib = 0; mib < MEMORY_MIB; mib++) {
      readSync(file, piece, 0, piece.length, mib * piece.length);
      leaks.push(...leaksInRam(mib * piece.length, piece, attack));
    }
    return leaks;
  } finally {
    closeSync(file);
  }
}
