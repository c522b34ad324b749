; Shadow control of the ranges beside the compatible one, in every setting, and the flash's copy at E0000h: SMRAM stays.
; hardware: PAM registers rule C0000h to FFFFFh alone; SMRAM is decoded before them.
; source: Intel 316966, "Programmable Attribute Map"
; log: ssssss
; log: end
attack: mov cl, 0
.next:  mov ebx, MCH | 0x90
        mov ch, 7
.one:   mov al, cl
        call pci_write8
        inc ebx
        dec ch
        jnz .one
        mov al, 0
        call smi
        add cl, 0x11
        cmp cl, 0x66
        jb .next
        jmp newline
