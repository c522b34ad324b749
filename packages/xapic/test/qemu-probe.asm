; A ROM that plays a list of local APIC accesses and writes what it saw to port 402h.
; The list (PROGRAM, 8-byte records: op, 0, word offset, dword value) is given on the command line.
; 1 read dword -> 4 bytes   2 write dword   3 open interrupts -> vectors taken, then 0   4 read byte -> 1 byte   0 end
bits 16
org 0
start:  cli
        xor ax, ax
        mov ss, ax
        mov sp, 0x7000
        mov al, 0xff            ; no 8259 in this experiment
        out 0x21, al
        out 0xa1, al
        xor di, di              ; real-mode vectors 0-255 at 0:0
        mov ds, di
        mov bx, stubs
        mov cx, 256
.vec:   mov [di], bx
        mov word [di+2], 0xf000
        add di, 4
        add bx, 6
        loop .vec
        o32 lgdt [cs:gdtr]      ; flat FS: registers above 1 MiB from real mode
        mov eax, cr0
        or al, 1
        mov cr0, eax
        mov bx, 8
        mov fs, bx
        and al, 0xfe
        mov cr0, eax
        mov si, program
next:   mov al, [cs:si]
        movzx ebx, word [cs:si+2]
        add ebx, 0xfee00000
        mov edx, [cs:si+4]
        add si, 8
        cmp al, 1
        je .read
        cmp al, 2
        je .write
        cmp al, 3
        je .window
        cmp al, 4
        je .byte
        mov dx, 0x501
        out dx, al
.stop:  hlt
        jmp .stop
.read:  mov eax, [fs:ebx]
        mov dx, 0x402
        mov cx, 4
.out:   out dx, al
        shr eax, 8
        loop .out
        jmp next
.write: mov [fs:ebx], edx
        jmp next
.window:sti
        nop
        nop
        cli
        mov dx, 0x402
        xor al, al
        out dx, al
        jmp next
.byte:  mov al, [fs:ebx]
        mov dx, 0x402
        out dx, al
        jmp next

taken:  push bp                 ; the vector lies under BP on the stack
        mov bp, sp
        push ax
        push dx
        mov al, [bp+2]
        mov dx, 0x402
        out dx, al
        pop dx
        pop ax
        pop bp
        add sp, 2
        iret

stubs:
%assign v 0
%rep 256
        push strict word v
        jmp strict near taken
%assign v v+1
%endrep

align 8
gdt:    dq 0, 0x00cf93000000ffff
gdtr:   dw 15
        dd 0xf0000 + gdt
program:
        incbin PROGRAM
        times 0xfff0-($-$$) db 0
        jmp 0xf000:start
        times 0x10000-($-$$) db 0
