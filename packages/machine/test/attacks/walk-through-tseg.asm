; Page tables in TSEG: a walk outside SMM must not read the secret there, nor write flags, and in SMM memory is as it
; was.
; hardware: a walk is a memory access of the processor's mode: outside SMM, TSEG gives all-ones, and writes are dropped.
; source: Intel SDM Vol. 3, "SMRAM"; Intel 316966, "SMM Space Definition"
; log: f0000000
; log: s
; log: end
attack: mov edi, 0x8000         ; page directory: 4 MiB at 0, and a table at the secret
        mov ecx, 0x400
        mov eax, 0
        rep stosd
        mov dword [0x8000], 0x83
        mov dword [0x8004], TSEG + 1
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
        mov eax, [0x400000 + 0x40 * 0x1000 + 0xff1]     ; entry 40h is the secret; all-ones leads to FFFFF000h
        call hex32
        call newline
.after: mov eax, cr0
        and eax, 0x7fffffff
        mov cr0, eax
        mov al, 0
        call smi
        jmp newline
