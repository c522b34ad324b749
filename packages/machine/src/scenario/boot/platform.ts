/**
 * The devices of a booting machine: two flash chips, fw_cfg with SMI features, serial port, keyboard, hot-plug
 * registers, interrupt controllers and timers.
 */
import type { FwCfgOptions, PeripheralOptions, SataDrive } from '@smm/chipset-q35';
import type { PeripheralParts } from '../../machine-options.ts';

/** What the devices are given. */
export interface BootPlatformOptions {
  /** Bytes of the variable store: the lower flash chip. 0: the image is a ROM, and there is no flash. */
  readonly varsSize: number;
  /** Flash can be written in SMM alone. */
  readonly secureFlash: boolean;
  /** What the firmware is told of, but for SMI features. */
  readonly fwCfg: Omit<FwCfgOptions, 'smiFeatures'>;
  /** SMI features offered through fw_cfg: bit 0 broadcast, 1 hot-plug, 2 hot-unplug. 0: no such files. */
  readonly smiFeatures: number;
  /** A keyboard is there. */
  readonly keyboard: boolean;
  /** Drives by SATA port; undefined: there is no controller. */
  readonly sata?: readonly (SataDrive | undefined)[] | undefined;
  /** The guest's serial output. */
  readonly transmit: (byte: number) => void;
  /** The guest took a byte of serial input. */
  readonly roomAgain: () => void;
  /** The variable store changed. */
  readonly varsWritten: () => void;
}

/** Options of the chipset for a machine whose flash image is variables and code, one behind the other. */
export function bootPlatform(options: BootPlatformOptions, parts: PeripheralParts): PeripheralOptions {
  const { varsSize, secureFlash, smiFeatures, keyboard } = options;
  const { transmit, roomAgain, varsWritten, sata } = options;
  return {
    // The code cannot be programmed, so whatever is written is the variable store.
    ...(varsSize > 0 && {
      flash: {
        varsBytes: varsSize,
        bytes: parts.bytes,
        secure: secureFlash,
        written: (at, size) => {
          parts.written(at, size);
          varsWritten();
        },
      },
    }),
    fwCfg: { smiFeatures, ...options.fwCfg },
    serial: { transmit, roomAgain },
    ...(keyboard && { keyboard: {} }),
    cpuHotplug: true,
    ...(sata && { sata: { drives: sata } }),
    interrupts: parts.interrupts,
  };
}
