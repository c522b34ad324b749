; A 64 KiB ROM that carries out a list of bus accesses and sends what it read to port 402h, four bytes each.
; Layout: code at F0000h, the list at F1000h (16 bytes an entry), copied to and run from RAM at 50000h so that shadow
; control may change.
; Entry: u8 kind, u8 size, u16 -, u32 address, u32 value, u32 -.
; Kinds: 0 end, 1 in, 2 out, 3 read, 4 write, 5 read in SMM, 6 write in SMM, 7 did an SMI come (value to B2h), 8 reset
; through CF9h, 9 wait, 10 and 11 wait until the bits `value` of the dword at the address
; are clear, or any is set.
bits 16
org 0
RAM_SEG   equ 0x5000
STATE     equ 0x60000           ; +0 magic, +4 next entry, +10h SMM mailbox: address, value, kind, size, done
MAGIC     equ 0x51335150

start:
        cli
        xor ax, ax
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov sp, 0x7000
        lgdt [cs:gdtr]
        mov eax, cr0
        or al, 1
        mov cr0, eax
        mov bx, 8
        mov ds, bx
        mov es, bx
        and al, 0xfe
        mov cr0, eax
        xor ax, ax
        mov ds, ax
        mov es, ax
        cmp dword [dword STATE], MAGIC
        je run                  ; after a reset: go on where we were
        mov esi, 0xf0000
        mov edi, 0x50000
        mov ecx, 0x4000
.copy:  mov eax, [esi]
        mov [edi], eax
        add esi, 4
        add edi, 4
        dec ecx
        jnz .copy
        mov esi, 0xf0000 + smi_entry
        mov edi, 0x38000
        mov ecx, (smi_end - smi_entry + 3) / 4
.copy2: mov eax, [esi]
        mov [edi], eax
        add esi, 4
        add edi, 4
        dec ecx
        jnz .copy2
        mov dword [dword STATE], MAGIC
        mov dword [dword STATE + 4], 0x51000
run:    jmp RAM_SEG:next

next:   mov esi, [dword STATE + 4]
        add dword [dword STATE + 4], 16
        movzx ax, byte [esi]
        mov bl, [esi + 1]
        mov edi, [esi + 4]
        mov ecx, [esi + 8]
        cmp al, 11
        ja finish
        mov bp, ax
        shl bp, 1
        jmp [cs:bp + table]
table:  dw finish, op_in, op_out, op_read, op_write, op_smm, op_smm, op_smi, op_reset, op_wait, op_clear, op_set

finish: mov dx, 0xf4
        xor al, al
        out dx, al
        hlt
        jmp finish

op_in:  mov dx, di
        xor eax, eax
        cmp bl, 2
        je .w
        ja .d
        in al, dx
        jmp emit
.w:     in ax, dx
        jmp emit
.d:     in eax, dx
emit:   mov dx, 0x402
        mov cx, 4
.byte:  out dx, al
        shr eax, 8
        loop .byte
        jmp next

op_out: mov dx, di
        mov eax, ecx
        cmp bl, 2
        je .w
        ja .d
        out dx, al
        jmp next
.w:     out dx, ax
        jmp next
.d:     out dx, eax
        jmp next

op_read:
        xor eax, eax
        cmp bl, 2
        je .w
        ja .d
        mov al, [edi]
        jmp emit
.w:     mov ax, [edi]
        jmp emit
.d:     mov eax, [edi]
        jmp emit

op_write:
        cmp bl, 2
        je .w
        ja .d
        mov [edi], cl
        jmp next
.w:     mov [edi], cx
        jmp next
.d:     mov [edi], ecx
        jmp next

op_smm: mov [dword STATE + 0x10], edi
        mov [dword STATE + 0x14], ecx
        mov [dword STATE + 0x18], al
        mov [dword STATE + 0x19], bl
        mov bh, al
        mov al, 0x80
        call smi
        cmp bh, 5
        jne next
        mov eax, [dword STATE + 0x14]
        jmp emit

op_smi: mov byte [dword STATE + 0x18], 0
        mov al, cl
        call smi
        movzx eax, byte [dword STATE + 0x1a]
        jmp emit

smi:    mov byte [dword STATE + 0x1a], 0
        out 0xb2, al
        jmp short .spin
.spin:  mov ecx, 2000
.more:  cmp byte [dword STATE + 0x1a], 0
        jne .done
        dec ecx
        jnz .more
.done:  mov eax, cr0            ; QEMU keeps translations over SMI and RSM unless CR0.PG, WP or PE changes: drop them
        xor eax, 0x10000
        mov cr0, eax
        ret

op_reset:
        mov dx, 0xcf9
        mov al, 0x02
        out dx, al
        mov al, 0x06
        out dx, al
.hang:  jmp .hang

op_wait:
.more:  dec ecx
        jnz .more
        jmp next

op_clear:
        test [edi], ecx
        jnz op_clear
        jmp next

op_set: test [edi], ecx
        jz op_set
        jmp next

; SMI handler, copied to 38000h. Flat 4 GiB data segments.
smi_entry:
        mov eax, cr0
        xor eax, 0x10000
        mov cr0, eax
        mov edi, [dword STATE + 0x10]
        mov ecx, [dword STATE + 0x14]
        mov al, [dword STATE + 0x18]
        mov bl, [dword STATE + 0x19]
        cmp al, 5
        je .read
        cmp al, 6
        jne .done
        cmp bl, 2
        je .ww
        ja .wd
        mov [edi], cl
        jmp .done
.ww:    mov [edi], cx
        jmp .done
.wd:    mov [edi], ecx
        jmp .done
.read:  xor eax, eax
        cmp bl, 2
        je .rw
        ja .rd
        mov al, [edi]
        jmp .have
.rw:    mov ax, [edi]
        jmp .have
.rd:    mov eax, [edi]
.have:  mov [dword STATE + 0x14], eax
.done:  mov byte [dword STATE + 0x1a], 1
        rsm
smi_end:

align 8
gdtr:   dw 15
        dd 0xf0000 + gdt
align 8
gdt:    dq 0
        dq 0x008f93000000ffff

        times 0x1000 - ($ - $$) db 0
        times 0xfff0 - ($ - $$) db 0
        jmp 0xf000:start
        times 0x10000 - ($ - $$) db 0
