; Page tables that reach SMRAM by an address above the physical width, and by one at the 4 GiB border: a large page of
; PSE-36 onto TSEG + 2^36.
; hardware: address bits above MAXPHYADDR are reserved and fault; below it, addresses never wrap: 2^36 + TSEG is
; nothing.
; source: Intel SDM Vol. 3, "32-Bit Paging" (PSE-36), "Reserved bits"
; log: #0e/0009
; log: s
; log: end
attack: mov edi, 0x8000
        mov ecx, 0x400
        mov eax, 0
        rep stosd
        mov dword [0x8000], 0x83
        mov dword [0x8004], 0x10c00083 | 0x200000       ; bit 21 is always reserved
        mov eax, cr4
        or al, 0x10             ; PSE
        mov cr4, eax
        mov eax, 0x8000
        mov cr3, eax
        mov eax, cr0
        or eax, 0x80000000
        mov cr0, eax
        mov eax, .after
        call catch
        mov eax, [0x400000 + 0x300100]
        call hex32
        call newline
.after: mov dword [0x8004], 0x10c00083 | 0x20000        ; physical 2^36 + TSEG - 3 MiB
        mov eax, cr3
        mov cr3, eax
        mov eax, .end
        call catch
        mov eax, [0x400000 + 0x300100]
        cmp eax, SECRET0
        je payload
.end:   mov eax, cr0
        and eax, 0x7fffffff
        mov cr0, eax
        mov al, 0
        call smi
        jmp newline
