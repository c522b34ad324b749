/** Emits a region as one function of a WebAssembly module. */
import { SEG_CS } from '@smm/x86-defs';
import { type Insn, K_IMM } from '../../insn.ts';
import * as L from '../../layout.ts';
import { ENDS_BLOCK, OP } from '../../ops.ts';
import { divideNarrow } from '../../semantics/arith.ts';
import type { Builder, Width } from '../../semantics/builder.ts';
import { SEMANTICS } from '../../semantics/semantics.ts';
import { isCanonical } from '../branch.ts';
import { JUMP_CACHE_ENTRY_SIZE, jumpCacheIndex } from '../jump-cache.ts';
import { TLB_SIZE } from '../tlb.ts';
import { Emitter, VOID, W } from '../wasm/emitter.ts';
import { FloatCode } from '../wasm/float-code.ts';
import { pushSimpleRefusal, simpleEffect } from '../wasm/shortcut-functions.ts';
import { STRING_REGISTERS, stringShape } from '../wasm/string-function.ts';
import { ConditionEmitter } from './condition-emitter.ts';
import { distinguish } from './distinguish.ts';
import type { KnownFlags } from './flag-emitter.ts';
import { floatHost } from './float-host.ts';
import {
  BUDGET,
  EXIT_ARGUMENT,
  EXIT_CHAIN,
  EXIT_MODE,
  EXIT_RIP,
  EXIT_STOP,
  Locals,
  STATE,
} from './locals.ts';
import { OperandEmitter } from './operand-emitter.ts';
import type { Edge, NodeInsn, RegionNode } from './region.ts';
import { RegisterTransfer } from './register-transfer.ts';
import type { Value } from './value.ts';
import { type RegionFunctions, ValueEmitter } from './value-emitter.ts';
import { VectorEmitter } from './vector-emitter.ts';

const RAX = 0;
const RDX = 2;
/** From the state page to the jump cache's block words. */
const JUMP_CACHE_BLOCK = 4096 + 2 * TLB_SIZE + 12;

/** A place in a region that TypeScript may have to know about. */
export interface Site {
  /** RIP of the instruction, and of what follows it. */
  readonly rip: bigint;
  readonly next: bigint;
  /** Budget of the instruction and of all after it that its block has taken in advance. */
  readonly rest: number;
  /** The instruction. */
  readonly insn: Insn;
}

/** What a region is translated to. */
export interface RegionCode {
  /** Code of the function, without its locals and final `end`. */
  readonly code: Uint8Array;
  /** Locals after the parameter. */
  readonly locals: readonly (readonly [count: number, type: number])[];
  /** Offsets into the code of branches that are hardly ever taken. */
  readonly unlikely: readonly number[];
}

/** Leaves by itself where an edge ends in something that is not known here. */
type Label = RegionNode | undefined;

/** Translates one region: the parts of the back end, each of which holds some of those before it, and structure. */
export class RegionEmitter implements Builder<Value, Value> {
  readonly values: ValueEmitter;
  readonly operands: OperandEmitter;
  readonly flags: ConditionEmitter;
  readonly vectors: VectorEmitter;
  readonly floats: FloatCode<Value>;
  readonly #transfer: RegisterTransfer;
  /** Mode word of the code. */
  readonly #mode: number;
  readonly #newSite: (site: Site) => number;
  /** Labels inside the function's outermost block: a loop's or a merge's node, undefined for an `if`. */
  readonly #labels: Label[] = [];
  /** What to spill and to load at calls of helpers: known after a first pass. */
  readonly #spilled: { used: number; written: number };
  #node!: RegionNode;
  #at!: NodeInsn;
  #rest = 0;
  #site = -1;
  /** Set once an instruction was executed by TypeScript. */
  external = false;

  constructor(
    functions: RegionFunctions,
    mode: number,
    newSite: (site: Site) => number,
    spilled: { used: number; written: number },
  ) {
    const native = (mode & L.MODE_CODE_MASK) === 2 ? 64 : 32;
    this.values = new ValueEmitter(new Emitter(), functions, new Locals(native), native);
    this.operands = new OperandEmitter(this.values, mode, () => this.#leaveFrom());
    this.flags = new ConditionEmitter(this.values, this.operands);
    this.vectors = new VectorEmitter(this.values, this.operands);
    this.floats = new FloatCode(floatHost(this.values, this.operands));
    this.#transfer = new RegisterTransfer(this.values);
    this.#mode = mode;
    this.#newSite = newSite;
    this.#spilled = spilled;
  }

  /** The function: (state) -> block to go on at, or 0 to leave. */
  emit(entry: RegionNode): RegionCode {
    const { e } = this.values;
    e.op(W.block, VOID);
    this.flags.inStatePage();
    this.#tree(entry);
    e.op(W.end);
    const body = e.bytes.slice();
    const unlikely = [...this.values.unlikely];
    // The registers are known now: load them first, spill them last.
    e.clear();
    this.#loadAll();
    const start = e.length;
    e.append(body);
    this.#epilogue();
    return {
      code: e.bytes.slice(),
      locals: this.values.locals.declarations(),
      unlikely: unlikely.map((at) => at + start),
    };
  }

  #loadAll(): void {
    const { e } = this.values;
    e.get(STATE).mem(W.i32_load, L.ST_BUDGET).set(BUDGET);
    this.operands.forgetStack();
    this.#transfer.load(this.operands.registers.used);
  }
  #epilogue(): void {
    const { e } = this.values;
    this.#transfer.store(this.operands.registers.written);
    this.flags.known = undefined;
    this.flags.store();
    e.get(EXIT_MODE).op(W.i32_eqz, W.if, VOID).i32(0).op(W.return, W.end);
    e.get(EXIT_MODE).i32(EXIT_STOP).op(W.i32_eq, W.if, VOID);
    e.get(STATE).get(EXIT_ARGUMENT).get(BUDGET).call(this.values.functions.stop).i32(0).op(W.return, W.end);
    e.get(STATE).get(BUDGET).mem(W.i32_store, L.ST_BUDGET);
    e.get(STATE).get(EXIT_RIP).get(EXIT_ARGUMENT).op(W.return_call).unsigned(this.values.functions.chain);
  }

  /** Puts flags in order, as the instruction may be left from here; number of its site. */
  #leaveFrom(): number {
    this.flags.settle();
    if (this.#site < 0) this.#site = this.#makeSite();
    return this.#site;
  }
  #makeSite(): number {
    const { rip, next, insn } = this.#at;
    return this.#newSite({ rip, next, rest: this.#rest, insn });
  }

  // Structure: see N. Ramsey, "Beyond Relooper".
  #open(opcode: number, label: Label): void {
    this.values.e.op(opcode, VOID);
    this.#labels.push(label);
    this.values.depth++;
  }
  #close(): void {
    this.values.e.op(W.end);
    this.#labels.pop();
    this.values.depth--;
  }
  #tree(node: RegionNode): void {
    if (node.loop) {
      this.flags.retire();
      this.#open(W.loop, node);
    }
    const merges = node.dominated.filter(({ forward }) => forward > 1).sort((a, b) => b.order - a.order);
    this.#within(node, merges, 0);
    if (node.loop) this.#close();
  }
  #within(node: RegionNode, merges: readonly RegionNode[], from: number): void {
    const merge = merges[from];
    if (!merge) {
      this.#emitNode(node);
      return;
    }
    this.#open(W.block, merge);
    this.#within(node, merges, from + 1);
    this.#close();
    this.flags.known = undefined;
    this.#tree(merge);
  }
  /** Distance of a node's label, or -1 if it is emitted where its only edge ends. */
  #labelOf(from: RegionNode, to: RegionNode): number {
    if (to.order > from.order && to.forward === 1) return -1;
    for (let k = this.#labels.length - 1; k >= 0; k--)
      if (this.#labels[k] === to) return this.#labels.length - 1 - k;
    throw new RangeError('translator: no label for a node');
  }

  #emitNode(node: RegionNode): void {
    this.#node = node;
    const { e } = this.values;
    if (node.end === 'dispatch') {
      this.#dispatch(node);
      return;
    }
    const { insns } = node;
    const count = insns.length;
    this.#at = insns[0]!;
    this.#rest = count;
    const stop = this.#makeSite();
    e.i32(stop).set(EXIT_ARGUMENT).get(BUDGET).i32(count).op(W.i32_sub).tee(BUDGET).i32(0).op(W.i32_lt_s);
    this.values.unlikely.push(e.length);
    e.op(W.if, VOID);
    this.flags.settle();
    e.i32(EXIT_STOP)
      .set(EXIT_MODE)
      .br(this.values.depth + 1)
      .op(W.end);
    for (let k = 0; k < count; k++) {
      const at = insns[k]!;
      this.#at = at;
      this.#rest = count - k;
      this.#site = -1;
      this.flags.quiet = at.noFlags;
      this.operands.begin(at.insn, at.next);
      if (at.shortcut) this.#shortcut(node.next!);
      else if (at.external) this.#callHelper();
      else SEMANTICS.get(at.insn.op)!(this, at.insn);
    }
    const last = insns[count - 1]!.insn;
    if (node.end === 'fall' || node.end === 'shortcut') this.#follow(node.next!);
    else if (node.end === 'external') this.#afterExternal(node.next!);
    else if (!ENDS_BLOCK.has(last.op)) throw new RangeError('translator: a node without an end');
  }

  /**
   * Goes to one of a node's targets by EXIT_RIP, or leaves. Never more than one comparison: a field of the RIP tells
   * the targets apart.
   */
  #dispatch(node: RegionNode): void {
    const { e } = this.values;
    const { targets } = node;
    const { shift, bits, slots } = distinguish(targets.map(({ rip }) => rip!));
    const known: KnownFlags | undefined = this.flags.known;
    this.#open(W.block, undefined); // ends where none fits
    for (const _ of targets) this.#open(W.block, undefined);
    e.get(EXIT_RIP).op(W.i32_wrap_i64).i32(shift).op(W.i32_shr_u);
    e.i32((1 << bits) - 1)
      .op(W.i32_and, W.br_table)
      .unsigned(slots.length);
    for (const slot of slots) e.unsigned(slot);
    e.unsigned(targets.length);
    targets.forEach((edge, k) => {
      this.#close();
      e.get(EXIT_RIP).i64(BigInt.asIntN(64, edge.rip!)).op(W.i64_ne);
      this.values.unlikely.push(e.length);
      e.brIf(targets.length - 1 - k);
      this.flags.known = known;
      this.#node = node;
      this.#follow(edge);
    });
    this.#close();
    this.flags.known = known;
    this.#leave(0);
  }

  /** TypeScript executes the instruction: everything is in the state page while it does. */
  #callHelper(): void {
    const { e } = this.values;
    this.external = true;
    const site = this.#leaveFrom(); // flags are in order from here on
    this.#transfer.store(this.#spilled.written);
    this.flags.store();
    e.get(STATE).i32(site).get(BUDGET).call(this.values.functions.execute);
    // The state page is right, and must not be written over: what was spilled is read back first.
    const stop = this.values.locals.scratch(32);
    e.set(stop);
    this.#transfer.load(this.#spilled.used);
    this.flags.inStatePage();
    this.operands.forgetStack();
    e.get(STATE).mem(W.i32_load, L.ST_BUDGET).set(BUDGET);
    e.get(stop);
    this.values.unlikely.push(e.length);
    e.brIf(this.values.depth);
  }

  /**
   * What may do without TypeScript (`shortcutKey`), without it where that may be; else as any other instruction that it
   * executes.
   */
  #shortcut(edge: Edge): void {
    const { e } = this.values;
    const { insn } = this.#at;
    this.flags.retire();
    let value: Value | undefined;
    const shape = stringShape(insn);
    if (shape !== undefined) {
      this.#transfer.store(this.#spilled.written & STRING_REGISTERS);
      e.get(STATE).get(BUDGET).mem(W.i32_store, L.ST_BUDGET);
      e.get(STATE).i32(shape).call(this.values.functions.string).op(W.i32_eqz);
    } else if (insn.op !== OP.RDTSC && insn.op !== OP.IN) pushSimpleRefusal(e, STATE, insn.op);
    else {
      e.get(STATE).get(BUDGET).mem(W.i32_store, L.ST_BUDGET).get(STATE);
      if (insn.op === OP.RDTSC) e.i32(this.#rest).call(this.values.functions.timeTsc);
      else {
        if (insn.kind1 === K_IMM) e.i32(insn.imm & 0xff);
        else this.values.put(this.operands.reg(RDX, 2), 32);
        e.i32(insn.size).i32(this.#rest).call(this.values.functions.timeIn);
      }
      value = this.values.pop(64);
      this.values.put(value, 64);
      e.i64(0n).op(W.i64_lt_s);
    }
    this.values.unlikely.push(e.length);
    this.#open(W.if, undefined);
    this.#callHelper();
    e.get(STATE).mem(W.i64_load, L.ST_RIP).i64(BigInt.asIntN(64, edge.rip!)).op(W.i64_ne);
    if (edge.to) {
      this.#pushGuard(edge);
      e.op(W.i32_or);
    }
    this.values.unlikely.push(e.length);
    this.#open(W.if, undefined);
    e.get(STATE).mem(W.i64_load, L.ST_RIP).set(EXIT_RIP);
    this.#leave(0);
    this.#close();
    e.op(W.else);
    if (value && insn.op === OP.RDTSC) {
      this.operands.setReg(RAX, 4, this.values.truncate(4, value));
      this.operands.setReg(RDX, 4, this.values.shr(8, value, this.values.const(32n)));
    } else if (value)
      this.operands.setReg(RAX, insn.size as Width, this.values.truncate(insn.size as Width, value));
    else if (shape === undefined) simpleEffect(e, STATE, insn.op);
    else {
      this.#transfer.load(this.#spilled.used & STRING_REGISTERS);
      e.get(STATE).mem(W.i32_load, L.ST_BUDGET).set(BUDGET);
    }
    this.#close();
  }

  /** Behind an instruction that ends a block and was executed by TypeScript: mostly it goes on at the next. */
  #afterExternal(edge: Edge): void {
    const { e } = this.values;
    if (edge.to) {
      e.get(STATE).mem(W.i64_load, L.ST_RIP).i64(edge.rip!).op(W.i64_ne);
      this.values.unlikely.push(e.length);
      this.#open(W.if, undefined);
    }
    e.get(STATE).mem(W.i64_load, L.ST_RIP).set(EXIT_RIP);
    this.#leave(0);
    if (!edge.to) return;
    this.#close();
    this.#follow(edge);
  }

  /** Leaves to EXIT_RIP. */
  #leave(link: number): void {
    this.flags.settle();
    this.values.e.i32(link).set(EXIT_ARGUMENT).i32(EXIT_CHAIN).set(EXIT_MODE).br(this.values.depth);
  }
  #leaveTo(edge: Edge): void {
    this.values.e.i64(BigInt.asIntN(64, edge.rip!)).set(EXIT_RIP);
    this.#leave(edge.link);
  }
  /** Goes along an edge: whatever is emitted next is reached otherwise. */
  #follow(edge: Edge): void {
    const { to } = edge;
    const { e } = this.values;
    const from = this.#node;
    if (to === undefined) {
      this.#leaveTo(edge);
      return;
    }
    if (edge.guarded) {
      this.#pushGuard(edge);
      this.values.unlikely.push(e.length);
      this.#open(W.if, undefined);
      this.#leaveTo(edge);
      this.#close();
    }
    const label = this.#labelOf(from, to);
    if (label < 0) this.#tree(to);
    else {
      this.#flagsFor(to, from);
      e.br(label);
    }
  }
  /** Puts the flags where an edge's target expects them. */
  #flagsFor(to: RegionNode, from: RegionNode): void {
    if (to.order <= from.order) this.flags.retire();
    else this.flags.settle();
  }
  /** Pushes true if the jump cache does not lead to the edge's target. */
  #pushGuard(edge: Edge): void {
    const index = jumpCacheIndex(Number(BigInt.asIntN(32, edge.rip!)));
    this.values.e
      .get(STATE)
      .mem(W.i32_load, JUMP_CACHE_BLOCK + index * JUMP_CACHE_ENTRY_SIZE)
      .i32(edge.to!.block.host)
      .op(W.i32_ne);
  }

  if_(c: Value, body: () => void): void {
    if (c.constant !== undefined) {
      this.values.if_(c, body);
      return;
    }
    const emit = (emitted: () => void): void => {
      this.operands.detachAll();
      this.values.if_(c, emitted);
    };
    this.flags.sometimes(emit, body);
  }
  faultIf(c: Value): void {
    this.operands.faultIf(c);
  }
  nextRip(): Value {
    return this.values.const(this.operands.next);
  }
  checkRelative(): void {
    // Checked when the region was found.
  }
  checkTarget(rip: Value): void {
    const { e } = this.values;
    if (this.values.native === 64) {
      if (rip.constant !== undefined && isCanonical(rip.constant)) return;
      this.values.put(rip, 64);
      e.i64(16n).op(W.i64_shl).i64(16n).op(W.i64_shr_s);
      this.values.put(rip, 64);
      e.op(W.i64_ne);
      this.faultIf(this.values.popTruth());
      return;
    }
    if (this.#mode & L.MODE_FLAT_CODE) return; // the limit is 4 GiB
    this.values.put(rip, 32);
    e.get(STATE)
      .mem(W.i32_load, L.ST_SEG_LIMIT + SEG_CS * 4)
      .op(W.i32_gt_u);
    this.faultIf(this.values.popTruth());
  }
  jumpRelative(): void {
    this.#follow(this.#node.taken!);
  }
  jumpRelativeIf(c: Value): void {
    const { e } = this.values;
    const node = this.#node;
    const { taken, next } = node;
    if (c.constant !== undefined) {
      this.#follow(c.constant === 0n ? next! : taken!);
      return;
    }
    const to = taken!.to;
    const label = to && !taken!.guarded ? this.#labelOf(node, to) : -1;
    if (label >= 0) {
      this.#flagsFor(to!, node);
      this.values.put(c, 32);
      e.brIf(label);
    } else {
      this.values.put(c, 32);
      if (!to) this.values.unlikely.push(e.length);
      this.#open(W.if, undefined);
      const known: KnownFlags | undefined = this.flags.known;
      this.#follow(taken!);
      this.#close();
      this.flags.known = known;
      this.#node = node;
    }
    this.#follow(next!);
  }
  jumpTo(rip: Value): void {
    const { e } = this.values;
    const node = this.#node;
    const edge = node.taken;
    if (node.end === 'indirect') {
      this.values.put(rip, 64);
      e.set(EXIT_RIP);
      if (edge?.to) this.#follow(edge);
      else this.#leave(0);
      return;
    }
    if (edge?.to) {
      const type = this.values.native;
      this.values.put(rip, type);
      this.values.put(this.values.const(edge.rip!), type);
      e.op(type === 64 ? W.i64_ne : W.i32_ne);
      this.values.unlikely.push(e.length);
      this.#open(W.if, undefined);
    }
    this.values.put(rip, 64);
    e.set(EXIT_RIP);
    this.#leave(0);
    if (!edge?.to) return;
    this.#close();
    this.#follow(edge);
  }
  divideWide(signed: boolean): void {
    divideNarrow(this, signed);
  }
}
