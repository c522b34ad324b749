/**
 * Local APIC (xAPIC and x2APIC) and the APIC bus: IPIs, SMI, NMI, INIT, SIPI, timer, priorities.
 * @packageDocumentation
 */
export { type ApicMode, apicModeOf, isLegalTransition } from './apic-base.ts';
export { ApicBus, type ApicBusOptions } from './apic-bus.ts';
export { APIC_FLAVOURS, type ApicBehaviour, type ApicFlavour } from './behaviour.ts';
export { EXTINT_PENDING, type InterruptUnitState } from './interrupt-unit.ts';
export type { LintPin } from './lint-pins.ts';
export { LocalApic } from './local-apic.ts';
export type {
  Acceptance,
  AddressedMessage,
  ApicMessage,
  ApicObserver,
  IpiRecord,
  ProcessorSink,
} from './messages.ts';
export type { InterruptAcknowledge, LocalApicOptions, LocalApicState } from './options.ts';
export {
  APIC_REGISTERS,
  type ApicAccess,
  type ApicComputed,
  type ApicEffect,
  type ApicRegister,
  type ApicRegisterName,
  x2apicMsr,
} from './registers.ts';
export { type ApicTimerState, type TimerMode, timerDivisor, timerModeOf } from './timer.ts';
