; A second processor sends NMIs by its ICR to one that is in SMM, whose vector table is the attacker's.
; hardware: NMIs are blocked in SMM and one is kept: it is taken after RSM, by the interrupted guest's IDT.
; source: Intel SDM Vol. 3, "NMI Handling While in SMM"
; setup: cpus=2
; log: s
; log: #02
; log: s
; log: end
attack: mov dword [IDT + 8], 0x10000000 | (payload - start) ; gate 1 in protected mode, vector 2 in real mode
        mov dword [hold], 1
        mov dword [go], 1
        mov eax, [smis]
.wait:  pause
        cmp eax, [smis]
        je .wait
        call newline
        mov ecx, 3
.send:  mov dword [LAPIC + 0x310], 0x01000000
        mov dword [LAPIC + 0x300], 0x00004400
        push ecx
        mov ecx, 1000
        loop $
        pop ecx
        loop .send
        mov dword [hold], 0
.done:  pause
        cmp dword [ap_done], 0
        je .done
        mov al, 0
        call smi
        jmp newline

ap_attack:
        mov eax, .after
        call catch
        out 0xb2, al
.stay:  jmp .stay
.after: ret
