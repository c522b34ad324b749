; Before the lock, SMBASE is set into plain flash: the save state is cycles to the chip, and the handler is what the
; chip answers.
; hardware: the state is stored as any store is, here in SMM; a flash chip takes it for commands.
; source: Intel SDM Vol. 3, "SMRAM"; Intel 298161, "Basic Command Set"
; setup: lock=no flash=plain
; log: f
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
        mov dword [cs:0xff00], 0xfffe0000 - 0x8000
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
align 16
; the handler, 16-bit, at the start of the variables: CS is the SMBASE, this at 8000h in it
vars:
        db 0x66, 0xba
        dd 0x402                ; mov edx, 402h
        db 0xb0, 'f', 0xee      ; mov al, 'f'; out dx, al
        db 0xb0, 10, 0xee
        db 0xb0, 'e', 0xee
        db 0xb0, 'n', 0xee
        db 0xb0, 'd', 0xee
        db 0xb0, 10, 0xee
        db 0xfa, 0xf4, 0xeb, 0xfc
        times 0x1000 - 32 db 0xff
