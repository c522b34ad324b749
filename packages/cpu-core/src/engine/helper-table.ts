/** The helpers that the engine calls, by operation number: those of the system part. */
export { HELPERS } from '../system/helpers.ts';
