// Serves the files of a directory on 127.0.0.1, for a browser that tests a page.
import { createReadStream, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { basename, extname, join } from 'node:path';

const TYPES = { '.html': 'text/html', '.js': 'text/javascript' };

/** Answers `{ url, close }`. Subdirectories are not served. */
export async function serve(directory) {
  const server = createServer((request, response) => {
    const file = join(directory, basename(new URL(request.url, 'http://localhost').pathname));
    if (statSync(file, { throwIfNoEntry: false })?.isFile() !== true) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream' });
    createReadStream(file).pipe(response);
  });
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    close: () =>
      new Promise((closed) => {
        server.close(closed);
        server.closeAllConnections();
      }),
  };
}
