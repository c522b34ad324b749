/** The tests with one mistake in the sources: number SMM_MUTATION of mutations.mjs, made as the file is loaded. */
import { resolve } from 'node:path';
import { defineConfig } from 'vitest/config';
import base from '../vitest.config.ts';
import { MUTATIONS } from './mutations.mjs';

const [file, text, instead] = MUTATIONS[Number(process.env['SMM_MUTATION'])]!;
const target = resolve(import.meta.dirname, '..', file!);
const mistake = {
  name: 'mistake',
  enforce: 'pre' as const,
  transform: (code: string, id: string) =>
    id.split('?')[0] === target ? code.replace(text!, () => instead!) : undefined,
};

const { projects = [], ...test } = base.test!;
export default defineConfig({
  root: resolve(import.meta.dirname, '..'),
  test: { ...test, projects: projects.map((project) => ({ ...(project as object), plugins: [mistake] })) },
});
