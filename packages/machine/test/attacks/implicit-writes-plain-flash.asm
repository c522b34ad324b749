; Implicit writes as cycles of commands that explicit stores began, in flash that takes commands from everybody: what
; they program is what stores would.
; hardware: flash sees cycles, whatever made them: a push is the data of a program command; tables are read from status
; while it is shown.
; source: Intel 298161, "Basic Command Set"; QEMU 7.2 pflash_cfi01, measured
; setup: flash=plain
; log: 12345678
; log: 00800080
; log: 00000000 00c09200 00cf9200
; log: end
VARS    equ 0xfffe0000
attack: mov byte [VARS + 0x1000], 0x40  ; program
        mov esp, VARS + 0x1004
        mov eax, 0x12345678
        push eax                        ; data
        mov esp, STACK - 4
        mov byte [VARS], 0xff
        mov eax, [VARS + 0x1000]
        call hex32
        call newline
        mov byte [VARS], 0x70           ; status is read everywhere in the chip
        mov eax, [VARS + 0x1000]
        call hex32
        call newline
        lgdt [.gdtr]                    ; by instructions' own reads too: LAR meets no descriptor
        mov ecx, 0x18
        mov eax, 0
        lar eax, ecx
        call hex32
        mov al, ' '
        call putc
        mov byte [VARS], 0xff
        lar eax, ecx
        call hex32
        mov al, ' '
        call putc
        mov es, cx                      ; the accessed bit is no command
        lgdt [gdtr_ram]
        mov eax, [VARS + 0x1c]
        call hex32
        jmp newline
align 4
.gdtr:  dw 0x1f
        dd VARS
align 16
vars:   dq 0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00cf92000000ffff
        times 0x1000 - 0x20 db 0xff
