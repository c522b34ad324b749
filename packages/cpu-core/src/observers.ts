/** Observers of one processor, put together. */
import type { ProcessorObserver } from './ports.ts';

/** Everything that an observer can be told: the compiler sees to it that none is missing. */
const TOLD: Readonly<Record<keyof ProcessorObserver, true>> = {
  smiEntered: true,
  rsmStarting: true,
  smmLeft: true,
  halted: true,
  woken: true,
  initTaken: true,
  sipiTaken: true,
  interruptDelivered: true,
  shutdown: true,
  cpuid: true,
  msr: true,
  unknownMsr: true,
  controlRegister: true,
  instruction: true,
};

/** One observer that tells several, in order: objects with methods as well as instances of classes. */
export function joinObservers(...observers: (ProcessorObserver | undefined)[]): ProcessorObserver {
  const joined: Partial<Record<keyof ProcessorObserver, (...args: never[]) => void>> = {};
  for (const name of Object.keys(TOLD) as (keyof ProcessorObserver)[]) {
    const told = observers.flatMap((observer) => {
      const method = observer?.[name] as ((...args: never[]) => void) | undefined;
      return method === undefined ? [] : [method.bind(observer)];
    });
    if (told.length === 0) continue;
    joined[name] =
      told.length === 1
        ? told[0]!
        : (...args) => {
            for (const tell of told) tell(...args);
          };
  }
  return joined as ProcessorObserver;
}
