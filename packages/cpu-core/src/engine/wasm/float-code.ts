/** SSE floating point in generated code. */
import type { Builder, Floats } from '../../semantics/builder.ts';
import type { Conversion, FloatOp, FloatWidth } from '../../semantics/float-ops.ts';

/** Leaves to the evaluator, which computes exactly. */
export class FloatCode<V, C> implements Floats<V> {
  readonly #b: Pick<Builder<V, C>, 'values' | 'vectors'>;
  readonly #leaveIf: (c: C) => void;

  constructor(parts: Pick<Builder<V, C>, 'values' | 'vectors'>, leaveIf: (c: C) => void) {
    this.#b = parts;
    this.#leaveIf = leaveIf;
  }

  #leave(): void {
    const { values: v } = this.#b;
    const zero = v.const(0n);
    this.#leaveIf(v.equal(zero, zero));
  }
  compute(_op: FloatOp, a: V): V {
    this.#leave();
    return a;
  }
  compare(_width: FloatWidth, _packed: boolean, _predicate: V, a: V): V {
    this.#leave();
    return a;
  }
  order(): V {
    this.#leave();
    return this.#b.values.const(0n);
  }
  convert(_conversion: Conversion, a: V): V {
    this.#leave();
    return a;
  }
  fromInteger(): V {
    this.#leave();
    return this.#b.vectors.of(this.#b.values.const(0n));
  }
  toInteger(): V {
    this.#leave();
    return this.#b.values.const(0n);
  }
  control(): V {
    this.#leave();
    return this.#b.values.const(0n);
  }
  setControl(): void {
    this.#leave();
  }
}
