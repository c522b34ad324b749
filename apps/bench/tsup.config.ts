export { nodeApp as default } from '../../tsup.base.ts';
