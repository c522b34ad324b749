/**
 * What must hold for every file of the repository: nothing of the machine it was written on, no secrets, links that
 * lead somewhere, manifests alike.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const json = (path: string) => JSON.parse(read(path));

const IGNORED = new Set([
  '.git',
  ...read('.gitignore')
    .split('\n')
    .filter((line) => /^[\w.]+$/.test(line)),
]);

/** Every file below a folder but ignored ones, for an unpacked archive. */
function walk(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true })
    .filter(({ name }) => !IGNORED.has(name))
    .flatMap((entry) => {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      return entry.isDirectory() ? walk(path) : [path];
    });
}

/** Files under version control, with what is on disk. */
function trackedFiles(): string[] {
  try {
    const list = execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8', stdio: 'pipe' });
    return list.split('\0').filter((path) => path !== '' && existsSync(join(root, path)));
  } catch {
    return walk('');
  }
}
const files = trackedFiles();
const texts = files.map((path) => ({ path, text: read(path) })).filter(({ text }) => !text.includes('\0'));
const documents = texts.filter(({ path }) => path.endsWith('.md') && !path.startsWith('.changeset/'));

/** `path:line: text` of every line that matches, except in this file. */
function hits(pattern: RegExp, among = texts): string[] {
  return among
    .filter(({ path }) => path !== 'tests/repository.test.ts')
    .flatMap(({ path, text }) =>
      text
        .split('\n')
        .flatMap((line, i) => (pattern.test(line) ? [`${path}:${i + 1}: ${line.trim().slice(0, 120)}`] : [])),
    );
}

describe('decisions', () => {
  const decisions = files.filter((path) => /^docs\/adr\/\d/.test(path)).sort();

  it('are numbered one by one, and the index of the docs has each', () => {
    expect(decisions.map((path) => Number(path.slice('docs/adr/'.length, 13)))).toEqual(
      decisions.map((_, n) => n + 1),
    );
    const index = read('docs/README.md');
    const absent = decisions.filter((path) => !index.includes(`(${path.slice('docs/'.length)})`));
    expect(absent).toEqual([]);
  });

  it('are cited by the number of the page that is linked', () => {
    const cited = texts.flatMap(({ path, text }) =>
      [...text.matchAll(/\[ADR (\d+)\]\([^)]*?(\d{4})-/g)].flatMap(([link, said, file]) =>
        Number(said) === Number(file) ? [] : [`${path}: ${link}`],
      ),
    );
    expect(cited).toEqual([]);
  });
});

describe('tracked files', () => {
  it('name no folder of a particular machine', () => {
    expect(hits(/(?<![\w.])\/(work|root)\//)).toEqual([]);
    const notInvented = texts.filter(({ path }) => !/\/test\//.test(path)); // tests make up file systems
    expect(hits(/(?<![\w.])\/(home|Users|tmp)\//, notInvented)).toEqual([]);
    expect(hits(/\bC:\\Users\b/)).toEqual([]);
  });

  it('hold no secrets', () => {
    expect(hits(/-----BEGIN [A-Z ]*PRIVATE KEY-----/)).toEqual([]);
    expect(hits(/\b(AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{30,}|npm_[A-Za-z0-9]{30,}|xox[baprs]-)/)).toEqual(
      [],
    );
    expect(hits(/_authToken|_password\s*=/)).toEqual([]);
    expect(files.filter((path) => /(^|\/)(\.env|\.npmrc|id_rsa|.*\.pem)$/.test(path))).toEqual([]);
  });

  it('name no host but those of schemas', () => {
    const allowed = new Set([
      'example.invalid',
      'json-schema.org',
      'json.schemastore.org',
      'typedoc.org',
      'unpkg.com',
      'vega.github.io', // schema of the bench's plots
    ]);
    const named = texts
      .filter(({ path }) => path !== 'package-lock.json')
      .flatMap(({ path, text }) =>
        [...text.matchAll(/https?:\/\/([A-Za-z0-9.-]+\.[a-z]+)/g)].map(([, host]) => ({ path, host })),
      );
    expect(named.filter(({ host }) => !allowed.has(host!))).toEqual([]);
  });

  it('the lock file works with every registry', () => {
    expect(hits(/"resolved": "(?!packages|apps)[^"]*:\/\//)).toEqual([]);
  });

  it('are text, but for what tests read', () => {
    const binary = files.filter((path) => !texts.some((file) => file.path === path));
    expect(binary.filter((path) => !/^(packages|apps)\/[^/]+\/test\//.test(path))).toEqual([]);
  });
});

describe('documents', () => {
  it('link to files that exist', () => {
    const broken = documents.flatMap(({ path, text }) =>
      [...text.replaceAll(/```[\s\S]*?```/g, '').matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)]
        .map(([, target]) => target!)
        .filter((target) => !/^[a-z]+:/.test(target) && !existsSync(join(root, dirname(path), target)))
        .map((target) => `${path}: ${target}`),
    );
    expect(broken).toEqual([]);
  });

  it('name npm scripts that exist', () => {
    const scripts = new Set(Object.keys(json('package.json').scripts));
    const missing = documents.flatMap(({ path, text }) =>
      [...text.matchAll(/npm run ([\w:-]+)/g)]
        .filter(([, name]) => !scripts.has(name!))
        .map(([all]) => `${path}: ${all}`),
    );
    expect(missing).toEqual([]);
  });

  it('name source files that exist, by their whole path or by its end', () => {
    const there = (name: string): boolean => {
      const pattern = name.replace(/\/$/, '').replaceAll('.', '\\.').replaceAll('*', '[^/]*');
      const end = new RegExp(`(^|/)${pattern}(/|$)`);
      return files.some((path) => end.test(path));
    };
    const named =
      /`((?:packages|apps|scripts|tests|docs)\/[\w./*-]+|(?:[\w.*-]+\/)*[\w.*-]+\.(?:ts|mjs|asm))`/g;
    const missing = documents
      .filter(({ path }) => !path.endsWith('CHANGELOG.md'))
      .flatMap(({ path, text }) =>
        [...text.replaceAll(/^```[\s\S]*?^```/gm, '').matchAll(named)]
          .filter(([, name]) => !there(name!))
          .map(([all]) => `${path}: ${all}`),
      );
    expect(missing).toEqual([]);
  });

  it('the README and the index of the documentation name every package', () => {
    for (const name of readdirSync(join(root, 'packages'))) {
      expect(read('README.md')).toContain(`(packages/${name})`);
      expect(read('docs/README.md')).toContain(`(../packages/${name})`);
      expect(read('CHANGELOG.md')).toContain(`(packages/${name}/CHANGELOG.md)`);
    }
    for (const name of readdirSync(join(root, 'docs/adr'))) {
      expect(read('docs/README.md')).toContain(`(adr/${name})`);
    }
  });
});

describe('manifests', () => {
  const packages = readdirSync(join(root, 'packages')).map((name) => `packages/${name}`);
  const apps = readdirSync(join(root, 'apps')).map((name) => `apps/${name}`);

  it.each(packages)('%s is like the others', (path) => {
    const manifest = json(`${path}/package.json`);
    const reference = json('packages/bus/package.json');
    for (const key of [
      'license',
      'type',
      'sideEffects',
      'engines',
      'exports',
      'files',
      'publishConfig',
      'scripts',
    ]) {
      expect(manifest[key], key).toEqual(reference[key]);
    }
    expect(manifest.name).toBe(`@smm/${path.replace('packages/', '')}`);
    expect(manifest.repository.directory).toBe(path);
    expect(manifest.description).toMatch(/\.$/);
    expect(read(`${path}/LICENSE`)).toBe(read('LICENSE'));
    expect(read(`${path}/README.md`)).toContain(`npm install ${manifest.name}`);
  });

  it.each([...packages, ...apps, '.'])('%s runs nothing on installation', (path) => {
    const scripts = Object.keys(json(`${path}/package.json`).scripts);
    expect(scripts.filter((name) => /^(pre|post)?(install|prepare)$/.test(name))).toEqual([]);
  });

  it('tools and dependencies from outside have exact versions', () => {
    const loose = [...packages, ...apps, '.'].flatMap((path) => {
      const { dependencies = {}, devDependencies = {} } = json(`${path}/package.json`);
      return Object.entries<string>({ ...dependencies, ...devDependencies })
        .filter(([name, range]) => !name.startsWith('@smm/') && !/^\d+\.\d+\.\d+$/.test(range))
        .map(([name, range]) => `${path}: ${name} ${range}`);
    });
    expect(loose).toEqual([]);
  });
});
