/**
 * A process of its own for what must not share one: boots of whole firmware, whose CPU time and memory are those of the
 * process; warm-up, which must start cold; and runs of ROMs, so that emulators in TypeScript do not share a heap and
 * type feedback, and that another commit's machine can be run by a copy of this file. Called by the bench:
 * `node child.js '{"do": ...}'`. Prints lines of JSON.
 */
import { readFileSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setFlagsFromString } from 'node:v8';
import { type TierName, v8Flags } from '@smm/cpu-core';
import { Boot, bootInPieces } from '@smm/machine';
import type { ServedAnswer, ServedRun } from './child-server.ts';
import { cpuSeconds } from './cpu-time.ts';
import { machineWith, type OurOptions, runToEnd } from './peers/our-machine.ts';
import type { PeerRun } from './peers/peer.ts';
import { runV86 } from './peers/v86-machine.ts';
import { peakMemory } from './process-tree.ts';
import { endure } from './suites/endurance.ts';

/** What the process is asked for. */
export type ChildRequest =
  | {
      /** Boots firmware to the shell's prompt. */
      readonly do: 'boot';
      readonly code: string;
      readonly vars: string;
      readonly cpus: number;
      readonly tier: TierName;
      readonly accelerator: 'tcg' | 'kvm';
      /** Presses Enter when the shell counts down. */
      readonly skipCountdown: boolean;
    }
  | {
      /** Runs a ROM and tells the CPU time at growing numbers of instructions. */
      readonly do: 'warm-up';
      readonly rom: string;
      readonly engine: OurOptions;
      readonly processors: number;
      /** Instructions in all, at most. */
      readonly instructions: number;
    }
  | {
      /** Runs a ROM of ever new code and tells what the process takes, a line of JSON for each look. */
      readonly do: 'endurance';
      readonly rom: string;
      readonly instructions: number;
    }
  | {
      /** Runs a ROM for every line of standard input, until that ends. */
      readonly do: 'serve';
    };

/** A point of a warm-up curve: totals since the machine was made. */
export interface CurvePoint {
  /** Guest instructions, iterations of REP counted. */
  readonly instructions: number;
  /** CPU seconds. */
  readonly seconds: number;
}

/** Answers of the process, by request. */
export interface ChildAnswers {
  readonly boot: {
    readonly outcome: string;
    readonly summary: string;
    readonly instructions: number;
    /** Resident memory at its largest, bytes. */
    readonly memory: number;
    /** CPU seconds of the whole process so far, Node's start included. */
    readonly seconds: number;
  };
  readonly 'warm-up': { readonly points: readonly CurvePoint[]; readonly memory: number };
}

const TIMEOUT_SECONDS = 300;
const ENTER = 0x0d;
/** What the shell prints while it counts down. */
const COUNTDOWN = 'seconds to skip ';
/** Instructions of the first point; each next has this many times more in all. */
const FIRST_POINT = 20_000;
const POINT_GROWTH = 1.5;

/** As `smm` does; v86, in its own process, runs with what Node has. */
function setFlags(): void {
  for (const flag of v8Flags(process.versions.v8)) setFlagsFromString(flag);
}

function boot(request: Extract<ChildRequest, { do: 'boot' }>): ChildAnswers['boot'] {
  setFlags();
  const { cpus, tier, accelerator, skipCountdown } = request;
  let tail = '';
  let press = false;
  const firmware = new Boot({
    code: readFileSync(request.code),
    vars: readFileSync(request.vars),
    cpus,
    tier,
    accelerator,
    serial: (byte) => {
      tail = (tail + String.fromCharCode(byte)).slice(-COUNTDOWN.length);
      if (tail === COUNTDOWN) press = skipCountdown;
    },
  });
  const pieces = bootInPieces(firmware, { until: 'shell', budget: 1e11, piece: 1_000_000 });
  let step = pieces.next();
  for (; step.done !== true; step = pieces.next()) {
    if (!press || firmware.serial.room === 0) continue;
    firmware.serial.receive(ENTER);
    press = false;
  }
  const report = step.value;
  return {
    outcome: report.outcome,
    summary: report.summary,
    instructions: firmware.machine.retired,
    memory: peakMemory('self') ?? 0,
    seconds: cpuSeconds(),
  };
}

function warmUp(request: Extract<ChildRequest, { do: 'warm-up' }>): ChildAnswers['warm-up'] {
  setFlags();
  const before = cpuSeconds();
  const machine = machineWith(readFileSync(request.rom), request.engine, request.processors);
  const points: CurvePoint[] = [];
  for (let goal = FIRST_POINT; machine.retired < request.instructions; goal *= POINT_GROWTH) {
    const stop = machine.run({ instructions: Math.ceil(goal) - machine.retired });
    points.push({ instructions: machine.retired, seconds: cpuSeconds() - before });
    if (stop !== 'budget') break;
  }
  return { points, memory: peakMemory('self') ?? 0 };
}

async function served({ rom: path, engine, processors }: ServedRun): Promise<PeerRun> {
  const rom = readFileSync(path);
  if ('v86' in engine) return runV86(rom, { ...engine.v86, now: cpuSeconds });
  setFlags();
  const before = cpuSeconds();
  const late = before + TIMEOUT_SECONDS;
  const { output, stop } = runToEnd(machineWith(rom, engine, processors), () => cpuSeconds() > late);
  return { output, note: stop, seconds: cpuSeconds() - before };
}

async function serve(): Promise<void> {
  for await (const line of createInterface({ input: process.stdin })) {
    let answer: ServedAnswer;
    try {
      answer = await served(JSON.parse(line) as ServedRun);
    } catch (error) {
      answer = { error: error instanceof Error ? error.message : String(error) };
    }
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
}

const request = JSON.parse(process.argv[2]!) as ChildRequest;

if (request.do === 'serve') await serve();
else if (request.do === 'endurance') {
  setFlags();
  const tell = (what: object): void => {
    writeSync(1, `${JSON.stringify(what)}\n`); // at once: this thread never waits
  };
  const most = endure(readFileSync(request.rom), request.instructions, cpuSeconds, tell);
  tell({ most });
} else {
  const answer = request.do === 'boot' ? boot(request) : warmUp(request);
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
