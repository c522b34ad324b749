; Puts distinct values into every register, takes an SMI, and ends QEMU from the handler: the save-state area stays in
; RAM. With -DLONG in 64-bit mode, else in 32-bit protected mode without paging.
bits 16
org 0
HANDLER equ 0x38000

start:
        cli
        xor ax, ax
        mov ds, ax
        mov es, ax
        mov ax, 0x3000
        mov es, ax
        mov cx, handler_end - handler
        mov si, handler
        mov di, 0x8000
        cs rep movsb
        ; PMBASE 600h, ACPI_EN, APMC_EN
        mov eax, 0x8000f840
        mov dx, 0xcf8
        out dx, eax
        mov eax, 0x601
        mov dx, 0xcfc
        out dx, eax
        mov eax, 0x8000f844
        mov dx, 0xcf8
        out dx, eax
        mov al, 0x80
        mov dx, 0xcfc
        out dx, al
        mov eax, 0x20
        mov dx, 0x630
        out dx, eax
        lgdt [cs:gdtr]
        lidt [cs:idtr]
        mov eax, cr0
        or al, 1
        mov cr0, eax
        jmp dword 0x08:(0xf0000 + protected)

bits 32
protected:
        mov ax, 0x10
        mov ds, ax
        mov ss, ax
        mov ax, 0x1b            ; RPL 3, data, DPL 3, byte limit
        mov es, ax
        mov ax, 0x20
        mov fs, ax
        mov ax, 0x28
        mov gs, ax
        mov ax, 0x30
        lldt ax
        mov ax, 0x38
        ltr ax
%ifdef LONG
        ; identity map of the first GiB in 2 MiB pages: PML4 1000h, PDPT 2000h, PD 3000h
        mov edi, 0x1000
        mov ecx, 0x1000
        xor eax, eax
.zero:  mov [edi], eax          ; not STOS: ES has a base of its own
        add edi, 4
        loop .zero
        mov dword [0x1000], 0x2003
        mov dword [0x2000], 0x3003
        mov eax, 0x83
        mov ecx, 512
        mov edi, 0x3000
.low:   mov [edi], eax
        add eax, 0x200000
        add edi, 8
        loop .low
        mov eax, 0x20
        mov cr4, eax
        mov eax, 0x1000
        mov cr3, eax
        mov ecx, 0xc0000080
        mov eax, 0x100
        xor edx, edx
        wrmsr
        mov eax, cr0
        or eax, 0x80000000
        mov cr0, eax
        jmp 0x50:(0xf0000 + in_long_mode)
bits 64
in_long_mode:
        mov ah, 0xd5            ; SF ZF AF PF CF
        sahf
        mov rcx, 0x1c0de1c0de1c0de1
        mov rdx, 0x1d0de1d0de1d0de2
        mov rbx, 0x1e0de1e0de1e0de3
        mov rsp, 0x1f0de1f0de1f0de4
        mov rbp, 0x2a0de2a0de2a0de5
        mov rsi, 0x2b0de2b0de2b0de6
        mov rdi, 0x2c0de2c0de2c0de7
        mov r8, 0x2d0de2d0de2d0de8
        mov r9, 0x2e0de2e0de2e0de9
        mov r10, 0x2f0de2f0de2f0dea
        mov r11, 0x3a0de3a0de3a0deb
        mov r12, 0x3b0de3b0de3b0dec
        mov r13, 0x3c0de3c0de3c0ded
        mov r14, 0x3d0de3d0de3d0dee
        mov r15, 0x3e0de3e0de3e0def
        mov rax, 0x3f0de3f0de3f0d80
        jmp trigger
%else
        mov eax, 0x10           ; CR4.PSE
        mov cr4, eax
        mov eax, 0x00123000
        mov cr3, eax
        mov ah, 0xd5            ; SF ZF AF PF CF
        sahf
        mov ecx, 0x1c0de1c1
        mov edx, 0x1d0de1d2
        mov ebx, 0x1e0de1e3
        mov esp, 0x1f0de1f4
        mov ebp, 0x2a0de2a5
        mov esi, 0x2b0de2b6
        mov edi, 0x2c0de2c7
        mov eax, 0x3f0de380
        jmp trigger
%endif

        times 0x800 - ($ - $$) db 0x90
trigger:                        ; at F0800h
        nop
        out 0xb2, al
.wait:  jmp .wait               ; at F0803h: what RIP must be

bits 16
handler:
        mov al, 0x2a
        mov dx, 0xf4
        out dx, al
.stop:  hlt
        jmp .stop
handler_end:

        times 0x900 - ($ - $$) db 0
gdt:    dq 0
        dq 0x00cf9b000000ffff   ; 08 code, 32-bit, flat
        dq 0x00cf93000000ffff   ; 10 data, flat
        dq 0x0041f3345600789a   ; 18 data, DPL 3, base 00345600, limit 1789A, accessed
        dq 0x12df93abcdef5678   ; 20 data, base 12ABCDEF, limit F5678 pages, AVL
        dq 0x0000910012340fff   ; 28 data, read-only, 16-bit, base 1234, limit FFF
        dq 0x0000820600000017   ; 30 LDT at 60000, limit 17
        dq 0x0000890700000067   ; 38 TSS, available, base 70000, limit 67
        dq 0, 0
        dq 0x00af9b000000ffff   ; 50 code, 64-bit
gdt_end:
gdtr:   dw gdt_end - gdt - 1
        dd 0xf0000 + gdt
idtr:   dw 0x3ff
        dd 0x00567890

        times 0xfff0 - ($ - $$) db 0
        jmp 0xf000:start
        times 0x10000 - ($ - $$) db 0
