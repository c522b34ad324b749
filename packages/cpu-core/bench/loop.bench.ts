/** Instructions per second on two hot loops. Run: npx vitest run --config packages/cpu-core/bench/vitest.config.ts */
import { test } from 'vitest';
import { assemble } from '../test/support/assemble.ts';
import { FlatMachine } from '../test/support/flat-machine.ts';

// CRC-32 over a buffer with a table, a sieve-like stride, calls: what firmware does.
const kernel = (b: string, s: string, w: number): string => `
start: mov ${s}si,0x20000
 mov ecx,4096
 mov eax,-1
crc: movzx edx,byte [${s}si]
 xor dl,al
 movzx edx,dl
 shr eax,8
 xor eax,[0x30000+${b}dx*4]
 inc ${s}si
 dec ecx
 jnz crc
 mov ${s}di,0x40000
 mov ecx,2048
copy: mov ${b}dx,[${s}di]
 add ${b}dx,${b}cx
 mov [${s}di+${w}],${b}dx
 add ${s}di,${w}
 sub ecx,1
 jne copy
 mov ecx,500
calls: call f
 cmp eax,ebx
 jb less
 add ebx,7
less: dec ecx
 jnz calls
 jmp start
f: push ${b}bx
 mov ebx,eax
 rol ebx,5
 and ebx,0xffff
 lea eax,[${b}bx+${b}ax*2+1]
 pop ${b}bx
 ret`;

for (const bits of [32, 64] as const) {
  test(`${bits}-bit`, () => {
    const m = new FlatMachine();
    const r = bits === 64 ? 'r' : 'e';
    m.load(0x1000, assemble(kernel(r, r, bits / 8), { bits, org: 0x1000 }));
    m.start(bits, 0x1000);
    // The optimised code of a loop this large takes a while to arrive: show the climb.
    for (let i = 0; i < 6; i++) {
      const before = process.cpuUsage().user;
      const wall = performance.now();
      m.cpu.run(50_000_000);
      const cpu = process.cpuUsage().user - before;
      const ms = performance.now() - wall;
      console.log(
        `${bits}-bit: ${(50_000_000 / cpu).toFixed(0)} MIPS by CPU time, ${(50_000 / ms).toFixed(0)} by the clock`,
      );
    }
  });
}
