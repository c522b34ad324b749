// Runs turbo with its telemetry and its question for newer versions off, for everybody who builds here: it has no
// setting for that in a file.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';

// Quiet builds before other commands take a minute the first time, and say nothing.
if (process.argv.includes('--output-logs=errors-only'))
  console.error('Building what has changed; the first time takes a minute or two...');

const turbo = createRequire(import.meta.url).resolve('turbo/bin/turbo');
const { status } = spawnSync(process.execPath, [turbo, ...process.argv.slice(2)], {
  stdio: 'inherit',
  env: { ...process.env, TURBO_TELEMETRY_DISABLED: '1', TURBO_NO_UPDATE_NOTIFIER: '1', DO_NOT_TRACK: '1' },
});
process.exit(status ?? 1);
