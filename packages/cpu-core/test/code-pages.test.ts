/** What is known of decoded code stays short where a guest executes one line under ever other addresses. */
import { describe, expect, it } from 'vitest';
import { Block, CodePages } from '../src/engine/code-pages.ts';
import { Views } from '../src/state-access.ts';

/** A block of `length` bytes at host offset `start`, as if decoded for the RIP `rip`. */
function blockAt(start: number, length: number, rip: number): Block {
  const block = new Block();
  block.start = start;
  block.length = length;
  block.ripLow = rip;
  return block;
}

describe('blocks of one line', () => {
  it('are searched one after another, so that no more than 256 are kept', () => {
    const pages = new CodePages(new Views({ buffer: new ArrayBuffer(0x4000) }), []);
    const live = new Set<Block>();
    pages.onDrop = (block) => live.delete(block);
    let most = 0;
    for (let rip = 0; rip < 10_000; rip++) {
      const block = blockAt(0x1040 + (rip & 63), 1, rip);
      pages.add(block);
      live.add(block);
      most = Math.max(most, live.size);
      expect(pages.find(block.start, rip, 0, 0, 0)).toBe(block);
    }
    expect(most).toBe(256);
    for (const block of live) expect(pages.find(block.start, block.ripLow, 0, 0, 0)).toBe(block);
    expect(pages.hits(0x1040, 64)).toBe(true);
    expect(pages.written(0x1040, 64)).toBe(true);
    expect(live.size).toBe(0);
    expect(pages.isCode(0x1040)).toBe(false);
  });

  it('leave those of other lines alone', () => {
    const pages = new CodePages(new Views({ buffer: new ArrayBuffer(0x4000) }), []);
    const other = blockAt(0x1000, 8, 1);
    pages.add(other);
    for (let rip = 0; rip < 1_000; rip++) pages.add(blockAt(0x1040, 4, rip));
    expect(pages.find(0x1000, 1, 0, 0, 0)).toBe(other);
    expect(pages.hits(0x1000, 1)).toBe(true);
  });
});
