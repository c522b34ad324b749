/** Which flash images to boot, and where the variables are kept. */
import { basename, join } from 'node:path';
import type { ImageFormat } from '@smm/block';
import type { Io } from '../io.ts';
import { UsageError } from '../usage-error.ts';
import type { BootHost } from './host.ts';

/** Architectures of firmware, in edk2's words. */
export type FirmwareArchitecture = 'x64' | 'ia32';

/** Names in QEMU's firmware descriptors and packages of Debian's that bring a firmware that requires SMM. */
const ARCHITECTURES = {
  x64: { target: 'x86_64', package: 'ovmf' },
  ia32: { target: 'i386', package: 'ovmf-ia32' },
} as const;

/** Bytes; real ones have a thousand. */
const LARGEST_DESCRIPTOR = 0x10_0000;

/** A pair of flash images as a descriptor names it. */
export interface FirmwareFiles {
  /** Path of the code. */
  readonly code: string;
  /** Path of the empty variable store. */
  readonly template: string;
  /** Formats of the two. */
  readonly formats: { readonly code: ImageFormat | undefined; readonly template: ImageFormat | undefined };
  /** The descriptor. */
  readonly descriptor: string;
}

/** The members of a firmware descriptor that are looked at. */
interface Descriptor {
  readonly mapping?: {
    readonly device?: string;
    readonly executable?: { readonly filename?: string; readonly format?: string };
    readonly 'nvram-template'?: { readonly filename?: string; readonly format?: string };
  };
  readonly targets?: readonly { readonly architecture?: string; readonly machines?: readonly string[] }[];
  readonly features?: readonly string[];
}

/**
 * Every firmware for Q35 that requires SMM, in order of preference. Folders, masking by equal names and order follow
 * QEMU's docs/interop/firmware.json; among equals, stores without keys come first, since enrolled keys keep the shell
 * from starting.
 */
function findFirmware(architecture: FirmwareArchitecture, io: Io, host: BootHost): FirmwareFiles[] {
  const { target } = ARCHITECTURES[architecture];
  const plain: FirmwareFiles[] = [];
  const enrolled: FirmwareFiles[] = [];
  for (const path of descriptorPaths(io, host)) {
    const descriptor = readDescriptor(path, io);
    const { mapping, targets = [], features = [] } = descriptor ?? {};
    const code = mapping?.executable?.filename;
    const template = mapping?.['nvram-template']?.filename;
    const fits = targets.some(
      ({ architecture: name, machines = [] }) =>
        name === target && machines.some((machine) => /^pc-q35-/.test(machine)),
    );
    if (mapping?.device !== 'flash' || code === undefined || template === undefined) continue;
    if (!fits || !features.includes('requires-smm')) continue;
    const formats = {
      code: formatOf(mapping.executable?.format),
      template: formatOf(mapping['nvram-template']?.format),
    };
    (features.includes('enrolled-keys') ? enrolled : plain).push({
      code,
      template,
      formats,
      descriptor: path,
    });
  }
  return [...plain, ...enrolled];
}

/** The firmware for `--firmware`; throws `UsageError` saying which package or file is wanted. */
export function firmwareFor(architecture: FirmwareArchitecture, io: Io, host: BootHost): FirmwareFiles {
  const { package: name } = ARCHITECTURES[architecture];
  const install = `Install the package ${name} (apt-get install ${name}), or name the files with --code and --vars.`;
  const [first] = findFirmware(architecture, io, host);
  if (first === undefined) {
    throw new UsageError(
      `--firmware ${architecture}: no descriptor in ${descriptorFolders(io, host).join(', ')} names a firmware that requires SMM on Q35`,
      install,
    );
  }
  for (const file of [first.code, first.template]) {
    if (!host.exists(file))
      throw new UsageError(
        `--firmware ${architecture}: ${first.descriptor} names ${file}, which is not there`,
        install,
      );
  }
  return first;
}

/** True if a descriptor names this file: it belongs to the distribution and must not be written. */
export function isTemplate(path: string, io: Io, host: BootHost): boolean {
  const real = host.realPath(path);
  return descriptorPaths(io, host).some((each) => {
    const template = readDescriptor(each, io)?.mapping?.['nvram-template']?.filename;
    return template !== undefined && host.realPath(template) === real;
  });
}

function formatOf(text: string | undefined): ImageFormat | undefined {
  return text === 'raw' || text === 'qcow2' ? text : undefined;
}

/** Where `--firmware` keeps variables between runs. */
export function stateFile(template: string, io: Io, host: BootHost): string {
  const { XDG_STATE_HOME: state } = io.env;
  return join(state || join(host.home, '.local', 'state'), 'smm', basename(template));
}

function descriptorFolders(io: Io, host: BootHost): string[] {
  const { XDG_CONFIG_HOME: config } = io.env;
  return [
    join(config || join(host.home, '.config'), 'qemu/firmware'),
    '/etc/qemu/firmware',
    '/usr/share/qemu/firmware',
  ];
}

/** Paths of all descriptors, by name; a name in an earlier folder hides the same in a later one. */
function descriptorPaths(io: Io, host: BootHost): string[] {
  const byName = new Map<string, string>();
  for (const folder of descriptorFolders(io, host)) {
    for (const name of host.listFolder(folder)) {
      if (name.endsWith('.json') && !byName.has(name)) byName.set(name, join(folder, name));
    }
  }
  return [...byName].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, path]) => path);
}

/** A descriptor; undefined for an empty or unreadable one, which only hides others. */
function readDescriptor(path: string, io: Io): Descriptor | undefined {
  try {
    const parsed: unknown = JSON.parse(
      new TextDecoder().decode(io.readFile('the descriptor', path, LARGEST_DESCRIPTOR)),
    );
    return typeof parsed === 'object' && parsed !== null ? (parsed as Descriptor) : undefined;
  } catch {
    return undefined;
  }
}
