/**
 * SMM save-state codecs for every layout, SMRAM and TSEG decoding and locking, SMBASE tile checks.
 * @packageDocumentation
 */
export {};
