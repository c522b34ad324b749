/**
 * What depends on the accelerator is told in `packages/machine/src/accel`: by its row in `accelerators.ts`, or by the
 * accelerator itself. Nobody else asks for its name, but where text is read and written.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const HOME = 'packages/machine/src/accel/';
/** Files, or folders, that may compare, and what for. */
const ALLOWED = {
  'apps/cli/src/options.ts': 'which options go together',
  'apps/cli/src/qemu-values.ts': "the words of QEMU's options",
  'apps/cli/src/qemu/settings.ts': "the words of QEMU's options",
  'apps/cli/src/boot/request.ts': 'what `-cpu host` means',
  'apps/cli/src/render/': 'words for people and JSON',
  'apps/bench/src/': 'names of what is measured',
  'packages/trace/src/': "a tracepoint's system, which is the kernel's word",
} as const;
const COMPARES =
  /[!=]==? '(tcg|kvm)'|'(tcg|kvm)' [!=]==?|\bcase '(tcg|kvm)'|\binstanceof (Tcg|Kvm)Accelerator|\(['"](tcg|kvm)['"]\)/;

const sources = ['packages', 'apps']
  .flatMap((folder) => readdirSync(join(root, folder)).map((name) => `${folder}/${name}/src`))
  .flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map(
      (path) => `${folder}/${path.replaceAll('\\', '/')}`,
    ),
  )
  .filter((path) => path.endsWith('.ts'));
const comparing = sources.flatMap((path) =>
  readFileSync(join(root, path), 'utf8')
    .split('\n')
    .flatMap((line, i) => (COMPARES.test(line) ? [`${path}:${i + 1}: ${line.trim()}`] : [])),
);

it('nobody compares the names of accelerators but who reads or writes text', () => {
  const allowed = [HOME, ...Object.keys(ALLOWED)];
  expect(comparing.filter((hit) => !allowed.some((place) => hit.startsWith(place)))).toEqual([]);
});

it('every exception is one', () => {
  for (const place of [HOME, ...Object.keys(ALLOWED)])
    expect(
      comparing.find((hit) => hit.startsWith(place)),
      place,
    ).toBeDefined();
});
