/**
 * Names, bits and layouts of the x86 system architecture as data. No behaviour.
 * @packageDocumentation
 */
export * from './apic.ts';
export type { DescriptorTableState, SegmentState, SmmSaveState } from './arch-state.ts';
export { countOrInfinity, oneOf, positiveNumber, refuse, wholeNumber } from './checks.ts';
export * from './control-registers.ts';
export { SmmError, UnmodelledError } from './errors.ts';
export * from './general-registers.ts';
export * from './msr.ts';
export {
  checkOptions,
  isAny,
  isBytes,
  isCount,
  isFlag,
  isFunction,
  isListOf,
  isNumber,
  isObject,
  isOneOf,
  isPositive,
  isShape,
  isText,
  isWhole,
  maybe,
  type OptionCheck,
  type OptionShape,
} from './option-shapes.ts';
export * from './q35.ts';
export * from './save-state-layouts.ts';
export * from './save-state-words.ts';
export * from './segments.ts';
export * from './smm.ts';
export * from './vectors.ts';
