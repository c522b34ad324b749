/** What the engine remembers of large pages so that INVLPG drops all of one. */
import { describe, expect, it } from 'vitest';
import { LargePages, pageStart } from '../src/engine/large-pages.ts';

const MIB = 0x10_0000;
const GIB = 1024 * MIB;

describe('large pages', () => {
  it.each([
    [2 * MIB, 5 * 2 * MIB],
    [4 * MIB, 5 * 4 * MIB],
    [GIB, 3 * GIB],
    [2 * MIB, -2 * MIB],
    [GIB, -0x8000_0000_0000],
    [GIB, 0x7fff_c000_0000],
  ])('a page of %i bytes at %i is found by any address in it, once', (size, start) => {
    for (const inside of [0, 1, 0x1000, size / 2, size - 1]) {
      const pages = new LargePages();
      pages.add(start + size - 0x1000, size);
      expect(pages.take(start - 1)).toBe(0x1000);
      expect(pages.take(start + size)).toBe(0x1000);
      expect(pages.take(start + inside)).toBe(size);
      expect(pages.take(start + inside)).toBe(0x1000);
      expect(pageStart(start + inside, size)).toBe(start);
    }
  });

  it('the largest of several around an address is answered, and all are forgotten', () => {
    const pages = new LargePages();
    pages.add(0, 2 * MIB);
    pages.add(0, GIB);
    pages.add(0, 4 * MIB);
    expect(pages.take(0x1000)).toBe(GIB);
    expect(pages.take(0x1000)).toBe(0x1000);
  });

  it('a page is remembered again after it was taken, and forgotten with all others', () => {
    const pages = new LargePages();
    pages.add(0, 2 * MIB);
    expect(pages.take(0)).toBe(2 * MIB);
    pages.add(0, 2 * MIB);
    expect(pages.take(0)).toBe(2 * MIB);
    pages.add(0, 2 * MIB);
    pages.clear();
    expect(pages.take(0)).toBe(0x1000);
  });

  it('with more pages than it keeps, no address is missed', () => {
    const pages = new LargePages();
    const many = 10_000;
    for (let i = 0; i < many; i++) pages.add(i * 2 * MIB, 2 * MIB);
    for (let i = 0; i < many; i++) expect(pages.take(i * 2 * MIB + MIB)).toBe(2 * MIB);
    pages.clear();
    expect(pages.take(0)).toBe(0x1000);
  });

  it('what was forgotten with all others takes no room', () => {
    const pages = new LargePages();
    for (let life = 0; life < 100; life++) {
      for (let i = 0; i < 1000; i++) pages.add((life * 1000 + i) * 2 * MIB, 2 * MIB);
      // With no room left, an address that was never added would be answered by a large page.
      expect(pages.take(-2 * MIB)).toBe(0x1000);
      expect(pages.take((life * 1000 + 999) * 2 * MIB)).toBe(2 * MIB);
      pages.clear();
      expect(pages.take(life * 1000 * 2 * MIB)).toBe(0x1000);
    }
  });

  it.each([3, 10_000])('of %i pages a copy answers as the original does', (many) => {
    const [pages, copy] = [new LargePages(), new LargePages()];
    copy.add(-4 * MIB, 4 * MIB);
    pages.add(7 * GIB, GIB);
    pages.clear();
    for (let i = many; i > 0; i--) pages.add(i * 2 * MIB, 2 * MIB);
    pages.take(6 * MIB);
    copy.clear();
    copy.restore(pages.save());
    expect(copy.save()).toEqual(pages.save());
    for (const at of [-MIB, 3 * MIB, 7 * MIB, 7 * MIB, 7 * GIB]) expect(copy.take(at)).toBe(pages.take(at));
  });
});
