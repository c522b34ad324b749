; Before the lock, a second processor opens the compatible range and TSEG while the first is about to lock: what is
; locked is closed.
; hardware: setting D_LCK clears D_OPEN, and neither can be changed until reset.
; source: Intel 316966, "SMRAM - System Management RAM Control"
; setup: cpus=2 lock=no
; log: 1a
; log: ffffffff
; log: s
; log: end
attack: mov dword [go], 1
.wait:  pause
        cmp dword [ap_done], 0
        je .wait
        mov ebx, MCH | 0x9d     ; lock with D_OPEN set in the same write
        mov al, 0x5a
        call pci_write8
        mov al, 0x4a            ; and open again
        call pci_write8
        mov ebx, MCH | 0x9c
        call pci_read32
        shr eax, 8
        call hex8
        call newline
        mov eax, [TSEG + 0x100]
        call hex32
        call newline
        mov al, 0
        call smi
        jmp newline
ap_attack:
        mov ebx, MCH | 0x9d
        mov al, 0x4a
        jmp pci_write8
