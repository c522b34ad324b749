; The handler changes its save state so that the guest goes on in SMRAM: RIP, bases of CS, DS, SS and the IDT, and ESP.
; hardware: RSM loads what it finds; outside SMM SMRAM is closed, so code is FFh FFh (#UD) and data all-ones.
; source: Intel SDM Vol. 3, "Exiting From SMM"; AMD64 Architecture Programmer's Manual Vol. 2, "SMM State-Save Area"
; setup: lock=no
; log: #06
; log: #06
; log: ffffffff
; log: ffffffff
; log: ffffffff
; log: ffffffff
; log: end
attack: mov esi, .handler
        mov ecx, .end - .handler
        call own_handler
        mov eax, .cs
        call catch
        mov eax, 0xff78         ; RIP
        mov ecx, TSEG + 0x100
        jmp .leave
.cs:    mov eax, .ds
        call catch
        mov eax, 0xfe18         ; CS base
        mov ecx, TSEG
        jmp .leave
.ds:    mov eax, 0xfe38         ; DS base
        mov ecx, TSEG + 0x100
        call .leave
        mov ebp, [0]
        call flat
        mov eax, ebp
        call hex32
        call newline
        mov eax, 0xfe28         ; SS base
        mov ecx, TSEG + 0x100
        mov ebp, esp
        mov [0x5008], ebp
        mov ebx, .ss
        mov [0x500c], ebx
        jmp .leave
.ss:    mov esp, 4              ; push and pop in SMRAM
        push dword 0x12345678
        pop eax
        mov bx, 0x10
        mov ss, bx
        mov esp, [0x5008]
        call hex32
        call newline
        mov dword [0x500c], 0
        mov eax, 0xffd8         ; RSP
        mov ecx, TSEG + 0x104
        mov ebx, .sp
        mov [0x500c], ebx
        jmp .leave
.sp:    pop eax
        mov esp, [0x5008]
        call hex32
        call newline
        mov dword [0x500c], 0
        mov eax, 0xfe88         ; IDT base: what the processor would find there
        mov ecx, TSEG + 0x100
        call .leave
        sidt [0x5010]
        lidt [idtr]
        mov ebx, [0x5012]
        mov eax, [ebx]
        call hex32
        jmp newline
.leave: mov [0x5000], eax       ; SMI whose handler writes ECX at offset EAX; then to [500Ch], or back if that is 0
        mov [0x5004], ecx
        out 0xb2, al
        jmp $ + 2
        jmp $ + 2
        mov ecx, [cs:0x500c]    ; by CS, whose base is still 0
        jecxz .back
        jmp ecx
.back:  ret
bits 16
.handler:
        mov ebx, [dword 0x5000]
        mov eax, [dword 0x5004]
        mov [cs:ebx], eax
        mov esi, TSEG + 0x100   ; the secret lies in registers
        mov ecx, [esi]
        mov edx, [esi + 4]
        rsm
.end:
bits 32
