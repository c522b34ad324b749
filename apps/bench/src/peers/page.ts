/** Runs in the browser's page: the same ROMs on our machine and on v86, called by `chromium.ts` through `smmBench`. */
import { machineWith, type OurOptions, runToEnd } from './our-machine.ts';
import { runV86 } from './v86-machine.ts';

/** One run that the page is asked for. */
export interface PageRequest {
  /** The ROM, base64. */
  readonly rom: string;
  /** Processors. */
  readonly processors: number;
  /** Which engine. */
  readonly engine: OurOptions | { readonly v86: { readonly disableJit: boolean } };
}

/** What the page answers. */
export interface PageAnswer {
  /** What the guest printed. */
  readonly output: string;
  /** How it ended. */
  readonly note: string;
}

const TIMEOUT_MS = 300_000;

async function run({ rom, processors, engine }: PageRequest): Promise<PageAnswer> {
  const bytes = Uint8Array.from(atob(rom), (char) => char.charCodeAt(0));
  if ('v86' in engine) {
    const { disableJit } = engine.v86;
    return runV86(bytes, { wasmPath: 'v86.wasm', disableJit, now: () => performance.now() / 1000 });
  }
  const late = performance.now() + TIMEOUT_MS;
  const { output, stop } = runToEnd(machineWith(bytes, engine, processors), () => performance.now() > late);
  return { output, note: stop };
}

(globalThis as { smmBench?: typeof run }).smmBench = run;
