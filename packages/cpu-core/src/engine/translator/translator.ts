/**
 * Tier 1: translates hot regions to WebAssembly modules at run time, and takes them back when their code changes or
 * space runs out.
 */
import * as L from '../../layout.ts';
import type { Views } from '../../state-access.ts';
import type { BlockBuilder } from '../block-builder.ts';
import type { Block, CodePages } from '../code-pages.ts';
import type { Core } from '../core.ts';
import * as R from '../wasm/record.ts';
import type { RegionNode } from './region.ts';
import { RegionEmitter, type Site } from './region-emitter.ts';
import { type FinderPorts, RegionFinder } from './region-finder.ts';
import { RegionModule, tableOfCalls } from './region-module.ts';
import { structure } from './structure.ts';

/** Runs of a block after which the code around it is translated. */
const DEFAULT_THRESHOLD = 10_000;
/** Regions that are translated together. */
const BATCH = 8;
/** First entry of the table: 0 is none's. */
const FIRST_REGION = 1;
/** Below this threshold every region is translated at once. */
const BATCH_THRESHOLD = 256;
/** Bytes of modules that may be live at a time. */
const DEFAULT_CODE_BUDGET = 32 << 20;

/** Translated code that is in use. */
export interface Region {
  /** Block at which it is entered. */
  readonly entry: Block;
  /** Index in the table. */
  readonly index: number;
  /** Size of its module. */
  readonly bytes: number;
  /** Its sites. */
  readonly sites: readonly number[];
  /** Blocks that it was made from. */
  readonly blocks: readonly Block[];
  /** Taken back: what runs of it must leave. */
  dead: boolean;
}

/** What the translator has done so far. */
export interface TranslationStatistics {
  /** Regions in use. */
  readonly regions: number;
  /** Bytes of their modules. */
  readonly bytes: number;
  /** Regions made so far. */
  readonly compiled: number;
  /** Blocks of all regions made so far; one counts in each that it is part of. */
  readonly blocks: number;
  /** Instructions of these blocks. */
  readonly instructions: number;
  /** Regions taken back for want of space. */
  readonly evicted: number;
  /** Regions taken back because their code changed. */
  readonly invalidated: number;
}

/** What a site belongs to. */
export interface RegionSite extends Site {
  readonly region: { dead: boolean };
}

/** A region on its way into a module. */
interface PendingRegion {
  readonly entry: Block;
  readonly nodes: readonly RegionNode[];
  readonly life: { dead: boolean };
  readonly sites: number[];
}

/** Holds the regions of an engine. */
export class Translator {
  readonly #views: Views;
  readonly #code: CodePages;
  readonly #builder: BlockBuilder;
  readonly #memory: WebAssembly.Memory;
  readonly #table: WebAssembly.Table;
  readonly #functions: WebAssembly.Exports;
  readonly #shared: boolean;
  readonly #threshold: number;
  readonly #codeBudget: number;
  /** In order of their making. */
  readonly #regions = new Set<Region>();
  /** Hot blocks that are to be translated together. */
  readonly #queue = new Set<Block>();
  readonly #byBlock = new Map<Block, Set<Region>>();
  readonly #sites: (RegionSite | undefined)[] = [];
  readonly #freeSites: number[] = [];
  readonly #freeSlots: number[] = [];
  #bytes = 0;
  #compiled = 0;
  #blocks = 0;
  #instructions = 0;
  #evicted = 0;
  #invalidated = 0;

  /** @param table - where the generated module, whose exports are `functions`, looks for regions */
  constructor(
    views: Views,
    code: CodePages,
    builder: BlockBuilder,
    memory: WebAssembly.Memory,
    table: WebAssembly.Table,
    functions: WebAssembly.Exports,
    shared: boolean,
    options: { readonly threshold?: number; readonly codeBudget?: number },
  ) {
    this.#views = views;
    this.#code = code;
    this.#builder = builder;
    this.#memory = memory;
    this.#table = table;
    this.#functions = functions;
    this.#shared = shared;
    this.#threshold = options.threshold ?? DEFAULT_THRESHOLD;
    this.#codeBudget = options.codeBudget ?? DEFAULT_CODE_BUDGET;
  }

  /** H_HEAT of a new block. */
  get threshold(): number {
    return this.#threshold;
  }

  /** Counts since the engine was made, and what is in use now. */
  get statistics(): TranslationStatistics {
    return {
      regions: this.#regions.size,
      bytes: this.#bytes,
      compiled: this.#compiled,
      blocks: this.#blocks,
      instructions: this.#instructions,
      evicted: this.#evicted,
      invalidated: this.#invalidated,
    };
  }

  /** A site by its number. */
  site(index: number): RegionSite {
    return this.#sites[index]!;
  }

  #runs(block: Block): number {
    const heat = this.#views.i32[(block.host + R.H_HEAT) >>> 2]!;
    return heat < 0 ? this.#threshold : this.#threshold - heat;
  }

  /**
   * A block has run often enough: makes regions of it and of what runs with it, several at a time, for a module costs
   * as much as a region.
   */
  hot(core: Core, block: Block): void {
    const heat = (block.host + R.H_HEAT) >>> 2;
    if (block.tail || block.dead || block.mode & L.MODE_WIDE) {
      this.#views.i32[heat] = R.COLD_FOR_EVER;
      return;
    }
    const again = this.#queue.has(block);
    this.#queue.add(block);
    this.#views.i32[heat] = Math.max(1, this.#threshold >>> 2);
    if (again || this.#queue.size >= BATCH || this.#threshold < BATCH_THRESHOLD) this.#translateQueue(core);
  }

  #translateQueue(core: Core): void {
    const { i32 } = this.#views;
    const made: PendingRegion[] = [];
    const entries = new Set<Block>();
    const ports: FinderPorts = {
      code: this.#code,
      builder: this.#builder,
      runs: (b) => this.#runs(b),
      isEntry: (b) => i32[(b.host + R.H_HEAT) >>> 2]! < 0 || entries.has(b),
    };
    const module = new RegionModule();
    for (const block of this.#queue) {
      if (block.dead) continue;
      const entry = new RegionFinder(ports, core, block).find();
      if (entry === undefined) {
        i32[(block.host + R.H_HEAT) >>> 2] = R.COLD_FOR_EVER;
        continue;
      }
      made.push(this.#emit(module, entry, structure(entry)));
      entries.add(block);
    }
    this.#queue.clear();
    if (made.length === 0) return;
    const bytes = module.build(this.#shared);
    this.#makeRoom(bytes.length);
    const compiled = new WebAssembly.Module(bytes as BufferSource);
    const { exports } = new WebAssembly.Instance(compiled, {
      env: { memory: this.#memory, calls: tableOfCalls(this.#functions) },
    });
    made.forEach((pending, i) => {
      this.#install(pending, exports[i] as never, Math.ceil(bytes.length / made.length));
    });
  }

  #emit(module: RegionModule, entry: RegionNode, nodes: readonly RegionNode[]): PendingRegion {
    const life = { dead: false };
    const sites: number[] = [];
    const newSite = (site: Site): number => {
      const index = this.#freeSites.pop() ?? this.#sites.length;
      this.#sites[index] = { ...site, region: life };
      sites.push(index);
      return index;
    };
    const { mode } = entry.block;
    let emitter = new RegionEmitter(module.functions, mode, newSite, { used: 0, written: 0 });
    let code = emitter.emit(entry);
    if (emitter.external) {
      // What has to be spilled around helpers is only known now.
      this.#release(sites);
      emitter = new RegionEmitter(module.functions, mode, newSite, emitter.operands.registers);
      code = emitter.emit(entry);
    }
    module.add(code);
    return { entry: entry.block, nodes, life, sites };
  }

  #install({ entry, nodes, life, sites }: PendingRegion, code: never, bytes: number): void {
    const index = this.#slot();
    this.#table.set(index, code);
    const blocks = [...new Set(nodes.map(({ block }) => block))];
    const region: Region = Object.assign(life, { entry, index, bytes, sites, blocks });
    this.#regions.add(region);
    for (const block of blocks) {
      const set = this.#byBlock.get(block);
      if (set) set.add(region);
      else this.#byBlock.set(block, new Set([region]));
    }
    this.#views.i32[(entry.host + R.H_HEAT) >>> 2] = -index;
    this.#bytes += bytes;
    this.#compiled++;
    this.#blocks += blocks.length;
    for (const { insns } of nodes) this.#instructions += insns.length;
  }

  /** A free entry of the table. */
  #slot(): number {
    const free = this.#freeSlots.pop();
    if (free !== undefined) return free;
    const index = this.#regions.size + FIRST_REGION;
    if (index >= this.#table.length) this.#table.grow(this.#table.length);
    return index;
  }

  /** Takes back the oldest regions until `bytes` more fit the budget. */
  #makeRoom(bytes: number): void {
    for (const region of this.#regions) {
      if (this.#bytes + bytes <= this.#codeBudget) return;
      this.#evict(region);
    }
  }

  #evict(region: Region): void {
    this.#evicted++;
    this.#remove(region);
    if (!region.entry.dead) this.#views.i32[(region.entry.host + R.H_HEAT) >>> 2] = this.#threshold;
  }

  #release(sites: number[]): void {
    for (const site of sites) this.#sites[site] = undefined;
    this.#freeSites.push(...sites);
    sites.length = 0;
  }

  #remove(region: Region): void {
    region.dead = true;
    this.#regions.delete(region);
    for (const block of region.blocks) {
      const set = this.#byBlock.get(block);
      set?.delete(region);
      if (set?.size === 0) this.#byBlock.delete(block);
    }
    this.#bytes -= region.bytes;
    this.#table.set(region.index, null);
    this.#freeSlots.push(region.index);
    this.#release([...region.sites]);
  }

  /** A block is no more: nor are the regions that it is part of. */
  dropped(block: Block): void {
    this.#views.i32[(block.host + R.H_HEAT) >>> 2] = R.COLD_FOR_EVER;
    for (const region of this.#byBlock.get(block) ?? []) {
      this.#invalidated++;
      this.#remove(region);
      if (!region.entry.dead && region.entry !== block)
        this.#views.i32[(region.entry.host + R.H_HEAT) >>> 2] = this.#threshold;
    }
  }

  /** All blocks are no more. */
  clear(): void {
    this.#queue.clear();
    for (const region of [...this.#regions]) this.#remove(region);
  }
}
