; Protected-mode checks. Prints records to port 402h; the same image runs in QEMU and here.
bits 16
org 0
%define PORT 0x402
%define RESULT 0x1000          ; dword: resume address

rom:
  xor ax, ax
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov sp, 0x7000
; ---- real mode: INT and IRET through the IVT
  mov word [0x30*4], real_handler
  mov word [0x30*4+2], 0xf000
  mov word [0], real_de
  mov word [2], 0xf000
  mov ax, 0x1234
  stc
  int 0x30
  pushf
  pop ax
  call out16
  mov ax, 5
  xor dx, dx
  xor cx, cx
  div cx                       ; #DE, the handler skips it
  mov ax, sp
  call out16
; strings in real mode
  cld
  mov di, 0x2000
  mov cx, 100
  mov al, 0xa5
  rep stosb
  mov si, 0x2000
  mov di, 0x2001
  mov byte [si], 1
  mov cx, 200
  rep movsb                    ; propagates
  mov si, 0x2003
  mov di, 0x2080
  mov cx, 50
  rep movsw
  std
  mov si, 0x2010
  mov di, 0x2030
  mov cx, 9
  rep movsd
  cld
  mov di, 0x2000
  mov al, 1
  mov cx, 300
  repe scasb
  mov ax, cx
  call out16
  mov ax, di
  call out16
  mov si, 0x2000
  mov di, 0x2001
  mov cx, 300
  repe cmpsw
  pushf
  pop ax
  and ax, 0xcd5
  call out16
  mov ax, cx
  call out16
  mov ax, si
  call out16
; wrap of 16-bit SI/DI
  mov si, 0xfffe
  mov di, 0x3000
  mov cx, 3
  rep movsw
  mov ax, si
  call out16
  mov ax, [0x3002]
  call out16
; ---- to protected mode
  mov si, gdt
  mov di, 0x4000
  mov cx, gdt_end-gdt
  cs rep movsb
  lgdt [cs:gdtr]
  lidt [cs:idtr]
  mov eax, cr0
  or al, 1
  mov cr0, eax
  jmp dword 8:(0xf0000 + pm)

real_handler:
  push bp
  mov bp, sp
  push ax
  mov ax, [bp+2]
  sub ax, rom
  call out16
  mov ax, [bp+4]
  call out16
  mov ax, [bp+6]
  call out16
  pushf
  pop ax
  call out16
  pop ax
  pop bp
  iret
real_de:
  push bp
  mov bp, sp
  add word [bp+2], 2
  pop bp
  iret
out16:
  push dx
  mov dx, PORT
  out dx, al
  xchg al, ah
  out dx, al
  xchg al, ah
  pop dx
  ret

align 8
gdt:
  dq 0
  dq 0x00cf9b000000ffff         ; 08 code32
  dq 0x00cf93000000ffff         ; 10 data
  dq 0x00cffb000000ffff         ; 18 code32 dpl3
  dq 0x00cff3000000ffff         ; 20 data dpl3
  dq 0x00008b0010000067         ; 28 tss at 1000 busy (patched copy used)
  dq 0x00cf13000000ffff         ; 30 data not present
  dq 0x00cf1b000000ffff         ; 38 code not present
  dq 0x00cf91000000ffff         ; 40 read-only data
  dq 0x00cf99000000ffff         ; 48 execute-only code
  dq 0x0040970000000fff         ; 50 expand-down, limit fff, big
  dq 0x0000930000000fff         ; 58 data limit fff, byte
  dq 0x00cf9f000000ffff         ; 60 conforming readable code
  dq 0x00cfb3000000ffff         ; 68 data dpl1
  dq 0x0000820020000017         ; 70 ldt at 2000 limit 17
  dq 0x0000e50000000000         ; 78 task gate dpl3
  dq 0                          ; 80 call gate dpl3 -> 08:gate_target (built)
  dq 0x000089003000006f         ; 88 tss at 3000 available
  dq 0x000f9b000000ffff         ; 90 code16, limit fffff bytes
  dq 0x00cf92000000ffff         ; 98 data, not accessed yet
gdt_end:
gdtr: dw gdt_end-gdt-1
  dd 0x4000
idtr: dw 256*8-1
  dd 0x5000


%macro STUB 1
  %if %1 == 8 || (%1 >= 10 && %1 <= 14) || %1 == 17
    nop
    nop
  %else
    push byte -1
  %endif
  push byte %1
  jmp near catch_all
  align 16
%endmacro
%macro TRY 1+
  mov dword [0x1000], 0xf0000 + %%next
  %1
  mov eax, 0x600d600d
  call out32
%%next:
%endmacro
; from ring 3 back to ring 0 only by an exception
%macro RING3 1
  mov dword [0x1000], 0xf0000 + %%next
  push dword 0x23
  push dword 0x6800
  pushfd
  push dword 0x1b
  push dword 0xf0000 + %1
  iretd
%%next:
%endmacro

bits 32
align 16
stubs:
%assign n 0
%rep 32
  STUB n
%assign n n+1
%endrep
catch_all:
  cld
  push eax
  mov ax, ss
  movzx eax, ax
  call out32
  mov eax, 0x10
  mov ds, ax
  mov es, ax
  pop eax
  pop eax                      ; vector
  call out32
  pop eax                      ; error code
  call out32
  pop eax
  sub eax, 0xf0000
  call out32
  pop eax
  call out32
  pop eax
  and eax, 0x2ffff - 0x8d5     ; not the status flags, nor RF: QEMU does not set it for faults
  call out32
  mov esp, 0x7000
  mov eax, 0x10
  mov ss, ax
  jmp [0x1000]

soft:                          ; INT 31h: prints its frame, returns
  push eax
  mov eax, [esp+8]
  call out32
  mov eax, [esp+4]
  sub eax, 0xf0000
  call out32
  mov eax, esp
  call out32
  mov eax, ss
  call out32
  pushfd
  pop eax
  call out32
  pop eax
  iretd

gate_target:                   ; through the call gate with two parameters
  mov eax, esp
  call out32
  mov eax, cs
  call out32
  mov eax, [esp+8]
  call out32
  mov eax, [esp+12]
  call out32
  mov eax, [esp+20]
  call out32
  retf 8

out32:
  push edx
  mov dx, PORT
  out dx, al
  ror eax, 8
  out dx, al
  ror eax, 8
  out dx, al
  ror eax, 8
  out dx, al
  ror eax, 8
  pop edx
  ret

pm:
  mov eax, 0x10
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov esp, 0x7000
  xor eax, eax
  mov fs, ax
  mov gs, ax
; a load sets the accessed bit in the table
  mov ax, 0x98
  mov fs, ax
  mov eax, [0x409c]
  call out32
  mov ax, 0
  mov fs, ax
  mov edi, 0x5000
  mov eax, 0xf0000 + stubs
.idt:
  mov ebx, eax
  mov [edi], ax
  mov word [edi+2], 8
  mov word [edi+4], 0x8e00
  shr ebx, 16
  mov [edi+6], bx
  add edi, 8
  add eax, 16
  cmp edi, 0x5000 + 32*8
  jb .idt
  mov eax, 0xf0000 + soft
  mov [0x5000+0x30*8], ax
  mov word [0x5000+0x30*8+2], 8
  mov dword [0x5000+0x30*8+4], 0x000f8e00
  mov [0x5000+0x31*8], ax
  mov word [0x5000+0x31*8+2], 8
  mov dword [0x5000+0x31*8+4], 0x000fee00
  mov [0x5000+0x32*8], ax
  mov word [0x5000+0x32*8+2], 0x18   ; handler less privileged: #GP(18h)
  mov dword [0x5000+0x32*8+4], 0x000fee00
  mov [0x5000+0x33*8], ax
  mov word [0x5000+0x33*8+2], 8
  mov dword [0x5000+0x33*8+4], 0x000f6e00 ; not present
  mov dword [0x5000+0x34*8], 0x00080000
  mov dword [0x5000+0x34*8+4], 0x0000ec00 ; a call gate in the IDT
; call gate 80h, two parameters, DPL 3
  mov eax, 0xf0000 + gate_target
  mov [0x4000+0x80], ax
  mov word [0x4000+0x82], 8
  mov dword [0x4000+0x84], 0x000fec02
; TSS at 3000h
  mov dword [0x3004], 0x6f00
  mov dword [0x3008], 0x10
  mov word [0x3066], 0x68
  mov dword [0x3068], 0xffffffff
  mov byte [0x306a], 0xfe      ; port 10h allowed
; LDT at 2000h
  mov dword [0x2008], 0x0000ffff
  mov dword [0x200c], 0x00cff300
  mov dword [0x2010], 0x0000ffff
  mov dword [0x2014], 0x00cf9300

; ---- segment loads
  mov esi, 0
.selectors:
  TRY mov ds, si
  mov eax, 0x10
  mov ds, ax
  cmp esi, 0x58                ; QEMU checks no limits: this stack would be too small here
  je .no_ss
  TRY mov ss, si
  mov eax, 0x10
  mov ss, ax
.no_ss:
  mov edi, esi
  or edi, 3
  TRY mov es, di
  mov eax, 0x10
  mov es, ax
  mov eax, 0x11111111
  lar eax, esi
  pushfd
  call out32
  pop eax
  and eax, 0x40
  call out32
  mov eax, 0x11111111
  lsl eax, esi
  pushfd
  call out32
  pop eax
  and eax, 0x40
  call out32
  verr si
  pushfd
  pop eax
  and eax, 0x40
  call out32
  verw si
  pushfd
  pop eax
  and eax, 0x40
  call out32
  add esi, 8
  cmp esi, 0xa0
  jbe .selectors
; ---- system registers
  TRY ltr si
  mov eax, 0x88
  TRY ltr ax
  mov al, [0x408d]
  call out32
  TRY ltr ax
  mov eax, 0x70
  TRY lldt ax
  str ecx
  mov eax, ecx
  call out32
  sldt ecx
  mov eax, ecx
  call out32
  mov esi, 0xc
  TRY mov ds, si
  mov eax, 0x10
  mov ds, ax
  mov esi, 0x14
  TRY mov ds, si
  mov eax, 0x10
  mov ds, ax
  mov esi, 0x1c
  TRY mov ds, si
  mov eax, 0x10
  mov ds, ax
; ---- control registers
  mov eax, cr0
  call out32
  mov ebx, eax
  smsw eax
  call out32
  mov ax, 0xf
  lmsw ax
  smsw eax
  call out32
  clts
  mov eax, cr0
  call out32
  and eax, ~0xe
  mov cr0, eax
  lmsw bx
  mov eax, cr0
  call out32
  mov eax, 0x70
  mov dr6, eax
  mov eax, dr6
  call out32
  mov eax, 0x400
  mov dr7, eax
  mov eax, dr7
  call out32
  sgdt [0x2f00]
  mov eax, [0x2f00]
  call out32
  mov eax, [0x2f04]
  call out32
; ---- far transfers
  TRY jmp 0x10:0
  TRY jmp 0x38:0
  TRY jmp 0:0
  TRY jmp 0x18:0
  TRY jmp 0x1008:0
  TRY call 0x48:(0xf0000 + .xonly)
  jmp .after_xonly
.xonly:
  mov eax, cs
  call out32
  retf
.after_xonly:
  mov dword [0x2f10], 0xf0000 + .conf
  mov word [0x2f14], 0x60
  call far [0x2f10]
  jmp .after_conf
.conf:
  mov eax, cs
  call out32
  retf
.after_conf:
  push dword 1
  push dword 2
  call 0x80:0
  mov eax, esp
  call out32
; ---- software interrupts at ring 0
  int 0x31
  int 0x30
  TRY int 0x32
  TRY int 0x33
  TRY int 0x34
  TRY int 0x90
  TRY int3
  mov al, 0x7f
  add al, 1
  TRY into
  mov dword [0x2f20], 5
  mov dword [0x2f24], 9
  mov eax, 4
  TRY bound eax, [0x2f20]
  mov eax, 9
  TRY bound eax, [0x2f20]
  TRY ud2
  xor ecx, ecx
  TRY div ecx
; single step
  mov dword [0x1000], 0xf0000 + .tf_done
  pushfd
  or dword [esp], 0x100
  popfd
  nop
  nop
.tf_done:
  mov eax, dr6
  call out32
  mov dword [0x1000], 0xf0000 + .tf2
  pushfd
  or dword [esp], 0x100
  mov eax, ss
  popfd
  mov ss, ax                   ; no trap after this one
  nop
.tf2:
; ---- ring 3
  RING3 r_cli
  RING3 r_hlt
  RING3 r_int30
  RING3 r_int31
  RING3 r_in
  RING3 r_in_ok
  RING3 r_in_wide
  RING3 r_mov_ss
  RING3 r_mov_ds
  RING3 r_gate
  RING3 r_popf
  RING3 r_cr
  RING3 r_rdmsr
  RING3 r_jmp
  RING3 r_retf
  RING3 r_conf
  RING3 r_iret
; data segments on the way out
  mov eax, 0x68
  mov fs, ax
  mov eax, 0x20
  mov gs, ax
  RING3 r_segs
; triple fault is not shown: end
  mov eax, 0xd0d0d0d0
  call out32
  mov dx, 0xf4
  mov al, 0
  out dx, al
.stop: hlt
  jmp .stop

r_cli: cli
r_hlt: hlt
r_int30: int 0x30
r_int31: int 0x31
  mov eax, ss
  ud2
r_in: in al, 0x20
  ud2
r_in_ok: in al, 0x10
  ud2
r_in_wide: in ax, 0x10
  ud2
r_mov_ss: mov eax, 0x10
  mov ss, ax
r_mov_ds: mov eax, 0x68
  mov ds, ax
r_gate: push dword 0x11
  push dword 0x22
  call 0x83:0
  ud2
r_popf: push dword 0x3246
  popfd
  pushfd
  pop eax
  ud2
r_cr: mov eax, cr0
r_rdmsr: rdmsr
r_jmp: jmp 8:0
r_retf: push dword 8
  push dword 0
  retf
r_conf: call 0x63:(0xf0000 + r_conf2)
r_conf2: ud2
r_iret: pushfd
  push dword 0x18
  push dword 0xf0000
  iretd
r_segs: mov eax, fs
  mov ebx, gs
  shl eax, 16
  or eax, ebx
  push eax
  ud2

times 0xfff0-($-$$) db 0xff
bits 16
  jmp 0xf000:0
times 0x10000-($-$$) db 0xff
