/** Register state after RESET, INIT and a start-up IPI. Intel SDM Vol. 3, "Processor State After Reset". */
import { CR0_CD, CR0_ET, CR0_NW, SEG_CS, SEG_LDTR, SEG_TR, SMM_DEFAULT_SMBASE } from '@smm/x86-defs';
import * as L from '../layout.ts';
import type { Processor } from '../processor.ts';
import { modelSignature } from './models.ts';
import { resetMsrs } from './msr-table.ts';
import { setSegment } from './segments.ts';

const ATTR_DATA = 0x93;
const ATTR_CODE = 0x9b;
const ATTR_LDT = 0x82;
const ATTR_TSS = 0x8b;

/** Loads the registers as RESET or INIT leave them, and the activity: an application processor waits for a SIPI. */
export function resetRegisters(cpu: Processor, kind: 'power-up' | 'init', bsp: boolean): void {
  const s = cpu.state;
  const init = kind === 'init';
  const caches = init ? s.cr0 & (CR0_CD | CR0_NW) : CR0_CD | CR0_NW;
  for (let register = 0; register < 16; register++) s.setGpr64(register, 0n);
  s.setGpr64(2, BigInt(modelSignature(cpu.model)));
  s.set64(L.ST_ZERO, 0n);
  s.rip = 0xfff0n;
  s.rflags = 2;
  s.cr0 = (caches | CR0_ET) >>> 0;
  s.cr2 = 0;
  s.cr3 = 0;
  s.cr4 = 0;
  s.efer = 0;
  s.views.u8.fill(0, s.base + L.ST_PDPTE, s.base + L.ST_PDPTE + 32);
  for (let segment = 0; segment < SEG_LDTR; segment++) setSegment(s, segment, 0, 0, 0xffff, ATTR_DATA);
  setSegment(s, SEG_CS, 0xf000, 0xffff_0000, 0xffff, ATTR_CODE);
  setSegment(s, SEG_LDTR, 0, 0, 0xffff, ATTR_LDT);
  setSegment(s, SEG_TR, 0, 0, 0xffff, ATTR_TSS);
  s.set64(L.ST_GDTR_BASE, 0n);
  s.gdtrLimit = 0xffff;
  s.set64(L.ST_IDTR_BASE, 0n);
  s.idtrLimit = 0xffff;
  for (let i = 0; i < 4; i++) s.set64(L.ST_DR + i * 8, 0n);
  s.dr6 = 0xffff_0ff0;
  s.dr7 = 0x400;
  let activity = bsp ? L.ACT_BSP : L.ACT_WAIT_SIPI;
  if (init) {
    activity |= s.activity & (L.ACT_SMI_PENDING | L.ACT_SIPI_PENDING);
    if (cpu.behaviour.firstSmiAfterInitLost) activity |= L.ACT_SMI_LOST_NEXT;
    s.activity = activity;
    return;
  }
  s.activity = activity;
  s.smbase = SMM_DEFAULT_SMBASE;
  s.tscOffset = 0n;
  s.sipiVector = 0;
  s.views.f64[(s.base + L.ST_RETIRED) >>> 3] = 0;
  s.mxcsr = 0x1f80;
  s.xcr0 = 1n;
  s.views.u8.fill(0, s.base + L.ST_YMM_HIGH, s.base + L.ST_YMM_HIGH + 256);
  s.fcw = 0x40;
  s.fsw = 0;
  s.ftw = 0x5555;
  s.views.u8.fill(0, s.base + L.ST_FIP, s.base + L.ST_XCR0); // x87 pointers, XMM and x87 registers
  resetMsrs(cpu);
}

/** Starts at the page of a start-up IPI: CS = vector * 100h, IP = 0. Intel SDM Vol. 3, "MP Initialization Protocol". */
export function startAt(cpu: Processor, vector: number): void {
  const s = cpu.state;
  setSegment(s, SEG_CS, vector << 8, vector << 12, 0xffff, ATTR_CODE);
  s.rip = 0n;
  cpu.modeChanged();
}
