// Packs every package and uses the tarballs alone: each README example must print what it says, in Node from an empty
// project and in Chromium from a bundle; and the web page of docs/web-page.md boots OVMF in Chromium.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { chromium } from 'playwright';
import { serve } from './serve-directory.mjs';

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const root = resolve(import.meta.dirname, '..');
const names = readdirSync(join(root, 'packages'));
const work = mkdtempSync(join(tmpdir(), 'smm-packed-'));
const run = (file, args, options = {}) =>
  execFileSync(file, args, { cwd: work, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], ...options });
const esbuild = join(root, 'node_modules', '.bin', 'esbuild');

function check(name, where, printed, expected) {
  if (printed !== expected) {
    throw new Error(`@smm/${name} ${where}: the example printed\n${printed}\ninstead of\n${expected}`);
  }
  console.log(`@smm/${name}: example runs ${where}`);
}

/** A tarball has what users need: a licence, and no tests. */
function checkFiles(name, files) {
  const paths = files.map(({ path }) => path);
  const tests = paths.filter((path) => /(^|\/)(tests?|bench)\/|\.(test|bench)\./.test(path));
  if (tests.length > 0) throw new Error(`${name}: the tarball holds tests: ${tests.join(', ')}`);
  for (const wanted of ['LICENSE', 'README.md', 'package.json'])
    if (!paths.includes(wanted)) throw new Error(`${name}: the tarball lacks ${wanted}`);
}

/** One empty project per package, so that a dependency that is used but not declared is found. */
function installAlone(name, tarballs) {
  const dir = join(work, name);
  const needed = new Map();
  const add = (dep) => {
    if (needed.has(dep)) return;
    needed.set(dep, tarballs.get(dep));
    const { dependencies = {} } = JSON.parse(
      readFileSync(join(root, 'packages', dep, 'package.json'), 'utf8'),
    );
    for (const other of Object.keys(dependencies)) add(other.replace('@smm/', ''));
  };
  add(name);
  const source = readFileSync(join(root, 'packages', name, 'examples', 'quick-start.ts'), 'utf8');
  for (const [, other] of source.matchAll(/from '@smm\/([^']+)'/g)) add(other); // what a reader would install beside it
  const dependencies = Object.fromEntries([...needed].map(([dep, file]) => [`@smm/${dep}`, `file:${file}`]));
  run('mkdir', ['-p', dir]);
  writeFileSync(
    join(dir, 'package.json'),
    JSON.stringify({
      name: 'consumer',
      private: true,
      type: 'module',
      dependencies,
      overrides: dependencies,
    }),
  );
  run('npm', ['install', '--no-audit', '--no-fund', '--silent', '--offline', '--ignore-scripts'], {
    cwd: dir,
  });
  writeFileSync(join(dir, 'example.ts'), source);
  return { dir, expected: [...source.matchAll(/\/\/ => (.*)$/gm)].map((match) => match[1]).join('\n') };
}

/** Debian's package ovmf, which the web page boots. */
const OVMF = ['OVMF_CODE_4M.secboot.fd', 'OVMF_VARS_4M.fd'].map((file) => `/usr/share/OVMF/${file}`);

/** The page of docs/web-page.md, made of the tarballs in `dir`, boots OVMF until all CPUs are relocated. */
async function checkWebPage(dir) {
  const missing = OVMF.filter((file) => !existsSync(file));
  if (missing.length > 0) {
    console.log(`@smm/machine: the web page is skipped, for want of ${missing.join(' and ')} (package ovmf)`);
    return;
  }
  const source = join(root, 'packages', 'machine', 'examples', 'web');
  for (const name of ['worker', 'page']) {
    writeFileSync(join(dir, `${name}.ts`), readFileSync(join(source, `${name}.ts`)));
    run(esbuild, [`${name}.ts`, '--bundle', '--format=esm', '--outdir=web', '--log-level=error'], {
      cwd: dir,
    });
  }
  const web = join(dir, 'web');
  writeFileSync(join(web, 'page.html'), '<pre></pre><script type="module" src="page.js"></script>');
  for (const file of OVMF) cpSync(file, join(web, basename(file)));
  const server = await serve(web);
  const page = await browser.newPage();
  const errors = [];
  page.on('pageerror', (error) => errors.push(error.message));
  try {
    await page.goto(`${server.url}/page.html?until=relocated`);
    await page.waitForFunction('document.title !== ""', undefined, { timeout: 300_000 });
    const title = await page.title();
    if (errors.length > 0 || !title.startsWith('relocated: every CPU has its own SMBASE'))
      throw new Error(`the web page ended with "${title}" ${errors.join('; ')}`);
    console.log(`@smm/machine: the web page boots OVMF in Chromium (${title})`);
  } finally {
    await page.close();
    await server.close();
  }
}

const browser = existsSync(CHROMIUM)
  ? await chromium.launch({
      executablePath: CHROMIUM,
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    })
  : undefined;
if (browser === undefined) console.log(`no browser at ${CHROMIUM}: the browser half is skipped`);
try {
  const tarballs = new Map(
    names.map((name) => {
      const [{ filename, files }] = JSON.parse(
        run('npm', ['pack', '--json', '--pack-destination', work], { cwd: join(root, 'packages', name) }),
      );
      checkFiles(name, files);
      return [name, join(work, filename)];
    }),
  );
  for (const app of readdirSync(join(root, 'apps'))) {
    const [{ files }] = JSON.parse(
      run('npm', ['pack', '--json', '--dry-run'], { cwd: join(root, 'apps', app) }),
    );
    checkFiles(app, files);
  }
  for (const name of names) {
    const { dir, expected } = installAlone(name, tarballs);
    run(esbuild, ['example.ts', '--format=esm', '--outfile=example.mjs', '--log-level=error'], { cwd: dir });
    check(name, 'in Node', run(process.execPath, ['example.mjs'], { cwd: dir }).trimEnd(), expected);
    if (browser === undefined) continue;
    run(
      esbuild,
      [
        'example.ts',
        '--bundle',
        '--platform=browser',
        '--format=esm',
        '--outfile=bundle.js',
        '--log-level=error',
      ],
      { cwd: dir },
    );
    const page = await browser.newPage();
    const lines = [];
    const errors = [];
    page.on('console', (message) => lines.push(message.text()));
    page.on('pageerror', (error) => errors.push(error.message));
    await page.goto('about:blank');
    await page.addScriptTag({
      type: 'module',
      content: `${readFileSync(join(dir, 'bundle.js'), 'utf8')}\nglobalThis.finished = true;`,
    });
    await page
      .waitForFunction('globalThis.finished === true', undefined, { timeout: 60_000 })
      .catch(() => errors.push('did not finish'));
    await page.close();
    if (errors.length > 0) throw new Error(`@smm/${name} in Chromium: ${errors.join('; ')}`);
    check(name, 'in Chromium', lines.join('\n'), expected);
    if (name === 'machine') await checkWebPage(dir);
  }
} finally {
  await browser?.close();
  rmSync(work, { recursive: true, force: true });
}
