; Long-mode checks. Prints records to port 402h; the same image runs in QEMU and here.
bits 16
org 0
%define PORT 0x402
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
  mov qword [0x1000], 0xf0000 + %%next
  %1
  mov eax, 0x600d600d
  call out32
%%next:
%endmacro
%macro RING3 1
  mov qword [0x1000], 0xf0000 + %%next
  push qword 0x23
  push qword 0x6800
  pushfq
  push qword 0x2b
  push qword 0xf0000 + %1
  iretq
%%next:
%endmacro

rom:
  xor ax, ax
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov sp, 0x7000
  cld
  mov si, gdt
  mov di, 0x4000
  mov cx, gdt_end-gdt
  cs rep movsb
  mov dword [0x8000], 0x9007
  mov dword [0x9000], 0xa007
  mov di, 0xa000
  mov eax, 0x87
.pd:
  mov [di], eax
  mov dword [di+4], 0
  add eax, 0x200000
  add di, 8
  cmp di, 0xb000
  jb .pd
  o32 lgdt [cs:gdtr]
  o32 lidt [cs:idtr]
  mov eax, 0x8000
  mov cr3, eax
  mov eax, 0x620
  mov cr4, eax
  mov ecx, 0xc0000080
  rdmsr
  or ax, 0x101
  wrmsr
  mov eax, 0x80010033
  mov cr0, eax                 ; PE and PG at once, in the 16-bit segment
  rdmsr
  mov ebx, eax
  jmp dword 8:(0xf0000 + lm)

align 8
gdt:
  dq 0
  dq 0x00af9b000000ffff         ; 08 code64
  dq 0x00cf93000000ffff         ; 10 data
  dq 0x00cffb000000ffff         ; 18 code32 dpl3
  dq 0x00cff3000000ffff         ; 20 data dpl3
  dq 0x00affb000000ffff         ; 28 code64 dpl3
  dq 0x00cf9b000000ffff         ; 30 code32 dpl0
  dq 0x00ef9b000000ffff         ; 38 L and D: bad
  dq 0x0000890030000067         ; 40 tss at 3000, 16 bytes
  dq 0
  dq 0x0000820020000017         ; 50 ldt, 16 bytes
  dq 0
  dq 0                          ; 60 call gate, 16 bytes
  dq 0
  dq 0x000f9b000000ffff         ; 70 code16
gdt_end:
gdtr: dw gdt_end-gdt-1
  dd 0x4000
idtr: dw 256*16-1
  dd 0x5000

bits 64
align 16
stubs:
%assign n 0
%rep 32
  STUB n
%assign n n+1
%endrep
catch_all:
  push rax
  mov rax, rsp
  add rax, 16
  and eax, 0xfff0
  call out32
  mov eax, ss
  call out32
  pop rax
  pop rax
  call out32
  pop rax
  call out32
  pop rax
  sub rax, 0xf0000
  call out32
  pop rax
  call out32
  pop rax
  and eax, 0x2ffff - 0x8d5
  call out32
  pop rax
  call out32
  pop rax
  call out32
  mov rsp, 0x6e00
  mov eax, 0x10
  mov ss, ax
  jmp [0x1000]
soft:
  mov rax, [rsp]
  sub rax, 0xf0000
  call out32
  mov rax, rsp
  call out32
  mov eax, ss
  call out32
  mov rax, [rsp+24]
  call out32
  iretq
gate_target:
  mov rax, rsp
  call out32
  mov rax, [rsp+8]
  call out32
  mov eax, ss
  call out32
  db 0x48
  retf
out32:
  push rdx
  mov dx, PORT
  out dx, al
  ror eax, 8
  out dx, al
  ror eax, 8
  out dx, al
  ror eax, 8
  out dx, al
  ror eax, 8
  pop rdx
  ret

lm:
  mov eax, 0x10
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov rsp, 0x6e00
  mov eax, ebx
  call out32                   ; EFER as seen in compatibility mode
  mov rdi, 0x5000
  mov rax, 0xf0000 + stubs
  xor ecx, ecx
.idt:
  mov rbx, rax
  mov [rdi], ax
  mov word [rdi+2], 8
  mov word [rdi+4], 0x8e00
  shr rbx, 16
  mov [rdi+6], bx
  mov qword [rdi+8], 0
  add rdi, 16
  add rax, 16
  inc ecx
  cmp ecx, 32
  jb .idt
  mov rax, 0xf0000 + soft
  mov [0x5000+0x30*16], ax
  mov dword [0x5000+0x30*16+2], 0x8e000008
  mov word [0x5000+0x30*16+6], 0xf
  mov [0x5000+0x31*16], ax
  mov dword [0x5000+0x31*16+2], 0xee000008
  mov word [0x5000+0x31*16+6], 0xf
  mov [0x5000+0x32*16], ax
  mov dword [0x5000+0x32*16+2], 0xee010008   ; IST 1 (byte 4)
  mov word [0x5000+0x32*16+2], 8
  mov word [0x5000+0x32*16+4], 0xee01
  mov word [0x5000+0x32*16+6], 0xf
  mov [0x5000+0x33*16], ax
  mov word [0x5000+0x33*16+2], 0x30           ; 32-bit handler: #GP(30h)
  mov word [0x5000+0x33*16+4], 0xee00
  mov word [0x5000+0x33*16+6], 0xf
  mov qword [0x3004], 0x6d08                  ; RSP0, not aligned
  mov qword [0x3024], 0x6c18                  ; IST1
  mov word [0x3066], 0x68
  mov rax, 0xf0000 + gate_target
  mov [0x4060], ax
  mov word [0x4062], 8
  mov word [0x4064], 0xec00
  shr rax, 16
  mov [0x4066], ax
  mov eax, 0x40
  TRY ltr ax
  mov eax, 0x50
  TRY lldt ax
  mov eax, [0x4044]
  call out32
; ---- loads
  xor esi, esi
.selectors:
  TRY mov ds, si
  mov edi, esi
  or edi, 3
  test esi, esi                ; QEMU takes a null SS with a wrong RPL: not compared
  jz .no_ss
  TRY mov ss, di
.no_ss:
  mov eax, 0x10
  mov ss, ax
  mov eax, 0x11111111
  lar eax, si
  pushfq
  call out32
  pop rax
  and eax, 0x40
  call out32
  mov eax, 0x11111111
  lsl eax, si
  pushfq
  call out32
  pop rax
  and eax, 0x40
  call out32
  add esi, 8
  cmp esi, 0x78
  jbe .selectors
  xor eax, eax
  TRY mov ss, ax
  mov eax, 0x10
  mov ss, ax
; ---- exceptions
  TRY ud2
  xor ecx, ecx
  TRY div rcx
  mov rax, 0x8000000000000000
  mov rdx, rax
  mov rcx, -1
  TRY idiv rcx
  mov rbx, 0x800000000000
  TRY mov al, [rbx]
  mov rax, 0x123456789
  xor edx, edx
  mov rcx, 0x1111
  div rcx
  call out32
  mov eax, edx
  call out32
  int 0x30
  int 0x31
  TRY int 0x33
  TRY int3
  sub rsp, 4                   ; misaligned stack: aligned on delivery
  int 0x31
  add rsp, 4
; ---- far transfers
  mov dword [0x2f00], 0xf0000 + .conf
  mov dword [0x2f04], 8
  call dword far [0x2f00]
  jmp .after
.conf:
  mov eax, cs
  call out32
  retf
.after:
  mov word [0x2f04], 0x60
  call dword far [0x2f00]
; compatibility mode and back
  mov dword [0x2f00], 0xf0000 + compat
  mov word [0x2f04], 0x30
  jmp dword far [0x2f00]
back:
  mov eax, ebx
  call out32
; ---- control registers
  mov rax, 5
  mov cr8, rax
  mov rax, cr8
  call out32
  xor eax, eax
  mov cr8, rax
  mov rax, cr4
  call out32
  mov rax, cr0
  call out32
  sgdt [0x2f10]
  mov rax, [0x2f12]
  call out32
  mov ecx, 0xc0000102
  mov eax, 0x5000
  xor edx, edx
  wrmsr
  swapgs
  mov eax, [gs:0x10]
  call out32
  swapgs
; ---- SSE moves and state
  fninit
  mov rdi, 0x2800
  mov ecx, 64
  xor eax, eax
  rep stosq
  mov rax, 0x1122334455667788
  movq xmm3, rax
  movd xmm4, eax
  movdqa xmm5, xmm3
  pxor xmm5, xmm4
  movdqu [0x2701], xmm5
  movaps xmm9, xmm3
  TRY movdqa [0x2701], xmm5
  mov dword [0x2700], 0x1f80
  ldmxcsr [0x2700]
  o64 fxsave [0x2800]
  mov rsi, 0x2800
  mov ecx, 76
.fx:
  lodsd
  call out32
  dec ecx
  jnz .fx
  TRY fxrstor [0x2800]
; ---- the rest
  mov rax, [0x2705]
  mov rdx, 5
  mov rbx, 7
  mov rcx, 9
  mov qword [0x2600], 1
  mov qword [0x2608], 2
  cmpxchg16b [0x2600]
  call out32
  cmpxchg16b [0x2600]
  mov eax, [0x2608]
  call out32
  TRY cmpxchg16b [0x2608]
  mov rbp, 0x6f00
  enter 0x20, 3
  mov rax, rsp
  call out32
  mov rax, [rbp]
  call out32
  mov rax, [rbp-24]
  call out32
  mov rsp, 0x6e00
  mov rax, 0x8123456789abcdef
  mov rdx, 0xfedcba9876543210
  shld rax, rdx, 13
  pushfq
  call out32
  shr rax, 32
  call out32
  pop rax
  and eax, 0xc5
  call out32
  mov rax, 0x8123456789abcdef
  stc
  rcr rax, 1
  pushfq
  rcl rax, 37
  call out32
  shr rax, 32
  call out32
  pop rax
  and eax, 0x801
  call out32
; ---- SYSCALL, SYSRET
  mov ecx, 0xc0000081
  xor eax, eax
  mov edx, 0x00180008
  wrmsr
  mov ecx, 0xc0000082
  mov eax, 0xf0000 + entry
  xor edx, edx
  wrmsr
  mov ecx, 0xc0000084
  mov eax, 0x400
  wrmsr
  RING3 r_syscall
  RING3 r_int
  RING3 r_ist
  RING3 r_gate
  RING3 r_cli
  RING3 r_mov
  RING3 r_popf
  RING3 r_retf
  mov eax, 0xd0d0d0d0
  call out32
  mov dx, 0xf4
  mov al, 0
  out dx, al
.stop: hlt
  jmp .stop

entry:
  mov rax, rcx
  sub rax, 0xf0000
  call out32
  mov rax, r11
  call out32
  pushfq
  pop rax
  call out32
  mov eax, cs
  call out32
  mov eax, ss
  call out32
  db 0x48
  sysret
r_syscall:
  mov rsp, 0x6700
  std
  syscall
  pushfq
  pop rax
  mov ebx, cs
  mov ecx, ss
  shl ebx, 16
  or ebx, ecx
  push rbx
  int 0x31
  ud2
r_int: int 0x31
  ud2
r_ist: int 0x32
  ud2
r_gate:
  mov dword [0x2f00], 0
  mov word [0x2f04], 0x63
  call dword far [0x2f00]
  ud2
r_cli: cli
r_mov: mov rax, cr3
r_popf: push qword 0x3246
  popfq
  pushfq
  pop rax
  ud2
r_retf: push qword 8
  push qword 0
  db 0x48
  retf
bits 32
compat:
  mov eax, cs
  mov ebx, eax
  int 0x31
  mov eax, 0x10
  mov ds, ax
  call 0x08:(0xf0000 + from_compat)
  jmp 8:(0xf0000 + back)
bits 64
from_compat:
  mov eax, cs
  shl eax, 16
  or ebx, eax
  retf

times 0xfff0-($-$$) db 0xff
bits 16
  jmp 0xf000:0
times 0x10000-($-$$) db 0xff
