; Before the lock, SMBASE is set into ROM: the next SMI saves the state to ROM and runs a handler there.
; hardware: the save state is stored as any store is, so ROM drops it; the handler is fetched from SMBASE + 8000h,
; wherever that is.
; source: Intel SDM Vol. 3, "SMRAM", "SMBASE Relocation"
; setup: lock=no
; log: in rom
; log: 00000000
; log: end
attack: mov ebx, MCH | 0x9e     ; T_EN off: TSEG is RAM
        mov al, 0
        call pci_write8
        mov esi, .handler
        mov edi, TSEG + 0x8000
        mov ecx, rom_handler - .handler
        rep movsb
        mov al, 0
        call smi
        mov al, 0
        jmp smi
bits 16
.handler:
        mov dword [cs:0xff00], 0xffff0000 + rom_handler - start - 0x8000
        rsm
rom_handler:                    ; CS is the SMBASE, this at 8000h in it
        mov si, .text - rom_handler + 0x8000
        mov dx, 0x402
.next:  mov al, [cs:si]
        inc si
        or al, al
        jz .end
        out dx, al
        jmp .next
.end:   cli
        hlt
        jmp .end
.text:  db 'in rom', 10, '00000000', 10, 'end', 10, 0
        times 0x8000 db 0       ; where the state would be saved
bits 32
