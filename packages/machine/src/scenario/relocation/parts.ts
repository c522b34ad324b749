/** What relocations can have in common because nothing in it changes: firmware images and the compiled interpreter. */
import { Interpreter } from '@smm/cpu-core';
import { buildFirmware, type Firmware, type FirmwareOptions } from '@smm/edk2-relocation';

/**
 * Builds firmware and interpreter when first needed. Give one object to several relocations: those after the first
 * start sooner.
 */
export class RelocationParts {
  /** The generated interpreter. */
  readonly interpreter: Interpreter = new Interpreter();
  readonly #firmware = new Map<string, Firmware>();

  /** Our firmware in a variant; equal options give the same object. Throws what `buildFirmware` throws. */
  firmware(options: FirmwareOptions): Firmware {
    const key = JSON.stringify(options);
    let firmware = this.#firmware.get(key);
    if (firmware === undefined) {
      firmware = buildFirmware(options);
      this.#firmware.set(key, firmware);
    }
    return firmware;
  }
}
