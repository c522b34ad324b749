// Says which Node this repository needs instead of failing in the middle. Old syntax only: an old Node must get through
// here.
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const { engines } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
const [major, minor] = engines.node.match(/\d+/g).map(Number);

/** Ends the process unless this Node is new enough and `main`, a file URL, is built. */
export function needNode(program, main) {
  const [ourMajor, ourMinor] = process.versions.node.split('.').map(Number);
  if (ourMajor < major || (ourMajor === major && ourMinor < minor)) {
    console.error(
      `${program}: needs Node ${major}.${minor} or newer, and this is Node ${process.versions.node}.`,
    );
    process.exit(2);
  }
  if (!existsSync(fileURLToPath(main))) {
    console.error(`${program}: is not built yet: run 'npm run build' in the repository first.`);
    process.exit(2);
  }
}
