/** What is written: only regular files, by one process, with mode, owner and links as they were. */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { claimOutput } from '../src/output.ts';
import { firstLine, scratch, smallDisk, start } from './support.ts';

const isRoot = process.geteuid?.() === 0;

function write(path: string, content: string): void {
  const output = claimOutput('the trace', path);
  output.replace(content);
  output.release();
}

describe('a file is replaced', () => {
  it('as a whole, and nothing is left beside it', () => {
    const folder = scratch();
    const path = join(folder, 'out');
    write(path, 'old');
    const before = statSync(path).ino;
    write(path, 'new');
    expect(readFileSync(path, 'utf8')).toBe('new');
    expect(statSync(path).ino).not.toBe(before);
    expect(readdirSync(folder)).toEqual(['out']);
  });

  it('by pieces that are made as they are written', () => {
    const path = join(scratch(), 'out');
    const output = claimOutput('the trace', path);
    output.replace(['a', Uint8Array.of(0x62), 'ć']);
    output.release();
    expect(readFileSync(path, 'utf8')).toBe('abć');
  });

  it.each(['600', '640', '4755'])('mode %s stays', (octal) => {
    const mode = Number.parseInt(octal, 8);
    const path = join(scratch(), 'out');
    writeFileSync(path, 'old');
    chmodSync(path, mode);
    write(path, 'new');
    expect(statSync(path).mode & 0o7777).toBe(mode);
  });

  it.skipIf(!isRoot)(`the owner stays${isRoot ? '' : ' (skipped: needs root)'}`, () => {
    const path = join(scratch(), 'out');
    writeFileSync(path, 'old');
    chownSync(path, 4711, 4712);
    write(path, 'new');
    expect(statSync(path)).toMatchObject({ uid: 4711, gid: 4712 });
  });

  it('a new one has the mode that the user wants of new files', () => {
    const path = join(scratch(), 'out');
    const before = process.umask(0o027);
    write(path, 'new');
    process.umask(before);
    expect(statSync(path).mode & 0o777).toBe(0o640);
  });

  it('through links, also where their target does not exist yet: the links stay', () => {
    const folder = scratch();
    mkdirSync(join(folder, 'deep'));
    writeFileSync(join(folder, 'deep/there'), 'old');
    symlinkSync('deep/there', join(folder, 'link'));
    symlinkSync('deep/absent', join(folder, 'dangling'));
    symlinkSync('dangling', join(folder, 'chain'));
    write(join(folder, 'link'), 'new');
    write(join(folder, 'chain'), 'made');
    expect(readFileSync(join(folder, 'deep/there'), 'utf8')).toBe('new');
    expect(readFileSync(join(folder, 'deep/absent'), 'utf8')).toBe('made');
    expect(readlinkSync(join(folder, 'link'))).toBe('deep/there');
    expect(readlinkSync(join(folder, 'dangling'))).toBe('deep/absent');
    expect(readdirSync(join(folder, 'deep')).sort()).toEqual(['absent', 'there']);
  });

  it('what a killed run left beside it goes at the next start', () => {
    const folder = scratch();
    writeFileSync(join(folder, 'out'), 'old');
    writeFileSync(join(folder, '.out.new'), 'torn');
    writeFileSync(join(folder, '.out.lock'), '4711\n');
    claimOutput('the trace', join(folder, 'out')).release();
    expect(readdirSync(folder)).toEqual(['out']);
  });
});

describe('refused before the run, and untouched', () => {
  const folder = scratch();
  const path = (name: string): string => join(folder, name);
  spawnSync('mkfifo', [path('pipe')]);
  mkdirSync(path('folder'));
  symlinkSync('circle', path('circle'));
  symlinkSync('nowhere/out', path('lost'));
  symlinkSync('pipe', path('to-pipe'));
  writeFileSync(path('plain'), '');

  it.each([
    ['pipe', /cannot write the trace to .*pipe: it is a pipe/],
    ['to-pipe', /it is a pipe/],
    ['folder', /it is a folder/],
    ['circle', /its links lead in a circle/],
    ['lost', /there is no such file or folder/],
    ['nowhere/out', /there is no such file or folder/],
    ['plain/out', /a part of the path is not a folder/],
    ['n'.repeat(300), /the name is too long/],
    ['nul\0', /no file can have this name/],
  ])('%.20s', (name, message) => {
    const before = readdirSync(folder);
    expect(() => claimOutput('the trace', path(name))).toThrow(message);
    expect(readdirSync(folder)).toEqual(before);
    expect(lstatSync(path('pipe')).isFIFO()).toBe(true);
    expect(lstatSync(path('lost')).isSymbolicLink()).toBe(true);
  });

  it('a socket', async () => {
    const server = createServer().listen(path('socket'));
    await new Promise((resolve) => server.on('listening', resolve));
    expect(() => claimOutput('the trace', path('socket'))).toThrow(/it is a socket/);
    server.close();
  });

  it.each(['/dev/null', '/dev/zero'])('%s', (device) => {
    expect(() => claimOutput('the trace', device)).toThrow(/it is a device/);
    expect(statSync(device).isCharacterDevice()).toBe(true);
  });

  it.skipIf(!isRoot)(
    `for other users than root${isRoot ? '' : ' (skipped: needs root to become one)'}`,
    async () => {
      const place = scratch();
      chmodSync(place, 0o777);
      for (const [name, mode, owner] of [
        ['others', 0o666, 0],
        ['read-only', 0o444, 4711],
        ['closed/mine', 0o644, 4711],
      ] as const) {
        if (name.includes('/')) mkdirSync(join(place, 'closed'));
        writeFileSync(join(place, name), 'old');
        chmodSync(join(place, name), mode);
        chownSync(join(place, name), owner, owner);
      }
      const claim = (name: string): Promise<string> =>
        firstLine(
          start(
            `try { files.claimOutput('the trace', path).release(); console.log('claimed'); }
           catch (error) { console.log(error.message); }`,
            join(place, name),
            { uid: 4711, gid: 4711 },
          ),
        );
      expect(await claim('others')).toMatch(/it belongs to another user/);
      expect(await claim('read-only')).toMatch(/permission denied/);
      expect(await claim('closed/mine')).toMatch(/in its folder nothing can be created/);
      expect(await claim('new')).toBe('claimed');
    },
  );
});

describe('one process at a time', () => {
  const HOLD = `files.claimOutput('the variables', path).replace('theirs');
    console.log('ready'); setInterval(() => {}, 1000);`;

  it('the second is refused, and told by whom; a killed one is in nobody’s way', async () => {
    const path = join(scratch(), 'VARS.fd');
    const child = start(HOLD, path);
    expect(await firstLine(child)).toBe('ready');
    expect(() => claimOutput('the variables', path)).toThrow(new RegExp(`process ${child.pid} is using it`));
    try {
      claimOutput('the variables', path, { advice: 'Give --no-save.' });
    } catch (error) {
      expect((error as { fix: string }).fix).toBe('Give --no-save.');
    }
    expect(readFileSync(path, 'utf8')).toBe('theirs');
    child.kill('SIGKILL');
    await new Promise((resolve) => child.on('exit', resolve));
    write(path, 'ours');
    expect(readFileSync(path, 'utf8')).toBe('ours');
  });

  it('two options of one command are told from two processes', () => {
    const path = join(scratch(), 'out');
    const first = claimOutput('the trace', path);
    expect(() => claimOutput('the serial output', path)).toThrow(
      /this command already writes something else/,
    );
    first.release();
    first.release();
    write(path, 'x');
  });

  it('of many that begin at once, one at most has it at any time', async () => {
    const path = join(scratch(), 'out');
    writeFileSync(path, '0');
    // Each adds one to the number in the file as often as it gets hold of it, and says how often that was.
    const code = `import { readFileSync } from 'node:fs';
      let done = 0;
      const end = Date.now() + 500;
      while (Date.now() < end) {
        let output;
        try { output = files.claimOutput('the count', path); } catch { continue; }
        output.replace(String(Number(readFileSync(path, 'utf8')) + 1));
        done++;
        output.release();
      }
      console.log(done);`;
    const counts = await Promise.all([1, 2, 3].map(() => firstLine(start(code, path))));
    const total = counts.map(Number).reduce((sum, each) => sum + each);
    expect(total).toBeGreaterThan(0);
    expect(readFileSync(path, 'utf8')).toBe(String(total));
  });

  it('a link in the place of the lock is not followed', () => {
    const folder = scratch();
    writeFileSync(join(folder, 'precious'), 'precious');
    symlinkSync('precious', join(folder, '.out.lock'));
    expect(() => claimOutput('the trace', join(folder, 'out'))).toThrow(/cannot write the trace/);
    expect(readFileSync(join(folder, 'precious'), 'utf8')).toBe('precious');
  });
});

describe('a log', () => {
  it('is emptied by its first bytes, and grows', () => {
    const path = join(scratch(), 'log');
    writeFileSync(path, 'of an earlier run');
    const output = claimOutput('the serial output', path);
    expect(readFileSync(path, 'utf8')).toBe('of an earlier run');
    output.append(new Uint8Array());
    expect(readFileSync(path, 'utf8')).toBe('');
    output.append(Uint8Array.of(0x61));
    output.append(Uint8Array.of(0x62));
    expect(readFileSync(path, 'utf8')).toBe('ab');
    output.release();
  });
});

const disk = smallDisk(64);
describe.skipIf(disk === undefined)(
  `a full disk${disk === undefined ? ' (skipped: cannot mount one)' : ''}`,
  () => {
    it('is said; the old content stays, and nothing is left beside it', () => {
      const path = join(disk!.path, 'out');
      write(path, 'old');
      const output = claimOutput('the trace', path);
      expect(() => output.replace(new Uint8Array(0x2_0000))).toThrow(
        /cannot write the trace to .*: the disk is full/,
      );
      output.replace('small');
      output.release();
      expect(readFileSync(path, 'utf8')).toBe('small');
      expect(readdirSync(disk!.path)).toEqual(['out']);
      disk!.unmount();
      expect(existsSync(path)).toBe(false);
    });
  },
);

it('rights that are taken away during the run: the old content stays', () => {
  const folder = scratch();
  const path = join(folder, 'out');
  write(path, 'old');
  const output = claimOutput('the trace', path);
  // For root no folder is closed: then one that is not there any more stands for it.
  if (isRoot) renameSync(folder, `${folder}.moved`);
  else chmodSync(folder, 0o555);
  expect(() => output.replace('new')).toThrow(/cannot write the trace to/);
  if (isRoot) renameSync(`${folder}.moved`, folder);
  else chmodSync(folder, 0o755);
  expect(readFileSync(path, 'utf8')).toBe('old');
  output.release();
  expect(readdirSync(folder)).toEqual(['out']);
});
