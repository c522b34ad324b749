/** Lines that the firmware writes to the debug port, as formatters, and the whole log of a good boot. */
import { SAVE_STATE_MAP_SIZE } from './layout.ts';
import { planTiles, type TilePlan, type TileRequest } from './tiles.ts';

/** PrintLib's `%0Nx`: upper-case hexadecimal with leading zeros. */
function hex(value: number, digits = 1): string {
  return value.toString(16).toUpperCase().padStart(digits, '0');
}

/** Formatters by the place that prints the line; no line end. edk2 sources as named, last group our own. */
export const logLines = {
  /** PiSmmCpuDxeSmm 2015. */
  tileSize2015: (tileSize: number): string => `SMRAM TileSize = ${hex(tileSize, 8)}`,
  /** PiSmmCpuDxeSmm since 2015-11: tile, code part, data part. */
  tileSize2024: (tileSize: number): string =>
    `SMRAM TileSize = 0x${hex(tileSize, 8)} (0x${hex(0x1000, 8)}, 0x${hex(tileSize - 0x1000, 8)})`,
  /** PiSmmCpuDxeSmm, one for each processor. */
  cpu: (index: number, apicId: number, smbase: number, saveState: number): string =>
    `CPU[${hex(index, 3)}]  APIC ID=${hex(apicId, 4)}  SMBASE=${hex(smbase, 8)}  SaveState=${hex(saveState, 8)}  Size=${hex(SAVE_STATE_MAP_SIZE, 8)}`,
  /** The private debug patch of the 2015-10-21 mail, before the IPI. */
  sending: (apicId: number): string => `SmmRelocateBases: sending SMI IPI to APIC ID 0x${hex(apicId)}`,
  /** The private debug patch of the 2015-10-21 mail, after the wait. */
  processed: (apicId: number): string =>
    `SmmRelocateBases: APIC ID 0x${hex(apicId)} has processed its first SMI`,
  /** SmmRelocationLib, with its trailing space. */
  relocationStart: (): string => 'SmmRelocationInit Start ',
  /** SmmRelocationLib. */
  relocationSize: (size: number): string => `SmmRelocationInit - SmmRelocationSize: 0x${hex(size, 8)}`,
  /** SmmRelocationLib. */
  relocationBase: (address: number): string => `SmmRelocationInit - SmmRelocationStart: 0x${hex(address, 8)}`,
  /** SmmRelocationLib. */
  stackSize: (size: number): string => `SmmRelocationInit - SmmStackSize: 0x${hex(size, 8)}`,
  /** SmmRelocationLib. */
  stacks: (address: number): string => `SmmRelocationInit - SmmStacks: 0x${hex(address, 8)}`,
  /** SmmRelocationLib, one for each processor; HOB 0 holds all of them. */
  hob: (index: number, smbase: number): string =>
    `CreateSmmBaseHob - SmmBaseHobData[0]->SmBase[${index}]: 0x${hex(smbase, 8)}`,
  /** SmmRelocationLib. */
  relocationDone: (): string => 'SmmRelocationInit Done',
  /** PiSmmCpuDxeSmm, last line of its entry point. */
  moduleExit: (): string => 'SMM CPU Module exit from SMRAM with EFI_SUCCESS',
  /** Ours: a processor and whether its handler ran in the first normal SMI. */
  firstSmi: (index: number, apicId: number, smbase: number, checkedIn: boolean): string =>
    `First SMI: CPU[${hex(index, 3)}]  APIC ID=${hex(apicId, 4)}  SMBASE=${hex(smbase, 8)}  ${checkedIn ? 'checked in' : 'did not check in'}`,
  /** Ours: the sum. */
  firstSmiCount: (checkedIn: number, cpus: number): string =>
    `First SMI: ${checkedIn} of ${cpus} CPUs checked in`,
  /** Ours: before S3. */
  suspending: (): string => 'Suspending to RAM',
  /** Ours: the last line of the log. */
  end: (): string => 'Firmware done',
} as const;

/** What {@link expectedLog} needs besides the tiles. */
export interface ExpectedLogRequest extends TileRequest {
  /** APIC ids of the processors, ascending; 0, 1, 2... if absent. */
  readonly apicIds?: readonly number[];
  /** Address of the relocation stack, only for the 2024 shape: symbol `SmmStacks`. */
  readonly smmStacks?: number;
  /** The firmware sleeps in S3 once: of the 2015 shape. */
  readonly s3?: boolean;
  /** Size of the relocation stack in bytes, only for the 2024 shape: symbol `SMM_STACK_SIZE`. */
  readonly smmStackSize?: number;
}

/** What SmmRelocateBases of 2015 prints. */
const relocating = (ids: readonly number[]): string[] =>
  ids.slice(1).flatMap((id) => [logLines.sending(id), logLines.processed(id)]);

function lines2015(plan: TilePlan, ids: readonly number[]): string[] {
  const lines = [logLines.tileSize2015(plan.tileSize)];
  plan.smbase.forEach((smbase, index) => {
    lines.push(logLines.cpu(index, ids[index] ?? 0, smbase, plan.saveState[index] ?? 0));
  });
  return [...lines, ...relocating(ids)];
}

function lines2024(plan: TilePlan, ids: readonly number[], request: ExpectedLogRequest): string[] {
  const lines = [
    logLines.relocationStart(),
    logLines.relocationSize(plan.bufferSize),
    logLines.relocationBase(plan.buffer),
    logLines.stackSize(request.smmStackSize ?? 0),
    logLines.stacks(request.smmStacks ?? 0),
    ...plan.smbase.map((smbase, index) => logLines.hob(index, smbase)),
    logLines.relocationDone(),
    logLines.tileSize2024(plan.tileSize),
  ];
  plan.smbase.forEach((smbase, index) => {
    lines.push(logLines.cpu(index, ids[index] ?? 0, smbase, plan.saveState[index] ?? 0));
  });
  return lines;
}

/**
 * The debug log of a boot in which everything works; the first of the APIC ids is the BSP's. Each line ends in a
 * newline.
 */
export function expectedLog(request: ExpectedLogRequest): string {
  const plan = planTiles(request);
  const { cpus } = request;
  const ids = request.apicIds ?? plan.smbase.map((_, index) => index);
  const lines = request.shape === '2015' ? lines2015(plan, ids) : lines2024(plan, ids, request);
  const firstSmi = [
    ...plan.smbase.map((smbase, index) => logLines.firstSmi(index, ids[index] ?? 0, smbase, true)),
    logLines.firstSmiCount(cpus, cpus),
  ];
  lines.push(logLines.moduleExit(), ...firstSmi);
  if (request.s3 === true) lines.push(logLines.suspending(), ...relocating(ids), ...firstSmi);
  lines.push(logLines.end());
  return `${lines.join('\n')}\n`;
}
