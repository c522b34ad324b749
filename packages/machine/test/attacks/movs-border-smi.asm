; Copies from and to both sides of TSEG's border with REP MOVS while the second processor sends SMIs that interrupt the
; copies.
; hardware: an SMI is taken between two iterations, and RSM goes on with the next; accesses made outside SMM read all
; ones from TSEG and do not change it.
; source: Intel SDM Vol. 2, "REP/REPE/REPZ/REPNE/REPNZ"; Vol. 3, "SMIs and Interrupts Within SMM"; Intel 316966, "SMM
; Space Definition"
; setup: cpus=2
; log: ssssssss
; log: read ok
; log: s
; log: end
SMIS    equ 8
attack: mov edi, TSEG - 0x1000  ; a pattern below the border
        mov ecx, 0x400
        mov eax, 0xc0dec0de
        rep stosd
        mov dword [go], 1
.again: mov esi, TSEG - 0x1000  ; out of TSEG
        mov edi, 0x100000
        mov ecx, 0x800
        rep movsd
        mov esi, 0x200000       ; into TSEG: zeros
        mov edi, TSEG - 0x800
        mov ecx, 0x400
        rep movsd
        mov edi, TSEG - 0x800
        mov ecx, 0x200
        mov eax, 0xc0dec0de
        rep stosd
        cmp dword [ap_done], 0
        je .again
        call newline
        mov esi, 0x100000
        mov ecx, 0x400
.below: cmp dword [esi], 0xc0dec0de
        jne .bad
        add esi, 4
        loop .below
        mov ecx, 0x400
.above: cmp dword [esi], 0xffffffff
        jne .bad
        add esi, 4
        loop .above
        call print
        db 'read ok', 10, 0
        mov al, 0
        call smi                ; both processors
        jmp newline
.bad:   call print
        db 'read bad', 10, 0
        ret

ap_attack:
        mov ebp, SMIS
.next:  mov ebx, [smis]
        mov dword [LAPIC + 0x310], 0
        mov dword [LAPIC + 0x300], 0x4200
.wait:  pause
        cmp [smis], ebx
        je .wait
        mov ecx, 700
        loop $
        dec ebp
        jnz .next
        ret
