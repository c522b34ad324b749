; Moves PCIEXBAR over TSEG, so that the handler would be fetched from configuration space, and raises an SMI.
; hardware: SMRAM of a requester in SMM is decoded before PCI Express configuration space, which firmware must not lay
; over it.
; source: Intel 316966, "System Address Map", "PCI Express Configuration Address Space", "SMM Space Definition"
; log: ffffffff
; log: s
; log: s
; log: end
attack: mov ebx, MCH | 0x60
        mov eax, 0x10000001     ; 256 MiB at 256 MiB, enabled
        call pci_write32
        mov eax, [TSEG + 0x100]
        call hex32
        call newline
        mov al, 0
        call smi
        call newline
        mov ebx, MCH | 0x60
        mov eax, 0
        call pci_write32
        mov al, 0
        call smi
        jmp newline
