/**
 * Whether what is kept of translated code stays bounded over very many instructions of ever new code. Runs for minutes.
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { TranslationStatistics } from '@smm/cpu-core';
import { atEnd, killGroup } from '../cleanup.ts';
import { everNew32 } from '../kernels/ever-new.ts';
import type { Progress } from '../measurement.ts';
import { machineWith } from '../peers/our-machine.ts';
import { withFiles } from '../peers/scratch.ts';
import { buildRom } from '../rom.ts';
import { CHILD_SCRIPT } from '../run-child.ts';

/** A look at the process on its way. */
export interface EnduranceLook
  extends Pick<TranslationStatistics, 'regions' | 'bytes' | 'compiled' | 'evicted' | 'invalidated'> {
  /** Guest instructions so far, iterations of REP counted. */
  readonly instructions: number;
  /** CPU seconds of the process so far. */
  readonly seconds: number;
  /** Resident memory, bytes: code that V8 has not yet freed is part of it. */
  readonly resident: number;
  /** JavaScript's heap in use, bytes: what is not yet collected is part of it. */
  readonly heap: number;
}

/** What was seen. */
export interface Endurance {
  /** What ran. */
  readonly name: string;
  /** Emulator. */
  readonly peer: string;
  /** In order; the first before the guest ran. */
  readonly looks: readonly EnduranceLook[];
  /** The largest of much more frequent looks. */
  readonly most: { readonly resident: number; readonly heap: number };
}

/** Bytes of generated code, and MiB of decoded code: small, so that something has to go all the time. */
const CODE_BUDGET = 1 << 20;
const DECODED_MIB = 2;
/** Looks in all. */
const LOOKS = 100;
const FOREVER = 0xffff_ffff;
const PIECE = 20_000_000;

/** Runs in this process; `seconds` tells its CPU time. */
export function endure(
  rom: Uint8Array,
  instructions: number,
  seconds: () => number,
  tell: (look: EnduranceLook) => void,
): Endurance['most'] {
  const machine = machineWith(rom, { tier: 'translator', accelerator: 'tcg' }, 1, {
    translator: { codeBudget: CODE_BUDGET },
    decodedMiB: DECODED_MIB,
  });
  const most = { resident: 0, heap: 0 };
  const look = (): void => {
    const { rss, heapUsed } = process.memoryUsage();
    const { regions, bytes, compiled, evicted, invalidated } = machine.translations!;
    most.resident = Math.max(most.resident, rss);
    most.heap = Math.max(most.heap, heapUsed);
    const done = machine.retired;
    if (done < next) return;
    next = Math.min(instructions, done + instructions / LOOKS);
    const counts = { regions, bytes, compiled, evicted, invalidated };
    tell({ instructions: done, seconds: seconds(), resident: rss, heap: heapUsed, ...counts });
  };
  let next = 0;
  while (machine.retired < instructions) {
    look();
    const stop = machine.run({ instructions: Math.min(PIECE, instructions - machine.retired) });
    if (stop !== 'budget')
      throw new Error(`the guest stopped (${stop}) after ${machine.retired} instructions`);
  }
  look();
  return most;
}

/** Runs it in a process of its own. */
export async function runEndurance(instructions: number, progress: Progress): Promise<Endurance> {
  const rom = buildRom(everNew32, FOREVER);
  return withFiles([{ name: 'rom.bin', content: rom }], async ([path]) => {
    const request = JSON.stringify({ do: 'endurance', rom: path!, instructions });
    const child = spawn(process.execPath, [CHILD_SCRIPT, request], {
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true,
    });
    const forget = atEnd(() => killGroup(child.pid));
    const ended = new Promise<number | null>((resolve, reject) =>
      child.on('error', reject).on('close', resolve),
    );
    const looks: EnduranceLook[] = [];
    let most: Endurance['most'] | undefined;
    let told = 0;
    for await (const line of createInterface({ input: child.stdout })) {
      const answer = JSON.parse(line) as EnduranceLook | { readonly most: Endurance['most'] };
      if ('most' in answer) most = answer.most;
      else {
        looks.push(answer);
        if (performance.now() - told > TELL_EVERY_MS) {
          told = performance.now();
          progress(describeLook(answer, instructions));
        }
      }
    }
    const code = await ended;
    forget();
    if (most === undefined) throw new Error(`the process ended with code ${code}`);
    return { name: everNew32.name, peer: 'smm-tier1', looks, most };
  });
}

const TELL_EVERY_MS = 2000;
const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0)} MiB`;

function describeLook(look: EnduranceLook, instructions: number): string {
  const { compiled, resident, heap, seconds } = look;
  const part = ((look.instructions / instructions) * 100).toFixed(0);
  return `endurance: ${part} % of ${instructions.toExponential()} instructions in ${seconds.toFixed(0)} s CPU, ${compiled} regions made, resident ${mib(resident)}, heap ${mib(heap)}`;
}
