/**
 * MMX registers: the significands of the x87 registers, by their physical numbers.
 * Intel SDM Vol. 3, "The MMX State and MMX Register Aliasing".
 */
import * as L from '../../layout.ts';
import type { Processor } from '../../processor.ts';
import { free, readSt, setTag, setTop, tagOf, writeSt } from './fpu.ts';

/** What every MMX instruction but EMMS does to the x87 registers: TOP is 0, none is empty. */
export function enterMmx(cpu: Processor): void {
  setTop(cpu, 0);
  for (let n = 0; n < 8; n++) setTag(cpu, n, tagOf(readSt(cpu, n)));
}

/** EMMS: all registers are empty. */
export function leaveMmx(cpu: Processor): void {
  setTop(cpu, 0);
  for (let n = 0; n < 8; n++) free(cpu, n);
}

/** An MMX register. */
export const readMmx = (cpu: Processor, register: number): bigint =>
  cpu.state.get64(L.ST_X87 + register * 16);

/** Writes an MMX register: sign and exponent become ones. */
export function writeMmx(cpu: Processor, register: number, value: bigint): void {
  enterMmx(cpu);
  writeSt(cpu, register, { sign: 1, exponent: 0x7fff, significand: value });
}
