; The handler itself raises SMIs, by the local APIC and by port B2h, while the guest's vectors are the attacker's.
; hardware: one SMI is kept while another is handled, and taken right after RSM, before the guest executes anything.
; source: Intel SDM Vol. 3, "System Management Interrupt (SMI)", "Local APIC Interrupt Command Register"
; setup: lock=no
; log: 12=
; log: 00000002 ffffffff
; log: end
attack: mov esi, .handler
        mov ecx, .end - .handler
        call own_handler
        mov al, 0
        call smi
        call newline
        mov eax, [0x5000]
        call hex32
        mov al, ' '
        call putc
        mov eax, [TSEG + 0x100]
        call hex32
        jmp newline
bits 16
.handler:
        mov dx, 0x402
        lock inc dword [dword 0x5000]
        mov al, [dword 0x5000]
        add al, '0'
        out dx, al
        cmp al, '1'
        jne .second
        mov eax, [cs:0xff78]    ; where the guest goes on
        mov [cs:0x100 + 16], eax ; in SMRAM, behind the secret
        mov esi, LAPIC
        mov dword [esi + 0x310], 0
        mov dword [esi + 0x300], 0x00004200
        out 0xb2, al
        mov dword [esi + 0x300], 0x00004200
        out 0xb2, al
        jmp .leave
.second: mov eax, [cs:0xff78]
        cmp eax, [cs:0x100 + 16]
        mov al, '='
        je .same
        mov al, '!'
.same:  out dx, al
.leave: mov esi, TSEG + 0x100
        mov eax, [esi]
        mov ecx, [esi + 4]
        rsm
.end:
bits 32
