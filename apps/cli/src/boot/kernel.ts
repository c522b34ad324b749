/** What `-kernel`, `-initrd`, `-append` and `-boot` ask the firmware to start. */
import type { BootOptions } from '@smm/machine';
import type { Io } from '../io.ts';
import { isOn } from '../qemu/keyval.ts';
import type { QemuSettings } from '../qemu/settings.ts';
import { wholeNumber } from '../qemu-values.ts';
import { UsageError } from '../usage-error.ts';

/** Bytes of a kernel. */
const LARGEST_KERNEL = 0x1000_0000;
/** Bytes of an initial RAM disk. */
const LARGEST_INITRD = 0x8000_0000;

/** The kernel and what goes with it; undefined: none is given. Throws `UsageError`, and `FileError` for its files. */
export function kernelOf({ kernel, initrd, append }: QemuSettings, io: Io): BootOptions['kernel'] {
  if (kernel === undefined) {
    for (const [option, value] of [
      ['-initrd', initrd],
      ['-append', append],
    ] as const) {
      if (value !== undefined)
        throw new UsageError(`${option} ${value} is for a kernel, and none is given`, 'Add -kernel FILE.');
    }
    return undefined;
  }
  return {
    image: io.readFile('the kernel', kernel, LARGEST_KERNEL),
    ...(initrd !== undefined && { initrd: io.readFile('the initial RAM disk', initrd, LARGEST_INITRD) }),
    ...(append !== undefined && { commandLine: append }),
  };
}

/** Whether the firmware asks what to boot, and for how long. Throws `UsageError`. */
export function bootPreferencesOf({ boot }: QemuSettings): NonNullable<BootOptions['boot']> {
  const flag = (key: string): boolean => {
    const value = boot.get(key);
    return value !== undefined && isOn('-boot', key, value);
  };
  const menuWaitMs = milliseconds('splash-time', boot.get('splash-time'));
  const failWaitMs = milliseconds('reboot-timeout', boot.get('reboot-timeout'));
  return {
    ...(flag('strict') && { strict: true }),
    ...(flag('menu') && { menu: true }),
    ...(menuWaitMs !== undefined && { menuWaitMs }),
    ...(failWaitMs !== undefined && { failWaitMs }),
  };
}

/** QEMU's numbers for these options have 16 bits; -1 is the default. */
function milliseconds(key: string, text: string | undefined): number | undefined {
  if (text === undefined || text === '-1') return undefined;
  const value = wholeNumber(`-boot ${key}=`, text);
  if (value <= 0xffff) return value;
  throw new UsageError(`-boot ${key}=${text} is too long`, 'Give 0 to 65535 milliseconds.');
}
