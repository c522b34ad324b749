; A 64 KiB firmware image that runs page-access cases on a real implementation and reports each on port E9h.
; Built with -DPAE for PAE paging, else for 32-bit paging with 4 MiB pages. No relation to any boot firmware.
;
; Case, 32 bytes at CASES: cr0, cr4, efer, pde low, pde high, pte low, pte high, access.
; access: bits 1:0 read, write, fetch; bit 2 user mode; bit 3 RFLAGS.AC; all ones ends the list.
; Answer, 3 bytes: #PF error code or FFh, low byte of the PDE, low byte of the PTE.
;
; Memory: 1000h PDPT, 2000h page directory, 3000h page table under test, 5000h and 401000h frames (full of RET),
; 6000h IDT, 7000h TSS, stacks below 9000h (user) and A000h. Linear 800000h is a user-mode view of physical 0.

ROM      equ 0xF0000
CASES    equ 0x100000
USERVIEW equ 0x800000
TARGET   equ 0x401000
%ifdef PAE
PDE_AT   equ 0x2000 + 2 * 8
%else
PDE_AT   equ 0x2000 + 1 * 4
%endif
%ifdef PAE
PTE_AT   equ 0x3000 + 1 * 8
%else
PTE_AT   equ 0x3000 + 1 * 4
%endif

        org ROM
        bits 16
start:
        cli
        lgdt [cs:gdtr - ROM]
        mov eax, cr0
        or al, 1
        mov cr0, eax
        jmp dword 0x08:protected

        bits 32
protected:
        mov ax, 0x10
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov esp, 0xA000
        ; clear 1000h..9FFFh, then fill the frames with RET
        cld
        xor eax, eax
        mov edi, 0x1000
        mov ecx, 0x9000 / 4
        rep stosd
        mov eax, 0xC3C3C3C3
        mov edi, 0x5000
        mov ecx, 1024
        rep stosd
        mov edi, TARGET
        mov ecx, 1024
        rep stosd
%ifdef PAE
        mov dword [0x1000], 0x2001
        mov dword [0x2000], 0x000000E3          ; physical 0, supervisor
        mov dword [0x2000 + 4 * 8], 0x000000E7  ; physical 0, user
        mov eax, 0x1000
%else
        mov dword [0x2000], 0x000000E3
        mov dword [0x2000 + 2 * 4], 0x000000E7
        mov eax, 0x2000
%endif
        mov cr3, eax
        ; IDT: #PF and INT 80h
        mov edi, 0x6000 + 14 * 8
        mov ecx, page_fault
        mov dx, 0x8E00
        call gate
        mov edi, 0x6000 + 0x80 * 8
        mov ecx, no_fault
        mov dx, 0xEE00
        call gate
        lidt [idtr]
        ; TSS: ring-0 stack
        mov dword [0x7004], 0xA000
        mov dword [0x7008], 0x10
        mov ax, 0x28
        ltr ax

        mov esi, CASES
next:
        cmp dword [esi + 28], -1
        je finished
        mov eax, [esi + 12]
        mov [PDE_AT], eax
        mov eax, [esi + 20]
        mov [PTE_AT], eax
%ifdef PAE
        mov eax, [esi + 16]
        mov [PDE_AT + 4], eax
        mov eax, [esi + 24]
        mov [PTE_AT + 4], eax
%endif
        mov ecx, 0xC0000080
        xor edx, edx
        mov eax, [esi + 8]
        wrmsr
        mov eax, [esi + 4]
        mov cr4, eax
        mov eax, [esi]
        mov cr0, eax
        mov eax, cr3
        mov cr3, eax
        mov ebx, [esi + 28]
        mov edx, ebx
        and edx, 3
        mov eax, ebx
        and eax, 8
        shl eax, 15                             ; RFLAGS.AC
        or eax, 2
        test ebx, 4
        jnz user
        push eax
        popfd
        jmp [supervisor_stubs + edx * 4]
user:
        push dword 0x23
        push dword USERVIEW + 0x9000
        push eax
        push dword 0x1B
        push dword [user_stubs + edx * 4]
        iretd

s_read: mov eax, [TARGET]
        jmp no_fault
s_write:
        mov dword [TARGET], 0xC3C3C3C3
        jmp no_fault
s_fetch:
        mov eax, TARGET
        call eax
        jmp no_fault
u_read: mov ax, 0x23
        mov ds, ax
        mov eax, [TARGET]
        int 0x80
u_write:
        mov ax, 0x23
        mov ds, ax
        mov dword [TARGET], 0xC3C3C3C3
        int 0x80
u_fetch:
        mov eax, TARGET
        call eax
        int 0x80

no_fault:
        mov al, 0xFF
        jmp report
page_fault:
        pop eax
report:
        mov esp, 0xA000
        push dword 2
        popfd                                   ; AC off
        mov cx, 0x10
        mov ds, cx
        mov es, cx
        out 0xE9, al
        mov al, [PDE_AT]
        out 0xE9, al
        mov al, [PTE_AT]
        out 0xE9, al
        add esi, 32
        jmp next
finished:
        mov dx, 0xF4
        mov al, 0
        out dx, al                              ; isa-debug-exit
        cli
        hlt

gate:   ; edi descriptor, ecx handler, dx attributes
        mov eax, ecx
        and eax, 0xFFFF
        or eax, 0x00080000
        mov [edi], eax
        mov eax, ecx
        and eax, 0xFFFF0000
        mov ax, dx
        mov [edi + 4], eax
        ret

        align 8
supervisor_stubs: dd s_read, s_write, s_fetch
user_stubs: dd u_read + USERVIEW, u_write + USERVIEW, u_fetch + USERVIEW
gdt:    dq 0
        dq 0x00CF9B000000FFFF
        dq 0x00CF93000000FFFF
        dq 0x00CFFB000000FFFF
        dq 0x00CFF3000000FFFF
        dq 0x0000890070000067                   ; TSS at 7000h
gdtr:   dw 6 * 8 - 1
        dd gdt
idtr:   dw 0x81 * 8 - 1
        dd 0x6000

        times 0xFFF0 - ($ - $$) db 0
        bits 16
        jmp start                               ; near: the offset is relative
        times 0x10000 - ($ - $$) db 0
