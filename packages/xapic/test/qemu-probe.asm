; A ROM that plays a list of local APIC accesses on CPUS processors and writes what they saw to port 402h.
; PROGRAM holds 8-byte records: byte operation, byte processor, word offset, dword value.
;   1 read dword -> 4 bytes      2 write dword      3 open interrupts -> the vectors taken, then 0
;   4 read byte -> 1 byte        5 wait until every application processor has checked in      0 end
; The bootstrap processor hands each record to its processor through a mailbox and waits until it is done.
bits 16
org 0
MAILBOX equ 0x600               ; one word per processor: address of the record to play, 0 when idle
PRESENT equ 0x5f0               ; application processors that have checked in
PEN     equ 0x8000              ; where SIPI vector 08h starts them

start:  cli
        xor ax, ax
        mov ds, ax
        mov ss, ax
        mov sp, 0x7000
        mov al, 0xff            ; no 8259 in this experiment
        out 0x21, al
        out 0xa1, al
        xor di, di              ; real-mode vectors 0-255 at 0:0
        mov bx, stubs
        mov cx, 256
.vec:   mov [di], bx
        mov word [di+2], 0xf000
        add di, 4
        add bx, 6
        loop .vec
        mov word [PRESENT], 0
        mov byte [PEN], 0xea    ; jmp 0xf000:ap
        mov word [PEN+1], ap
        mov word [PEN+3], 0xf000
        call flat
        mov si, program
next:   movzx bx, byte [cs:si+1]
        add bx, bx
        jz .mine
        mov [MAILBOX+bx], si
.busy:  pause
        cmp word [MAILBOX+bx], 0
        jne .busy
        jmp .done
.mine:  cmp byte [cs:si], 5
        je .wait
        call play
.done:  add si, 8
        cmp byte [cs:si], 0
        jne next
        mov dx, 0x501
        out dx, al
.stop:  hlt
        jmp .stop
.wait:  pause
        cmp word [PRESENT], CPUS-1
        jne .wait
        jmp .done

ap:     cli
        xor ax, ax
        mov ds, ax
        mov ss, ax
        mov eax, 1
        cpuid
        shr ebx, 24             ; initial APIC id
        mov sp, 0x7000
        mov ax, bx
        shl ax, 8
        sub sp, ax
        add bx, bx
        mov di, bx
        mov word [MAILBOX+di], 0
        call flat
        lock inc word [PRESENT]
.idle:  pause
        mov si, [MAILBOX+di]
        test si, si
        jz .idle
        call play
        mov word [MAILBOX+di], 0
        jmp .idle

flat:   o32 lgdt [cs:gdtr]      ; flat FS: registers above 1 MiB from real mode
        mov eax, cr0
        or al, 1
        mov cr0, eax
        mov bx, 8
        mov fs, bx
        and al, 0xfe
        mov cr0, eax
        ret

play:   mov al, [cs:si]
        movzx ebx, word [cs:si+2]
        add ebx, 0xfee00000
        cmp al, 1
        je .read
        cmp al, 2
        je .write
        cmp al, 3
        je .window
        mov al, [fs:ebx]
        mov dx, 0x402
        out dx, al
        ret
.read:  mov eax, [fs:ebx]
        mov dx, 0x402
        mov cx, 4
.out:   out dx, al
        shr eax, 8
        loop .out
        ret
.write: mov edx, [cs:si+4]
        mov [fs:ebx], edx
        ret
.window:sti
        nop
        nop
        cli
        mov dx, 0x402
        xor al, al
        out dx, al
        ret

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
