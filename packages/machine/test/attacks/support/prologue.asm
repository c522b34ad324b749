; What every attack starts from. Assembled in front of the attack, run from a copy in RAM at 10000h.
;
; It leaves: 32-bit flat protected mode, paging off, an IDT whose handlers print; each processor's SMI handler in TSEG;
; SMIs on and locked; SMRAM closed (and locked unless LOCK is 0); a secret in TSEG, in the compatible range, and with
; LOCK in the window at 30000h. Then it calls `attack`, with two processors also `ap_attack` on the second, once
; `attack` has set [go] to 1. It prints `end` when `attack` returns.
;
; Given from outside: TSEG, COMPAT (where SMM sees the compatible range), LOCK, HIGH, CPUS, FLASH (bytes of variables
; below the ROM), SECRET0-3, each XOR MASK. Routines for attacks, all of them keep all registers but results: print (the
; text behind the call), putc (AL), hex32 (EAX), newline, smi (command AL), pci_read32 (EBX: CONFIG_ADDRESS; gives EAX),
; pci_write32 (EBX, EAX), pci_write8 (EBX, AL), catch and own_handler (see there). `payload` is what attacks want run in
; SMM, 16-bit: it prints PWNED and the secret. While an SMI runs, every real-mode vector leads there.
bits 16
MASK    equ 0x5a5a5a5a
MCH     equ 0x80000000
LPC     equ 0x8000f800
LAPIC   equ 0xfee00000
SMI_EN  equ 0x630
IDT     equ 0x3000
STACK   equ 0x7000
SHIFT   equ 0xe0000             ; from the copy in RAM to the ROM

start:  cli
        cld
        xor ax, ax
        mov ss, ax
        mov sp, STACK
        o32 lgdt [cs:gdtr - start]
        mov eax, cr0
        or al, 1
        mov cr0, eax
        cmp byte [cs:in_ram - start], 0
        jne .second
        jmp dword 8:first + SHIFT
.second: jmp dword 8:second

gdt:    dq 0, 0x00cf9b000000ffff, 0x00cf93000000ffff    ; flat code, flat data
        dq 0x00009b010000ffff, 0x000093000000ffff       ; 16-bit code at 10000h, 16-bit data
        times 11 dq 0                                   ; for attacks, from selector 28h on
gdt_end:
gdtr:   dw gdt_end - gdt - 1
        dd gdt + SHIFT
gdtr_ram: dw gdt_end - gdt - 1
        dd gdt
idtr:   dw 32 * 8 - 1
        dd IDT
ivtr:   dw 0x3ff
        dd 0
in_ram: db 0
align 4
resume: dd 0                    ; where a fault goes on, 0: the end
resume_esp: dd 0
next_smbase: dd 0
smis:   dd 0                    ; SMIs handled, both processors
hold:   dd 0                    ; 1: handlers stay in SMM (all-ones: a window lies over low memory)
go:     dd 0
ap_ready: dd 0
ap_done: dd 0
fault_esp: dd 0

bits 32
flat:   mov ax, 0x10
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov fs, ax
        mov gs, ax
        ret

first:  mov ax, 0x10
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov esp, STACK
        mov esi, start + SHIFT
        mov edi, start
        mov ecx, 0x4000
        rep movsd
        mov byte [in_ram], 1
        mov eax, moved
        jmp eax
moved:  lgdt [gdtr_ram]
        jmp 8:.cs
.cs:    call flat
        call vectors
        lidt [idtr]
        mov ebx, LPC | 0x40     ; PM block at 600h, on
        mov eax, 0x601
        call pci_write32
        mov ebx, LPC | 0x44
        mov al, 0x80
        call pci_write8
        mov dx, SMI_EN
        mov eax, 0x21           ; GBL_SMI_EN, APMC_EN
        out dx, eax
        mov esi, relocate
        mov edi, 0x38000
        mov ecx, relocate_end - relocate
        rep movsb
        mov edi, TSEG + 0x8000
        call handler_to
        mov edi, TSEG + 0x9000
        call handler_to
        mov dword [next_smbase], TSEG
        mov al, 0
        call smi
        cmp byte [cpus], 2
        jb .alone
        mov dword [LAPIC + 0x310], 0x01000000
        mov dword [LAPIC + 0x300], 0x00004500
        mov ecx, 100000
        loop $
        mov dword [LAPIC + 0x300], 0x00004600 | 0x10  ; vector 10h: start
.wait:  pause
        cmp dword [ap_ready], 0
        je .wait
.alone: mov edi, TSEG + 0x100
        call put_secret
        mov ebx, MCH | 0x9d
        mov al, 0x4a            ; G_SMRAME, D_OPEN
        call pci_write8
        mov edi, 0xa0100
        call put_secret
        cmp byte [lock_it], 0
        je .smram
        mov edi, 0x30100
        call put_secret
        mov ebx, MCH | 0x9c     ; the window at 30000h: ask, then lock
        mov al, 0xff
        call pci_write8
        mov al, 2
        call pci_write8
.smram: mov ebx, MCH | 0x9e
        mov al, 1 | HIGH * 0x80 ; T_EN, 1 MB
        call pci_write8
        mov ebx, MCH | 0x9d
        mov al, 0x0a | LOCK * 0x10
        call pci_write8
        mov ebx, LPC | 0xa0
        mov eax, 0x10           ; SMI_LOCK
        call pci_write32
        call attack
finish: call print
        db 'end', 10, 0
.halt:  cli
        hlt
        jmp .halt
lock_it: db LOCK
cpus:   db CPUS

second: mov ax, 0x10
        mov ss, ax
        mov esp, STACK - 0x800
        call flat
        lidt [idtr]
        mov dword [next_smbase], TSEG + 0x1000
        mov al, 0
        call smi
        mov dword [ap_ready], 1
.wait:  pause
        cmp dword [go], 0
        je .wait
        call ap_attack
        mov dword [ap_done], 1
        jmp finish.halt

handler_to:                     ; the SMI handler to EDI
        mov esi, handler
        mov ecx, handler_end - handler
        rep movsb
        ret

; ECX bytes at ESI become the first processor's SMI handler, then SMRAM is locked. For attacks with `lock=no`; EAX, EBX
; and EDI are lost.
own_handler:
        mov ebx, MCH | 0x9e     ; T_EN off: TSEG is RAM
        mov al, 0
        call pci_write8
        mov edi, TSEG + 0x8000
        rep movsb
        mov al, 1
        call pci_write8
        mov ebx, MCH | 0x9d
        mov al, 0x1a            ; G_SMRAME, D_LCK
        jmp pci_write8

put_secret:                     ; to EDI
        mov dword [edi], SECRET0
        xor dword [edi], MASK
        mov dword [edi + 4], SECRET1
        xor dword [edi + 4], MASK
        mov dword [edi + 8], SECRET2
        xor dword [edi + 8], MASK
        mov dword [edi + 12], SECRET3
        xor dword [edi + 12], MASK
        ret

vectors:                        ; IDT of 32 gates to `stubs`, real-mode vectors to `payload`
        mov edi, IDT
        mov eax, stubs
.gate:  mov [edi], ax
        mov word [edi + 2], 8
        mov word [edi + 4], 0x8e00
        mov edx, eax
        shr edx, 16
        mov [edi + 6], dx
        add eax, 8
        add edi, 8
        cmp edi, IDT + 32 * 8
        jb .gate
        mov edi, 0
.real:  mov dword [edi], 0x10000000 | (payload - start)
        add edi, 4
        cmp edi, 0x400
        jb .real
        ret

smi:    pushad
        lidt [ivtr]             ; what the handler would meet in a vector table at 0
        out 0xb2, al
        jmp $ + 2
        jmp $ + 2
        mov ecx, 100
        loop $
        lidt [idtr]
        popad
        ret

; Faults print `#vector/code` and go on at [resume] with the stack of the `catch` before it: mov eax, .label / call
; catch.
catch:  mov [resume], eax
        mov [resume_esp], esp
        add dword [resume_esp], 4
        ret
fault:  pop eax
        call print
        db '#', 0
        call hex8
        bt dword [with_code], eax
        jnc .end
        call print
        db '/', 0
        pop eax
        xchg al, ah
        call hex8
        xchg al, ah
        call hex8
.end:   call newline
        mov eax, [resume]
        or eax, eax
        jz finish
        mov dword [resume], 0
        mov esp, [resume_esp]
        jmp eax
align 4
with_code: dd 0x27d00           ; vectors 8, 10 to 14, 17

putc:   push edx
        mov dx, 0x402
        out dx, al
        pop edx
        ret

newline:
        push eax
        mov al, 10
        call putc
        pop eax
        ret

hex32:  rol eax, 8
        call hex8
        rol eax, 8
        call hex8
        rol eax, 8
        call hex8
        rol eax, 8
hex8:   push eax
        shr al, 4
        call .digit
        pop eax
        push eax
        and al, 15
        call .digit
        pop eax
        ret
.digit: cmp al, 10
        jb .low
        add al, 'a' - '0' - 10
.low:   add al, '0'
        jmp putc

print:  xchg esi, [esp]
        push eax
.next:  mov al, [esi]
        inc esi
        or al, al
        jz .end
        call putc
        jmp .next
.end:   pop eax
        xchg esi, [esp]
        ret

pci_select:
        push eax
        push edx
        mov eax, ebx
        and al, 0xfc
        mov dx, 0xcf8
        out dx, eax
        pop edx
        pop eax
        ret

pci_read32:
        call pci_select
        push edx
        mov dx, 0xcfc
        in eax, dx
        pop edx
        ret

pci_write32:
        call pci_select
        push edx
        mov dx, 0xcfc
        out dx, eax
        pop edx
        ret

pci_write8:
        call pci_select
        push edx
        mov edx, ebx
        and edx, 3
        add edx, 0xcfc
        out dx, al
        pop edx
        ret

bits 16
relocate:                       ; at 38000h, each processor's first SMI
        mov eax, [dword next_smbase]
        mov [cs:0xff00], eax
        lock inc dword [dword smis]
        rsm
relocate_end:

HERE    equ 0x8000 - (handler - start)
handler:                        ; at SMBASE + 8000h: prints s when it finds every secret where it was put, else x
        mov bl, 's'
        mov esi, TSEG + 0x100
        mov bp, .compat - start + HERE
        jmp .check
.compat: mov esi, COMPAT + 0x100
        mov bp, .window - start + HERE
        jmp .check
.window: mov al, LOCK
        or al, al
        jz .print
        mov esi, 0x30100
        mov bp, .print - start + HERE
.check: mov eax, [esi]
        xor eax, MASK
        cmp eax, SECRET0
        jne .bad
        mov ecx, [esi + 4]
        xor ecx, MASK
        cmp ecx, SECRET1
        jne .bad
        mov ecx, [esi + 8]
        xor ecx, MASK
        cmp ecx, SECRET2
        jne .bad
        mov ecx, [esi + 12]
        xor ecx, MASK
        cmp ecx, SECRET3
        je .good
.bad:   mov bl, 'x'
.good:  jmp bp
.print: mov dx, 0x402
        mov al, bl
        out dx, al
        mov eax, [esi]          ; the secret lies in registers when the handler leaves, as it would
        mov ecx, [esi + 4]
        lock inc dword [dword smis]
.hold:  pause
        cmp dword [dword hold], 1
        je .hold
        rsm
handler_end:

payload:                        ; 16-bit, CS = 1000h, DS flat as in SMM
        cld
        mov dx, 0x402
        mov si, .text - start
.next:  mov al, [cs:si]
        inc si
        or al, al
        jz .secret
        out dx, al
        jmp .next
.secret: mov esi, TSEG + 0x100
        mov cx, 16
.byte:  mov al, [esi]
        inc esi
        out dx, al
        dec cx
        jnz .byte
        mov al, 10
        out dx, al
.halt:  cli
        hlt
        jmp .halt
.text:  db 'PWNED ', 0
bits 32
