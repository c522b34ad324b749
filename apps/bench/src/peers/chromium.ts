/**
 * Our machine and v86 in headless Chromium. A page cannot read its CPU time, so the user and system time of all the
 * browser's processes, from /proc, is taken around each run: the page's thread, compiler threads, and what the browser
 * does besides.
 */
import { existsSync, readFileSync } from 'node:fs';
import type { BrowserServer, Page } from 'playwright';
import { atEnd, killGroup } from '../cleanup.ts';
import type { Need } from '../kernels/kernel.ts';
import { hasProc, treeSeconds } from '../process-tree.ts';
import { ourName } from './ours.ts';
import type { PageAnswer, PageRequest } from './page.ts';
import type { Peer } from './peer.ts';
import { v86Version, v86Wasm } from './v86.ts';
import { firstLine } from './version.ts';

const PROGRAM = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
/** Beside the built program. */
const SCRIPT = new URL('./page.js', import.meta.url);
/** Answered by this process; nothing goes to a network. */
const ORIGIN = 'http://example.invalid/';
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

interface Session {
  readonly server: BrowserServer;
  readonly pid: number;
  readonly page: Page;
}

let session: Promise<Session> | undefined;

async function start(): Promise<Session> {
  const { chromium } = await import('playwright'); // takes a while to load
  const server = await chromium.launchServer({
    executablePath: PROGRAM,
    args: FLAGS,
    handleSIGINT: false,
    handleSIGTERM: false,
    handleSIGHUP: false,
  });
  const pid = server.process().pid!;
  atEnd(() => killGroup(pid));
  const browser = await chromium.connect(server.wsEndpoint());
  const page = await browser.newPage();
  await page.route('**/*', (route) => {
    const path = new URL(route.request().url()).pathname;
    if (path === '/page.js')
      return route.fulfill({ contentType: 'text/javascript', body: readFileSync(SCRIPT, 'utf8') });
    if (path === '/v86.wasm')
      return route.fulfill({ contentType: 'application/wasm', body: readFileSync(v86Wasm()) });
    if (path === '/')
      return route.fulfill({
        contentType: 'text/html',
        body: '<!doctype html><title>bench</title><script type="module" src="page.js"></script>',
      });
    return route.fulfill({ status: 404, body: '' });
  });
  await page.goto(ORIGIN);
  await page.waitForFunction('globalThis.smmBench !== undefined', undefined, { timeout: 20_000 });
  return { server, pid, page };
}

async function close(): Promise<void> {
  const open = session;
  session = undefined;
  if (open !== undefined) await open.then(({ server }) => server.close()).catch(() => undefined); // it never started
}

async function run(
  rom: Uint8Array,
  processors: number,
  engine: PageRequest['engine'],
): ReturnType<Peer['run']> {
  session ??= start();
  const { page, pid } = await session;
  const request: PageRequest = { rom: Buffer.from(rom).toString('base64'), processors, engine };
  const before = treeSeconds(pid);
  const answer = await page.evaluate(
    (what) =>
      (globalThis as unknown as { smmBench: (request: PageRequest) => Promise<PageAnswer> }).smmBench(what),
    request,
  );
  return { ...answer, seconds: treeSeconds(pid) - before };
}

/** Chromium's version, if it can be measured. */
async function version(): Promise<string | undefined> {
  if (!existsSync(PROGRAM) || !existsSync(SCRIPT) || !hasProc()) return undefined;
  return firstLine([PROGRAM, '--version', '--no-sandbox'], /Chromium (\S+)/);
}

function chromiumPeer(
  name: string,
  engine: PageRequest['engine'],
  bits: Peer['bits'],
  offers: readonly Need[],
  label: () => string,
): Peer {
  return {
    name: `${name}-chromium`,
    bits,
    offers,
    version: async () => {
      const browser = await version();
      return browser && `${label()} in Chromium ${browser}`;
    },
    run: (rom, processors) => run(rom, processors, engine),
    close,
  };
}

/** Our tiers and v86's compiler in the browser. */
export const chromiumPeers: readonly Peer[] = [
  ...(['translator', 'interpreter'] as const).map((tier) => {
    const options = { tier, accelerator: 'tcg' } as const;
    return chromiumPeer(ourName(options), options, [32, 64], ['smm', 'apic', 'smp'], () => 'this tree');
  }),
  chromiumPeer('v86-jit', { v86: { disableJit: false } }, [32], ['apic'], () => v86Version() ?? 'no v86'),
];
