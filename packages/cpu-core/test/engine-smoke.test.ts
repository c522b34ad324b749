import { expect, test } from 'vitest';
import { assemble } from './support/assemble.ts';
import { type Bits, DEVICE, FlatMachine } from './support/flat-machine.ts';

const tiers = ['evaluator', 'interpreter'] as const;

function machine(tier: (typeof tiers)[number], bits: Bits, source: string): FlatMachine {
  const m = new FlatMachine({ tier });
  m.load(0x1000, assemble(source, { bits, org: 0x1000 }));
  m.start(bits, 0x1000);
  return m;
}

for (const tier of tiers) {
  test(`${tier}: sums 1 to 10 in 16-, 32- and 64-bit code`, () => {
    for (const bits of [16, 32, 64] as const) {
      const m = machine(
        tier,
        bits,
        'xor eax,eax\nmov ecx,10\nnext: add eax,ecx\ndec ecx\njnz next\nstop: jmp stop',
      );
      const exit = m.cpu.run(40);
      expect(exit).toEqual({ reason: 'budget', retired: 40 });
      expect(m.cpu.state.gpr32(0)).toBe(55);
    }
  });

  test(`${tier}: calls, returns, and memory operands`, () => {
    const m = machine(
      tier,
      64,
      'mov rdi,0x3ff6\nmov rax,0x1122334455667788\ncall put\nmov rbx,[rdi+4]\nstop: jmp stop\nput: mov [rdi+4],rax\nret',
    );
    m.cpu.run(7);
    expect(m.cpu.state.gpr64(3)).toBe(0x1122334455667788n);
    expect(m.view.getBigUint64(0x3ffa, true)).toBe(0x1122334455667788n);
    expect(m.cpu.state.gpr64(4)).toBe(0x8000n);
  });

  test(`${tier}: device accesses have the width of the instruction; 8 bytes are two accesses, low first`, () => {
    const m = machine(
      tier,
      64,
      `mov ebx,${DEVICE}\nmov [rbx+8],rax\nmov ax,[rbx+2]\nadd byte [rbx],3\nstop: jmp stop`,
    );
    m.cpu.state.setGpr64(0, 0x1111111122222222n);
    m.deviceValue = 0x44332211;
    m.cpu.run(4);
    expect(m.accesses).toEqual([
      { write: true, address: DEVICE + 8, size: 4, value: 0x22222222 },
      { write: true, address: DEVICE + 12, size: 4, value: 0x11111111 },
      { write: false, address: DEVICE + 2, size: 2, value: 0x2211 },
      { write: false, address: DEVICE, size: 1, value: 0x11 },
      { write: true, address: DEVICE, size: 1, value: 0x14 },
    ]);
  });
}
