/** Checks that the per-processor SMRAM tiles of a relocation plan do not collide. Plain numbers in, findings out. */
import {
  checkOptions,
  isShape,
  isWhole,
  maybe,
  SMM_HANDLER_OFFSET,
  SMRAM_SAVE_STATE_MAP_OFFSET,
} from '@smm/x86-defs';

const SAVE_STATE_MAP_SIZE = 0x400;

/** A stretch of SMRAM. */
export interface SmramExtent {
  /** First guest-physical address. */
  readonly start: number;
  /** Size in bytes. */
  readonly sizeBytes: number;
}

/** What to check against. All sizes in bytes. */
export interface TileCheckOptions {
  /**
   * Bytes of SMI entry code at SMBASE+8000h; default: up to the tile's end or the save-state map, whichever is first.
   */
  readonly handlerSizeBytes?: number;
  /** Per-processor data below the save-state map that must stay free too, as edk2's PSD at FB00h; default none. */
  readonly dataBelowMapBytes?: number;
  /** Required alignment of SMBASE: 8000h for families 4 and 5, 1 (default) for later ones. */
  readonly alignment?: number;
  /** The SMRAM that everything must lie in; default anywhere. */
  readonly smram?: SmramExtent;
}

/** One thing wrong with a plan. Indexes are processor indexes, addresses guest-physical. */
export interface TileProblem {
  /** What is wrong. */
  readonly kind: 'overlap' | 'misaligned' | 'outside-smram' | 'duplicate';
  /** The processor. */
  readonly index: number;
  /** The other processor of an overlap or duplicate. */
  readonly other?: number;
  /** A sentence with both parts and their ranges. */
  readonly message: string;
}

interface Part {
  readonly index: number;
  readonly what: string;
  readonly first: number;
  readonly last: number;
}

/**
 * Checks SMBASEs, `tileSizeBytes` apart or not. Each processor owns its SMI entry code (SMBASE+8000h on) and its
 * save-state map (SMBASE+FC00h to +FFFFh, with the data below it); no two of these may share a byte, except that one
 * processor may be checked alone. Returns every problem, by processor and then by the other one; empty means sound.
 */
export function checkTiles(
  smbases: readonly number[],
  tileSizeBytes: number,
  options: TileCheckOptions = {},
): TileProblem[] {
  checkOptions<TileCheckOptions>('the options of checkTiles', options, {
    handlerSizeBytes: maybe(isWhole(0)),
    dataBelowMapBytes: maybe(isWhole(0)),
    alignment: maybe(isWhole(1)),
    smram: maybe(isShape<SmramExtent>({ start: isWhole(0), sizeBytes: isWhole(0) })),
  });
  const problems: TileProblem[] = [];
  const mapStart = SMRAM_SAVE_STATE_MAP_OFFSET - (options.dataBelowMapBytes ?? 0);
  const room = Math.min(
    tileSizeBytes - SAVE_STATE_MAP_SIZE - (options.dataBelowMapBytes ?? 0),
    mapStart - SMM_HANDLER_OFFSET,
  );
  const handlerSize = options.handlerSizeBytes ?? Math.max(room, 1);
  const alignment = options.alignment ?? 1;
  const parts: Part[] = [];
  smbases.forEach((smbase, index) => {
    if (smbase % alignment !== 0) {
      problems.push({
        kind: 'misaligned',
        index,
        message: `CPU ${index}: SMBASE ${hex(smbase)} is not a multiple of ${hex(alignment)}`,
      });
    }
    const own: Part[] = [
      {
        index,
        what: 'SMI entry code',
        first: smbase + SMM_HANDLER_OFFSET,
        last: smbase + SMM_HANDLER_OFFSET + handlerSize - 1,
      },
      {
        index,
        what: 'save-state map',
        first: smbase + mapStart,
        last: smbase + SMRAM_SAVE_STATE_MAP_OFFSET + SAVE_STATE_MAP_SIZE - 1,
      },
    ];
    parts.push(...own);
    const smram = options.smram;
    if (smram === undefined) return;
    for (const part of own) {
      if (part.first >= smram.start && part.last < smram.start + smram.sizeBytes) continue;
      problems.push({
        kind: 'outside-smram',
        index,
        message: `CPU ${index}: ${part.what} ${range(part)} leaves SMRAM ${hex(smram.start)}..${hex(smram.start + smram.sizeBytes - 1)}`,
      });
    }
  });
  problems.push(...collisions(smbases, parts));
  return problems.sort((a, b) => a.index - b.index || (a.other ?? -1) - (b.other ?? -1));
}

function collisions(smbases: readonly number[], parts: readonly Part[]): TileProblem[] {
  const problems: TileProblem[] = [];
  const reported = new Set<string>();
  const sorted = [...parts].sort((a, b) => a.first - b.first || a.index - b.index);
  sorted.forEach((part, i) => {
    for (let j = i + 1; j < sorted.length && sorted[j]!.first <= part.last; j++) {
      const [low, high] = part.index <= sorted[j]!.index ? [part, sorted[j]!] : [sorted[j]!, part];
      const same = smbases[low.index] === smbases[high.index] && low.index !== high.index;
      const key = same ? `${low.index}=${high.index}` : `${low.index} ${low.what} ${high.index} ${high.what}`;
      if (reported.has(key)) continue;
      reported.add(key);
      problems.push(
        same
          ? {
              kind: 'duplicate',
              index: low.index,
              other: high.index,
              message: `CPU ${low.index} and CPU ${high.index} have the same SMBASE ${hex(smbases[low.index]!)}`,
            }
          : {
              kind: 'overlap',
              index: low.index,
              other: high.index,
              message: `CPU ${low.index}'s ${low.what} ${range(low)} overlaps CPU ${high.index}'s ${high.what} ${range(high)}`,
            },
      );
    }
  });
  return problems;
}

function range(part: Part): string {
  return `${hex(part.first)}..${hex(part.last)}`;
}

function hex(value: number): string {
  return value < 0 ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`;
}
