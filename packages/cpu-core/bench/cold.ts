/**
 * What code costs that runs once, and what a short REP costs. Bundled, because vitest's modules are slow to call
 * across:
 *
 *     npx esbuild
 *     packages/cpu-core/bench/cold.ts --bundle --platform=node --format=esm --conditions=@smm/source --outfile=cold.mjs
 *     node cold.mjs [decode] [cold] [rep]
 *
 * Only ratios of two commits measured one after the other mean anything.
 */
import { decode } from '../src/decode/decode.ts';
import { Insn } from '../src/insn.ts';
import { assemble } from '../test/support/assemble.ts';
import { FlatMachine } from '../test/support/flat-machine.ts';
import { Random } from '../test/support/random.ts';

const ROUNDS = 6;
const PAGE = 4096;

/** What compilers emit most, by register width. */
function mix(bits: 32 | 64): string[] {
  const r = bits === 64 ? 'r' : 'e';
  return [
    `mov ${r}ax,[${r}bp-8]`,
    `mov [${r}bp-16],${r}cx`,
    `lea ${r}dx,[${r}ax+${r}cx*4+16]`,
    'add eax,ebx',
    'xor edx,edx',
    'and ecx,0x7f',
    'cmp eax,0x12345',
    'test al,al',
    'movzx ecx,byte [ebp-4]'.replace('ebp', `${r}bp`),
    'shl edx,3',
    `push ${r}bx`,
    `pop ${r}si`,
    `add dword [${r}bp-12],1`,
    `sub ${r}cx,8`,
    'mov edx,0x1234',
    'imul ecx,ecx,100',
    'inc edx',
  ];
}

/**
 * A page of code that runs from its start to its end: blocks of about six instructions, then RET. Returns the count
 * too.
 */
function page(bits: 32 | 64, org: number): { bytes: Uint8Array; instructions: number } {
  const random = new Random(bits);
  const lines: string[] = [];
  const choices = mix(bits);
  for (let n = 0; n < 1000; n++) {
    if (n % 6 === 5) lines.push(`${['jmp', 'jz', 'jc', 'jnz'][random.below(4)]!} a${n}`, `a${n}:`);
    else lines.push(choices[random.below(choices.length)]!);
  }
  lines.push('ret');
  return { bytes: assemble(lines.join('\n'), { bits, org }), instructions: 1001 };
}

function report(name: string, work: () => number): void {
  const samples: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const before = process.cpuUsage().user;
    const units = work();
    samples.push(((process.cpuUsage().user - before) * 1000) / units);
  }
  console.log(`${name}: ${samples.map((ns) => ns.toFixed(1)).join(' ')} ns`);
}

function benchDecode(bits: 32 | 64): void {
  const { bytes, instructions } = page(bits, 0x1000);
  const insn = new Insn();
  report(`decode ${bits}, per instruction`, () => {
    const passes = 1000;
    for (let pass = 0; pass < passes; pass++) {
      for (let at = 0; at < bytes.length; ) at += decode(bytes, at, bytes.length - at, bits, insn);
    }
    return passes * instructions;
  });
}

function benchCold(bits: 32 | 64): void {
  const pages = 2048;
  const m = new FlatMachine({ ram: (pages + 16) * PAGE, cache: 16 << 20, tier: 'interpreter' });
  const { bytes, instructions } = page(bits, 0);
  if (bytes.length > PAGE) throw new Error(`${bytes.length} bytes of code are more than a page`);
  for (let n = 0; n < pages; n++) m.ram.set(bytes, (n + 16) * PAGE);
  report(`decode, build and run once ${bits}, per instruction`, () => {
    m.engine.written(0, m.ramSize); // forget all
    for (let n = 0; n < pages; n++) {
      m.start(bits, (n + 16) * PAGE);
      m.cpu.state.setGpr64(5, 0x6000n);
      m.cpu.run(instructions - 1);
    }
    return pages * instructions;
  });
}

const REPS: readonly (readonly [name: string, text: string])[] = [
  ['rep movsb', 'cld\n rep movsb'],
  ['rep stosb', 'cld\n rep stosb'],
  ['rep movsb, down', 'std\n rep movsb'],
  ['repne scasb', 'cld\n repne scasb'],
  ['repe cmpsb', 'cld\n repe cmpsb'],
];

function benchRep(bits: 32 | 64, name: string, text: string, count: number): void {
  const m = new FlatMachine({ tier: 'interpreter' });
  const r = bits === 64 ? 'r' : 'e';
  const source = `again: mov ${r}si,0x20800\n mov ${r}di,0x40800\n mov ecx,${count}\n mov eax,1\n ${text}\n jmp again`;
  m.load(0x1000, assemble(source, { bits, org: 0x1000 }));
  m.start(bits, 0x1000);
  report(`${name}, ${count} bytes, ${bits}-bit, each`, () => {
    const times = Math.ceil(400_000 / (1 + count));
    m.cpu.run(times * (count + 6));
    return times;
  });
}

const only = process.argv.slice(2);
const wanted = (name: string): boolean => only.length === 0 || only.includes(name);
for (const bits of [32, 64] as const) {
  if (wanted('decode')) benchDecode(bits);
  if (wanted('cold')) benchCold(bits);
  if (!wanted('rep')) continue;
  for (const [name, text] of REPS) for (const count of [1, 8, 64]) benchRep(bits, name, text, count);
}
