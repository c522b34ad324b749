/** What the code of floating-point instructions needs of a region. */
import type { FloatHost } from '../wasm/float-code.ts';
import { STATE } from './locals.ts';
import type { OperandEmitter } from './operand-emitter.ts';
import type { Value } from './value.ts';
import type { ValueEmitter } from './value-emitter.ts';

/** The host of a region's floating-point code. */
export function floatHost(v: ValueEmitter, operands: OperandEmitter): FloatHost<Value> {
  const { e } = v;
  return {
    e,
    state: STATE,
    /** Part of the module once it is asked for. */
    get settle() {
      return v.functions.settle;
    },
    vector: (vector) => void e.get(vector.local),
    scalar: (value, type) => v.put(value, type),
    constantOf: (value) => value.constant,
    local: (type) => v.pop(type).local,
    value: (type, bits) => v.pop(type, bits),
    nest: (by) => {
      v.depth += by;
    },
    rarely: () => void v.unlikely.push(e.length),
    leaveIf: () => operands.faultIf(v.popTruth()),
  };
}
