/** SSE floating point. Intel SDM Vol. 2, the pages of each mnemonic. */
import { STATUS_FLAGS } from '../flags.ts';
import { type Insn, K_XMM } from '../insn.ts';
import { OP, OP_NAMES } from '../ops.ts';
import type { Builder } from './builder.ts';
import { type Conversion, type FloatWidth, floatShape, type LaneOp } from './float-ops.ts';

/** ADD SUB MUL DIV SQRT MIN MAX RCP RSQRT of PS, SS, PD and SD. */
export function compute<V, C>(b: Builder<V, C>, insn: Insn): void {
  b.vectors.check();
  const name = OP_NAMES[insn.op]!;
  const op = { op: name.slice(0, -2) as LaneOp, ...floatShape(name) };
  const second = b.vectors.read(1);
  b.vectors.write(0, b.floats.compute(op, b.vectors.read(0), second));
}

/** CMPPS CMPSS CMPPD CMPSD: the predicate is the immediate's low three bits. */
export function compare<V, C>(b: Builder<V, C>, insn: Insn): void {
  const { values: v, vectors } = b;
  vectors.check();
  const { width, packed } = floatShape(OP_NAMES[insn.op]!);
  const second = b.vectors.read(1);
  const predicate = v.and(b.operands.immediateByte(), v.const(7n));
  vectors.write(0, b.floats.compare(width, packed, predicate, vectors.read(0), second));
}

/** COMISS COMISD UCOMISS UCOMISD. */
export function order<V, C>(b: Builder<V, C>, insn: Insn): void {
  b.vectors.check();
  const name = OP_NAMES[insn.op]!;
  const second = b.vectors.read(1);
  const flags = b.floats.order(floatShape(name).width, name.startsWith('U'), b.vectors.read(0), second);
  b.flags.change(STATUS_FLAGS, flags);
}

/** Orders of doublewords: the odd or the even lanes of both operands. */
const ODD: Readonly<Record<FloatWidth, bigint>> = { 4: 0xddn, 8: 0xeen };
const EVEN: Readonly<Record<FloatWidth, bigint>> = { 4: 0x88n, 8: 0x44n };

/** HADDPS HADDPD HSUBPS HSUBPD: even lanes of both operands with odd lanes of both. */
export function horizontal<V, C>(b: Builder<V, C>, insn: Insn): void {
  const { values: v, vectors } = b;
  vectors.check();
  const name = OP_NAMES[insn.op]!;
  const { width } = floatShape(name);
  const second = vectors.read(1);
  const first = vectors.read(0);
  const even = vectors.shuffle32(first, second, v.const(EVEN[width]));
  const odd = vectors.shuffle32(first, second, v.const(ODD[width]));
  const op = name.startsWith('HADD') ? 'ADD' : 'SUB';
  vectors.write(0, b.floats.compute({ op, width, packed: true }, even, odd));
}

/** ADDSUBPS ADDSUBPD: odd lanes added, even ones subtracted. */
export function addSub<V, C>(b: Builder<V, C>, insn: Insn): void {
  b.vectors.check();
  const { width } = floatShape(OP_NAMES[insn.op]!);
  const second = b.vectors.read(1);
  b.vectors.write(0, b.floats.compute({ op: 'ADDSUB', width, packed: true }, b.vectors.read(0), second));
}

/** CVTDQ2PS CVTPS2DQ CVTTPS2DQ CVTDQ2PD CVTPI2PD CVTPD2DQ CVTTPD2DQ CVTPS2PD CVTPD2PS. */
export function convert<V, C>(b: Builder<V, C>, insn: Insn): void {
  b.vectors.check();
  const name = OP_NAMES[insn.op]!.slice('CVT'.length);
  const conversion = name === 'PI2PD' ? 'DQ2PD' : (name as Conversion);
  b.vectors.write(0, b.floats.convert(conversion, b.vectors.read(1)));
  b.vectors.enterMmx();
}

/** CVTPI2PS: two lanes, the others stay. */
export function convertFromMmx<V, C>(b: Builder<V, C>, _insn: Insn): void {
  b.vectors.check();
  const converted = b.floats.convert('DQ2PS', b.vectors.read(1));
  b.vectors.write(0, b.vectors.withLow(8, b.vectors.read(0), converted));
  b.vectors.enterMmx();
}

/** CVTPS2PI CVTTPS2PI CVTPD2PI CVTTPD2PI: zeros, where there is no lane to convert, raise nothing. */
export function convertToMmx<V, C>(b: Builder<V, C>, insn: Insn): void {
  const { vectors } = b;
  vectors.check();
  const conversion = OP_NAMES[insn.op]!.slice('CVT'.length).replace('2PI', '2DQ') as Conversion;
  let a = vectors.read(1);
  if (conversion.endsWith('PS2DQ') && insn.kind1 === K_XMM)
    a = vectors.apply('PUNPCKLQDQ', a, vectors.of(b.values.const(0n)));
  vectors.write(0, b.floats.convert(conversion, a));
}

/** CVTSS2SD and CVTSD2SS: the lowest lane. */
export function convertLane<V, C>(b: Builder<V, C>, insn: Insn): void {
  b.vectors.check();
  const widens = insn.op === OP.CVTSS2SD;
  const converted = b.floats.convert(widens ? 'SS2SD' : 'SD2SS', b.vectors.read(1));
  b.vectors.write(0, b.vectors.withLow(widens ? 8 : 4, b.vectors.read(0), converted));
}

/** CVTSI2SS and CVTSI2SD. */
export function fromInteger<V, C>(b: Builder<V, C>, insn: Insn): void {
  b.vectors.check();
  const width = insn.op === OP.CVTSI2SS ? 4 : 8;
  const converted = b.floats.fromInteger(width, insn.size1 as 4 | 8, b.operands.read(1));
  b.vectors.write(0, b.vectors.withLow(width, b.vectors.read(0), converted));
}

/** CVTSS2SI CVTSD2SI CVTTSS2SI CVTTSD2SI. */
export function toInteger<V, C>(b: Builder<V, C>, insn: Insn): void {
  b.vectors.check();
  const { op } = insn;
  const width = op === OP.CVTSS2SI || op === OP.CVTTSS2SI ? 4 : 8;
  const truncate = op === OP.CVTTSS2SI || op === OP.CVTTSD2SI;
  b.operands.write(0, b.floats.toInteger(width, insn.size0 as 4 | 8, truncate, b.vectors.read(1)));
}

/** LDMXCSR. */
export function loadControl<V, C>(b: Builder<V, C>, _insn: Insn): void {
  b.vectors.check();
  b.floats.setControl(b.operands.read(0));
}

/** STMXCSR. */
export function storeControl<V, C>(b: Builder<V, C>, _insn: Insn): void {
  b.vectors.check();
  b.operands.write(0, b.floats.control());
}
