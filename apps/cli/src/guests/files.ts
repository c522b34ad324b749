/** Where the Linux guests are that `scripts/guests/build.mjs` makes. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError } from '../usage-error.ts';

/** Architectures of guests, and of the firmware that starts each. */
export const GUESTS = {
  amd64: { bitness: 64, firmware: 'x64' },
  i386: { bitness: 32, firmware: 'ia32' },
} as const;

/** Name of an architecture. */
export type GuestName = keyof typeof GUESTS;

/** Files of a guest. */
export interface GuestFiles {
  /** Paths for `-kernel` and `-initrd`. */
  readonly kernel: string;
  readonly initrd: string;
  /** Path of the text for `-append`. */
  readonly commandLine: string;
  /** Path of a volume with the same, for the firmware to boot from. */
  readonly disk: string;
}

/** The folder of all guests. */
export function guestsFolder(env: Readonly<Record<string, string | undefined>>, home: string): string {
  return env['SMM_GUESTS'] || join(env['XDG_CACHE_HOME'] || join(home, '.cache'), 'smm', 'guests');
}

/** The files of a guest. Throws `UsageError` where they are not made yet. */
export function guestFiles(folder: string, name: GuestName): GuestFiles {
  const path = (file: string): string => join(folder, name, file);
  const files = {
    kernel: path('vmlinuz'),
    initrd: path('initrd.gz'),
    commandLine: path('cmdline'),
    disk: path('disk.img'),
  };
  for (const file of Object.values(files)) {
    if (!existsSync(file))
      throw new UsageError(
        `there is no Linux guest for ${name}: ${file} is missing`,
        `Make it with: node scripts/guests/build.mjs ${name} (from packages of Debian's; SMM_GUESTS names another folder).`,
      );
  }
  return files;
}
