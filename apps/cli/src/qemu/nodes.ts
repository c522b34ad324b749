/** Images by `-drive` and `-blockdev`: nodes that name each other down to a file. */
import { UsageError } from '../usage-error.ts';
import { isOn, type KeyValues, keyValues } from './keyval.ts';

/** A file, and how it is taken. */
export interface ImageNode {
  /** The file. */
  readonly path: string;
  /** Its format; undefined: nothing was said. */
  readonly format: string | undefined;
  /** What the guest writes does not reach the file. */
  readonly readonly: boolean;
  /** What the guest writes is kept in memory alone. */
  readonly snapshot: boolean;
}

/** Nodes by name. */
export type Nodes = ReadonlyMap<string, KeyValues>;

/** Nodes of `-drive` with `id=` and of `-blockdev` with `node-name=`. Throws `UsageError` for values that are none. */
export function namedNodes(drives: readonly string[], blockdevs: readonly string[]): Map<string, KeyValues> {
  const nodes = new Map<string, KeyValues>();
  for (const text of drives) {
    const values = keyValues('-drive', text, 'file');
    const id = values.get('id');
    if (id !== undefined) nodes.set(id, values);
  }
  for (const text of blockdevs) {
    const values = keyValues('-blockdev', text, 'driver');
    const name = values.get('node-name');
    if (name !== undefined) nodes.set(name, values);
  }
  return nodes;
}

/** Drivers of `-blockdev` that are files and not formats. */
const PROTOCOLS = ['file', 'host_device'];

/**
 * Follows a node down to its file; one that is read-only on the way makes it so, and the topmost format counts. Throws
 * `UsageError`.
 * @param where - the option as the user wrote it
 * @param advice - what to write instead, a sentence
 */
export function imageNode(where: string, node: KeyValues, nodes: Nodes, advice: string): ImageNode {
  let [readonly, snapshot] = [false, false];
  let format: string | undefined;
  const seen = new Set<KeyValues>();
  let [at, prefix] = [node, ''];
  for (;;) {
    const get = (key: string): string | undefined => at.get(prefix + key);
    const named = [get('format'), get('driver')].find(
      (each) => each !== undefined && !PROTOCOLS.includes(each),
    );
    if (format !== undefined && named !== undefined && named !== format)
      throw new UsageError(`${where}: a ${named} image in a ${format} image is not known here`, advice);
    format ??= named;
    const flag = get('readonly') ?? get('read-only');
    readonly ||= flag !== undefined && isOn(where, 'read-only', flag);
    const overlay = get('snapshot');
    snapshot ||= overlay !== undefined && isOn(where, 'snapshot', overlay);
    const path = get('filename');
    if (path !== undefined) return { path, format, readonly, snapshot };
    const file = get('file');
    const next = file === undefined ? undefined : nodes.get(file);
    if (file === undefined) {
      const nested = [...at.keys()].some((key) => key.startsWith(`${prefix}file.`));
      if (!nested) throw new UsageError(`${where}: there is no file=`, advice);
      prefix += 'file.';
    } else if (next === undefined || get('node-name') === undefined) {
      if (get('node-name') === undefined) return { path: file, format, readonly, snapshot };
      throw new UsageError(
        `${where}: file=${file} names no node`,
        `Give -blockdev with node-name=${file}, or the file as file.filename=${file}.`,
      );
    } else if (seen.has(next)) throw new UsageError(`${where}: its nodes name each other`, advice);
    else {
      seen.add(next);
      [at, prefix] = [next, ''];
    }
  }
}
