; CR3 points into ROM, in both of its places.
; hardware: the locked write of an accessed or dirty flag is dropped like any store to ROM; the walk goes on.
; source: Intel SDM Vol. 3, "Accessed and Dirty Flags"
; log: 00000083 00400083
; log: 00000083 00400083
; log: end
attack: mov eax, cr4
        or al, 0x10             ; PSE
        mov cr4, eax
        mov esi, 0xffff0000 + pages - start
        call try
        mov esi, 0xf0000 + pages - start
try:    mov cr3, esi
        mov eax, cr0
        or eax, 0x80000000
        mov cr0, eax
        mov dword [0x400000], 1 ; dirty
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
pages:  dd 0x83, 0x400083
        times 1022 dd 0
