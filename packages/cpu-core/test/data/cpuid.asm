; CPUID of every (leaf, subleaf) in the list: EAX, EBX, ECX, EDX to port 402h, then the end.
bits 16
org 0
start:
  cli
  xor si, si
next:
  mov eax, [cs:table + si]
  mov ecx, [cs:table + si + 4]
  add si, 8
  cmp eax, 0xffffffff
  je done
  cpuid
  mov edi, edx
  call out4
  mov eax, ebx
  call out4
  mov eax, ecx
  call out4
  mov eax, edi
  call out4
  jmp next
out4:
  mov ebp, ecx
  mov dx, 0x402
  mov cx, 4
.byte:
  out dx, al
  shr eax, 8
  loop .byte
  mov ecx, ebp
  ret
done:
  mov al, 0
  out 0xf4, al
  hlt
; Pairs of a leaf and a subleaf, ended by a leaf FFFFFFFFh: put here by whoever runs this.
align 16
table equ 0x1000
  times 0x8000 - ($ - $$) db 0xff
times 0xfff0 - ($ - $$) db 0
  jmp 0xf000:start
times 0x10000 - ($ - $$) db 0
