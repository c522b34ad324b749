; The same by the second processor, which raises its own SMI while the window lies there.
; hardware: SMRAM of a requester in SMM is decoded before PCI Express configuration space, which firmware must not lay
; over it.
; source: Intel 316966, "System Address Map", "PCI Express Configuration Address Space", "SMM Space Definition"
; setup: cpus=2
; log: ffffffff
; log: s
; log: s
; log: end
attack: mov dword [go], 1
.wait:  pause
        cmp dword [ap_done], 0
        je .wait
        mov al, 0
        call smi
        jmp newline
ap_attack:
        mov ebx, MCH | 0x60
        mov eax, 0x10000001     ; 256 MiB at 256 MiB, enabled
        call pci_write32
        mov eax, [TSEG + 0x100]
        call hex32
        call newline
        mov al, 0
        call smi
        jmp newline
