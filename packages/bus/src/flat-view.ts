/** Compiles overlapping regions into the list of pieces that one view (normal or SMM) sees. */
import { PHYSICAL_ADDRESS_LIMIT } from './physical-address.ts';
import type { FlatPiece, Region, Resolution } from './regions.ts';

/**
 * Non-overlapping, ordered pieces covering the whole physical address space. The last one, in which nothing is
 * mapped, reaches to infinity: an address beyond the architecture's limit is one that nothing answers.
 */
export class FlatView {
  readonly pieces: readonly FlatPiece[];
  readonly #starts: Float64Array;
  /** First address behind each piece. */
  readonly #ends: Float64Array;
  /** Host offset less guest-physical address, by piece; NaN where reads do not come from RAM. */
  readonly #shifts: Float64Array;
  #lastHit = 0;

  /** `regions` in order of registration; later wins among equal priorities. */
  constructor(regions: readonly Region[], smm: boolean) {
    const hidden = smm ? 'normal-only' : 'smm-only';
    const mapped = regions.filter((r) => (r.enabled ?? true) && (r.visible ?? 'always') !== hidden);
    const cuts = new Set<number>([0, PHYSICAL_ADDRESS_LIMIT]);
    for (const r of mapped) {
      cuts.add(r.start);
      cuts.add(r.start + r.sizeBytes);
    }
    const starts = [...cuts].sort((a, b) => a - b);
    const pieces: { start: number; lastAddress: number; region: Region | undefined }[] = [];
    starts.forEach((start, i) => {
      const region = winnerAt(mapped, start);
      const lastAddress = (starts[i + 1] ?? Number.POSITIVE_INFINITY) - 1;
      const previous = pieces.at(-1);
      if (previous !== undefined && previous.region === region) previous.lastAddress = lastAddress;
      else pieces.push({ start, lastAddress, region });
    });
    this.pieces = pieces;
    this.#starts = Float64Array.from(pieces, (p) => p.start);
    this.#ends = Float64Array.from(pieces, (p) => p.lastAddress + 1);
    this.#shifts = Float64Array.from(pieces, ({ region }) =>
      region === undefined || region.kind === 'hole' || region.hostOffset === undefined
        ? Number.NaN
        : region.hostOffset - region.start,
    );
  }

  /** Index of the piece that holds an address. */
  #indexOf(gpa: number): number {
    const starts = this.#starts;
    const last = this.#lastHit;
    if (gpa >= starts[last]! && gpa < this.#ends[last]!) return last;
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (starts[middle]! <= gpa) low = middle;
      else high = middle - 1;
    }
    this.#lastHit = low;
    return low;
  }

  /** The piece that holds an address. */
  pieceAt(gpa: number): FlatPiece {
    return this.pieces[this.#indexOf(gpa)]!;
  }

  /** RAM-window offset that reads of an address come from, or -1. */
  ramOffset(gpa: number): number {
    const offset = gpa + this.#shifts[this.#indexOf(gpa)]!;
    return offset >= 0 ? offset : -1;
  }

  /** Fills `out` for an address. */
  resolve(gpa: number, out: Resolution): void {
    const piece = this.pieceAt(gpa);
    const region = piece.region;
    out.lastAddress = piece.lastAddress;
    out.kind = 'unclaimed';
    out.hostOffset = -1;
    out.device = undefined;
    out.offset = 0;
    out.writable = false;
    if (region === undefined) {
      out.name = '';
      return;
    }
    out.name = region.name;
    const within = gpa - region.start;
    if (region.kind === 'ram') {
      out.kind = 'ram';
      out.hostOffset = region.hostOffset + within;
      out.writable = !(region.readonly ?? false);
    } else if (region.kind === 'mmio') {
      out.device = region.device;
      out.offset = within + (region.deviceOffset ?? 0);
      if (region.hostOffset === undefined) out.kind = 'device';
      else {
        out.kind = 'ram';
        out.hostOffset = region.hostOffset + within;
      }
    }
  }
}

/** True when both views show the same thing everywhere. Regions are replaced, never mutated, so identity decides. */
export function sameView(a: FlatView, b: FlatView): boolean {
  return (
    a.pieces.length === b.pieces.length &&
    a.pieces.every((p, i) => p.start === b.pieces[i]!.start && p.region === b.pieces[i]!.region)
  );
}

function winnerAt(mapped: readonly Region[], gpa: number): Region | undefined {
  let best: Region | undefined;
  for (const r of mapped) {
    if (gpa < r.start || gpa >= r.start + r.sizeBytes) continue;
    if (best === undefined || (r.priority ?? 0) >= (best.priority ?? 0)) best = r;
  }
  return best;
}
