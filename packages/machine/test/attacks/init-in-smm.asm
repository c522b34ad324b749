; A second processor sends INIT and start-up IPIs by its ICR to one that is in SMM, to run code of its own there.
; hardware: INIT waits for RSM, start-up IPIs are lost. Afterwards the processor waits for one and starts outside SMM.
; source: Intel SDM Vol. 3, "SMIs and Interrupts Within SMM", "MP Initialization Protocol Algorithm for MP Systems"
; setup: cpus=2
; log: s
; log: waits
; log: ffffffff s
; log: end
attack: mov esi, .trampoline
        mov edi, 0x8000         ; vector 8
        mov ecx, .trampoline_end - .trampoline
        rep movsb
        mov dword [hold], 1
        mov dword [go], 1
        mov eax, [smis]
.wait:  pause
        cmp eax, [smis]
        je .wait
        call newline
        mov eax, 0x00004608     ; start-up IPI with vector 8, INIT, start-up IPI
        call .send
        mov eax, 0x00004500
        call .send
        mov eax, 0x00004608
        call .send
        mov dword [hold], 0
        mov ecx, 100000
        loop $
        cmp dword [0x5000], 0
        jne .early
        call print
        db 'waits', 10, 0
.early: mov eax, 0x00004608
        call .send
.started: pause
        cmp dword [0x5000], 0
        je .started
        mov eax, [0x5004]
        call hex32
        mov al, ' '
        call putc
        mov eax, [smis]
        mov dword [0x5008], 1
.smi:   pause
        cmp eax, [smis]
        je .smi
        jmp newline
.send:  mov dword [LAPIC + 0x310], 0x01000000
        mov [LAPIC + 0x300], eax
        mov ecx, 10000
        loop $
        ret
bits 16
.trampoline:                    ; at 0800h:0000h
        xor ax, ax
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov sp, STACK - 0x800
        o32 lgdt [cs:.gdtr - .trampoline]
        mov eax, cr0
        or al, 1
        mov cr0, eax
        jmp dword 8:.protected
.gdtr:  dw gdt_end - gdt - 1
        dd gdt
.trampoline_end:
bits 32
.protected:
        call flat
        mov eax, [TSEG + 0x100]
        mov [0x5004], eax
        mov dword [0x5000], 1
.told:  pause
        cmp dword [0x5008], 0
        je .told
        mov al, 0
        call smi
        jmp finish.halt

ap_attack:
        out 0xb2, al
.stay:  jmp .stay
