/** Identity-mapped page tables of the low 4 GiB in 2 MiB pages. */
import type { Width } from './width.ts';

/** Settings of {@link identityMap}. */
export interface IdentityMapOptions {
  /** Long-mode tables (PML4, PDPT, four directories) or PAE tables (PDPT, four directories). */
  readonly kind: 'long' | 'pae';
  /** Mark the low 2 MiB no-execute if the CPU has NX (the code enables NXE then). */
  readonly noExecuteLow?: boolean;
  /** Set the reserved bits 1 and 2 in the PAE page directory pointers. */
  readonly reservedBits?: boolean;
}

/** Routine BuildIdentityMap(edi = page-aligned table memory). Changes eax, ecx, edx. Intel SDM volume 3, "Paging". */
export function identityMap({ di, dx }: Width, options: IdentityMapOptions): string {
  const long = options.kind === 'long';
  const pdpt = long ? 0x1000 : 0;
  const directories = pdpt + 0x1000;
  const pointerFlags = long ? 3 : options.reservedBits === true ? 7 : 1;
  const pointers = [0, 1, 2, 3].map(
    (n) => `        lea     eax, [${di} + ${directories + n * 0x1000 + pointerFlags}]
        mov     [${di} + ${pdpt + n * 8}], eax`,
  );
  const noExecute = `
        mov     eax, 80000001h
        push    ${di.replace('di', 'bx')}
        cpuid
        pop     ${di.replace('di', 'bx')}
        test    edx, 1 << 20            ; no-execute supported?
        jz      .done
        mov     dword [${di} + ${directories + 4}], 80000000h
        mov     ecx, IA32_EFER
        rdmsr
        or      ah, 8                   ; NXE
        wrmsr
.done:`;
  return `
; Identity map of 4 GiB at edi, 2 MiB pages. Changes eax, ecx, edx.
BuildIdentityMap:
        push    ${di}
        xor     eax, eax
        mov     ecx, ${directories / 4}
        rep stosd
        pop     ${di}
${long ? `        lea     eax, [${di} + ${pdpt + 3}]\n        mov     [${di}], eax\n` : ''}${pointers.join('\n')}
        lea     edx, [${di} + ${directories}]
        mov     eax, 83h                ; present, writable, page size
        mov     ecx, 2048
.page:
        mov     [${dx}], eax
        mov     dword [${dx} + 4], 0
        add     eax, 20_0000h
        add     edx, 8
        dec     ecx
        jnz     .page${options.noExecuteLow === true ? noExecute : ''}
        ret
`;
}
