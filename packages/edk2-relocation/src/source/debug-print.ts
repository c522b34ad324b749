/** Debug output to port 402h (QEMU's isa-debugcon), linked into each image. */
import type { Width } from './width.ts';

/** A number in a printed line: a 32-bit operand and how to show it. */
export interface PrintedNumber {
  /** Assembly operand that `mov eax, ...` accepts; not eax, ecx, edx or esi. */
  readonly operand: string;
  /** `hex` with leading zeros to `digits`, or `decimal`. */
  readonly format: 'hex' | 'decimal';
  /** Digits of `hex`; 0 means as many as needed. */
  readonly digits: number;
}

/** `operand` in upper-case hexadecimal, `digits` wide (0: as needed). */
export const hex = (operand: string, digits = 0): PrintedNumber => ({ operand, format: 'hex', digits });

/** `operand` in decimal. */
export const decimal = (operand: string): PrintedNumber => ({ operand, format: 'decimal', digits: 0 });

function quote(text: string): string {
  return text
    .split('\n')
    .map((part) => (part === '' ? '' : `'${part}'`))
    .flatMap((part, index) => (index === 0 ? [part] : ['10', part]))
    .filter((part) => part !== '')
    .join(', ');
}

/** Code that prints `parts`; `\n` in a text is a line feed. Changes eax, ecx, edx and esi. */
export function print(...parts: readonly (string | PrintedNumber)[]): string {
  const lines = parts.map((part) => {
    if (typeof part === 'string') return `        call    PrintInline\n        db      ${quote(part)}, 0`;
    if (part.format === 'decimal')
      return `        mov     eax, ${part.operand}\n        call    PrintDecimal`;
    const digits =
      part.digits === 0 ? 'call    PrintHexShort' : `mov     ecx, ${part.digits}\n        call    PrintHex`;
    return `        mov     eax, ${part.operand}\n        ${digits}`;
  });
  return `${lines.join('\n')}\n`;
}

/** The routines that {@link print} calls. */
export function debugPrintLibrary({ ax, bx, dx, si }: Width): string {
  return `
; ---------------------------------------------------------------------------
; Debug port output
; ---------------------------------------------------------------------------
DEBUG_PORT      equ 402h

; Prints the zero-terminated text that follows the call and returns behind it. Changes esi.
PrintInline:
        pop     ${si}
        push    ${ax}
        push    ${dx}
        mov     dx, DEBUG_PORT
.next:
        lodsb
        test    al, al
        jz      .done
        out     dx, al
        jmp     .next
.done:
        pop     ${dx}
        pop     ${ax}
        jmp     ${si}

; Prints eax with as many hexadecimal digits as it needs. Changes eax, ecx, edx.
PrintHexShort:
        mov     ecx, eax
        or      ecx, 1                  ; zero has one digit
        bsr     ecx, ecx
        shr     ecx, 2
        inc     ecx                     ; falls through
; Prints the low ecx hexadecimal digits of eax. Changes eax, ecx, edx.
PrintHex:
        push    ${bx}
        mov     ebx, eax
        mov     edx, ecx
        neg     ecx
        add     ecx, 8
        shl     ecx, 2
        rol     ebx, cl                 ; the first digit to print is now the top one
        mov     ecx, edx
        mov     dx, DEBUG_PORT
.digit:
        rol     ebx, 4
        mov     al, bl
        and     al, 0Fh
        cmp     al, 10
        jb      .decimal
        add     al, 'A' - '0' - 10
.decimal:
        add     al, '0'
        out     dx, al
        dec     ecx
        jnz     .digit
        pop     ${bx}
        ret

; Prints eax in decimal. Changes eax, ecx, edx.
PrintDecimal:
        push    ${bx}
        mov     ebx, 10
        xor     ecx, ecx
.divide:
        xor     edx, edx
        div     ebx
        push    ${dx}
        inc     ecx
        test    eax, eax
        jnz     .divide
        mov     dx, DEBUG_PORT
.digit:
        pop     ${ax}
        add     al, '0'
        out     dx, al
        dec     ecx
        jnz     .digit
        pop     ${bx}
        ret
`;
}
