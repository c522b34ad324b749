/** The SMBASEs that a firmware log announces. */

// edk2 PiSmmCpuDxeSmm: `CPU[%03x]  APIC ID=%04x  SMBASE=%08x  SaveState=%08x  Size=%08x`.
const CPU_LINE = /CPU\[([0-9a-f]+)\]\s+APIC ID=([0-9a-f]+)\s+SMBASE=([0-9a-f]+)/i;
// edk2 SmmRelocationLib: `CreateSmmBaseHob - SmmBaseHobData[%d]->SmBase[%d]: 0x%08x`.
const HOB_LINE = /SmmBaseHobData\[\d+\]->SmBase\[(\d+)\]:\s*0x([0-9a-f]+)/i;

/** One line of a firmware log that plans an SMBASE. */
export interface PlannedCpu {
  /** CPU index. */
  readonly index: number;
  /** APIC id that the firmware holds for the CPU; only the 2015 log shows it. */
  readonly apicId?: number;
  /** SMBASE, guest-physical. */
  readonly smbase: number;
}

/** What a log line plans, if anything. */
export function plannedCpu(line: string): PlannedCpu | undefined {
  const cpu = CPU_LINE.exec(line);
  if (cpu) {
    const [, index = '', apicId = '', smbase = ''] = cpu;
    return {
      index: Number.parseInt(index, 16),
      apicId: Number.parseInt(apicId, 16),
      smbase: Number.parseInt(smbase, 16),
    };
  }
  const hob = HOB_LINE.exec(line);
  if (!hob) return undefined;
  return { index: Number(hob[1]), smbase: Number.parseInt(hob[2] ?? '', 16) };
}

/** Planned SMBASEs by CPU index, from the lines of a firmware log (2015 and 2024 wording); empty if there are none. */
export function plannedSmbases(lines: Iterable<string>): number[] {
  const planned: number[] = [];
  for (const line of lines) {
    const cpu = plannedCpu(line);
    if (cpu) planned[cpu.index] = cpu.smbase;
  }
  return planned;
}
