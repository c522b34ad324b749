/** The part of the evaluator that computes in SSE floating point: exactly, lane by lane. */
import { GP_VECTOR, RFLAGS_CF, RFLAGS_PF, RFLAGS_ZF } from '@smm/x86-defs';
import * as L from '../layout.ts';
import type { Processor } from '../processor.ts';
import type { Floats } from '../semantics/builder.ts';
import type { Conversion, FloatOp, FloatWidth } from '../semantics/float-ops.ts';
import { FloatLane, type Lane, type Order } from '../system/float/lane.ts';
import { raiseSimd } from '../system/float/raise.ts';
import { MXCSR_BITS } from '../system/sse.ts';
import { join, lanes } from './vector-lanes.ts';

/** Predicates 0 to 3 of CMPPS; 4 to 7 are their opposites. Those of the second half of a pair are quiet. */
const HOLDS: readonly ((order: Order) => boolean)[] = [
  (order) => order === 'equal',
  (order) => order === 'less',
  (order) => order === 'less' || order === 'equal',
  (order) => order === 'unordered',
];
const FLAGS: Readonly<Record<Order, number>> = {
  less: RFLAGS_CF,
  equal: RFLAGS_ZF,
  greater: 0,
  unordered: RFLAGS_ZF | RFLAGS_PF | RFLAGS_CF,
};

/** SSE floating point of one processor. */
export class EvalFloats implements Floats<bigint> {
  readonly #cpu: Processor;

  constructor(cpu: Processor) {
    this.#cpu = cpu;
  }

  #lane(width: FloatWidth): FloatLane {
    return new FloatLane(width, this.#cpu.state.get32(L.ST_MXCSR));
  }
  /** Raises what lanes found; the lanes' bits. */
  #deliver(results: readonly Lane[]): bigint[] {
    raiseSimd(
      this.#cpu,
      results.reduce((all, { flags }) => all | flags, 0),
    );
    return results.map(({ bits }) => bits);
  }
  /** `compute` on pairs of lanes, or on the lowest pair with the other lanes of `a`. */
  #each(
    width: FloatWidth,
    packed: boolean,
    a: bigint,
    b: bigint,
    compute: (x: bigint, y: bigint, n: number) => Lane,
  ): bigint {
    const bits = width * 8;
    const first = lanes(bits, a);
    const second = lanes(bits, b);
    const results = this.#deliver((packed ? first : [first[0]!]).map((x, n) => compute(x, second[n]!, n)));
    return join(bits, [...results, ...first.slice(results.length)]);
  }

  compute({ op, width, packed }: FloatOp, a: bigint, b: bigint): bigint {
    const lane = this.#lane(width);
    return this.#each(width, packed, a, b, (x, y, n) =>
      lane.compute(op === 'ADDSUB' ? (n & 1 ? 'ADD' : 'SUB') : op, x, y),
    );
  }
  compare(width: FloatWidth, packed: boolean, predicate: bigint, a: bigint, b: bigint): bigint {
    const lane = this.#lane(width);
    const number = Number(predicate);
    const quiet = (number & 3) === 0 || (number & 3) === 3;
    return this.#each(width, packed, a, b, (x, y) => {
      const { order, flags } = lane.compare(x, y, quiet);
      return { bits: HOLDS[number & 3]!(order) === number < 4 ? -1n : 0n, flags };
    });
  }
  order(width: FloatWidth, quiet: boolean, a: bigint, b: bigint): bigint {
    const { order, flags } = this.#lane(width).compare(
      lanes(width * 8, a)[0]!,
      lanes(width * 8, b)[0]!,
      quiet,
    );
    raiseSimd(this.#cpu, flags);
    return BigInt(FLAGS[order]);
  }

  convert(conversion: Conversion, a: bigint): bigint {
    const single = this.#lane(4);
    const double = this.#lane(8);
    const to = (bits: number, results: readonly Lane[]): bigint => join(bits, this.#deliver(results));
    const words = lanes(32, a);
    const quads = lanes(64, a);
    const low = words.slice(0, 2);
    switch (conversion) {
      case 'DQ2PS':
        return to(
          32,
          words.map((x) => single.fromInteger(BigInt.asIntN(32, x))),
        );
      case 'DQ2PD':
        return to(
          64,
          low.map((x) => double.fromInteger(BigInt.asIntN(32, x))),
        );
      case 'PS2DQ':
      case 'TPS2DQ':
        return to(
          32,
          words.map((x) => single.toInteger(x, 4, conversion === 'TPS2DQ')),
        );
      case 'PD2DQ':
      case 'TPD2DQ':
        return to(
          32,
          quads.map((x) => double.toInteger(x, 4, conversion === 'TPD2DQ')),
        );
      case 'PS2PD':
        return to(
          64,
          low.map((x) => double.convert(x, single)),
        );
      case 'PD2PS':
        return to(
          32,
          quads.map((x) => single.convert(x, double)),
        );
      case 'SS2SD':
        return to(64, [double.convert(words[0]!, single)]);
      case 'SD2SS':
        return to(32, [single.convert(quads[0]!, double)]);
    }
  }
  fromInteger(width: FloatWidth, from: 4 | 8, value: bigint): bigint {
    return this.#deliver([this.#lane(width).fromInteger(BigInt.asIntN(from * 8, value))])[0]!;
  }
  toInteger(width: FloatWidth, to: 4 | 8, truncate: boolean, a: bigint): bigint {
    return this.#deliver([this.#lane(width).toInteger(lanes(width * 8, a)[0]!, to, truncate)])[0]!;
  }

  control(): bigint {
    return BigInt(this.#cpu.state.get32(L.ST_MXCSR));
  }
  setControl(value: bigint): void {
    const mxcsr = Number(value);
    if (mxcsr & ~MXCSR_BITS) this.#cpu.fault(GP_VECTOR, 0);
    this.#cpu.state.set32(L.ST_MXCSR, mxcsr);
  }
}
