/** The memory everything lives in. */
import { SmmError } from '@smm/x86-defs';
import type { RamWindow } from '../ports.ts';

const WASM_PAGE = 65536;

/**
 * Makes a window of at least `bytes` bytes at its final size (a `WebAssembly.Memory`, initial = maximum): it never
 * grows. Pages are committed by the host when first touched.
 *
 * @throws SmmError `ENGINE_WINDOW` if it is larger than 4 GiB or the host refuses.
 */
export function createWindow(bytes: number): RamWindow {
  const pages = Math.ceil(bytes / WASM_PAGE);
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages });
  } catch (cause) {
    throw new SmmError(
      'ENGINE_WINDOW',
      `cannot reserve ${bytes} bytes of memory`,
      'Use less guest memory (at most 4 GiB with everything else), or free other machines first.',
      { bytes },
      { cause },
    );
  }
}
