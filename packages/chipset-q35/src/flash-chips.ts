/** The two flash chips of a board with UEFI firmware, in place of the plain ROM: variables, above them code. */
import type { PhysicalAddressSpace } from '@smm/bus';
import { SmmError } from '@smm/x86-defs';
import { type Backing, PRIORITY } from './memory-map.ts';
import type { FlashOptions } from './peripheral-options.ts';
import { Pflash } from './pflash.ts';

/**
 * Builds and maps both. `rom` is what they take the place of; it ends at 4 GiB. Throws `SmmError` `FLASH_SIZE` when the
 * variables do not leave room for code or are no multiple of 4 KiB.
 */
export function flashChips(
  space: PhysicalAddressSpace,
  rom: Backing,
  options: FlashOptions,
): { vars: Pflash; code: Pflash } {
  const { varsBytes, bytes, written, secure = true, codeReadonly = true } = options;
  const codeBytes = rom.sizeBytes - varsBytes;
  if (varsBytes < 0x1000 || codeBytes < 0x1000 || varsBytes % 0x1000 !== 0) {
    throw new SmmError(
      'FLASH_SIZE',
      `${varsBytes} bytes of variables do not fit into ${rom.sizeBytes} bytes of flash`,
      'Give images of at least 4 KiB each, multiples of 4 KiB.',
      { varsBytes, romBytes: rom.sizeBytes },
    );
  }
  const ports = { space, bytes, written };
  const start = 2 ** 32 - rom.sizeBytes;
  const { hostOffset } = rom;
  return {
    vars: new Pflash(
      ports,
      { name: 'pflash1', start, hostOffset, sizeBytes: varsBytes, readonly: false, secure },
      PRIORITY.device,
    ),
    code: new Pflash(
      ports,
      {
        name: 'pflash0',
        start: start + varsBytes,
        hostOffset: hostOffset + varsBytes,
        sizeBytes: codeBytes,
        readonly: codeReadonly,
        secure,
      },
      PRIORITY.device,
    ),
  };
}
