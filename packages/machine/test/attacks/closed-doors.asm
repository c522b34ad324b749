; The doors that must be closed: reads and writes of TSEG and the 30000h window, D_OPEN and T_EN after the lock.
; hardware: TSEG decodes in SMM only; D_LCK makes SMRAM and ESMRAMC read-only until reset.
; source: Intel 316966, "System Management Mode (SMM)", "SMRAM - System Management RAM Control"
; log: s
; log: ffffffff ffffffff
; log: ffffffff ffffffff
; log: s
; log: end
attack: mov al, 0
        call smi
        call newline
        call look
        mov ebx, MCH | 0x9e     ; T_EN off
        mov al, 0
        call pci_write8
        mov ebx, MCH | 0x9d     ; G_SMRAME off, D_OPEN on
        mov al, 0x42
        call pci_write8
        call look
        mov al, 0
        call smi
        jmp newline
look:   mov eax, 0xdeadbeef
        mov [TSEG + 0x100], eax
        mov [0x30100], eax
        mov eax, [TSEG + 0x100]
        call hex32
        mov al, ' '
        call putc
        mov eax, [0x30100]
        call hex32
        jmp newline
