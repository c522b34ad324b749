; Every write that an instruction makes beside its operand, aimed at secure flash: accessed and busy bits, a TSS,
; pushes, FXSAVE, strings, SGDT.
; hardware: each is a store of the processor: a command cycle that a locked controller drops; the array keeps its bytes.
; source: Intel SDM Vol. 3, "Segment Descriptors" (type field), "Task-State Segment"; Vol. 2, "FXSAVE", "MOVS", "XCHG";
; QEMU pflash_cfi01 "secure"
; setup: flash=secure
; log: 00cf9200 00008900 ffffffff
; log: s
; log: end
VARS    equ 0xfffe0000
GDT2    equ VARS + 0x10
attack: mov ecx, gdt_end - gdt          ; a GDT of RAM for afterwards, one in flash meanwhile
        lgdt [.gdtr]
        mov ax, 0x18                    ; flat data, not accessed
        mov ds, ax
        mov ax, 0x10
        mov ds, ax
        mov ax, 0x20                    ; an available TSS
        ltr ax
        lgdt [gdtr_ram]
        mov eax, [VARS + 0x1c + 0x10]
        call hex32
        mov al, ' '
        call putc
        mov eax, [VARS + 0x24 + 0x10]
        call hex32
        mov al, ' '
        call putc
        mov ebp, esp
        mov esp, VARS + 0x900           ; pushes of instructions
        push eax
        pushad
        pushfd
        call .here
.here:  enter 16, 1
        mov esp, ebp
        mov esp, VARS + 0x900           ; and of a fault: through an interrupt gate
        mov eax, .trap
        mov [IDT + 3 * 8], ax
        int3
.trap:  mov esp, STACK - 4
        fxsave [VARS + 0x800]
        db 0xdd, 0x35                   ; FNSAVE
        dd VARS + 0x800
        sgdt [VARS + 0x800]
        sidt [VARS + 0x800]
        mov edi, VARS + 0x800
        mov esi, 0
        mov ecx, 16
        rep movsd
        mov edi, VARS + 0x800
        mov al, 0x40                    ; the program command, byte after byte
        mov ecx, 256
        rep stosb
        lock xadd [VARS + 0x800], eax
        xchg [VARS + 0x800], eax
        lock inc dword [VARS + 0x800]
        cmpxchg8b [VARS + 0x800]
        bts dword [VARS + 0x800], 1
        movnti [VARS + 0x800], eax
        mov eax, [VARS + 0x700]
        call hex32
        call newline
        mov al, 0
        call smi
        jmp newline
align 4
.gdtr:  dw 0x2f
        dd GDT2
align 16
vars:   times 16 db 0xff
        dq 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
        dq 0x00cf92000000ffff, 0x0000890000000067, 0
        times 0x1000 - 0x40 db 0xff
