import { nodeApp } from '../../tsup.base.ts';

export default { ...(nodeApp as object), entry: ['src/index.ts'] };
