; Before the lock, SMBASE is set to where nothing is: the handler's bytes are all-ones, and #UD goes to the vector table
; at 0.
; hardware: nothing takes the save state and nothing answers the fetch; FFh FFh is no instruction.
; source: Intel SDM Vol. 3, "SMRAM", "SMBASE Relocation"
; setup: lock=no
; log: invalid opcode
; log: end
attack: mov ebx, MCH | 0x9e     ; T_EN off: TSEG is RAM
        mov al, 0
        call pci_write8
        mov esi, .handler
        mov edi, TSEG + 0x8000
        mov ecx, .invalid - .handler
        rep movsb
        mov dword [6 * 4], 0x10000000 | (.invalid - start)
        mov al, 0
        call smi
        mov al, 0
        jmp smi
bits 16
.handler:
        mov dword [cs:0xff00], 0xc0000000
        rsm
.invalid:
        mov si, .text - start
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
.text:  db 'invalid opcode', 10, 'end', 10, 0
bits 32
