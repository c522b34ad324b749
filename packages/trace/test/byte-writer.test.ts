import { expect, it } from 'vitest';
import { ByteWriter } from '../src/byte-writer.ts';

it.each([
  ['u8', 1],
  ['u16', 2],
  ['u32', 4],
  ['u64', 8],
] as const)('grows under %s at any place', (method, size) => {
  const writer = new ByteWriter();
  writer.u8(0xff); // so that no boundary is aligned
  const count = Math.ceil(20_000 / size);
  for (let i = 0; i < count; i++) writer[method](i & 0x7f);
  const bytes = writer.finish();
  expect(bytes.length).toBe(1 + count * size);
  for (let i = 0; i < count; i++) {
    if (bytes[1 + i * size] !== (i & 0x7f)) expect.fail(`value ${i} is ${bytes[1 + i * size]}`);
  }
});
