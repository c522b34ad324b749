; High SMRAM at FEDA0000h: not seen outside SMM, nor is the RAM behind it at A0000h; in SMM it lies above what surrounds
; it.
; hardware: with H_SMRAME the compatible range moves to FEDA0000h, in SMM alone.
; source: Intel 316966, "Extended System Management RAM Control", "High SMM Space"
; setup: high=yes
; log: ffffffff
; log: s
; log: end
attack: mov dword [0xfeda0100], 0
        mov eax, [0xfeda0100]
        call hex32
        call newline
        mov al, 0
        call smi
        jmp newline
