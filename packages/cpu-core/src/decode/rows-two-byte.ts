/** The 0F map without its vector part (Intel SDM volume 2, "Two-Byte Opcode Map"). */
import type { Row } from './table.ts';

/** Rows of the 0F map: integer, system and hint instructions. */
export const TWO_BYTE_ROWS: readonly Row[] = [
  ['0F 00 /0', 'SLDT', 'Ev/Mw'],
  ['0F 00 /1', 'STR', 'Ev/Mw'],
  ['0F 00 /2', 'LLDT', 'Ew'],
  ['0F 00 /3', 'LTR', 'Ew'],
  ['0F 00 /4', 'VERR', 'Ew'],
  ['0F 00 /5', 'VERW', 'Ew'],
  ['0F 00 /6', 'SYSTEM_UNMODELLED', '?', 'F2 o64'], // LKGS
  ['0F 01 /0 m', 'SGDT', 'Ms', 'f64'],
  ['0F 01 /1 m', 'SIDT', 'Ms', 'f64'],
  ['0F 01 /2 m', 'LGDT', 'Ms', 'f64'],
  ['0F 01 /3 m', 'LIDT', 'Ms', 'f64'],
  ['0F 01 /4', 'SMSW', 'Ev/Mw'],
  ['0F 01 /5 m', 'SYSTEM_UNMODELLED', '?', 'F3'], // RSTORSSP
  ['0F 01 /6', 'LMSW', 'Ew'],
  ['0F 01 /7 m', 'INVLPG', 'Mb'],
  ['0F 01 (C0)', 'SYSTEM_UNMODELLED', '', 'np'], // ENCLV
  ['0F 01 (C1)', 'VMCALL', '', 'np'],
  ['0F 01 (C2)', 'SYSTEM_UNMODELLED', '', 'np'], // VMLAUNCH
  ['0F 01 (C3)', 'SYSTEM_UNMODELLED', '', 'np'], // VMRESUME
  ['0F 01 (C4)', 'SYSTEM_UNMODELLED', '', 'np'], // VMXOFF
  ['0F 01 (C5)', 'SYSTEM_UNMODELLED', '', 'np'], // PCONFIG
  ['0F 01 (C6)', 'SYSTEM_UNMODELLED', '', 'np'], // WRMSRNS
  ['0F 01 (C6)', 'SYSTEM_UNMODELLED', '', 'F3 F2 o64'], // WRMSRLIST, RDMSRLIST
  ['0F 01 (C7)', 'SYSTEM_UNMODELLED', '', 'np o64'], // PBNDKB
  ['0F 01 (C8)', 'MONITOR', '', 'np'],
  ['0F 01 (C9)', 'MWAIT', '', 'np'],
  ['0F 01 (CA)', 'CLAC', '', 'np'],
  ['0F 01 (CA)', 'SYSTEM_UNMODELLED', '', 'F3 F2 o64'], // ERETU, ERETS
  ['0F 01 (CB)', 'STAC', '', 'np'],
  ['0F 01 (CC)', 'SYSTEM_UNMODELLED', '', '66'], // TDCALL
  ['0F 01 (CD)', 'SYSTEM_UNMODELLED', '', '66 o64'], // SEAMRET
  ['0F 01 (CE)', 'SYSTEM_UNMODELLED', '', '66 o64'], // SEAMOPS
  ['0F 01 (CF)', 'SYSTEM_UNMODELLED', '', '66 o64'], // SEAMCALL
  ['0F 01 (CF)', 'SYSTEM_UNMODELLED', '', 'np'], // ENCLS
  ['0F 01 (D0)', 'XGETBV', '', 'np'],
  ['0F 01 (D1)', 'XSETBV', '', 'np'],
  ['0F 01 (D4)', 'SYSTEM_UNMODELLED', '', 'np'], // VMFUNC
  ['0F 01 (D5)', 'SYSTEM_UNMODELLED', '', 'np'], // XEND
  ['0F 01 (D6)', 'SYSTEM_UNMODELLED', '', 'np'], // XTEST
  ['0F 01 (D7)', 'SYSTEM_UNMODELLED', '', 'np'], // ENCLU
  ['0F 01 (E8)', 'SYSTEM_UNMODELLED', '', 'np F3 F2'], // SERIALIZE, SETSSBSY, XSUSLDTRK
  ['0F 01 (E9)', 'SYSTEM_UNMODELLED', '', 'F2'], // XRESLDTRK
  ['0F 01 (EA)', 'SYSTEM_UNMODELLED', '', 'F3'], // SAVEPREVSSP
  ['0F 01 (EC)', 'SYSTEM_UNMODELLED', '', 'F3 o64'], // UIRET
  ['0F 01 (ED)', 'SYSTEM_UNMODELLED', '', 'F3 o64'], // TESTUI
  ['0F 01 (EE)', 'SYSTEM_UNMODELLED', '', 'np'], // RDPKRU
  ['0F 01 (EE)', 'SYSTEM_UNMODELLED', '', 'F3 o64'], // CLUI
  ['0F 01 (EF)', 'SYSTEM_UNMODELLED', '', 'np'], // WRPKRU
  ['0F 01 (EF)', 'SYSTEM_UNMODELLED', '', 'F3 o64'], // STUI
  ['0F 01 (F8)', 'SWAPGS', '', 'o64'],
  ['0F 01 (F9)', 'RDTSCP'],
  ['0F 02', 'LAR', 'Gv,Ew'],
  ['0F 03', 'LSL', 'Gv,Ew'],
  ['0F 05', 'SYSCALL'],
  ['0F 06', 'CLTS'],
  ['0F 07', 'SYSRET', '', 'os'],
  ['0F 08', 'INVD'],
  ['0F 09', 'WBINVD'],
  ['0F 0B', 'UD2'],
  ['0F 0D m', 'PREFETCH', 'Mb'],
  ['0F 0D r', 'NOP', '', 'modrm'],
  ['0F 18 /0 m', 'PREFETCH', 'Mb'],
  ['0F 18 /1 m', 'PREFETCH', 'Mb'],
  ['0F 18 /2 m', 'PREFETCH', 'Mb'],
  ['0F 18 /3 m', 'PREFETCH', 'Mb'],
  ['0F 18 /4 m', 'NOP', '', 'modrm'],
  ['0F 18 /5 m', 'NOP', '', 'modrm'],
  ['0F 18 /6 m', 'NOP', '', 'modrm'],
  ['0F 18 /7 m', 'NOP', '', 'modrm'],
  ['0F 18 r', 'NOP', '', 'modrm'],
  // Reserved NOPs: MPX, CLDEMOTE, ENDBR and RDSSP are NOPs on a processor without those features.
  ['0F 19', 'NOP', '', 'modrm'],
  ['0F 1A', 'NOP', '', 'modrm'],
  ['0F 1B', 'NOP', '', 'modrm'],
  ['0F 1C', 'NOP', '', 'modrm'],
  ['0F 1D', 'NOP', '', 'modrm'],
  ['0F 1E', 'NOP', '', 'modrm'],
  ['0F 1F', 'NOP', '', 'modrm'],
  ['0F 20', 'MOV_R_CR', 'Rn,Cn'],
  ['0F 21', 'MOV_R_DR', 'Rn,Dn'],
  ['0F 22', 'MOV_CR_R', 'Cn,Rn'],
  ['0F 23', 'MOV_DR_R', 'Dn,Rn'],
  ['0F 30', 'WRMSR'],
  ['0F 31', 'RDTSC'],
  ['0F 32', 'RDMSR'],
  ['0F 33', 'RDPMC'],
  ['0F 34', 'SYSENTER'],
  ['0F 35', 'SYSEXIT', '', 'os'],
  ['0F 37', 'SYSTEM_UNMODELLED', '', 'np'], // GETSEC
  ['0F 40cc', 'CMOVCC', 'Gv,Ev'],
  ['0F 78', 'SYSTEM_UNMODELLED', '?', 'np'], // VMREAD
  ['0F 79', 'SYSTEM_UNMODELLED', '?', 'np'], // VMWRITE
  ['0F 80cc', 'JCC', 'Jz', 'f64'],
  ['0F 90cc', 'SETCC', 'Eb'],
  ['0F A0', 'PUSH_SREG', 'sreg', 'd64'],
  ['0F A1', 'POP_SREG', 'sreg', 'd64'],
  ['0F A2', 'CPUID'],
  ['0F A3', 'BT', 'Ev,Gv'],
  ['0F A4', 'SHLD', 'Ev,Gv,Ub'],
  ['0F A5', 'SHLD', 'Ev,Gv,CL'],
  ['0F A8', 'PUSH_SREG', 'sreg', 'd64'],
  ['0F A9', 'POP_SREG', 'sreg', 'd64'],
  ['0F AA', 'RSM'],
  ['0F AB', 'BTS', 'Ev,Gv', 'lock'],
  ['0F AC', 'SHRD', 'Ev,Gv,Ub'],
  ['0F AD', 'SHRD', 'Ev,Gv,CL'],
  ['0F AE /0 m', 'FXSAVE', 'M', 'np os'],
  ['0F AE /1 m', 'FXRSTOR', 'M', 'np os'],
  ['0F AE /2 m', 'LDMXCSR', 'Md', 'np'],
  ['0F AE /3 m', 'STMXCSR', 'Md', 'np'],
  ['0F AE /4 m', 'SYSTEM_UNMODELLED', '?', 'np'], // XSAVE
  ['0F AE /5 m', 'SYSTEM_UNMODELLED', '?', 'np'], // XRSTOR
  ['0F AE /6 m', 'SYSTEM_UNMODELLED', '?', 'np 66 F3'], // XSAVEOPT, CLWB, CLRSSBSY
  ['0F AE /7 m', 'CLFLUSH', 'Mb', 'np 66'], // and CLFLUSHOPT
  ['0F AE /5 r', 'LFENCE', '', 'np'],
  ['0F AE /6 r', 'MFENCE', '', 'np'],
  ['0F AE /7 r', 'SFENCE', '', 'np'],
  ['0F AE /0 r', 'RDFSBASE', 'Ey', 'F3 o64'],
  ['0F AE /1 r', 'RDGSBASE', 'Ey', 'F3 o64'],
  ['0F AE /2 r', 'WRFSBASE', 'Ey', 'F3 o64'],
  ['0F AE /3 r', 'WRGSBASE', 'Ey', 'F3 o64'],
  ['0F AE /4', 'SYSTEM_UNMODELLED', '?', 'F3 no66'], // PTWRITE
  ['0F AE /5 r', 'SYSTEM_UNMODELLED', '', 'F3'], // INCSSP
  ['0F AE /6 r', 'SYSTEM_UNMODELLED', '', '66 F3 F2'], // TPAUSE, UMONITOR, UMWAIT
  ['0F AF', 'IMUL', 'Gv,Ev'],
  ['0F B0', 'CMPXCHG', 'Eb,Gb', 'lock'],
  ['0F B1', 'CMPXCHG', 'Ev,Gv', 'lock'],
  ['0F B2 m', 'LSS', 'Gv,Mp'],
  ['0F B3', 'BTR', 'Ev,Gv', 'lock'],
  ['0F B4 m', 'LFS', 'Gv,Mp'],
  ['0F B5 m', 'LGS', 'Gv,Mp'],
  ['0F B6', 'MOVZX', 'Gv,Eb'],
  ['0F B7', 'MOVZX', 'Gv,Ew'],
  ['0F B8', 'POPCNT', 'Gv,Ev', 'F3'],
  ['0F B9', 'UD1', 'Gv,Ev'],
  ['0F BA /4', 'BT', 'Ev,Ub'],
  ['0F BA /5', 'BTS', 'Ev,Ub', 'lock'],
  ['0F BA /6', 'BTR', 'Ev,Ub', 'lock'],
  ['0F BA /7', 'BTC', 'Ev,Ub', 'lock'],
  ['0F BB', 'BTC', 'Ev,Gv', 'lock'],
  ['0F BC', 'BSF', 'Gv,Ev', 'np 66 F2'],
  ['0F BC', 'TZCNT', 'Gv,Ev', 'F3'],
  ['0F BD', 'BSR', 'Gv,Ev', 'np 66 F2'],
  ['0F BD', 'LZCNT', 'Gv,Ev', 'F3'],
  ['0F BE', 'MOVSX', 'Gv,Eb'],
  ['0F BF', 'MOVSX', 'Gv,Ew'],
  ['0F C0', 'XADD', 'Eb,Gb', 'lock'],
  ['0F C1', 'XADD', 'Ev,Gv', 'lock'],
  ['0F C3 m', 'MOVNTI', 'My,Gy', 'np'],
  ['0F C7 /1 m', 'CMPXCHG8B', 'Mq', 'lock', ['CMPXCHG16B', 'Mx']],
  ['0F C7 /3 m', 'SYSTEM_UNMODELLED', '?', 'np'], // XRSTORS
  ['0F C7 /4 m', 'SYSTEM_UNMODELLED', '?', 'np'], // XSAVEC
  ['0F C7 /5 m', 'SYSTEM_UNMODELLED', '?', 'np'], // XSAVES
  ['0F C7 /6 m', 'SYSTEM_UNMODELLED', '?', 'np 66 F3'], // VMPTRLD, VMCLEAR, VMXON
  ['0F C7 /7 m', 'SYSTEM_UNMODELLED', '?', 'np'], // VMPTRST
  ['0F C7 /6 r', 'RDRAND', 'Ev', 'np 66'],
  ['0F C7 /7 r', 'RDSEED', 'Ev', 'np 66'],
  ['0F C7 /6 r', 'SYSTEM_UNMODELLED', '', 'F3 o64'], // SENDUIPI
  ['0F C7 /7 r', 'RDPID', 'En', 'F3'],
  ['0F C8+', 'BSWAP', 'Zv'],
  ['0F FF', 'UD0', 'Gv,Ev'],
];
