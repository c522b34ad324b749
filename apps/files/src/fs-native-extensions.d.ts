declare module 'fs-native-extensions' {
  /** Locks the whole file for this open descriptor alone, if nobody else has; the lock ends when it is closed. */
  export function tryLock(descriptor: number): boolean;
}
