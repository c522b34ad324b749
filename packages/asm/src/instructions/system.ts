/**
 * Rows of the system instructions and of the few x87 and SSE instructions that firmware needs. Codes as in `row.ts`.
 * Intel SDM volume 2, "Instruction Set Reference".
 */

/** The rows as text. */
export const SYSTEM_ROWS = `
cli : fa
sti : fb
hlt : f4
iret : cf
iretw : cf o16
iretd : cf o32
iretq : cf o64
in al,Ib : e4
in ax,Ib : e5 o16
in eax,Ib : e5 o32
in al,dx : ec
in ax,dx : ed o16
in eax,dx : ed o32
out Ib,al : e6
out Ib,ax : e7 o16
out Ib,eax : e7 o32
out dx,al : ee
out dx,ax : ef o16
out dx,eax : ef o32
sldt Mw : 0f 00 /0
sldt Rw : 0f 00 /0 o16
sldt Rd : 0f 00 /0 o32
sldt Rq : 0f 00 /0 64
str Mw : 0f 00 /1
str Rv : 0f 00 /1
lldt Ew : 0f 00 /2 any
ltr Ew : 0f 00 /3 any
verr Ew : 0f 00 /4 any
verw Ew : 0f 00 /5 any
sgdt M : 0f 01 /0
sidt M : 0f 01 /1
lgdt M : 0f 01 /2
lidt M : 0f 01 /3
smsw Mw : 0f 01 /4
smsw Rv : 0f 01 /4
lmsw Ew : 0f 01 /6 any
invlpg M : 0f 01 /7
swapgs : 0f 01 f8 64
rdtscp : 0f 01 f9
vmcall : 0f 01 c1
vmmcall : 0f 01 d9
monitor : 0f 01 c8
mwait : 0f 01 c9
xgetbv : 0f 01 d0
xsetbv : 0f 01 d1
lar Gv,Mw : 0f 02 /r
lar Gv,Rw : 0f 02 /r
lar Gv,Rd : 0f 02 /r
lsl Gv,Mw : 0f 03 /r
lsl Gv,Rw : 0f 03 /r
lsl Gv,Rd : 0f 03 /r
clts : 0f 06
invd : 0f 08
wbinvd : 0f 09
cpuid : 0f a2
rdmsr : 0f 32
wrmsr : 0f 30
rdtsc : 0f 31
rdpmc : 0f 33
rsm : 0f aa
syscall : 0f 05
sysret : 0f 07
sysenter : 0f 34
sysexit : 0f 35

wait : 9b
fwait : 9b
finit : 9b db e3
fninit : db e3
fnclex : db e2
fnstcw Mw : d9 /7
fldcw Mw : d9 /5
fnstsw Mw : dd /7
fnstsw ax : df e0
fxsave M : 0f ae /0
fxrstor M : 0f ae /1
fxsave64 M : 0f ae /0 o64
fxrstor64 M : 0f ae /1 o64
ldmxcsr Md : 0f ae /2
stmxcsr Md : 0f ae /3
xsave M : 0f ae /4
xrstor M : 0f ae /5
clflush M : 0f ae /7
clac : 0f 01 ca
stac : 0f 01 cb
prefetchw M : 0f 0d /1
fnop : d9 d0
lfence : 0f ae e8
mfence : 0f ae f0
sfence : 0f ae f8
emms : 0f 77
prefetchnta M : 0f 18 /0
prefetcht0 M : 0f 18 /1

movups Vdq,Wdq : 0f 10 /r
movups Wdq,Vdq : 0f 11 /r
movaps Vdq,Wdq : 0f 28 /r
movaps Wdq,Vdq : 0f 29 /r
movdqa Vdq,Wdq : 0f 6f /r p66
movdqa Wdq,Vdq : 0f 7f /r p66
movdqu Vdq,Wdq : 0f 6f /r pf3
movdqu Wdq,Vdq : 0f 7f /r pf3
movd Vdq,Ed : 0f 6e /r p66 any
movd Ed,Vdq : 0f 7e /r p66 any
movq Vdq,Rq : 0f 6e /r p66 o64
movq Rq,Vdq : 0f 7e /r p66 o64
movq Vdq,Uq : 0f 7e /r pf3
movq Vdq,Mq : 0f 7e /r pf3
movq Mq,Vdq : 0f d6 /r p66
xorps Vdq,Wdq : 0f 57 /r
pxor Vdq,Wdq : 0f ef /r p66
addps Vdq,Wdq : 0f 58 /r
mulps Vdq,Wdq : 0f 59 /r
subps Vdq,Wdq : 0f 5c /r
divps Vdq,Wdq : 0f 5e /r
sqrtps Vdq,Wdq : 0f 51 /r
addsd Vdq,Wq : 0f 58 /r pf2 any
mulsd Vdq,Wq : 0f 59 /r pf2 any
subsd Vdq,Wq : 0f 5c /r pf2 any
divsd Vdq,Wq : 0f 5e /r pf2 any
sqrtsd Vdq,Wq : 0f 51 /r pf2 any
ucomisd Vdq,Wq : 0f 2e /r p66 any
cvtsi2sd Vdq,Rd : 0f 2a /r pf2
cvttsd2si Gd,Wq : 0f 2c /r pf2 any
cvtdq2ps Vdq,Wdq : 0f 5b /r
`;
