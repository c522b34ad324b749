/** Start-up cost: generating and compiling the interpreter. */
import { test } from 'vitest';
import { generate } from '../src/engine/wasm/program.ts';

test('start', () => {
  for (let i = 0; i < 4; i++) {
    const t0 = process.cpuUsage().user;
    const program = generate(false, true);
    const t1 = process.cpuUsage().user;
    new WebAssembly.Module(program.bytes as BufferSource);
    const t2 = process.cpuUsage().user;
    console.log(
      `${program.bytes.length} bytes; generate ${(t1 - t0) / 1000} ms, compile ${(t2 - t1) / 1000} ms; ` +
        Object.entries(program.handlers)
          .map(([m, h]) => `${m} ${h.size}+${program.functions[m as 'flat32'].size}`)
          .join(', '),
    );
  }
});
