/** The version in package.json, which the bundler puts in. */
import manifest from '../package.json' with { type: 'json' };

/** Version of this program. */
export const VERSION: string = manifest.version;
