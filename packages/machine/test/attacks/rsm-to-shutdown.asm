; The handler leaves its save state with paging on and protection off.
; hardware: RSM finds CR0.PG without CR0.PE: the processor shuts down, it neither goes on nor opens SMRAM.
; source: Intel SDM Vol. 3, "Exiting From SMM"
; setup: lock=no
; log: leaves
attack: mov esi, .handler
        mov ecx, .end - .handler
        call own_handler
        call print
        db 'leaves', 10, 0
        mov al, 0
        call smi
        call print
        db 'goes on', 10, 0
        ret
bits 16
.handler:
        mov dword [cs:0xff58], 0x80000010
        mov esi, TSEG + 0x100
        mov ecx, [esi]
        mov edx, [esi + 4]
        rsm
.end:
bits 32
