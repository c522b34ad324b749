import { defineConfig } from 'tsup';

/** Build of a model package: one ESM entry that runs in Node and in browsers. */
export const modelPackage = defineConfig({
  entry: ['src/index.ts'],
  format: ['esm'],
  target: 'es2022',
  platform: 'neutral',
  dts: { compilerOptions: { ignoreDeprecations: '6.0' } },
  sourcemap: true,
  clean: true,
  treeshake: true,
});

/** Build of a private Node application; workspace packages stay imports. */
export const nodeApp = defineConfig({
  entry: ['src/main.ts'],
  format: ['esm'],
  target: 'node20',
  platform: 'node',
  sourcemap: true,
  clean: true,
});
