; Before the lock, SMBASE is set so that the save state is stored into the registers of the local APIC.
; hardware: the state is stored as any store is; what a register makes of it is its own matter. Behind it nothing
; answers the fetch.
; source: Intel SDM Vol. 3, "SMRAM", "Local APIC Register Address Map"
; setup: lock=no
; log: invalid opcode
; log: end
attack: mov ebx, MCH | 0x9e     ; T_EN off: TSEG is RAM
        mov al, 0
        call pci_write8
        mov esi, .handler
        mov edi, TSEG + 0x8000
        mov ecx, .end - .handler
        rep movsb
        mov al, 0
        call smi                        ; leaves with the new SMBASE
        mov dword [6 * 4], 0x10000000 | (invalid - start)
        mov al, 0
        call smi                        ; and is taken there
        jmp after
bits 16
.handler:
        mov dword [cs:0xff00], 0xfee00000 - 0xf800
        rsm
.end:
invalid:                        ; #UD of a handler that is no code
        mov si, .text - start
        mov dx, 0x402
.next:  mov al, [cs:si]
        inc si
        or al, al
        jz .halt
        out dx, al
        jmp .next
.halt:  cli
        hlt
        jmp .halt
.text:  db 'invalid opcode', 10, 'end', 10, 0
bits 32
after:  ret
