/** CPUs that execute where the firmware has no code: what follows a lost branch or an SMI at a wrong SMBASE. */
import {
  AP_START_VECTOR,
  DXE_IMAGE_SIZE,
  type Firmware,
  FLASH_BASE,
  FLASH_SIZE,
  SMM_IMAGE_SIZE,
} from '@smm/edk2-relocation';
import { SEG_CS, SMM_DEFAULT_SMBASE } from '@smm/x86-defs';
import type { Machine } from '../../machine.ts';

/** Bytes at the default SMBASE's entry point that the relocation template occupies at most. */
const TEMPLATE_SIZE = 0x20;
/** Bytes of an SMI handler template at most. edk2 PiSmmCpuDxeSmm. */
const HANDLER_SIZE = 0x400;

/**
 * Indices of the CPUs that run and are outside all code of `firmware`; `smbases` are the planned ones, guest-physical.
 */
export function strayCpus(machine: Machine, firmware: Firmware, smbases: readonly number[]): number[] {
  const tolud = machine.chipset.memoryMap.ram.belowBytes;
  const dxe = tolud - firmware.tsegMb * 0x10_0000 - DXE_IMAGE_SIZE;
  const ranges: (readonly [start: number, size: number])[] = [
    [FLASH_BASE, FLASH_SIZE],
    [dxe, DXE_IMAGE_SIZE],
    [tolud - SMM_IMAGE_SIZE, SMM_IMAGE_SIZE],
    [AP_START_VECTOR << 12, 0x1000],
    [0xf_0000, 0x1_0000], // the end of the flash image again
    [SMM_DEFAULT_SMBASE + 0x8000, TEMPLATE_SIZE],
    ...smbases.map((smbase): [number, number] => [smbase + 0x8000, HANDLER_SIZE]),
  ];
  return machine.runnable().filter((id) => {
    const address = linearIp(machine, id);
    return !ranges.some(([start, size]) => address >= start && address < start + size);
  });
}

/** Linear address of the next instruction of a CPU. */
export function linearIp(machine: Machine, id: number): number {
  const { state } = machine.processors[id]!;
  return Number(BigInt.asUintN(32, state.rip)) + state.segBase(SEG_CS);
}
