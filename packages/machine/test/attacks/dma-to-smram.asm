; fw_cfg DMA to and from SMRAM: the signature over the secret in TSEG and in the 30000h window, and a structure that
; lies in TSEG.
; hardware: devices are no requesters in SMM: their accesses to SMRAM are remapped or aborted, always.
; source: Intel 316966, "SMM Access Through GTT TLB", "DMA accesses to SMM space"; QEMU docs/specs/fw_cfg.rst
; log: s
; log: s
; log: s
; log: end
DMA     equ 0x6000
attack: mov edi, TSEG + 0x100
        call signature_to
        mov edi, 0x30100
        call signature_to
        mov eax, TSEG + 0x100   ; the secret as a command
        call start_dma
        mov al, 0
        call smi
        jmp newline
signature_to:                   ; 16 bytes of item 0 to EDI
        mov dword [DMA], 0x0a000000     ; select item 0, read; big-endian
        mov dword [DMA + 4], 0x10000000
        mov dword [DMA + 8], 0
        bswap edi
        mov [DMA + 12], edi
        mov eax, DMA
        call start_dma
        mov al, 0
        call smi
        jmp newline
start_dma:
        bswap eax
        mov dx, 0x518
        out dx, eax
        ret
