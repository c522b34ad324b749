; Moves the local APIC to where nothing is, and back.
; hardware: the registers answer at the new address and no longer at the old one.
; source: Intel SDM Vol. 3, "Relocating the Local APIC Registers"
; log: ffffffff 00050014
; log: s
; log: 00050014
; log: end
attack: mov edi, 0xc0000000
        call move
        mov eax, [edi + 0x30]
        call hex32
        mov al, ' '
        call putc
        mov eax, [LAPIC + 0x30]
        call hex32
        call newline
        mov al, 0
        call smi
        call newline
        mov edi, LAPIC
        call move
        mov eax, [LAPIC + 0x30]
        call hex32
        jmp newline
move:   lea eax, [edi + 0x900]  ; enabled, boot processor
        mov edx, 0
        mov ecx, 0x1b
        wrmsr
        ret
