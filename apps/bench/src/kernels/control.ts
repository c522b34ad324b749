/** Transfers of control: calls and returns, calls through pointers, and a bytecode interpreter with a jump table. */
import { DATA_BASE } from './kernel.ts';
import { periodicKernels } from './periodic.ts';

const CALLS = 3000;
const DEPTH = 6;

/** Direct calls down a chain, and one of eight routines through a table of pointers, chosen by a generator. */
export const callKernels = periodicKernels({
  name: 'call',
  title: `calls ${DEPTH} deep, and through a table of eight pointers in no order`,
  setup: () => '',
  body: () => `
        mov     ebx, 12345
        xor     eax, eax
        mov     ecx, ${CALLS}
again:  imul    ebx, ebx, 1664525
        add     ebx, 1013904223
        mov     esi, ebx
        shr     esi, 29
        call    @word [pointers + @si*@W]
        mov     edx, ${DEPTH}
        call    deeper
        dec     ecx
        jnz     again`,
  tail: () => `
deeper: push    @dx
        dec     edx
        jz      bottom
        call    deeper
bottom: pop     @dx
        add     @ax, @dx
        ret
f0:     add     @ax, 7
        ret
f1:     xor     @ax, @bx
        ret
f2:     sub     @ax, 3
        rol     @ax, 1
        ret
f3:     lea     @ax, [@ax + @ax*2]
        ret
f4:     not     @ax
        ret
f5:     rol     @ax, 9
        add     @ax, @bx
        ret
f6:     push    @bx
        pop     @dx
        sub     @ax, @dx
        ret
f7:     add     @ax, @si
        ret
        align   8
pointers: @dw f0, f1, f2, f3, f4, f5, f6, f7`,
  round: ({ u, rol }) => {
    const routines: readonly ((a: bigint, b: bigint, si: bigint) => bigint)[] = [
      (a) => a + 7n,
      (a, b) => a ^ b,
      (a) => rol(u(a - 3n), 1),
      (a) => a * 3n,
      (a) => ~a,
      (a, b) => rol(a, 9) + b,
      (a, b) => a - b,
      (a, _b, si) => a + si,
    ];
    const lengths = [2, 2, 3, 2, 2, 3, 4, 2];
    const chain = BigInt((DEPTH * (DEPTH + 1)) / 2);
    let [state, acc, instructions] = [12_345, 0n, 3];
    for (let i = 0; i < CALLS; i++) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      const which = state >>> 29;
      acc = u(u(routines[which]!(acc, BigInt(state), BigInt(which))) + chain);
      // the last level of the chain skips one call
      instructions += 9 + lengths[which]! + 7 * DEPTH - 1;
    }
    return { digest: acc, instructions };
  },
});

const PROGRAM_LENGTH = 120;
const PASSES = 100;
const STACK = DATA_BASE + 0x1000;
const OPERATIONS = 8;

/** A bytecode program: operations 0 to 6 in no order, an operand byte each, then 7 to end. */
const PROGRAM: readonly (readonly [operation: number, operand: number])[] = (() => {
  let state = 99;
  const next = (below: number): number => {
    state = (state * 48_271) % 0x7fff_ffff;
    return state % below;
  };
  const code = Array.from({ length: PROGRAM_LENGTH }, () => [next(7), next(256)] as const);
  return [...code, [7, 0] as const];
})();

/** A small interpreter: fetch, decode, jump through a table; every operation ends with a dispatch of its own. */
export const dispatchKernels = periodicKernels({
  name: 'dispatch',
  title: `a bytecode interpreter, ${OPERATIONS} operations, threaded jump table`,
  setup: () => '',
  body: () => {
    const dispatch = `
        movzx   edx, byte [@si]
        movzx   ebx, byte [@si + 1]
        add     esi, 2
        jmp     @word [operations + @dx*@W]`;
    return `
        xor     eax, eax
        mov     edi, ${STACK}
        mov     dword [@di], 1
        mov     dword [@di + 4], 0
        mov     ecx, ${PASSES}
pass:   mov     esi, program
${dispatch}
o_add:  add     @ax, @bx
${dispatch}
o_xor:  xor     al, bl
${dispatch}
o_shl:  and     ebx, 15
        xchg    ecx, ebx
        rol     @ax, cl
        mov     ecx, ebx
${dispatch}
o_push: add     edi, @W
        mov     [@di], @ax
${dispatch}
o_swap: xchg    @ax, [@di]
${dispatch}
o_mul:  imul    @ax, @bx
        add     @ax, [@di]
${dispatch}
o_test: test    al, 4
        jz      o_even
        add     @ax, [@di]
        cmp     edi, ${STACK}
        je      o_even
        sub     edi, @W
o_even:
${dispatch}
o_end:  dec     ecx
        jnz     pass`;
  },
  tail: () => `
program: db ${PROGRAM.flat().join(', ')}
        align   8
operations: @dw o_add, o_xor, o_shl, o_push, o_swap, o_mul, o_test, o_end`,
  round: ({ u, rol }) => {
    const stack: bigint[] = [1n];
    let [acc, instructions] = [0n, 5];
    const top = (): number => stack.length - 1;
    for (let pass = 0; pass < PASSES; pass++) {
      instructions += 1;
      for (const [operation, operand] of PROGRAM) {
        const b = BigInt(operand);
        instructions += 4 + [1, 1, 4, 2, 1, 2, 2, 2][operation]!;
        if (operation === 0) acc = u(acc + b);
        else if (operation === 1) acc ^= b;
        else if (operation === 2) {
          if ((operand & 15) !== 0) acc = rol(acc, operand & 15);
        } else if (operation === 3) stack.push(acc);
        else if (operation === 4) [acc, stack[top()]] = [stack[top()]!, acc];
        else if (operation === 5) acc = u(acc * b + stack[top()]!);
        else if (operation === 6 && (acc & 4n) !== 0n) {
          acc = u(acc + stack[top()]!);
          instructions += 3;
          if (stack.length > 1) {
            stack.pop();
            instructions += 1;
          }
        }
      }
    }
    return { digest: acc, instructions };
  },
});
