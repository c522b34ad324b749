/** The one check that every device makes before it takes a saved state. */
import { SmmError } from '@smm/x86-defs';

/** Throws `SmmError` `SNAPSHOT_VERSION` unless the state is of version 1. `part` names the device in the message. */
export function requireVersion1(part: string, state: { readonly version: number }): void {
  if (state.version === 1) return;
  throw new SmmError(
    'SNAPSHOT_VERSION',
    `${part} snapshot has version ${state.version}, this code reads 1`,
    'Restore with the release that saved it.',
    { part, version: state.version },
  );
}
