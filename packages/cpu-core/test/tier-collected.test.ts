/** What V8 holds of regions that are gone: nothing. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { assemble } from './support/assemble.ts';
import { FlatMachine } from './support/flat-machine.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Writes a loop of its own to each of many places, runs it, and goes on. */
const SOURCE = `mov edi, 20000h
outer: mov byte [edi], 0b8h
mov [edi+1], ebp
mov dword [edi+5], 75499090h
mov word [edi+9], 0c3fdh
mov ecx, 60
call edi
inc ebp
add edi, 40h
cmp edi, 80000h
jb outer
hlt`;

test('instances of evicted regions are collected', async () => {
  const made: WeakRef<WebAssembly.Instance>[] = [];
  const { Instance } = WebAssembly;
  WebAssembly.Instance = class extends Instance {
    constructor(module: WebAssembly.Module, imports?: WebAssembly.Imports) {
      super(module, imports);
      made.push(new WeakRef(this));
    }
  };
  try {
    const m = new FlatMachine({
      tier: 'translator',
      translator: { threshold: 2, codeBudget: 20_000 },
      ram: 1 << 20,
    });
    m.load(0x1000, assemble(SOURCE, { bits: 32, org: 0x1000 }));
    const [cpu] = m.cpus;
    m.start(32, 0x1000, 0x8000, cpu!);
    expect(cpu!.run(10_000_000).reason).toBe('halted');
    const { compiled, regions, evicted } = m.engine.translations!;
    expect(evicted).toBeGreaterThan(500);
    expect(compiled).toBeGreaterThan(5 * regions);
    await new Promise((resolve) => setTimeout(resolve)); // until then weak references hold what they refer to
    collect();
    const alive = made.filter((reference) => reference.deref() !== undefined).length;
    expect(alive).toBeGreaterThan(0);
    expect(alive).toBeLessThanOrEqual(regions + 2);
  } finally {
    WebAssembly.Instance = Instance;
  }
});
