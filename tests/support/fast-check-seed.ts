/**
 * Properties of fast-check try the same cases in every run of the short form. Files that do not use it do not load it.
 */
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { seedOf } from './form.ts';

if (readFileSync(expect.getState().testPath!, 'utf8').includes("'fast-check'")) {
  const { default: fc } = await import('fast-check');
  fc.configureGlobal({ seed: seedOf(1) });
}
