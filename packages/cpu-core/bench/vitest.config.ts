import { defineConfig } from 'vitest/config';

export default defineConfig({
  resolve: { conditions: ['@smm/source', 'module', 'import', 'default'] },
  ssr: { resolve: { conditions: ['@smm/source', 'node', 'import', 'default'] } },
  test: { include: ['packages/cpu-core/bench/*.bench.ts'], testTimeout: 60_000 },
});
