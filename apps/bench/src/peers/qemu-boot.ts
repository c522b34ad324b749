/** QEMU boots firmware to the shell's prompt. It is ended there, so it is measured from outside, through /proc. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { SHELL_PROMPT } from '@smm/machine';
import { atEnd, killGroup } from '../cleanup.ts';
import { peakMemory, treeSeconds } from '../process-tree.ts';
import { QEMU } from './qemu.ts';
import { withFiles } from './scratch.ts';

/** What the shell prints while it counts down. */
const COUNTDOWN = 'seconds to skip ';
const TIMEOUT_MS = 300_000;

/** What a boot took up to the prompt. */
export interface BootCost {
  /** User and system time of the whole process from its start, seconds. */
  readonly seconds: number;
  /** Wall-clock seconds from the start of the process. */
  readonly wall: number;
  /** Largest resident memory, bytes. */
  readonly memory: number;
}

/**
 * The machine that `@smm/machine` models: Q35 with SMM, flash that only SMM may write, a serial port and nothing else.
 */
function commandLine(code: string, vars: string, cpus: number): string[] {
  return [
    ...['-machine', 'q35,smm=on', '-accel', 'tcg,thread=single', '-cpu', 'qemu64', '-m', '256'],
    ...['-smp', String(cpus), '-nodefaults', '-no-user-config', '-vga', 'none', '-display', 'none'],
    ...['-global', 'driver=cfi.pflash01,property=secure,value=on'],
    ...['-drive', `if=pflash,format=raw,unit=0,readonly=on,file=${code}`],
    ...['-drive', `if=pflash,format=raw,unit=1,file=${vars}`],
    ...['-chardev', 'stdio,id=console,signal=off', '-serial', 'chardev:console'],
  ];
}

type Qemu = ChildProcessByStdio<Writable, Readable, Readable>;

function watch(child: Qemu, skipCountdown: boolean): Promise<BootCost> {
  const began = performance.now();
  return new Promise((resolve, reject) => {
    let serial = '';
    let errors = '';
    let pressed = false;
    const timer = setTimeout(() => reject(new Error('QEMU shows no prompt')), TIMEOUT_MS);
    child.once('error', reject);
    child.once('exit', () => reject(new Error(`QEMU ended before the prompt: ${errors.slice(-200)}`)));
    child.once('close', () => clearTimeout(timer));
    child.stderr.setEncoding('latin1').on('data', (text: string) => {
      errors += text;
    });
    child.stdout.setEncoding('latin1').on('data', (text: string) => {
      serial += text;
      if (skipCountdown && !pressed && serial.includes(COUNTDOWN)) {
        pressed = true;
        child.stdin.write('\r');
      }
      if (!serial.includes(SHELL_PROMPT) || child.pid === undefined) return;
      clearTimeout(timer);
      resolve({
        seconds: treeSeconds(child.pid),
        wall: (performance.now() - began) / 1000,
        memory: peakMemory(child.pid) ?? 0,
      });
    });
  });
}

/** Boots once. */
export function bootQemu(
  firmware: { readonly code: string; readonly vars: string },
  cpus: number,
  skipCountdown: boolean,
): Promise<BootCost> {
  return withFiles([], async (_paths, directory) => {
    const vars = join(directory, 'vars.fd');
    copyFileSync(firmware.vars, vars);
    const child = spawn(QEMU, commandLine(firmware.code, vars, cpus), {
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    });
    const forget = atEnd(() => killGroup(child.pid));
    try {
      return await watch(child, skipCountdown);
    } finally {
      killGroup(child.pid);
      forget();
    }
  });
}
