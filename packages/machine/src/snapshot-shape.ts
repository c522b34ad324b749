/** Whether a snapshot is of the layout that this code writes. */
import { SmmError } from '@smm/x86-defs';

/**
 * Compares a snapshot with one that was just taken: versioned objects must have the same version and the same
 * members, everywhere, so that nothing is lost and nothing is missing. Throws `SmmError` `SNAPSHOT_VERSION`. `where`
 * names the place in words.
 */
export function checkKnown(where: string, own: unknown, other: unknown): void {
  if (typeof own !== 'object' || own === null || ArrayBuffer.isView(own)) return;
  if (Array.isArray(own)) {
    if (other === null) return; // there is none at that moment
    if (!Array.isArray(other)) refuse(where, 'is no list');
    own.slice(0, other.length).forEach((each, i) => {
      checkKnown(`${where}[${i}]`, each, other[i]);
    });
    return;
  }
  const mine = own as Record<string, unknown>;
  if (other === null && !('version' in mine)) return; // there is none at that moment
  if (typeof other !== 'object' || other === null) refuse(where, 'is missing');
  const theirs = other as Record<string, unknown>;
  if ('version' in mine) {
    if (theirs['version'] !== mine['version'])
      refuse(where, `has version ${String(theirs['version'])}, this code reads ${String(mine['version'])}`);
    for (const key of Object.keys(theirs))
      if (!(key in mine)) refuse(where, `has ${key}, which is unknown here`);
    for (const key of Object.keys(mine)) if (!(key in theirs)) refuse(where, `lacks ${key}`);
  }
  for (const [key, value] of Object.entries(mine))
    if (key in theirs) checkKnown(`${where}: ${key}`, value, theirs[key]);
}

function refuse(where: string, what: string): never {
  throw new SmmError(
    'SNAPSHOT_VERSION',
    `the snapshot does not fit: ${where} ${what}`,
    'Restore with the release that saved it, into a machine built with the same options.',
    { where },
  );
}
