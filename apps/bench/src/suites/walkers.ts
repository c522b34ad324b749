/** The walkers of @smm/mmu-ept by themselves: CPU time per walk, no machine around them. */
import {
  ACCESS_READ,
  FlatMemory,
  GuestWalker,
  MemorySlots,
  NestedWalker,
  type PagingState,
  TdpMmu,
  TRANSLATE_EPT_VIOLATION,
  TRANSLATE_OK,
  unpagedState,
  WALK_OK,
} from '@smm/mmu-ept';
import { CR0_PE, CR0_PG, CR4_PAE, EFER_LMA, EFER_LME } from '@smm/x86-defs';
import { cpuSeconds } from '../cpu-time.ts';
import { type Effort, type Measurement, measured, type Progress } from '../measurement.ts';

const PAGES = 4096;
const GUEST_BYTES = 32 << 20;
const POOL_BYTES = 4 << 20;
const TABLES = 0x10_0000;
const PRESENT_WRITABLE = 3;
/** Walks in a second, about. */
const WALKS = 4_000_000;

/** Guest page tables that map the first {@link PAGES} pages to themselves; returns the registers that select them. */
function mapGuest(memory: FlatMemory, levels: 2 | 4): PagingState {
  const state = unpagedState();
  state.cr0 = (CR0_PE | CR0_PG) >>> 0;
  state.cr3 = TABLES;
  const entryBytes = levels === 2 ? 4 : 8;
  const tables = TABLES + levels * 0x1000;
  if (levels === 4) {
    state.cr4 = CR4_PAE;
    state.efer = EFER_LME | EFER_LMA;
    memory.write32(TABLES, TABLES + 0x1000 + PRESENT_WRITABLE);
    memory.write32(TABLES + 0x1000, TABLES + 0x2000 + PRESENT_WRITABLE);
  }
  const directory = levels === 2 ? TABLES : TABLES + 0x2000;
  for (let page = 0; page < PAGES; page++) {
    const table = tables + Math.floor((page * entryBytes) / 4096) * 4096;
    memory.write32(directory + Math.floor((page * entryBytes) / 4096) * entryBytes, table + PRESENT_WRITABLE);
    memory.write32(tables + page * entryBytes, page * 4096 + PRESENT_WRITABLE);
  }
  return state;
}

/** A function that translates one linear address, and throws if that fails. */
type Translate = (linear: number) => void;

function guestWalk(levels: 2 | 4): Translate {
  const memory = new FlatMemory(GUEST_BYTES);
  const paging = mapGuest(memory, levels);
  const walker = new GuestWalker(memory);
  return (linear) => {
    const { outcome } = walker.walk(paging, linear, ACCESS_READ, false, false);
    if (outcome !== WALK_OK) throw new Error(`the walk of ${linear.toString(16)} gave outcome ${outcome}`);
  };
}

function nestedWalk(levels: 2 | 4): Translate {
  const memory = new FlatMemory(GUEST_BYTES + POOL_BYTES, GUEST_BYTES);
  const paging = mapGuest(memory, levels);
  const slots = new MemorySlots();
  slots.set({ id: 0, asId: 0, gpa: 0, sizeBytes: GUEST_BYTES, hostOffset: 0, readonly: false });
  const tdp = new TdpMmu(slots, memory, { accessedDirty: true, executeOnly: false, hostMaxPhyAddr: 46 });
  const walker = new NestedWalker(memory);
  return (linear) => {
    for (;;) {
      const exit = walker.walk(tdp.tables(false), paging, linear, ACCESS_READ, false, false);
      if (exit.outcome === TRANSLATE_OK) return;
      if (exit.outcome !== TRANSLATE_EPT_VIOLATION)
        throw new Error(`the walk of ${linear.toString(16)} gave ${exit.outcome}`);
      tdp.handleViolation(false, exit.gpa, exit.qualification);
    }
  };
}

const WALKERS: readonly { readonly name: string; readonly make: () => Translate }[] = [
  { name: '2 levels', make: () => guestWalk(2) },
  { name: '4 levels', make: () => guestWalk(4) },
  { name: '2 levels through EPT', make: () => nestedWalk(2) },
  { name: '4 levels through EPT', make: () => nestedWalk(4) },
];

/** Measures each walker over pages it has seen before: no violation falls into the measured time. */
export function runWalkers({ samples, seconds }: Effort, progress: Progress): Measurement[] {
  const walks = Math.max(PAGES, Math.round(WALKS * seconds));
  const subjects = WALKERS.map(({ name, make }) => ({ name, translate: make(), samples: [] as number[] }));
  for (let sample = 0; sample <= samples; sample++) {
    for (const subject of subjects) {
      progress(`round ${sample} of ${samples}: walker, ${subject.name}`);
      const before = cpuSeconds();
      for (let i = 0; i < walks; i++) subject.translate((i % PAGES) * 4096);
      if (sample > 0) subject.samples.push(((cpuSeconds() - before) * 1e9) / walks);
    }
  }
  return subjects.map(({ name, samples: all }) =>
    measured({ suite: 'walkers', name, peer: 'mmu-ept', unit: 'ns/walk' }, all),
  );
}
