/** The helpers that the engine calls, by operation number. */
import type { Helper } from './stepper.ts';

/** Until the system part lands: none. */
export const HELPERS: readonly (Helper | undefined)[] = [];
