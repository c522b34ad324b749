; fw_cfg DMA into secure flash: command bytes and data from a device, and a structure that lies in flash.
; hardware: a device is no requester in SMM; a locked controller drops its cycles. Flash reads as an array.
; source: QEMU docs/specs/fw_cfg.rst, pflash_cfi01 property "secure"
; setup: flash=secure
; log: 03020100 03020100
; log: end
DMA     equ 0x6000
VARS    equ 0xfffe0000
attack: mov dword [DMA], 0x0a001900     ; file directory: many bytes of any kind
        mov dword [DMA + 4], 0x00010000
        mov dword [DMA + 8], 0
        mov dword [DMA + 12], (VARS & 0xff0000) >> 8 | 0xff
        mov eax, DMA
        call start_dma
        mov eax, VARS + 0x1000          ; 03020100h as a command: status would be written there
        call start_dma
        mov eax, [VARS + 0x1000]
        call hex32
        mov al, ' '
        call putc
        mov eax, [VARS + 0x1100]
        call hex32
        jmp newline
start_dma:
        bswap eax
        mov dx, 0x518
        out dx, eax
        ret
