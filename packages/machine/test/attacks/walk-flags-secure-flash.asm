; CR3 points into secure flash: the walk would set accessed and dirty bits in the variables and in the code.
; hardware: a flag is set by a locked write to the entry's address; flash takes it for a command cycle, and a locked
; controller drops it.
; source: Intel SDM Vol. 3, "Accessed and Dirty Flags"; QEMU docs, pflash_cfi01 property "secure"
; setup: flash=secure
; log: 00000083 00400083
; log: 00000083 00400083
; log: 00000083 00400083
; log: end
attack: mov eax, cr4
        or al, 0x10             ; PSE
        mov cr4, eax
        mov esi, 0xfffe0000     ; variables
        call try
        mov esi, 0xffff0000 + vars - start      ; code
        call try
        mov esi, 0xf0000 + vars - start         ; its copy below 1 MiB
try:    mov cr3, esi
        mov eax, cr0
        or eax, 0x80000000
        mov cr0, eax
        mov dword [0x400000], 1 ; dirty
        mov eax, [0xfffffff0]
        mov eax, cr0
        and eax, 0x7fffffff
        mov cr0, eax
        mov eax, [esi]
        call hex32
        mov al, ' '
        call putc
        mov eax, [esi + 4]
        call hex32
        jmp newline
align 4096
vars:   dd 0x83, 0x400083       ; 4 MiB pages: 0, 4 MiB, the last
        times 1021 dd 0
        dd 0xffc00083
