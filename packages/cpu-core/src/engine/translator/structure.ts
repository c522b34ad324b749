/**
 * Finds the structure of a region's graph: reverse postorder, dominators, loops. Edges that go back to a node which
 * does not dominate their start would need a dispatcher; they leave the region instead. Sources: K. Cooper, T. Harvey,
 * K. Kennedy, "A Simple, Fast Dominance Algorithm" (2001); N. Ramsey, "Beyond Relooper" (2022), for what the emitter
 * does with it.
 */
import { innerEdges, type RegionNode } from './region.ts';

/** Orders the nodes that can be reached from the entry, and fills in what {@link RegionNode} says about the graph. */
export function structure(entry: RegionNode): RegionNode[] {
  let nodes = order(entry);
  dominators(nodes);
  if (cutIrreducible(nodes)) {
    nodes = order(entry);
    dominators(nodes);
  }
  for (const node of nodes) {
    node.forward = 0;
    node.loop = false;
    node.dominated = [];
  }
  for (const node of nodes) {
    if (node !== entry) node.dominator!.dominated.push(node);
    for (const { to } of innerEdges(node)) {
      if (to!.order <= node.order) to!.loop = true;
      else to!.forward++;
    }
  }
  return nodes;
}

function order(entry: RegionNode): RegionNode[] {
  const seen = new Set<RegionNode>([entry]);
  const list: RegionNode[] = [];
  const visit = (node: RegionNode): void => {
    // `next` first, so that what follows in memory comes last in postorder, and thus first behind its predecessor.
    for (const { to } of innerEdges(node)) {
      if (seen.has(to!)) continue;
      seen.add(to!);
      visit(to!);
    }
    list.push(node);
  };
  visit(entry);
  list.reverse();
  list.forEach((node, i) => {
    node.order = i;
  });
  return list;
}

function dominators(nodes: readonly RegionNode[]): void {
  const before = new Map<RegionNode, RegionNode[]>(nodes.map((node) => [node, []]));
  for (const node of nodes) {
    node.dominator = undefined;
    for (const { to } of innerEdges(node)) before.get(to!)!.push(node);
  }
  const entry = nodes[0]!;
  entry.dominator = entry;
  const meet = (a: RegionNode, b: RegionNode): RegionNode => {
    let x = a;
    let y = b;
    while (x !== y) {
      while (x.order > y.order) x = x.dominator!;
      while (y.order > x.order) y = y.dominator!;
    }
    return x;
  };
  for (let changed = true; changed; ) {
    changed = false;
    for (const node of nodes) {
      if (node === entry) continue;
      let found: RegionNode | undefined;
      for (const from of before.get(node)!) {
        if (from.dominator === undefined) continue;
        found = found === undefined ? from : meet(found, from);
      }
      if (found === node.dominator) continue;
      node.dominator = found;
      changed = true;
    }
  }
}

function dominates(a: RegionNode, b: RegionNode): boolean {
  let x = b;
  while (x.order > a.order) x = x.dominator!;
  return x === a;
}

function cutIrreducible(nodes: readonly RegionNode[]): boolean {
  let cut = false;
  for (const node of nodes) {
    for (const edge of innerEdges(node)) {
      if (edge.to!.order > node.order || dominates(edge.to!, node)) continue;
      edge.to = undefined;
      cut = true;
    }
  }
  return cut;
}
