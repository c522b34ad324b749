/** RDMSR and WRMSR. Intel SDM Vol. 2, "RDMSR", "WRMSR". */
import { GP_VECTOR } from '@smm/x86-defs';
import * as L from '../layout.ts';
import type { Processor } from '../processor.ts';
import { findMsr, isApicMsr, storedMsr } from './msr-table.ts';

/** Reads an MSR; undefined where RDMSR raises #GP. No privilege check. */
export function readMsr(cpu: Processor, number: number): bigint | undefined {
  if (isApicMsr(number)) return cpu.ports.apic.readMsr(number);
  const row = findMsr(cpu.model, number);
  if (!row) return undefined;
  return row.read ? row.read(cpu) : storedMsr(cpu, row);
}

/** Writes an MSR; false where WRMSR raises #GP. No privilege check. */
export function writeMsr(cpu: Processor, number: number, value: bigint): boolean {
  if (isApicMsr(number)) return cpu.ports.apic.writeMsr(number, value);
  const row = findMsr(cpu.model, number);
  if (!row || row.readOnly) return false;
  const reserved = row.reserved | (row.reservedFor?.(cpu.model) ?? 0n);
  if (value & reserved || (row.valid && !row.valid(value))) return false;
  if (row.slot < 0) return row.write?.(cpu, value) ?? false;
  const kept = storedMsr(cpu, row) & row.ignored;
  cpu.state.set64(L.ST_MSR + row.slot * 8, kept | (value & ~row.ignored));
  return row.write?.(cpu, value) ?? true;
}

/** What an MSR that the model does not have reads, whatever was written; undefined where that is #GP. */
function unknown(cpu: Processor, write: boolean, number: number, value: bigint): bigint | undefined {
  if (cpu.behaviour.unknownMsr === 'fault' || isApicMsr(number) || findMsr(cpu.model, number))
    return undefined;
  cpu.ports.observer?.unknownMsr?.(cpu.index, write, number, value, cpu.insnRip);
  return 0n;
}

/** RDMSR. */
export function execRdmsr(cpu: Processor): void {
  if (cpu.cpl !== 0) cpu.fault(GP_VECTOR, 0);
  const s = cpu.state;
  const number = s.gpr32(1);
  const value = readMsr(cpu, number) ?? unknown(cpu, false, number, 0n);
  cpu.ports.observer?.msr?.(cpu.index, false, number, value ?? 0n, value === undefined, cpu.insnRip);
  if (value === undefined) cpu.fault(GP_VECTOR, 0);
  s.setGpr32(0, Number(value & 0xffff_ffffn));
  s.setGpr32(2, Number(value >> 32n));
}

/** WRMSR. */
export function execWrmsr(cpu: Processor): void {
  if (cpu.cpl !== 0) cpu.fault(GP_VECTOR, 0);
  const s = cpu.state;
  const number = s.gpr32(1);
  const value = (BigInt(s.gpr32(2)) << 32n) | BigInt(s.gpr32(0));
  const done = writeMsr(cpu, number, value) || unknown(cpu, true, number, value) !== undefined;
  cpu.ports.observer?.msr?.(cpu.index, true, number, value, !done, cpu.insnRip);
  if (!done) cpu.fault(GP_VECTOR, 0);
  cpu.recheckInterrupts();
}
