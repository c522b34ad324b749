/** Finds the region around a hot block: which blocks to translate together, and the edges between them. */
import { decode } from '../../decode/decode.ts';
import { Insn, K_MEM, K_REL } from '../../insn.ts';
import * as L from '../../layout.ts';
import { ENDS_BLOCK, OP, VECTOR_OPS } from '../../ops.ts';
import { SEMANTICS } from '../../semantics/semantics.ts';
import { type BlockBuilder, hasVectorCode } from '../block-builder.ts';
import { isCanonical, nextRip, relativeTarget } from '../branch.ts';
import type { Block, CodePages } from '../code-pages.ts';
import type { Core } from '../core.ts';
import { codeSize } from '../fetch.ts';
import { FLAGS_KEEPS, FLAGS_SETS, flagUse } from '../flag-use.ts';
import { JUMP_CACHE_ENTRY_SIZE, jumpCacheIndex } from '../jump-cache.ts';
import { JUMP_LOG_ENTRY_SIZE, JUMP_LOG_SIZE } from '../jump-log.ts';
import * as R from '../wasm/record.ts';
import { shortcutKey } from '../wasm/shortcut-functions.ts';
import type { CallContext, Edge, NodeEnd, NodeInsn, RegionNode } from './region.ts';

/** Most blocks of a region. */
const NODE_LIMIT = 24;
/** Most instructions of a region. */
const INSN_LIMIT = 300;
/** Calls inside calls that a region follows. */
const CALL_DEPTH = 3;
/** Targets that a region tells apart at an indirect jump. */
const TARGET_LIMIT = 16;
/** A block is interpreted if more than one in so many of its instructions is executed by TypeScript. */
const EXTERNAL_SHARE = 6;
/** A block belongs to a region if it has run at least this part of the entry's runs. */
const COLD_FACTOR = 32;

/** What finding a region needs to know. */
export interface FinderPorts {
  readonly code: CodePages;
  readonly builder: BlockBuilder;
  /** Times that a block has run, as far as counted. */
  readonly runs: (block: Block) => number;
  /** A region is entered at the block. */
  readonly isEntry: (block: Block) => boolean;
}

/** Finds regions for one processor's view of memory. */
export class RegionFinder {
  readonly #ports: FinderPorts;
  readonly #core: Core;
  readonly #nodes = new Map<CallContext | undefined, Map<Block, RegionNode>>();
  readonly #list: RegionNode[] = [];
  readonly #dispatchers = new Map<CallContext | undefined, RegionNode>();
  /** Nodes that return to a caller outside the region, or deeper in a recursion. */
  readonly #returns: RegionNode[] = [];
  readonly #entry: Block;
  readonly #enough: number;
  #insns = 0;

  constructor(ports: FinderPorts, core: Core, entry: Block) {
    this.#ports = ports;
    this.#core = core;
    this.#entry = entry;
    this.#enough = Math.max(1, Math.floor(ports.runs(entry) / COLD_FACTOR));
  }

  /** The entry's node, with all others behind its edges; undefined if the entry is better interpreted. */
  find(): RegionNode | undefined {
    const entry = this.#node(this.#entry, undefined);
    if (entry === undefined) return undefined;
    // The list grows while it is walked.
    for (const node of this.#list) this.#end(node);
    for (const node of this.#returns) this.#dispatchReturn(node);
    this.#trim();
    for (const node of this.#list) dropDeadFlags(node.insns);
    return entry;
  }

  #node(block: Block, context: CallContext | undefined): RegionNode | undefined {
    let inContext = this.#nodes.get(context);
    if (!inContext) {
      inContext = new Map();
      this.#nodes.set(context, inContext);
    }
    const known = inContext.get(block);
    if (known) return known;
    if (block.tail || block.dead || this.#list.length === NODE_LIMIT || this.#insns >= INSN_LIMIT)
      return undefined;
    if (this.#list.length > 0 && this.#ports.runs(block) < this.#enough) return undefined;
    const insns = this.#decode(block);
    if (mostlyExternal(insns)) return undefined;
    this.#insns += insns.length;
    const node = this.#newNode(block, context, insns, 'fall');
    inContext.set(block, node);
    return node;
  }

  #newNode(block: Block, context: CallContext | undefined, insns: NodeInsn[], end: NodeEnd): RegionNode {
    const node: RegionNode = {
      block,
      context,
      insns,
      end,
      taken: undefined,
      targets: [],
      next: undefined,
      order: 0,
      dominator: undefined,
      dominated: [],
      forward: 0,
      loop: false,
    };
    this.#list.push(node);
    return node;
  }

  #decode(block: Block): NodeInsn[] {
    const { u8 } = this.#core.views;
    const size = codeSize(block.mode);
    const end = block.start + block.length;
    const list: NodeInsn[] = [];
    let rip = block.rip;
    for (let at = block.start; at < end; ) {
      const insn = new Insn();
      const length = decode(u8, at, end - at, size, insn, this.#core.cpu.available);
      if (length === 0)
        throw new RangeError(`translator: the block at ${block.rip.toString(16)}h does not decode`);
      const next = nextRip(block.mode, rip, length);
      const external = !this.#translatable(block, insn, next);
      list.push({ insn, rip, next, external, shortcut: shortcutKey(insn) !== undefined, noFlags: false });
      rip = next;
      at += length;
    }
    return list;
  }

  #translatable(block: Block, i: Insn, next: bigint): boolean {
    if (!SEMANTICS.has(i.op) || (VECTOR_OPS.has(i.op) && !hasVectorCode(block.mode))) return false;
    if (i.op === OP.POP && i.kind0 === K_MEM) return false;
    if (i.kind0 !== K_REL) return true;
    const target = relativeTarget(this.#core.cpu, block.mode, i, next);
    return (block.mode & L.MODE_CODE_MASK) === 2 ? isCanonical(target) : target <= BigInt(block.limit);
  }

  /** Follows the end of a node. */
  #end(node: RegionNode): void {
    if (node.end === 'dispatch') return;
    const last = node.insns[node.insns.length - 1]!;
    const { insn, next } = last;
    if (!ENDS_BLOCK.has(insn.op)) {
      node.end = 'fall';
      node.next = this.#edge(node.block, next, node.context, this.#linkWord(node, R.X_LINK_NEXT), false);
      return;
    }
    if (last.shortcut) {
      node.end = 'shortcut';
      node.next = this.#edge(node.block, next, node.context, this.#linkWord(node, R.R_LINK), false);
      return;
    }
    if (last.external) {
      node.end = 'external';
      node.next = this.#edge(node.block, next, node.context, 0, true);
      return;
    }
    const target =
      insn.kind0 === K_REL ? relativeTarget(this.#core.cpu, node.block.mode, insn, next) : undefined;
    const [end, context] = this.#kindOfEnd(node, insn.op, next, target);
    node.end = end;
    const { block } = node;
    if (end === 'indirect') {
      if (insn.op === OP.RET) this.#returns.push(node);
      else node.taken = this.#dispatch(node, context);
    }
    if (end === 'branch')
      node.next = this.#edge(block, next, node.context, this.#linkWord(node, R.X_LINK_NEXT), false);
    if (end === 'return') {
      // The caller's page has been executed since the region was entered: nothing can have changed what it means.
      const { caller, returnRip } = node.context!;
      node.taken = this.#edge(caller, returnRip, context, 0, false);
    } else if (target !== undefined)
      node.taken = this.#edge(block, target, context, this.#linkWord(node, R.X_LINK_TARGET), false);
  }

  #kindOfEnd(
    node: RegionNode,
    op: number,
    next: bigint,
    target: bigint | undefined,
  ): readonly [NodeEnd, CallContext | undefined] {
    const { context } = node;
    switch (op) {
      case OP.RET:
        return context ? ['return', context.outer] : ['indirect', undefined];
      case OP.CALL: {
        let depth = (context?.depth ?? 0) + 1;
        if (target !== undefined) {
          // Recursion is a loop whose RETs are dispatched, or left to the region that is one.
          if (context === undefined && this.#onSamePage(node.block, target) === this.#entry)
            return ['jump', undefined];
          for (let at = context; at; at = at.outer) if (at.callee === target) depth = CALL_DEPTH + 1;
        }
        const inside = { caller: node.block, returnRip: next, outer: context, depth, callee: target };
        return [target === undefined ? 'indirect' : 'call', inside];
      }
      case OP.JMP:
        return [target === undefined ? 'indirect' : 'jump', context];
    }
    return ['branch', context];
  }

  /**
   * An edge to the node that chooses among the targets which an indirect jump or call has had; undefined if none are
   * known.
   */
  #dispatch(from: RegionNode, context: CallContext | undefined): Edge | undefined {
    for (const rip of this.#logged(from.block)) {
      const edge = this.#edge(from.block, rip, context, 0, false);
      if (edge.to) this.#addTarget(context, edge);
    }
    return this.#edgeToDispatcher(context);
  }
  /**
   * As {@link #dispatch} for RET, but among what is part of the region anyway: a callee is not to be translated with
   * all its callers.
   */
  #dispatchReturn(node: RegionNode): void {
    const nodes = this.#nodes.get(undefined);
    for (const rip of this.#logged(node.block)) {
      for (const to of nodes?.values() ?? []) {
        if (to.block.rip !== rip) continue;
        const guarded = this.#onSamePage(node.block, rip) !== to.block;
        this.#addTarget(undefined, { to, rip, link: 0, guarded });
      }
    }
    node.taken = this.#edgeToDispatcher(undefined);
  }
  #addTarget(context: CallContext | undefined, edge: Edge): void {
    let dispatcher = this.#dispatchers.get(context);
    if (!dispatcher) {
      dispatcher = this.#newNode(this.#entry, context, [], 'dispatch');
      this.#dispatchers.set(context, dispatcher);
    }
    const { targets } = dispatcher;
    const known = targets.findIndex(({ rip }) => rip === edge.rip);
    if (known >= 0) {
      if (edge.guarded) targets[known] = edge;
    } else if (targets.length < TARGET_LIMIT) targets.push(edge);
  }
  #edgeToDispatcher(context: CallContext | undefined): Edge | undefined {
    const to = this.#dispatchers.get(context);
    return to && { to, rip: undefined, link: 0, guarded: false };
  }
  /** Where the jump at the end of a block went of late. */
  #logged(block: Block): Set<bigint> {
    const { views, jumpLog } = this.#core;
    const end = block.host + R.HEADER_SIZE + views.i32[(block.host + R.H_TAKEN) >>> 2]! * R.RECORD_SIZE;
    const rips = new Set<bigint>();
    for (let at = jumpLog; at < jumpLog + JUMP_LOG_SIZE; at += JUMP_LOG_ENTRY_SIZE) {
      const record = views.i32[(at + 8) >>> 2]!;
      if (record <= block.host || record >= end) continue;
      const low = BigInt(views.i32[at >>> 2]! >>> 0);
      rips.add((BigInt(views.i32[(at + 4) >>> 2]! >>> 0) << 32n) | low);
    }
    return rips;
  }

  /** An edge to a RIP, from the page of a block. */
  #edge(from: Block, rip: bigint, context: CallContext | undefined, link: number, guarded: boolean): Edge {
    const near = this.#onSamePage(from, rip);
    const block = near ?? this.#cached(from, rip);
    const deep = (context?.depth ?? 0) > CALL_DEPTH;
    // What has a region of its own is entered there, unless it is a callee: translating it again costs more than going
    // over.
    const elsewhere =
      block !== undefined && context === undefined && block !== this.#entry && this.#ports.isEntry(block);
    const to = block === undefined || deep || elsewhere ? undefined : this.#node(block, context);
    return { to, rip, link, guarded: guarded || near === undefined };
  }

  /**
   * The block at a RIP on the page of another, as tier 0 links them; undefined if there is none or the page is another.
   */
  #onSamePage(from: Block, rip: bigint): Block | undefined {
    const distance = rip - from.rip;
    const page = from.start & ~0xfff;
    const offset = BigInt(from.start & 0xfff) + distance;
    if (offset < 0n || offset >= 0x1000n) return undefined;
    return this.#find(((page >>> 0) + Number(offset)) >>> 0, from, rip);
  }
  #find(start: number, like: Block, rip: bigint): Block | undefined {
    return this.#ports.code.find(
      start,
      Number(BigInt.asIntN(32, rip)),
      Number(BigInt.asIntN(32, rip >> 32n)),
      like.mode,
      like.limit,
    );
  }
  /** The block at a RIP that the processor's jump cache knows. */
  #cached(like: Block, rip: bigint): Block | undefined {
    const { views, jumpCache } = this.#core;
    const low = Number(BigInt.asIntN(32, rip));
    const at = (jumpCache + jumpCacheIndex(low) * JUMP_CACHE_ENTRY_SIZE) >>> 2;
    const { i32 } = views;
    const header = i32[at + 3]!;
    if (header === 0 || i32[at] !== low || i32[at + 1] !== Number(BigInt.asIntN(32, rip >> 32n)))
      return undefined;
    if (i32[at + 2] !== like.mode) return undefined;
    const block = this.#ports.builder.blockAt(this.#core, header);
    return block.dead || block.limit !== like.limit ? undefined : block;
  }
  /**
   * Host offset of a link word of a block's last record, 0 if tier 0 has none there. `link`: offset from that record.
   */
  #linkWord({ block, insns }: RegionNode, link: number): number {
    const { u16, i32 } = this.#core.views;
    const count = i32[(block.host + R.H_TAKEN) >>> 2]!;
    const ends = ENDS_BLOCK.has(insns[insns.length - 1]!.insn.op);
    const record = block.host + R.HEADER_SIZE + (ends ? count - 1 : count) * R.RECORD_SIZE;
    return u16[(record + R.R_EXACT) >>> 1] === R.HANDLER_EXECUTE ? 0 : record + link;
  }

  /** Ends nodes where another node of the same context begins, so that no instruction is translated twice. */
  #trim(): void {
    for (const inContext of this.#nodes.values()) {
      const starts = new Map<bigint, RegionNode>();
      for (const node of inContext.values()) starts.set(node.block.rip, node);
      for (const node of inContext.values()) {
        const cut = node.insns.findIndex(({ rip }, k) => k > 0 && this.#joins(node, starts.get(rip)));
        if (cut < 0) continue;
        const to = starts.get(node.insns[cut]!.rip)!;
        node.insns = node.insns.slice(0, cut);
        node.end = 'fall';
        node.taken = undefined;
        node.next = { to, rip: to.block.rip, link: 0, guarded: false };
      }
    }
  }
  #joins(node: RegionNode, other: RegionNode | undefined): boolean {
    return (
      other !== undefined && other !== node && this.#onSamePage(node.block, other.block.rip) === other.block
    );
  }
}

/**
 * So much of a block is executed by TypeScript that spilling the region's registers each time costs more than
 * translation gains. One such instruction at the end is no harm: IN, CLI and the like end many a block of translated
 * code.
 */
function mostlyExternal(insns: readonly NodeInsn[]): boolean {
  let external = 0;
  for (const one of insns) if (one.external && !one.shortcut) external++;
  return external > 1 && external * EXTERNAL_SHARE > insns.length;
}

/** Marks instructions whose flags are overwritten before a use, with nothing in between that may leave the region. */
function dropDeadFlags(insns: readonly NodeInsn[]): void {
  let live = true;
  for (let k = insns.length - 1; k >= 0; k--) {
    const one = insns[k]!;
    const { insn } = one;
    if (one.external) {
      live = true;
      continue;
    }
    const use = flagUse(insn);
    if (!live && (use === FLAGS_SETS || insn.op === OP.INC || insn.op === OP.DEC)) one.noFlags = true;
    const memory = insn.kind0 === K_MEM || insn.kind1 === K_MEM || insn.kind2 === K_MEM;
    if (memory && insn.op !== OP.LEA) live = true;
    else if (use === FLAGS_SETS) live = false;
    else if (use !== FLAGS_KEEPS && !one.noFlags) live = true;
  }
}
