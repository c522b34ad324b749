/**
 * Rows of the integer instructions. One row: mnemonic, operands, `:`, encoding, flags. See `row.ts` for the codes.
 * Intel SDM volume 2, "Instruction Set Reference"; AMD APM volume 3 for the 64-bit forms.
 * Where two rows fit, the first one wins; the order is the one that gives the shortest form, as nasm chooses.
 */

const ALU = ['add', 'or', 'adc', 'sbb', 'and', 'sub', 'xor', 'cmp'];
const SHIFTS = ['rol', 'ror', 'rcl', 'rcr', 'shl', 'shr', '', 'sar'];

/** Condition names in the order of their 4-bit code. */
export const CONDITIONS: readonly (readonly string[])[] = [
  ['o'],
  ['no'],
  ['b', 'c', 'nae'],
  ['ae', 'nb', 'nc'],
  ['e', 'z'],
  ['ne', 'nz'],
  ['be', 'na'],
  ['a', 'nbe'],
  ['s'],
  ['ns'],
  ['p', 'pe'],
  ['np', 'po'],
  ['l', 'nge'],
  ['ge', 'nl'],
  ['le', 'ng'],
  ['g', 'nle'],
];

const hex = (byte: number) => byte.toString(16).padStart(2, '0');

function aluRows(name: string, group: number): string {
  const base = group * 8;
  return `
${name} Eb,Gb : ${hex(base)} /r
${name} Ev,Gv : ${hex(base + 1)} /r
${name} Gb,Eb : ${hex(base + 2)} /r
${name} Gv,Ev : ${hex(base + 3)} /r
${name} Ev,sIb : 83 /${group}
${name} al,Ib : ${hex(base + 4)}
${name} rAX,Iz : ${hex(base + 5)}
${name} Eb,Ib : 80 /${group}
${name} Ev,Iz : 81 /${group}`;
}

function shiftRows(name: string, group: number): string {
  return `
${name} Eb,1 : d0 /${group}
${name} Eb,cl : d2 /${group}
${name} Eb,Ib : c0 /${group}
${name} Ev,1 : d1 /${group}
${name} Ev,cl : d3 /${group}
${name} Ev,Ib : c1 /${group}`;
}

function conditionRows(name: string, code: number): string {
  return `
j${name} Jb : ${hex(0x70 + code)}
j${name} Jz : 0f ${hex(0x80 + code)}
set${name} Eb : 0f ${hex(0x90 + code)} /0 any
cmov${name} Gv,Ev : 0f ${hex(0x40 + code)} /r`;
}

const generated = [
  ...ALU.map(aluRows),
  ...SHIFTS.map((name, group) => (name === '' ? '' : shiftRows(name, group))),
  shiftRows('sal', 4),
  ...CONDITIONS.flatMap((names, code) => names.map((name) => conditionRows(name, code))),
].join('\n');

/** The rows as text. */
export const INTEGER_ROWS = `${generated}

mov al,Ob : a0
mov rAX,Ov : a1
mov Ob,al : a2
mov Ov,rAX : a3
mov Eb,Gb : 88 /r
mov Ev,Gv : 89 /r
mov Gb,Eb : 8a /r
mov Gv,Ev : 8b /r
mov Mw,Sw : 8c /r
mov Rw,Sw : 8c /r o16
mov Rd,Sw : 8c /r o32
mov Rq,Sw : 8c /r 64
mov Sw,Mw : 8e /r
mov Sw,Rw : 8e /r
mov Sw,Rd : 8e /r
mov Sw,Rq : 8e /r 64
mov Zb,Ib : b0 +r
mov Zw,Iw : b8 +r o16
mov Zd,Id : b8 +r o32
mov Zq,uId : b8 +r 64
mov Rq,sId : c7 /0 o64
mov Zq,Iq : b8 +r o64
mov Eb,Ib : c6 /0
mov Ev,Iz : c7 /0
mov Rm,Cm : 0f 20 /r
mov Rm,Dm : 0f 21 /r
mov Cm,Rm : 0f 22 /r
mov Dm,Rm : 0f 23 /r

movzx Gv,Eb : 0f b6 /r
movzx Gd,Ew : 0f b7 /r o32
movzx Gq,Ew : 0f b7 /r o64
movsx Gv,Eb : 0f be /r
movsx Gd,Ew : 0f bf /r o32
movsx Gq,Ew : 0f bf /r o64
movsx Gq,Ed : 63 /r o64
movsxd Gq,Ed : 63 /r o64 any
lea Gv,M : 8d /r

push Zv : 50 +r d64
push Ev : ff /6 d64
push sIb : 6a immsize d64
push Iz : 68 immsize d64
push es : 06 !64
push cs : 0e !64
push ss : 16 !64
push ds : 1e !64
push fs : 0f a0
push gs : 0f a8
pop Zv : 58 +r d64
pop Ev : 8f /0 d64
pop es : 07 !64
pop ss : 17 !64
pop ds : 1f !64
pop fs : 0f a1
pop gs : 0f a9
pusha : 60 !64
pushaw : 60 o16 !64
pushad : 60 o32 !64
popa : 61 !64
popaw : 61 o16 !64
popad : 61 o32 !64
pushf : 9c
pushfw : 9c o16
pushfd : 9c o32 !64
pushfq : 9c 64
popf : 9d
popfw : 9d o16
popfd : 9d o32 !64
popfq : 9d 64

inc Zw : 40 +r o16 !64
inc Zd : 40 +r o32 !64
inc Eb : fe /0
inc Ev : ff /0
dec Zw : 48 +r o16 !64
dec Zd : 48 +r o32 !64
dec Eb : fe /1
dec Ev : ff /1
not Eb : f6 /2
not Ev : f7 /2
neg Eb : f6 /3
neg Ev : f7 /3
mul Eb : f6 /4
mul Ev : f7 /4
imul Eb : f6 /5
imul Ev : f7 /5
imul Gv,Ev : 0f af /r
imul Gv,Ev,sIb : 6b /r
imul Gv,Ev,Iz : 69 /r
imul Bv,sIb : 6b /r
imul Bv,Iz : 69 /r
div Eb : f6 /6
div Ev : f7 /6
idiv Eb : f6 /7
idiv Ev : f7 /7
shld Ev,Gv,Ib : 0f a4 /r
shld Ev,Gv,cl : 0f a5 /r
shrd Ev,Gv,Ib : 0f ac /r
shrd Ev,Gv,cl : 0f ad /r

test Eb,Gb : 84 /r
test Ev,Gv : 85 /r
test Gb,Mb : 84 /r
test Gv,Mv : 85 /r
test al,Ib : a8
test rAX,Iz : a9
test Eb,Ib : f6 /0
test Ev,Iz : f7 /0
xchg eax,eax : 87 c0 64
xchg rAX,Zv : 90 +r
xchg Zv,rAX : 90 +r
xchg Gb,Eb : 86 /r
xchg Gv,Ev : 87 /r
xchg Mb,Gb : 86 /r
xchg Mv,Gv : 87 /r
xadd Eb,Gb : 0f c0 /r
xadd Ev,Gv : 0f c1 /r
cmpxchg Eb,Gb : 0f b0 /r
cmpxchg Ev,Gv : 0f b1 /r
cmpxchg8b Mq : 0f c7 /1
cmpxchg16b Mdq : 0f c7 /1 o64
bt Ev,Gv : 0f a3 /r
bt Ev,Ib : 0f ba /4
bts Ev,Gv : 0f ab /r
bts Ev,Ib : 0f ba /5
btr Ev,Gv : 0f b3 /r
btr Ev,Ib : 0f ba /6
btc Ev,Gv : 0f bb /r
btc Ev,Ib : 0f ba /7
bsf Gv,Ev : 0f bc /r
bsr Gv,Ev : 0f bd /r
popcnt Gv,Ev : 0f b8 /r pf3
tzcnt Gv,Ev : 0f bc /r pf3
lzcnt Gv,Ev : 0f bd /r pf3
bswap Zd : 0f c8 +r o32
bswap Zq : 0f c8 +r o64

jmp Jb : eb
jmp Jz : e9
jmp Ap : ea !64
jmp Mp : ff /5
jmp Ev : ff /4 d64 modesize
call Jz : e8
call Ap : 9a !64
call Mp : ff /3
call Ev : ff /2 d64 modesize
ret : c3
ret Iw : c2
retn : c3
retn Iw : c2
retf : cb
retf Iw : ca
retfw : cb o16
retfd : cb o32
retfq : cb o64
loop Jb : e2
loop Jb,cx : e2 a16
loop Jb,ecx : e2 a32
loop Jb,rcx : e2 a64
loope Jb : e1
loope Jb,cx : e1 a16
loope Jb,ecx : e1 a32
loope Jb,rcx : e1 a64
loopz Jb : e1
loopne Jb : e0
loopne Jb,cx : e0 a16
loopne Jb,ecx : e0 a32
loopne Jb,rcx : e0 a64
loopnz Jb : e0
jcxz Jb : e3 a16
jecxz Jb : e3 a32
jrcxz Jb : e3 a64

movsb : a4
movsw : a5 o16
movsd : a5 o32
movsq : a5 o64
cmpsb : a6
cmpsw : a7 o16
cmpsd : a7 o32
cmpsq : a7 o64
stosb : aa
stosw : ab o16
stosd : ab o32
stosq : ab o64
lodsb : ac
lodsw : ad o16
lodsd : ad o32
lodsq : ad o64
scasb : ae
scasw : af o16
scasd : af o32
scasq : af o64
insb : 6c
insw : 6d o16
insd : 6d o32
outsb : 6e
outsw : 6f o16
outsd : 6f o32

cbw : 98 o16
cwde : 98 o32
cdqe : 98 o64
cwd : 99 o16
cdq : 99 o32
cqo : 99 o64
cmc : f5
clc : f8
stc : f9
cld : fc
std : fd
lahf : 9f
sahf : 9e
daa : 27 !64
das : 2f !64
aaa : 37 !64
aas : 3f !64
aam : d4 0a !64
aam Ib : d4 !64
aad : d5 0a !64
aad Ib : d5 !64
salc : d6 !64
xlat : d7
xlatb : d7
enter Iw,Ib : c8
leave : c9
bound Gv,Mv : 62 /r !64
into : ce !64
int Ib : cd
int3 : cc
int1 : f1
icebp : f1
les Gv,Mp : c4 /r !64
lds Gv,Mp : c5 /r !64
lss Gv,Mp : 0f b2 /r
lfs Gv,Mp : 0f b4 /r
lgs Gv,Mp : 0f b5 /r
arpl Ew,Gw : 63 /r !64
nop : 90
nop Ev : 0f 1f /0
pause : 90 pf3
movnti Md,Gd : 0f c3 /r
movnti Mq,Gq : 0f c3 /r o64
movbe Gv,Mv : 0f 38 f0 /r
movbe Mv,Gv : 0f 38 f1 /r
rdrand Rv : 0f c7 /6
rdseed Rv : 0f c7 /7
ud0 Gv,Ev : 0f ff /r
ud1 Gv,Ev : 0f b9 /r
ud2 : 0f 0b
`;
