// Makes the Linux guests of the tests and of `smm matrix --guest linux`, from Debian's packages:
//
//   node scripts/guests/build.mjs [amd64] [i386]      default: both
//
// For each architecture, a folder in $SMM_GUESTS, else $XDG_CACHE_HOME/smm/guests, else ~/.cache/smm/guests:
//
//   vmlinuz, initrd.gz, cmdline     for -kernel, -initrd, -append
//   disk.img                        a FAT volume with the same as \EFI\BOOT\BOOT*.EFI, for -drive
//   packages                        what they were made of
//
// Nothing is made anew that is there already from the same packages. Needs apt-get, dpkg-deb, objcopy, mkfs.vfat and
// mtools (packages binutils, dosfstools, mtools); apt's own lists are left alone, nothing is installed.
import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { cpio } from './cpio.mjs';

const COMMAND_LINE = 'console=ttyS0,115200 earlyprintk=ttyS0 panic=5 no_console_suspend random.trust_cpu=on';
const DISK_MIB = 64;

const ARCHITECTURES = {
  amd64: {
    kernel: 'linux-image-cloud-amd64',
    libraries: 'x86_64-linux-gnu',
    loader: 'lib64/ld-linux-x86-64.so.2',
    stub: 'linuxx64.efi.stub',
    boot: 'BOOTX64.EFI',
  },
  i386: {
    kernel: 'linux-image-686-pae',
    libraries: 'i386-linux-gnu',
    loader: 'lib/ld-linux.so.2',
    stub: 'linuxia32.efi.stub',
    boot: 'BOOTIA32.EFI',
  },
};
const PACKAGES = [
  'busybox-static',
  'efibootmgr',
  'libefivar1',
  'libefiboot1',
  'libpopt0',
  'libc6',
  'systemd-boot-efi',
];
const LIBRARIES = [
  'libefivar.so.1',
  'libefiboot.so.1',
  'libc.so.6',
  'libdl.so.2',
  'libpthread.so.0',
  'libm.so.6',
  'libpopt.so.0',
];

const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
const ROOT = process.env.SMM_GUESTS || join(cache, 'smm', 'guests');

for (const name of process.argv.length > 2 ? process.argv.slice(2) : Object.keys(ARCHITECTURES)) {
  if (!(name in ARCHITECTURES))
    fail(`${name} is no architecture`, `Name ${Object.keys(ARCHITECTURES).join(' or ')}.`);
  make(name);
}

function make(name) {
  const architecture = ARCHITECTURES[name];
  const folder = join(ROOT, name);
  const work = join(folder, 'work');
  mkdirSync(join(work, 'lists', 'partial'), { recursive: true });
  mkdirSync(join(work, 'archives', 'partial'), { recursive: true });
  const apt = ['-qq', '-o', `APT::Architecture=${name}`, '-o', `APT::Architectures::=${name}`];
  apt.push(
    '-o',
    'APT::Sandbox::User=root',
    '-o',
    `Dir::State=${work}`,
    '-o',
    'Dir::State::status=/dev/null',
    '-o',
    `Dir::Cache=${work}`,
  );
  const update = spawnSync('apt-get', [...apt, 'update'], { stdio: ['ignore', 'inherit', 'inherit'] });
  if (update.status !== 0)
    console.error('Some list of packages was not refreshed: going on with the others.');
  const depends = output('apt-cache', [...apt, 'depends', architecture.kernel]);
  const kernel = /Depends: (linux-image-\d\S*)/.exec(depends)?.[1];
  if (kernel === undefined)
    fail(`${architecture.kernel} depends on no kernel`, 'Look at the sources of apt.');
  const wanted = [...PACKAGES, kernel];
  const versions = wanted
    .map(
      (each) => /Version: (\S+)/.exec(output('apt-cache', [...apt, 'show', '--no-all-versions', each]))?.[1],
    )
    .map((version, i) => `${wanted[i]} ${version}`);
  const recipe = `${versions.join('\n')}\n`;
  const note = join(folder, 'packages');
  if (existsSync(note) && readFileSync(note, 'utf8') === recipe + hashOfScripts()) {
    console.log(`${name}: there already (${kernel})`);
    rmSync(work, { recursive: true });
    return;
  }
  const tree = join(work, 'tree');
  rmSync(tree, { recursive: true, force: true });
  for (const each of wanted) {
    run('apt-get', [...apt, 'download', each], work);
    const file = readdirSync(work).find((entry) => entry.startsWith(`${each}_`) && entry.endsWith('.deb'));
    run('dpkg-deb', ['-x', file, 'tree'], work);
  }
  writeFiles(architecture, kernel.replace('linux-image-', ''), tree, folder);
  writeFileSync(note, recipe + hashOfScripts());
  rmSync(work, { recursive: true });
  console.log(`${name}: made of ${kernel} in ${folder}`);
}

function writeFiles({ libraries, loader, stub, boot }, version, tree, folder) {
  const file = (path) => readFileSync(join(tree, path));
  const library = (name) => {
    const found = [`lib/${libraries}`, `usr/lib/${libraries}`]
      .map((at) => join(at, name))
      .find((at) => there(tree, at));
    if (found === undefined)
      fail(`there is no ${name} in the packages`, 'The recipe does not fit this distribution.');
    return { bytes: file(found), mode: 0o755 };
  };
  const entries = {};
  for (const dir of ['bin', 'dev', 'lib', 'lib64', 'proc', 'sbin', 'sys']) entries[dir] = { dir: true };
  entries['dev/console'] = { device: [5, 1] };
  entries['bin/busybox'] = { bytes: file('bin/busybox'), mode: 0o755 };
  const applets = output(join(tree, 'bin/busybox'), ['--list']).split('\n').filter(Boolean).sort();
  for (const applet of applets) if (applet !== 'busybox') entries[`bin/${applet}`] = { link: 'busybox' };
  entries['bin/efibootmgr'] = { bytes: file('bin/efibootmgr'), mode: 0o755 };
  for (const name of LIBRARIES) entries[`lib/${name}`] = library(name);
  entries[loader] = library(loader.split('/').at(-1));
  entries['efivarfs.ko'] = {
    bytes: file(`lib/modules/${version}/kernel/fs/efivarfs/efivarfs.ko`),
    mode: 0o644,
  };
  entries.init = { bytes: readFileSync(new URL('init', import.meta.url)), mode: 0o755 };
  const put = (name, bytes) => writeFileSync(join(folder, name), bytes);
  put('vmlinuz', file(`boot/vmlinuz-${version}`));
  put('initrd.gz', gzipSync(cpio(entries), { level: 9 }));
  put('cmdline', COMMAND_LINE);
  writeDisk(join(tree, 'usr/lib/systemd/boot/efi', stub), boot, folder);
}

/** A unified kernel image on a FAT volume without partitions. */
function writeDisk(stub, boot, folder) {
  writeFileSync(join(folder, 'os-release'), 'ID=smm-guest\n');
  const sections = [
    ['.osrel', 'os-release', 0x2_0000],
    ['.cmdline', 'cmdline', 0x3_0000],
    ['.linux', 'vmlinuz', 0x200_0000],
    ['.initrd', 'initrd.gz', 0x300_0000],
  ].flatMap(([name, file, at]) => [
    `--add-section`,
    `${name}=${file}`,
    `--change-section-vma`,
    `${name}=${at}`,
  ]);
  run('objcopy', [...sections, stub, boot], folder);
  writeFileSync(join(folder, 'disk.img'), Buffer.alloc(DISK_MIB * 2 ** 20));
  run('mkfs.vfat', ['--invariant', '-F', '16', '-n', 'SMMGUEST', 'disk.img'], folder);
  run('mmd', ['-i', 'disk.img', '::/EFI', '::/EFI/BOOT'], folder);
  run('mcopy', ['-i', 'disk.img', boot, `::/EFI/BOOT/${boot}`], folder);
  for (const done of [boot, 'os-release']) rmSync(join(folder, done));
}

function there(tree, path) {
  return lstatSync(join(tree, path), { throwIfNoEntry: false }) !== undefined;
}

/** The init script is part of the recipe. */
function hashOfScripts() {
  return readFileSync(new URL('init', import.meta.url), 'utf8');
}

function run(command, args, cwd) {
  const { status, error } = spawnSync(command, args, { cwd, stdio: ['ignore', 'ignore', 'inherit'] });
  if (error !== undefined) fail(`${command} cannot be run`, 'Install binutils, dosfstools, mtools and dpkg.');
  if (status !== 0) fail(`${command} ${args.join(' ')} failed`, 'See above.');
}

function output(command, args) {
  const { status, stdout, error } = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 2 ** 28 });
  if (error !== undefined || status !== 0)
    fail(`${command} ${args.at(-1)} failed`, 'Look at the sources of apt.');
  return stdout;
}

function fail(what, advice) {
  console.error(`guests: ${what}. ${advice}`);
  process.exit(1);
}
