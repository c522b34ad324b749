/** Runs a boot to what was asked for, or to the reason why that never comes. */
import {
  checkOptions,
  isCount,
  isFlag,
  isFunction,
  isOneOf,
  isPositive,
  isShape,
  isText,
  isWhole,
  maybe,
  type OptionCheck,
  type OptionShape,
  UnmodelledError,
} from '@smm/x86-defs';
import { finish, isCut } from '../run.ts';
import type { Boot, BootStop } from './boot.ts';
import type { LastWord } from './last-words.ts';
import { type BootOutcome, type BootReport, stuckSentence } from './report.ts';

/** What ends a boot well: what `smm boot --until` names. */
export type BootGoal =
  | 'shell'
  /** The boot manager waits for a key, or its menu is shown. */
  | 'prompt'
  | 'relocated'
  | {
      /** Text on the serial port. */
      readonly text: string;
    };

/** Limits of a run. */
export interface BootRunOptions {
  /** What to wait for; undefined: run until the guest ends. */
  readonly until?: BootGoal | undefined;
  /** Instructions of all processors after which it is given up. Default: none. */
  readonly budget?: number | undefined;
  /** Instructions per piece. Default 4,000,000. */
  readonly piece?: number;
  /** Virtual nanoseconds per piece; for callers that hold an idle guest to real time. Default: no limit. */
  readonly pieceNs?: number;
  /**
   * A reset that the guest asks for or gets by a triple fault ends the run (`-no-reboot`). Default: it starts again; a
   * guest that ends by the same triple fault before it prints anything would do so for ever, and the run ends.
   */
  readonly noReboot?: boolean;
  /** A triple fault ends the run; for who wants to look at it. Default false. */
  readonly shutdownEnds?: boolean;
  /** S3 that nothing will end does not end the run: somebody may press the power button between pieces. */
  readonly waitSuspended?: boolean;
  /** Asked between pieces; true ends the run with outcome `budget`. */
  readonly giveUp?: () => boolean;
  /**
   * Asked about every millisecond of host time, whatever the guest does; true ends the piece where it stands, without
   * a trace in the run.
   */
  readonly interrupt?: () => boolean;
}

/** Checks what `until` names. */
export const isGoal: OptionCheck = (option, value) => {
  if (typeof value === 'object') isShape<{ text: string }>({ text: isText })(option, value);
  else maybe(isOneOf(['shell', 'prompt', 'relocated']))(option, value);
};

const RUN_SHAPE: OptionShape<BootRunOptions> = {
  until: isGoal,
  budget: maybe(isCount()),
  piece: maybe(isWhole(1)),
  pieceNs: maybe(isPositive),
  noReboot: maybe(isFlag),
  shutdownEnds: maybe(isFlag),
  waitSuspended: maybe(isFlag),
  giveUp: maybe(isFunction),
  interrupt: maybe(isFunction),
};

/** The UEFI shell's prompt. */
export const SHELL_PROMPT = 'Shell> ';
/** SMBASE after reset. */
const DEFAULT_SMBASE = 0x3_0000;

/**
 * Runs in pieces and yields after each, and where a hook stops the machine, so that the caller can show progress, take
 * keys and stop. Throws `SmmError` `OPTION_VALUE` for limits that are none.
 */
export function* bootInPieces(boot: Boot, options: BootRunOptions = {}): Generator<void, BootReport> {
  checkOptions('the options of a run', options, RUN_SHAPE);
  const { until: goal, budget = Number.POSITIVE_INFINITY, piece = 4_000_000, pieceNs, interrupt } = options;
  const reached = goalTest(boot, goal);
  const { machine } = boot;
  let resets = 0;
  const again = sameShutdown();
  let end = Math.min(machine.retired + piece, budget);
  const judge = (outcome: BootOutcome, summary: string): BootReport => boot.report(outcome, summary, resets);
  for (;;) {
    let stop: BootStop;
    try {
      const until = machine.clock.now() + (pieceNs ?? Number.POSITIVE_INFINITY);
      stop = boot.run(
        Math.max(0, end - machine.retired),
        () => reached() || machine.clock.now() >= until,
        interrupt,
      );
    } catch (error) {
      if (!(error instanceof UnmodelledError)) throw error;
      return judge('unmodelled', `the guest did what is not modelled: ${error.message}`);
    }
    // A turn that was cut must end before anything in it counts.
    if (!isCut(stop) && reached())
      return judge(typeof goal === 'object' ? 'text' : goal!, goalSentence(boot, goal!));
    const final = isCut(stop) ? undefined : finalWord(boot, goal);
    if (final !== undefined) return judge(...final);
    switch (stop) {
      case 'budget':
      case 'interrupted':
      case 'stopped':
        break;
      case 'stuck':
        return judge('stuck', stuckSentence(boot.stuck()!, machine.clock.now()));
      case 'lost':
        return judge('lost', boot.lost!);
      case 'idle':
        if (boot.lastWord === 'unbootable') return judge('unbootable', lastWordSentence('unbootable'));
        return judge('idle', 'every processor is halted and nothing is pending that could wake one');
      case 'suspended':
        if (options.waitSuspended !== true)
          return judge(
            'suspended',
            'asleep in S3, and nothing will wake it: no RTC alarm is armed and enabled',
          );
        break;
      case 'shutdown': {
        const said = `shut down: ${machine.shutdownReason}`;
        if (options.noReboot === true || options.shutdownEnds === true) return judge('shutdown', said);
        if (again(boot)) return judge('shutdown', `${said}, a second time after a reset and nothing printed`);
        resets++;
        boot.restart();
        break;
      }
      case 'powered-off':
        return judge('powered-off', 'the guest turned itself off');
      case 'reset':
        if (options.noReboot === true) return judge('reset', 'the guest asked for a reset');
        resets++;
        boot.restart();
    }
    if (!isCut(stop) && machine.retired >= budget) return judge('budget', budgetSentence(budget, boot));
    if (options.giveUp?.() === true)
      return judge('budget', `gave up after the time given, in phase ${boot.phases.phase}`);
    if (!isCut(stop)) end = Math.min(machine.retired + piece, budget);
    yield;
  }
}

/** What the firmware says that leaves no hope for the goal; undefined: nothing yet, or no goal is hoped for. */
function finalWord(boot: Boot, goal: BootGoal | undefined): [BootOutcome, string] | undefined {
  const { lastWord } = boot;
  if (lastWord === undefined || goal === undefined) return undefined;
  if (lastWord === 'unbootable') return ['unbootable', lastWordSentence('unbootable')];
  if (goal !== 'shell') return undefined;
  const without = boot.hasFile(SHELL_FILE)
    ? ', so no shell comes by itself'
    : ', and this firmware has no shell';
  return ['prompt', `${lastWordSentence(lastWord)}${without}`];
}

/** What a firmware does that says so. */
export function lastWordSentence(word: LastWord): string {
  return LAST_WORDS[word];
}

const LAST_WORDS: Readonly<Record<LastWord, string>> = {
  prompt: 'the Boot Manager waits for a key',
  menu: 'a menu of the firmware is shown and waits for keys',
  unbootable: "the firmware found nothing to boot and stopped: 'No bootable device.'",
};
/** GUID of the UEFI shell as a file of a firmware volume, edk2's ShellPkg. */
const SHELL_FILE = '7c04a583-9e3e-4f1c-ad65-e05268d0b4d1';

/** Whether this is the shutdown of the last time at the same place, and nothing was printed in between. */
function sameShutdown(): (boot: Boot) => boolean {
  let last = '';
  return ({ machine, printed }) => {
    const places = machine.processors.map(({ state }) => state.rip);
    const now = [machine.shutdownReason, printed, ...places].join();
    const same = now === last;
    last = now;
    return same;
  };
}

/** The budget as it was given; turns run to their end, so more may have been executed. */
function budgetSentence(budget: number, { machine, phases }: Boot): string {
  const more = machine.retired > budget ? `, ${machine.retired} with the turn that they ended in,` : '';
  return `gave up after ${budget} instructions${more} in phase ${phases.phase}`;
}

/** Runs to the end; see {@link bootInPieces}. */
export function runBoot(boot: Boot, options: BootRunOptions = {}): BootReport {
  return finish(bootInPieces(boot, options));
}

/** Every processor has an SMBASE of its own that is not the one after reset, and none is in SMM. */
export function isRelocated(boot: Boot): boolean {
  const states = boot.machine.processors.map(({ state }) => state);
  const bases = new Set(states.map(({ smbase }) => smbase));
  return bases.size === states.length && !bases.has(DEFAULT_SMBASE) && states.every(({ smm }) => !smm);
}

function goalTest(boot: Boot, goal: BootGoal | undefined): () => boolean {
  if (goal === undefined) return () => false;
  if (goal === 'relocated') return () => isRelocated(boot);
  if (goal === 'prompt') return () => boot.lastWord === 'prompt' || boot.lastWord === 'menu';
  const text = goal === 'shell' ? SHELL_PROMPT : goal.text;
  return boot.watchSerial(text);
}

function goalSentence(boot: Boot, goal: BootGoal): string {
  if (goal === 'shell') return 'the UEFI shell prompts';
  if (goal === 'prompt') return lastWordSentence(boot.lastWord!);
  if (goal === 'relocated') {
    const bases = boot.machine.processors.map(({ state }) => `0x${state.smbase.toString(16)}`).join(', ');
    return `every CPU has its own SMBASE: ${bases}`;
  }
  return `the guest printed ${JSON.stringify(goal.text)}`;
}
