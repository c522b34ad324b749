; Moves PCIEXBAR over the first 256 MiB: the compatible range and the window at 30000h, from code above it, and raises
; an SMI.
; hardware: SMRAM of a requester in SMM is decoded before PCI Express configuration space.
; source: Intel 316966, "System Address Map", "SMM Space Definition"
; log: ffffffff ffffffff
; log: s
; log: s
; log: end
attack: mov esi, 0x10000        ; this code to 256 MiB + 10000h
        mov edi, 0x10010000
        mov ecx, 0x4000
        rep movsd
        mov eax, .up + 0x10000000
        jmp eax
.up:    mov esp, 0x10008000
        mov ebx, MCH | 0x60
        mov eax, 1
        call pci_write32
        mov eax, [0xa0100]
        call hex32
        mov al, ' '
        call putc
        mov eax, [0x30100]
        call hex32
        call newline
        mov al, 0
        out 0xb2, al
        jmp $ + 2
        jmp $ + 2
        call newline
        mov ebx, MCH | 0x60
        mov eax, 0
        call pci_write32
        mov esp, STACK - 4      ; back to where `attack` was called from
        mov eax, .down
        jmp eax
.down:  mov al, 0
        call smi
        jmp newline
