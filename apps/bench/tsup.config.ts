import { defineConfig } from 'tsup';
import { nodeApp } from '../../tsup.base.ts';

export default defineConfig([
  // Each a file of its own: the bench copies child.js beside another commit's packages. Not cleaned: both parts build
  // at once.
  { ...(nodeApp as object), entry: ['src/main.ts', 'src/child.ts'], clean: false, splitting: false },
  // What runs in Chromium: one file with everything in it. v86 asks for Node's modules only in Node.
  {
    entry: { page: 'src/peers/page.ts' },
    format: ['esm'],
    target: 'es2022',
    platform: 'browser',
    splitting: false,
    noExternal: [/.*/],
    esbuildOptions: (options) => {
      options.external = ['crypto', 'fs', 'perf_hooks', 'node:*'];
    },
  },
]);
