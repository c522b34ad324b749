/** Source lines for each mode, expanded from patterns; real nasm says what they must become. */

export type Bits = 16 | 32 | 64;

const ALU = ['add', 'or', 'adc', 'sbb', 'and', 'sub', 'xor', 'cmp'];
const SHIFTS = ['rol', 'ror', 'rcl', 'rcr', 'shl', 'sal', 'shr', 'sar'];
const CC = 'o no b c nae ae nb nc e z ne nz be na a nbe s ns p pe np po l nge ge nl le ng g nle'.split(' ');
const IMMEDIATES = ['0', '1', '-1', '127', '128', '-128', '-129', '255', '0x1234'];

interface Registers {
  readonly byte: readonly string[];
  readonly bySize: Readonly<Record<string, readonly string[]>>;
}

function registersOf(bits: Bits): Registers {
  const wide = bits === 64;
  return {
    byte: ['al', 'cl', 'ah', 'bh', ...(wide ? ['sil', 'bpl', 'r8b', 'r15b'] : [])],
    bySize: {
      word: ['ax', 'cx', 'sp', 'di', ...(wide ? ['r8w', 'r13w'] : [])],
      dword: ['eax', 'edx', 'ebp', 'esi', ...(wide ? ['r9d', 'r12d'] : [])],
      ...(wide ? { qword: ['rax', 'rbx', 'rsp', 'r10', 'r15'] } : {}),
    },
  };
}

/** Effective addresses without brackets. */
function addressesOf(bits: Bits): string[] {
  const sixteen = [
    'bx',
    'si',
    'di',
    'bp',
    'bx+si',
    'bx+di',
    'bp+si',
    'bp+di',
    'si+bx',
    'bp+0',
    'bx+5',
    'bx-5',
    'bp+127',
    'bp+128',
    'bx+si+0x1234',
    'di-129',
    '0x1234',
    'label',
    'bx+label',
    'byte bx+0',
    'word bx+1',
    'cs:bx',
    'fs:0x10',
    'dword 0x12345678',
    'bx+0xfffe',
    'bp+0xff80',
  ];
  const thirty = [
    'eax',
    'ebp',
    'esp',
    'ebx+ecx',
    'eax+ebp',
    'ebp+eax',
    'eax+esp',
    'ebp*1+eax',
    'eax*1+ebp',
    'eax*2',
    'eax*3',
    'eax*4',
    'ebp*5',
    'eax*8',
    'edx*9',
    'ebx+ecx*2',
    'ebx+ecx*4+5',
    'ecx*8+ebx+0x12345',
    'ebp+ecx*4',
    'esp+ebp*8-128',
    'eax+127',
    'eax+128',
    'eax-129',
    'ebp+0xffffff80',
    'label+ecx*4',
    'eax+label',
    'byte eax+1',
    'dword eax+1',
    'gs:esp+4',
    'ss:eax',
    'eax+0xfffffff0',
  ];
  const sixtyFour = [
    'rax',
    'rbp',
    'rsp',
    'r12',
    'r13',
    'rax+rbx',
    'rax+r12',
    'r12+rax',
    'r13+r12*8',
    'rsp+rbp',
    'rbp+rsp',
    'r8*2',
    'r9*4+label',
    'r10*8',
    'rbx+rcx*2+0x12345',
    'rip_free+rax',
    'rax-1',
    'rax+128',
    'rel label',
    'abs label',
    'rel label+5',
    'gs:0x60',
    'fs:rax+8',
    'label',
    '0x1000',
    'rel fs:label',
    'r13+r13',
    'rax*5+7',
    '-8',
  ];
  if (bits === 16) return [...sixteen, ...thirty];
  if (bits === 32)
    return [...thirty, ...sixteen.slice(0, 17), 'word 0x1234', '0x12345678', 'label', 'cs:label', 'bx+label'];
  return [...sixtyFour, ...thirty];
}

function integerLines(bits: Bits): string[] {
  const lines: string[] = [];
  const { byte, bySize } = registersOf(bits);
  const memory = bits === 16 ? '[bx+5]' : bits === 32 ? '[ebx+ecx*4+5]' : '[rbx+r9*4+5]';
  for (const name of [...ALU, 'mov', 'test', 'xchg', 'xadd', 'cmpxchg']) {
    const pairs = [['byte', byte], ...Object.entries(bySize)] as readonly (readonly [
      string,
      readonly string[],
    ])[];
    for (const [size, registers] of pairs) {
      for (const first of registers.slice(0, 5)) {
        for (const second of registers.slice(0, 4)) {
          if (/^[a-d]h$/.test(first) && /il|pl|r\d/.test(second)) continue;
          if (/^[a-d]h$/.test(second) && /il|pl|r\d/.test(first)) continue;
          lines.push(`${name} ${first}, ${second}`);
        }
      }
      const free = registers.filter((register) => !(bits === 64 && /^[a-d]h$/.test(register)));
      for (const register of free) lines.push(`${name} ${memory}, ${register}`);
      if (name === 'xadd' || name === 'cmpxchg') continue;
      for (const register of free) lines.push(`${name} ${register}, ${memory}`);
      if (name === 'xchg') continue;
      for (const immediate of IMMEDIATES) {
        if (size === 'byte' && immediate === '0x1234') continue;
        if (size === 'byte' && immediate === '-129') continue;
        lines.push(`${name} ${size} ${memory}, ${immediate}`);
        for (const register of registers) lines.push(`${name} ${register}, ${immediate}`);
      }
      if (size !== 'byte')
        lines.push(`${name} ${registers[0]}, label-start`, `${name} ${registers[1]}, forward_equ`);
      if (size === 'word') lines.push(`${name} bx, 0xffff`, `${name} ${size} ${memory}, 0xfff0`);
      if (size === 'dword') {
        lines.push(
          `${name} ebx, 0xffffffff`,
          `${name} ebx, 0x80000000`,
          `${name} ${memory}, dword 5`,
          `${name} ecx, label`,
        );
      }
      if (size === 'qword') lines.push(`${name} rbx, 0x7fffffff`, `${name} rbx, -0x80000000`);
    }
  }
  for (const name of ['not', 'neg', 'mul', 'imul', 'div', 'idiv', 'inc', 'dec']) {
    for (const register of [...byte, ...Object.values(bySize).flat()]) lines.push(`${name} ${register}`);
    for (const size of ['byte', ...Object.keys(bySize)]) lines.push(`${name} ${size} ${memory}`);
  }
  for (const name of SHIFTS) {
    for (const register of [...byte, ...Object.values(bySize).flat()]) {
      for (const count of ['1', 'cl', '3', '31']) lines.push(`${name} ${register}, ${count}`);
    }
    for (const size of ['byte', ...Object.keys(bySize)]) {
      for (const count of ['1', 'cl', '7']) lines.push(`${name} ${size} ${memory}, ${count}`);
    }
  }
  for (const [size, registers] of Object.entries(bySize)) {
    const [a, b] = registers as [string, string];
    for (const name of ['shld', 'shrd']) {
      lines.push(`${name} ${a}, ${b}, 5`, `${name} ${memory}, ${b}, cl`, `${name} ${b}, ${a}, cl`);
    }
    for (const name of ['bt', 'bts', 'btr', 'btc']) {
      lines.push(
        `${name} ${a}, ${b}`,
        `${name} ${memory}, ${a}`,
        `${name} ${a}, 5`,
        `${name} ${size} ${memory}, 7`,
      );
    }
    for (const name of ['bsf', 'bsr', 'popcnt', 'tzcnt', 'lzcnt', 'imul', 'cmovz', 'cmovg']) {
      lines.push(`${name} ${a}, ${b}`, `${name} ${b}, ${memory}`, `${name} ${b}, ${size} ${memory}`);
    }
    lines.push(
      `imul ${a}, ${b}, 5`,
      `imul ${a}, ${b}, 500`,
      `imul ${b}, ${memory}, -1`,
      `imul ${a}, 100`,
      `imul ${b}, 1000`,
    );
    lines.push(
      `lea ${a}, ${memory}`,
      `lar ${a}, ${b}`.replace(/, r(\w)x$/, ', e$1x'),
      `nop ${a}`,
      `nop ${size} ${memory}`,
    );
    for (const name of ['movzx', 'movsx']) {
      lines.push(`${name} ${a}, cl`, `${name} ${a}, byte ${memory}`);
      if (size !== 'word') lines.push(`${name} ${a}, cx`, `${name} ${a}, word ${memory}`);
    }
    if (size !== 'word') lines.push(`movnti ${memory}, ${a}`);
    lines.push(
      `movbe ${a}, ${memory}`,
      `movbe ${memory}, ${b}`,
      `rdrand ${a}`,
      `rdseed ${b}`,
      `ud1 ${a}, ${b}`,
      `ud0 ${b}, ${memory}`,
    );
    lines.push(`str ${a}`, `sldt ${b}`, `smsw ${a}`);
  }
  for (const condition of CC) {
    lines.push(`j${condition} label`, `j${condition} $`, `j${condition} near $`, `j${condition} short $`);
    lines.push(
      `set${condition} al`,
      `set${condition} bh`,
      `set${condition} ${memory}`,
      `cmov${condition} eax, ebx`,
    );
  }
  return lines;
}

const PLAIN = `
movsb movsw movsd cmpsb cmpsw cmpsd stosb stosw stosd lodsb lodsw lodsd scasb scasw scasd insb insw insd outsb outsw outsd
cbw cwde cwd cdq cmc clc stc cli sti cld std lahf sahf xlat xlatb leave int3 int1 nop pause ud2 hlt
iret iretd iretw ret retn retf cpuid rdmsr wrmsr rdtsc rdpmc rsm clts invd wbinvd syscall sysret sysenter sysexit rdtscp vmcall
xgetbv xsetbv clac stac fnop monitor mwait fninit finit fnclex wait lfence mfence sfence emms pushf popf pushfw popfw`
  .trim()
  .split(/\s+/);
const NOT_64 = 'pusha popa pushad popad pushaw popaw pushfd popfd daa das aaa aas aam aad into salc'.split(
  ' ',
);
const ONLY_64 = 'cdqe cqo movsq cmpsq stosq lodsq scasq iretq retfq pushfq popfq swapgs'.split(' ');

function systemLines(bits: Bits): string[] {
  const memory = bits === 16 ? '[di]' : bits === 32 ? '[edi+8]' : '[r8+8]';
  const big = bits === 64 ? 'rbx' : 'ebx';
  const lines = [...PLAIN];
  for (const name of [
    'lgdt',
    'lidt',
    'sgdt',
    'sidt',
    'lldt',
    'ltr',
    'str',
    'sldt',
    'lmsw',
    'smsw',
    'invlpg',
    'verr',
    'verw',
  ]) {
    lines.push(`${name} ${memory}`);
  }
  lines.push('lldt ax', 'ltr bx', 'lmsw cx', 'verr dx', 'verw si', 'lsl eax, ecx', 'lsl cx, dx');
  for (const cr of ['cr0', 'cr2', 'cr3', 'cr4', 'dr0', 'dr3', 'dr6', 'dr7'])
    lines.push(`mov ${cr}, ${big}`, `mov ${big}, ${cr}`);
  for (const segment of ['es', 'cs', 'ss', 'ds', 'fs', 'gs']) {
    lines.push(`mov ax, ${segment}`, `mov ecx, ${segment}`, `mov ${memory}, ${segment}`);
    if (segment !== 'cs')
      lines.push(`mov ${segment}, ax`, `mov ${segment}, edx`, `mov ${segment}, ${memory}`);
  }
  lines.push(
    'push fs',
    'push gs',
    'pop fs',
    'pop gs',
    'push 5',
    'push -1',
    'push 500',
    'push byte 5',
    'push word 5',
    'push word 500',
  );
  lines.push(
    'push label',
    `push word ${memory}`,
    `pop word ${memory}`,
    'push ax',
    'pop cx',
    'push strict word 5',
  );
  for (const port of ['0x60', 'dx']) {
    for (const acc of ['al', 'ax', 'eax']) lines.push(`in ${acc}, ${port}`, `out ${port}, ${acc}`);
  }
  lines.push(
    'int 0x80',
    'int 3',
    'enter 16, 0',
    'enter 0x1234, 5',
    'ret 8',
    'retf 8',
    'retn 2',
    'bswap eax',
    'bswap edi',
  );
  lines.push(
    `cmpxchg8b ${memory}`,
    `fxsave ${memory}`,
    `fxrstor ${memory}`,
    `ldmxcsr ${memory}`,
    `stmxcsr ${memory}`,
  );
  lines.push(
    `lock add ${memory}, eax`,
    `lock cmpxchg8b ${memory}`,
    `lock inc word ${memory}`,
    `lock bts dword ${memory}, 7`,
  );
  lines.push(
    'rep movsb',
    'rep movsd',
    'repe cmpsb',
    'repne scasw',
    'repz cmpsd',
    'repnz scasb',
    'rep stosw',
    'rep insb',
    'rep outsd',
  );
  lines.push(
    'a32 lodsb',
    'a32 stosd',
    'a32 rep movsb',
    'rep a32 movsw',
    'o32 ret',
    'o16 ret',
    'o32 retf',
    'cs lodsb',
    'gs movsd',
  );
  lines.push(
    'es stosb',
    'o32 iret',
    'o16 iret',
    `lock xadd ${memory}, ecx`,
    `fnstcw ${memory}`,
    `fldcw ${memory}`,
    'fnstsw ax',
  );
  lines.push(
    `lgdt [cs:${memory.slice(1)}`,
    `o32 lgdt [cs:${memory.slice(1)}`,
    `clflush ${memory}`,
    `xsave ${memory}`,
    `xrstor ${memory}`,
    `prefetchw ${memory}`,
    `prefetchnta ${memory}`,
  );
  for (const name of ['movaps', 'movups', 'movdqa', 'movdqu']) {
    lines.push(`${name} xmm0, xmm7`, `${name} xmm3, ${memory}`, `${name} ${memory}, xmm5`);
  }
  lines.push(
    'movd xmm1, ecx',
    `movd xmm1, ${memory}`,
    'movd edx, xmm2',
    `movq xmm4, ${memory}`,
    `movq ${memory}, xmm4`,
    'movq xmm1, xmm2',
  );
  lines.push(
    'pxor xmm0, xmm1',
    `xorps xmm1, ${memory}`,
    'a32 movsb',
    'movdqa xmm1, [ebx]',
    'movd xmm1, [cs:ebx]',
  );
  if (bits !== 64) {
    lines.push(
      ...NOT_64,
      'aam 7',
      'aad 16',
      `bound cx, ${memory}`,
      `bound edx, ${memory}`,
      `arpl ${memory}, cx`,
      'arpl ax, bx',
    );
    for (const segment of ['es', 'ss', 'ds']) lines.push(`push ${segment}`, `pop ${segment}`);
    lines.push(
      'push cs',
      `les di, ${memory}`,
      `lds esi, ${memory}`,
      'push dword 5',
      'push dword 500',
      'push eax',
      'pop edi',
    );
    lines.push(`push dword ${memory}`, `pop dword ${memory}`, 'a16 lodsb', 'push strict dword 5');
  } else {
    lines.push(
      ...ONLY_64,
      'push rax',
      'pop r9',
      `push qword ${memory}`,
      `pop qword ${memory}`,
      `cmpxchg16b ${memory}`,
    );
    lines.push(
      `fxsave64 ${memory}`,
      `fxrstor64 ${memory}`,
      'bswap r9',
      'bswap rax',
      'mov cr8, rax',
      'mov r9, cr8',
      'mov r12, cr0',
    );
    lines.push(
      'movsxd rax, ebx',
      'movsxd r9, dword [rax]',
      'movsx rcx, dword [rax]',
      'mov rax, 0x123456789ab',
      'mov rax, label',
    );
    lines.push(
      'mov r8, 0xffffffff',
      'mov r8, 0x100000000',
      'mov rcx, dword -1',
      'movq xmm9, rax',
      'movq rcx, xmm1',
      'movaps xmm8, xmm15',
    );
    lines.push(
      'movd r9d, xmm3',
      'mov rax, [qword label]',
      'mov [qword 0x123456789abc], al',
      'mov ax, [qword 5]',
      'mov eax, [gs:0x10]',
    );
    lines.push(
      'o64 retf',
      'o64 sysret',
      'o64 iret',
      'push r15',
      'mov rax, ds',
      'mov ss, rcx',
      'mov r9d, es',
      'a32 rep stosq',
      'str r9',
    );
    lines.push(
      'mov byte [rel label], 5',
      'mov dword [rel label], 5',
      'add word [rel label], 500',
      'cmp qword [rel label], 1',
    );
  }
  lines.push(`lss sp, ${memory}`, `lfs eax, ${memory}`, `lgs bx, ${memory}`);
  return lines;
}

function branchLines(bits: Bits): string[] {
  const memory = bits === 16 ? '[si]' : bits === 32 ? '[esi]' : '[rsi]';
  const lines = [
    'jmp label',
    'jmp start',
    'jmp short $',
    'jmp near $',
    'call label',
    'call $',
    'jmp $+2',
    'jmp $$',
    'jmp far_forward',
  ];
  lines.push(
    'loop $',
    'loope $',
    'loopz $',
    'loopne $',
    'loopnz $',
    'jecxz $',
    `jmp ${memory}`,
    `call ${memory}`,
    'loop $, ecx',
  );
  lines.push(
    `jmp far ${memory}`,
    `call far ${memory}`,
    `jmp far dword ${memory}`,
    `call far word ${memory}`,
    `jmp near ${memory}`,
  );
  if (bits === 64) {
    lines.push(
      'jmp rax',
      'call r9',
      'jrcxz $',
      `jmp far qword ${memory}`,
      `call qword ${memory}`,
      'loop $, rcx',
    );
  } else {
    lines.push(
      'jmp ax',
      'call bx',
      'jmp eax',
      'call edx',
      'jcxz $',
      'loop $, cx',
      `jmp word ${memory}`,
      `call dword ${memory}`,
    );
    lines.push(
      'jmp 0x10:label',
      'jmp dword 0x10:label',
      'call 8:0x1234',
      'call word 0x20:0x1234',
      'jmp dword label',
      'call dword label',
    );
    lines.push('jmp word 8:5', 'jmp word label');
  }
  return lines;
}

const DIRECTIVES = `
db 1, 2, 0xff, -1, 'A', 'hello', "it's", \`tab\\t\\x41\\n\`, 0
dw 1, 0x1234, -1, 'ab', 'abc', 'A'
dd 1, 0x12345678, 'abcd', 'abcde', label, label-start, -1
dq 1, 0x123456789abcdef0, label
times 5 db 1, 2
times 3 nop
times 20-($-start) % 16 db 7
align 4
align 16, db 0xcc
db (1+2)*3-4/2, 5|8, 0xf0&0x3c, 1<<4, 0x80>>3, ~0&0xff, 6^3, 17 % 5, -(2+3), 1_000&0xff
db 10h, 0ffh, 101b, 0b11, 17o, 0d10, 0x0A, 0Ah
alone:
alone2: nop
.local: jmp .local
jmp alone2.local
constant equ 5*5
db constant, $-alone2, $-$$-($-$$)
.other equ $-alone
db .other
mov eax, 'abcd'
dw constant+forward_equ`
  .trim()
  .split('\n');

/** The whole program for one mode. Starts at `org`. */
export function corpus(bits: Bits): string {
  const lines = [`bits ${bits}`, 'org 0x7c00', 'start:'];
  lines.push(...DIRECTIVES);
  lines.push(
    ...integerLines(bits).slice(0, 1500),
    'label:',
    ...systemLines(bits),
    ...branchLines(bits),
    ...integerLines(bits).slice(1500),
  );
  for (const address of addressesOf(bits)) {
    if (address === 'rip_free+rax') continue;
    lines.push(`mov ecx, [${address}]`, `mov [${address}], al`, `add byte [${address}], 5`);
    if (!address.startsWith('rel') && !address.includes(':')) lines.push(`lea edx, [${address}]`);
  }
  if (bits === 64) {
    lines.push(
      'default rel',
      'mov eax, [label]',
      'lea rax, [label]',
      'mov eax, [abs label]',
      'mov eax, [fs:label]',
      'default abs',
    );
    lines.push('mov eax, [label]', 'mov [rax], dword 5');
  }
  // Branches around the limit of the short form, in both directions and nested.
  for (let distance = 120; distance <= 132; distance++) {
    lines.push(
      `jmp f${distance}`,
      `times ${distance} nop`,
      `f${distance}:`,
      `b${distance}:`,
      `times ${distance} nop`,
      `jz b${distance}`,
    );
  }
  for (let n = 0; n < 40; n++)
    lines.push(`n${n}: jmp n${(n * 7 + 3) % 40}`, `jc n${(n * 11 + 20) % 40}`, 'nop');
  lines.push('far_forward:', 'forward_equ equ 3');
  return `${lines.join('\n')}\n`;
}
