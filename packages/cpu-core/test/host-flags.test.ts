/** Flags of V8: those that this one knows, and none that it would complain about. */
import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { v8Flags } from '../src/host-flags.ts';

it('this V8 knows every flag that it gets, and says nothing', () => {
  const flags = v8Flags(process.versions.v8);
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ['-e', `for (const flag of ${JSON.stringify(flags)}) require('v8').setFlagsFromString(flag);`],
    { encoding: 'utf8' },
  );
  expect(stdout + stderr).toBe('');
});

// What `node --v8-options` of Node 18, 20, 22, 24, 25 and 26 lists of the flags.
it.each([
  ['10.2.154.26-node.39', 6],
  ['11.3.244.8-node.38', 6],
  ['12.4.254.21-node.57', 4],
  ['13.6.233.17-node.53', 4],
  ['14.1.146.11-node.25', 4],
  ['14.6.202.34-node.34', 4],
  ['14.7.1', 0],
  ['99.0', 0],
])('V8 %s gets %i flags', (version, count) => {
  expect(v8Flags(version)).toHaveLength(count);
});
