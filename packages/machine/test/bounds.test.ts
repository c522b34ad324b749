/** Whatever a guest pours out, what is kept of it has a bound, and says what is missing. */
import { TraceBuffer } from '@smm/trace';
import { describe, expect, it } from 'vitest';
import { DebugConsole, LONGEST_LINE, MOST_CHARACTERS } from '../src/platform/debug-console.ts';
import { flat } from './flat-rom.ts';

const size = (lines: readonly string[]): number => lines.reduce((sum, line) => sum + line.length, 0);

describe('the debug console', () => {
  it('ends a line that the guest never ends', () => {
    const told: string[] = [];
    const console = new DebugConsole((text) => told.push(text));
    for (let i = 0; i < 3 * LONGEST_LINE + 5; i++) console.write(0x41);
    expect(told.map((line) => line.length - '[the line goes on]'.length)).toEqual([
      LONGEST_LINE,
      LONGEST_LINE,
      LONGEST_LINE,
    ]);
    expect(told.every((line) => line.endsWith('A[the line goes on]'))).toBe(true);
    expect(console.save().line).toBe('AAAAA');
  });

  it.each([0, 79, 5000])('keeps the last lines of %i characters, and says how many are gone', (length) => {
    const console = new DebugConsole(() => undefined);
    const enough = Math.ceil((1.5 * MOST_CHARACTERS) / (length + 16));
    for (let n = 0; n < enough; n++) {
      for (let i = 0; i < length; i++) console.write(0x30 + (n % 10));
      console.write(10);
    }
    const { lines } = console;
    expect(size(lines)).toBeLessThanOrEqual(MOST_CHARACTERS);
    const [, dropped] = /^\[(\d+) earlier lines are not kept\]$/.exec(lines[0]!)!;
    expect(Number(dropped) + lines.length - 1).toBe(enough);
    expect(lines.at(-1)).toBe(String((enough - 1) % 10).repeat(length));
    const copy = new DebugConsole(() => undefined);
    copy.restore(console.save());
    for (const each of [console, copy]) for (let n = 0; n < enough; n++) each.write(10);
    expect(copy.lines).toEqual(console.lines);
  });
});

describe.each([false, true])('a guest that pours (kvm %s)', (kvm) => {
  const pour = (
    source: string,
    instructions = 400_000,
  ): { events: TraceBuffer; lines: readonly string[] } => {
    const events = new TraceBuffer(1000);
    const machine = flat(`mov ax, 0\n mov ds, ax\n again: ${source}\n jmp again`, {
      kvm,
      trace: events.sink,
    });
    machine.run({ instructions });
    return { events, lines: machine.log };
  };

  it('into the debug port', () => {
    const { events, lines } = pour('mov dx, 0x402\n out dx, al');
    expect(lines.every((line) => line.length < 2 * LONGEST_LINE)).toBe(true);
    expect(lines.length).toBeGreaterThan(0);
    expect(events.events.length).toBeLessThanOrEqual(1000);
  });

  it('into ports where nothing is: the trace is full, and counts the rest', () => {
    const { events } = pour('in al, dx\n inc dx', 30_000);
    expect(events.events.length).toBe(1000);
    expect(events.dropped).toBeGreaterThan(5000);
  });

  it('into a keyboard that nobody reads', () => {
    const { events } = pour('mov al, 0xee\n out 0x60, al', 30_000);
    expect(events.events.length).toBeLessThanOrEqual(1000);
  });
});

it('kvm remembers what lies at so many pages only, and the trace stays right', () => {
  const events = new TraceBuffer(1_000_000);
  // Real mode with a flat segment: reads one dword of each of 70,000 pages of nothing, then of the first again.
  const machine = flat(
    `cli
     lgdt [cs:gdtr]
     mov eax, cr0
     or al, 1
     mov cr0, eax
     mov bx, 8
     mov ds, bx
     and al, 0xfe
     mov cr0, eax
     jmp go
    gdtr: dw 15
     dd 0xf0000 + gdt
    gdt: dq 0, 0x00cf92000000ffff
    go: mov ebx, 0x80000000
     mov ecx, 70000
    next: mov eax, [ebx]
     add ebx, 0x1000
     a32 loop next
     mov ebx, 0x80000000
     mov eax, [ebx]
     hlt`,
    { kvm: true, trace: (event) => void (event.name === 'kvm_mmio' && events.sink(event)) },
  );
  expect(machine.run({ instructions: 1e6 })).toBe('idle');
  const pages = events.events.map((event) => (event.name === 'kvm_mmio' ? Number(event.gpa) / 0x1000 : -1));
  const wanted = Array.from({ length: 70_000 }, (_, i) => 0x8_0000 + i);
  // The accessed bit of the descriptor in flash is one more, and lies lower.
  expect(pages.filter((page) => page >= 0x8_0000)).toEqual([...wanted, 0x8_0000]);
});
