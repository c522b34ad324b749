/** The port through which controllers reach disks. */
import { SmmError } from '@smm/x86-defs';
import type { PartState } from './part.ts';

/**
 * A disk as its controller reaches it: bytes, there when the call returns. `DirectDisk` and `OverlayDisk` of
 * `@smm/block` fit. An `SmmError` that it throws is a failure of the medium, which the guest is told of as its
 * controller tells it; everything else that it throws is a mistake and goes through.
 */
export interface BlockDevice {
  /** Size in bytes; what does not fill a sector at the end does not exist for the guest. */
  readonly sizeBytes: number;
  /** Writes fail. */
  readonly readonly: boolean;
  /** Fills `into` from byte `at` on. */
  read(at: number, into: Uint8Array): void;
  /** Writes from byte `at` on. */
  write(at: number, bytes: Uint8Array): void;
  /** Everything written before outlasts a loss of power. */
  flush(): void;
  /** The machine is powered on anew. */
  reset(): void;
  /** What of the disk belongs into a snapshot of the machine. */
  save(): PartState;
  /** Puts it back, or throws an `SmmError` if that cannot be done. */
  restore(state: PartState): void;
}

/** A disk and who is told when it fails. */
export interface Medium {
  /** The disk. */
  readonly disk: BlockDevice;
  /** Told of failures that the guest was told of too. */
  readonly failed?: ((error: SmmError) => void) | undefined;
}

/** Does something with a medium; false if that failed. */
export function attempt({ failed }: Medium, act: () => void): boolean {
  try {
    act();
    return true;
  } catch (error) {
    if (!SmmError.isInstance(error)) throw error;
    failed?.(error);
    return false;
  }
}
