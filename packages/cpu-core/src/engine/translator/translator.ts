/** Tier 1: translates hot regions to WebAssembly modules at run time, and takes them back when their code changes or space runs out. */
import * as L from '../../layout.ts';
import type { Views } from '../../state.ts';
import type { BlockBuilder } from '../block-builder.ts';
import type { Block, CodePages } from '../code-pages.ts';
import type { Core } from '../core.ts';
import { Emitter } from '../wasm/emitter.ts';
import { ModuleBuilder } from '../wasm/module.ts';
import { REGION_IMPORTS, REGION_SIGNATURE, REGION_SIGNATURES } from '../wasm/program.ts';
import * as R from '../wasm/record.ts';
import type { RegionNode } from './region.ts';
import { RegionEmitter, type Site } from './region-emitter.ts';
import { type FinderPorts, RegionFinder } from './region-finder.ts';
import { structure } from './structure.ts';
import type { RegionFunctions } from './value-emitter.ts';

/** Runs of a block after which the code around it is translated. */
const DEFAULT_THRESHOLD = 3000;
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
  /** Regions in use, and the bytes of their modules. */
  readonly regions: number;
  readonly bytes: number;
  /** Regions made so far, with their blocks and instructions. */
  readonly compiled: number;
  readonly blocks: number;
  readonly instructions: number;
  /** Regions taken back for want of space, and because their code changed. */
  readonly evicted: number;
  readonly invalidated: number;
}

/** What a site belongs to. */
export interface RegionSite extends Site {
  readonly region: { dead: boolean };
}

/** Holds the regions of an engine. */
export class Translator {
  readonly #views: Views;
  readonly #code: CodePages;
  readonly #builder: BlockBuilder;
  readonly #table: WebAssembly.Table;
  readonly #imports: WebAssembly.ModuleImports;
  readonly #shared: boolean;
  readonly #threshold: number;
  readonly #codeBudget: number;
  /** In order of their making. */
  readonly #regions = new Set<Region>();
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

  constructor(
    views: Views,
    code: CodePages,
    builder: BlockBuilder,
    table: WebAssembly.Table,
    imports: WebAssembly.ModuleImports,
    shared: boolean,
    options: { readonly threshold?: number; readonly codeBudget?: number },
  ) {
    this.#views = views;
    this.#code = code;
    this.#builder = builder;
    this.#table = table;
    this.#imports = imports;
    this.#shared = shared;
    this.#threshold = options.threshold ?? DEFAULT_THRESHOLD;
    this.#codeBudget = options.codeBudget ?? DEFAULT_CODE_BUDGET;
  }

  /** H_HEAT of a new block. */
  get threshold(): number {
    return this.#threshold;
  }

  /** Figures. */
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

  /** A block has run often enough: makes a region of it and of what runs with it. */
  hot(core: Core, block: Block): void {
    const heat = (block.host + R.H_HEAT) >>> 2;
    if (block.tail || block.dead || block.mode & L.MODE_WIDE) {
      this.#views.i32[heat] = R.COLD_FOR_EVER;
      return;
    }
    const ports: FinderPorts = {
      code: this.#code,
      builder: this.#builder,
      runs: (b) => this.#runs(b),
      isEntry: (b) => this.#views.i32[(b.host + R.H_HEAT) >>> 2]! < 0,
    };
    const entry = new RegionFinder(ports, core, block).find();
    const region = this.#compile(entry, structure(entry));
    this.#views.i32[heat] = -region.index;
  }

  #compile(entry: RegionNode, nodes: readonly RegionNode[]): Region {
    const m = new ModuleBuilder();
    m.importTable('regions');
    const imported = REGION_IMPORTS.map((name) => m.importFunction(name, REGION_SIGNATURES[name]));
    // A call of an import needs two addresses, which hosts keep in registers all over the function: go through functions of the module's own.
    const local = REGION_IMPORTS.map(() => m.reserve());
    REGION_IMPORTS.forEach((name, i) => {
      const signature = REGION_SIGNATURES[name];
      const code = new Emitter();
      for (let parameter = 0; parameter < signature.params.length; parameter++) code.get(parameter);
      m.define(local[i]!, { signature, locals: [], code: code.call(imported[i]!).bytes });
    });
    const functions = Object.fromEntries([
      ...REGION_IMPORTS.map((name, i) => [name, local[i]]),
      ['type', m.type(REGION_SIGNATURE)],
    ]) as unknown as RegionFunctions;
    const life = { dead: false };
    const sites: number[] = [];
    const newSite = (site: Site): number => {
      const index = this.#freeSites.pop() ?? this.#sites.length;
      this.#sites[index] = { ...site, region: life };
      sites.push(index);
      return index;
    };
    const { mode } = entry.block;
    let emitter = new RegionEmitter(functions, mode, newSite, { used: 0, written: 0 });
    let code = emitter.emit(entry);
    if (emitter.external) {
      // What has to be spilled around helpers is only known now.
      this.#release(sites);
      emitter = new RegionEmitter(functions, mode, newSite, emitter.registers);
      code = emitter.emit(entry);
    }
    m.define(m.reserve(), { signature: REGION_SIGNATURE, ...code }, 'region');
    const bytes = m.build(this.#shared);
    this.#makeRoom(bytes.length);
    const module = new WebAssembly.Module(bytes as BufferSource);
    const instance = new WebAssembly.Instance(module, { env: this.#imports });
    const index = this.#slot();
    this.#table.set(index, instance.exports['region'] as never);
    const region: Region = Object.assign(life, {
      entry: entry.block,
      index,
      bytes: bytes.length,
      sites,
      blocks: [...new Set(nodes.map(({ block }) => block))],
    });
    this.#regions.add(region);
    for (const block of region.blocks) {
      const set = this.#byBlock.get(block);
      if (set) set.add(region);
      else this.#byBlock.set(block, new Set([region]));
    }
    this.#bytes += region.bytes;
    this.#compiled++;
    this.#blocks += nodes.length;
    for (const { insns } of nodes) this.#instructions += insns.length;
    return region;
  }

  /** A free entry of the table; 0 is never used, for its negative means hot. */
  #slot(): number {
    const free = this.#freeSlots.pop();
    if (free !== undefined) return free;
    const index = this.#regions.size + 1;
    if (index >= this.#table.length) this.#table.grow(this.#table.length);
    return index;
  }

  /** Takes back the oldest regions until `bytes` more fit the budget. */
  #makeRoom(bytes: number): void {
    for (const region of this.#regions) {
      if (this.#bytes + bytes <= this.#codeBudget) return;
      this.#evicted++;
      this.#remove(region);
      if (!region.entry.dead) this.#views.i32[(region.entry.host + R.H_HEAT) >>> 2] = this.#threshold;
    }
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
    for (const region of [...this.#regions]) this.#remove(region);
  }
}
