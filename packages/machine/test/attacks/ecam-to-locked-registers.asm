; Writes the locked registers through PCI Express configuration space, in every width, and reads TSEG.
; hardware: the lock is the register's, whichever way the write comes.
; source: Intel 316966, "SMRAM - System Management RAM Control", "PCI Express Enhanced Configuration Mechanism"
; log: ffffffff
; log: ffffffff
; log: ffffffff
; log: s
; log: end
ECAM    equ 0xe0000000
attack: mov ebx, MCH | 0x60
        mov eax, ECAM | 1
        call pci_write32
        mov byte [ECAM + 0x9d], 0x42
        mov byte [ECAM + 0x9e], 0
        call look
        mov word [ECAM + 0x9c], 0x4200
        mov word [ECAM + 0x9e], 0
        call look
        mov dword [ECAM + 0x9c], 0x00004200
        call look
        mov al, 0
        call smi
        jmp newline
look:   mov eax, [TSEG + 0x100]
        call hex32
        jmp newline
