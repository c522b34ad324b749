/** The mode word: what the tiers need to know about CR0, CR4, EFER, RFLAGS.VM and the segments, in one number. */
import {
  CR0_EM,
  CR0_PE,
  CR0_TS,
  CR4_OSFXSR,
  EFER_LMA,
  RFLAGS_VM,
  SEG_ATTR_CODE,
  SEG_ATTR_DB,
  SEG_ATTR_DC,
  SEG_ATTR_L,
  SEG_ATTR_P,
  SEG_ATTR_RW,
  SEG_ATTR_S,
  SEG_CS,
  SEG_DS,
  SEG_ES,
  SEG_SS,
} from '@smm/x86-defs';
import * as L from '../layout.ts';
import type { CpuState } from '../state.ts';

const RIGHTS = SEG_ATTR_P | SEG_ATTR_S | SEG_ATTR_CODE | SEG_ATTR_DC | SEG_ATTR_RW;
const FLAT_RIGHTS = SEG_ATTR_P | SEG_ATTR_S | SEG_ATTR_RW;

function flat(s: CpuState, segment: number): boolean {
  return (
    s.segBase(segment) === 0 &&
    s.segLimit(segment) === 0xffff_ffff &&
    (s.segAttr(segment) & RIGHTS) === FLAT_RIGHTS
  );
}

function wide(s: CpuState): boolean {
  let upper = 0;
  for (let register = 0; register < 16; register++) upper |= s.get32(L.ST_GPR + register * 8 + 4);
  return upper !== 0;
}

/** Mode word (MODE_*) of a state at a privilege level, but for {@link L.MODE_SET_SHIFT}. */
export function computeMode(s: CpuState, cpl: number): number {
  const long = (s.efer & EFER_LMA) !== 0;
  const cs = s.segAttr(SEG_CS);
  let mode = long ? L.MODE_LMA : 0;
  if (long && cs & SEG_ATTR_L) mode |= 2 | L.MODE_SS32 | L.MODE_FLAT_DATA | L.MODE_FLAT_CODE;
  else {
    if (cs & SEG_ATTR_DB) mode |= 1;
    if (s.segAttr(SEG_SS) & SEG_ATTR_DB) mode |= L.MODE_SS32;
    if (flat(s, SEG_ES) && flat(s, SEG_DS) && flat(s, SEG_SS)) mode |= L.MODE_FLAT_DATA;
    if (wide(s)) mode |= L.MODE_WIDE;
    if (s.segBase(SEG_CS) === 0 && s.segLimit(SEG_CS) === 0xffff_ffff) mode |= L.MODE_FLAT_CODE;
  }
  if (cpl === 3) mode |= L.MODE_USER;
  if (s.cr0 & CR0_PE) mode |= L.MODE_PE;
  if (s.eflags & RFLAGS_VM) mode |= L.MODE_VM;
  if (s.smm) mode |= L.MODE_SMM;
  if (s.cr4 & CR4_OSFXSR && !(s.cr0 & (CR0_EM | CR0_TS))) mode |= L.MODE_SSE;
  return mode;
}
