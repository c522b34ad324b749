/** Host mistakes and unmodelled features: never guest-visible events. */

const BRAND = Symbol.for('@smm/SmmError');

/** Base of every error that the packages throw. `code` is stable; `fix` says what to do about it. */
export class SmmError extends Error {
  /** Stable machine-readable name, such as `BUS_OVERLAP`. */
  readonly code: string;
  /** Facts: addresses as numbers, names as strings. */
  readonly details: Readonly<Record<string, unknown>>;
  /** What the reader can do, one sentence. */
  readonly fix: string;
  /** @internal */
  readonly [BRAND] = true;

  constructor(
    code: string,
    message: string,
    fix: string,
    details: Readonly<Record<string, unknown>> = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
    this.details = details;
    this.fix = fix;
  }

  /** True for errors of any copy of this package. */
  static isInstance(value: unknown): value is SmmError {
    return typeof value === 'object' && value !== null && BRAND in value;
  }
}

/** The guest used something that the model does not have. Loud by default. */
export class UnmodelledError extends SmmError {}
