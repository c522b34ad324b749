; Reads and writes the compatible range from outside SMM, and tries D_OPEN after the lock.
; hardware: outside SMM A0000h-BFFFFh goes to graphics or to the bus, never to RAM, unless D_OPEN is 1; D_LCK keeps
; D_OPEN 0.
; source: Intel 316966, "Compatible SMM Space", "SMRAM - System Management RAM Control"
; log: ffffffff
; log: ffffffff
; log: s
; log: end
attack: call look
        mov ebx, MCH | 0x9d     ; D_OPEN, G_SMRAME
        mov al, 0x4a
        call pci_write8
        call look
        mov al, 0
        call smi
        jmp newline
look:   mov dword [0xa0100], 0xdeadbeef
        mov eax, [0xa0100]
        call hex32
        jmp newline
