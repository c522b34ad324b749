; Masks A20 and reads 1 MiB above SMRAM's addresses, where TSEG and the compatible range would alias; then an SMI under
; the mask.
; hardware: A20M# clears address bit 20 before decoding, so an alias is the range itself: closed; on SMI entry the mask
; is off.
; source: Intel SDM Vol. 3, "A20M# Mask"; "Executing the SMI Handler"
; log: s
; log: end
attack: mov dx, 0x92
        in al, dx
        and al, 0xfd
        out dx, al
        mov esi, TSEG + 0x200100
        mov eax, [esi - 0x100000]
        mov esi, [0x1a0100]
        mov al, 0
        call smi
        mov dx, 0x92
        mov al, 2
        out dx, al
        jmp newline
