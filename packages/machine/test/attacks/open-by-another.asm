; The second processor opens SMRAM (D_OPEN) before it is locked, looks, and goes on trying while the first locks it.
; hardware: D_OPEN shows the compatible range to every processor and never TSEG; D_LCK clears D_OPEN and holds for all.
; source: Intel 316966, "SMRAM - System Management RAM Control", "SMM Space Definition"
; setup: cpus=2 lock=no
; log: 4a 0a
; log: ffffffff
; log: 1a
; log: ffffffff
; log: s
; log: end
attack: mov dword [go], 1
.wait:  pause
        cmp dword [0x5000], 1   ; it is open
        jne .wait
        mov ebx, MCH | 0x9d
        mov al, 0x1a            ; G_SMRAME, D_LCK
        call pci_write8
        mov dword [0x5000], 2
.done:  pause
        cmp dword [ap_done], 0
        je .done
        mov al, 0
        call smi
        jmp newline

ap_attack:
        mov ebx, MCH | 0x9d
        mov al, 0x4a            ; G_SMRAME, D_OPEN
        call pci_write8
        call .show
        mov al, ' '
        call putc
        mov ebp, [TSEG + 0x100]
        mov al, 0x0a            ; closed
        call pci_write8
        call .show
        call newline
        mov eax, ebp
        call hex32
        call newline
        mov al, 0x4a
        call pci_write8
        mov dword [0x5000], 1
.wait:  pause
        cmp dword [0x5000], 2
        jne .wait
        mov al, 0x4a
        call pci_write8
        call .show
        call newline
        mov eax, [TSEG + 0x100]
        call hex32
        jmp newline
.show:  call pci_read32
        mov al, ah              ; register 9Dh
        jmp hex8
