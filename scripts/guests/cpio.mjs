// Archives in the form `newc`, as the kernel unpacks them. Times are 0: equal contents give equal bytes.
// Source: Linux, Documentation/driver-api/early-userspace/buffer-format.rst.

const DIRECTORY = 0o40755;
const LINK = 0o120777;
const FILE = 0o100000;
const CHARACTER_DEVICE = 0o20600;

/** Entries by path: `{ dir: true }`, `{ link }`, `{ device: [major, minor] }` or `{ bytes, mode }`. */
export function cpio(entries) {
  const pieces = [];
  let inode = 1;
  const add = (name, mode, data = Buffer.alloc(0), [major, minor] = [0, 0]) => {
    const fields = [inode++, mode, 0, 0, 1, 0, data.length, 0, 0, major, minor, name.length + 1, 0];
    const header = `070701${fields.map((n) => n.toString(16).toUpperCase().padStart(8, '0')).join('')}${name}\0`;
    pieces.push(pad(Buffer.from(header, 'latin1')), pad(data));
  };
  for (const [path, entry] of Object.entries(entries)) {
    if (entry.dir) add(path, DIRECTORY);
    else if (entry.link !== undefined) add(path, LINK, Buffer.from(entry.link));
    else if (entry.device !== undefined) add(path, CHARACTER_DEVICE, undefined, entry.device);
    else add(path, FILE | entry.mode, entry.bytes);
  }
  add('TRAILER!!!', 0);
  return Buffer.concat(pieces);
}

function pad(bytes) {
  return Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
}
