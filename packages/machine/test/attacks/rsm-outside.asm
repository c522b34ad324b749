; Executes RSM outside SMM, with a save state forged at the reset value of SMBASE and with the privilege of an operating
; system.
; hardware: RSM outside SMM raises #UD and loads nothing.
; source: Intel SDM Vol. 2, "RSM-Resume From System Management Mode"; Vol. 3, "Exiting From SMM"
; setup: lock=no
; log: #06
; log: 12345678
; log: s
; log: end
attack: mov edi, 0x3fe00        ; every register of the save state: A5A5A5A5h
        mov ecx, 128
        mov eax, 0xa5a5a5a5
        rep stosd
        mov eax, .after
        call catch
        mov eax, 0x12345678
        mov [0x5000], eax
        rsm
.after: mov eax, [0x5000]
        call hex32
        call newline
        mov al, 0
        call smi
        jmp newline
