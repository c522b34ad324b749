; Page tables in registers: a table in the local APIC's page (the task priority is an entry), in the I/O APIC's, where
; nothing is, and in HPET's.
; hardware: a walk reads and writes entries as any access does: registers answer, and an accessed flag is written to
; them; nothing gives all-ones.
; source: Intel SDM Vol. 3, "Paging-Structure Entries"; "Accessed and Dirty Flags"
; log: 10000000 00000021
; log: #0e/0000
; log: f0000000
; log: #0e/0000
; log: end
attack: mov edi, 0x8000         ; page directory: 4 MiB at 0; tables at the devices
        mov ecx, 0x400
        mov eax, 0
        rep stosd
        mov dword [0x8000], 0x83
        mov dword [0x8004], LAPIC + 1
        mov dword [0x8008], 0xfec00001
        mov dword [0x800c], 0xc0000001
        mov dword [0x8010], 0xfed00001
        mov dword [LAPIC + 0x80], 1
        mov dword [0], 0x10000000
        mov eax, cr4
        or al, 0x10             ; PSE
        mov cr4, eax
        mov eax, 0x8000
        mov cr3, eax
        mov eax, cr0
        or eax, 0x80000000
        mov cr0, eax
        mov eax, .second
        call catch
        mov eax, [0x400000 + 0x20 * 0x1000]     ; entry 20h: the task priority, so page 0
        call hex32
        mov al, ' '
        call putc
.second: mov eax, cr0
        and eax, 0x7fffffff
        mov cr0, eax
        mov eax, [LAPIC + 0x80]
        call hex32
        call newline
        mov eax, cr0
        or eax, 0x80000000
        mov cr0, eax
        mov eax, .third
        call catch
        mov eax, [0x800000]                     ; index register of the I/O APIC: 0
        call hex32
        call newline
.third: mov eax, .fourth
        call catch
        mov eax, [0xc00000 + 0xff1]
        call hex32
        call newline
.fourth: mov eax, .end
        call catch
        mov eax, [0x1000000 + 0x10 * 0x1000]    ; unused register at 40h: 0
        call hex32
        call newline
.end:   mov eax, cr0
        and eax, 0x7fffffff
        mov cr0, eax
        ret
