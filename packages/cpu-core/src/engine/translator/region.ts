/** A region: blocks that run after each other often enough to be translated together, as a graph. */
import type { Insn } from '../../insn.ts';
import type { Block } from '../code-pages.ts';

/** Call sites whose callee is part of the region: a RET there goes on behind the call, if the stack says so too. */
export interface CallContext {
  /** Block that ends in the call. */
  readonly caller: Block;
  /** RIP behind the call. */
  readonly returnRip: bigint;
  /** Context of the call itself. */
  readonly outer: CallContext | undefined;
  /** Calls on the way here. */
  readonly depth: number;
  /** RIP of the callee; undefined if there are several. */
  readonly callee: bigint | undefined;
}

/** An instruction of a node. */
export interface NodeInsn {
  readonly insn: Insn;
  /** RIP of it, and of what follows. */
  readonly rip: bigint;
  readonly next: bigint;
  /** It has to be executed by TypeScript. */
  readonly external: boolean;
  /** It may do without TypeScript: IN from a counter of virtual time, RDTSC, PAUSE, CLI, STI. */
  readonly shortcut: boolean;
  /** Nobody sees the flags that it sets. */
  noFlags: boolean;
}

/** Where control goes at the end of a node. */
export interface Edge {
  /** Target inside the region; undefined: leaves it. */
  to: RegionNode | undefined;
  /** RIP of the target; undefined if only the guest knows. */
  readonly rip: bigint | undefined;
  /** Host offset of a link word of tier 0 that leads to the target, or 0. */
  readonly link: number;
  /** The target is on another page, or memory may mean something else now: ask the jump cache first. */
  readonly guarded: boolean;
}

/**
 * How a node ends. `fall`: at another block; `external`: TypeScript decides, `next` is likely; `shortcut`: mostly at
 * `next`; `dispatch`: see there.
 */
export type NodeEnd =
  | 'fall'
  | 'branch'
  | 'jump'
  | 'call'
  | 'return'
  | 'indirect'
  | 'external'
  | 'shortcut'
  | 'dispatch';

/** A block in a call context. */
export interface RegionNode {
  readonly block: Block;
  readonly context: CallContext | undefined;
  insns: NodeInsn[];
  end: NodeEnd;
  /**
   * Edge of a taken branch, of JMP and CALL; edge of a predicted RET; of an indirect jump the edge to a node that
   * dispatches.
   */
  taken: Edge | undefined;
  /**
   * Of a node without instructions, `dispatch`: edges to choose from by EXIT_RIP; if it is none of them, the region is
   * left.
   */
  readonly targets: Edge[];
  /** Edge to the next instruction. */
  next: Edge | undefined;
  /** Position in reverse postorder. */
  order: number;
  /** Immediate dominator; the entry's is itself. */
  dominator: RegionNode | undefined;
  /** Nodes that this one dominates immediately. */
  dominated: RegionNode[];
  /** Edges that lead here from nodes before it in order. */
  forward: number;
  /** An edge leads back here. */
  loop: boolean;
}

/** Edges of a node that stay in the region. */
export function innerEdges(node: RegionNode): Edge[] {
  return [node.taken, node.next, ...node.targets].filter((edge) => edge?.to !== undefined) as Edge[];
}
