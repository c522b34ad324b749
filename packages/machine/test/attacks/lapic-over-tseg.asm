; The memory sinkhole: moves the local APIC's page over the SMI handler, then over the secret, and raises SMIs; then
; over plain RAM.
; hardware: until SMRR (2013) the APIC's page won over SMRAM, and the handler fetched zeros: a deviation, see
; support/deviations.ts, and not had here.
; source: Intel SDM Vol. 3, "Relocating the Local APIC Registers"; C. Domas, "The Memory Sinkhole", 2015
; log: 10f08900 s ffffffff
; log: 10f00900 s ffffffff
; log: 00008900 s 12345678
; log: 00050014
; log: end
attack: mov dword [0x8000], 0x12345678
        mov edi, TSEG + 0x8000
        call try
        mov edi, TSEG
        call try
        mov edi, 0x8000
        call try
        mov eax, LAPIC | 0x900
        mov edx, 0
        mov ecx, 0x1b
        wrmsr
        mov eax, [LAPIC + 0x30]
        call hex32
        jmp newline
try:    lea eax, [edi + 0x900]  ; enabled, boot processor
        mov edx, 0
        mov ecx, 0x1b
        wrmsr
        rdmsr
        call hex32
        mov al, ' '
        call putc
        mov al, 0
        call smi
        mov al, ' '
        call putc
        mov eax, [edi]
        call hex32
        jmp newline
