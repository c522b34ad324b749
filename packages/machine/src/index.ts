/**
 * A complete SMP x86 machine with System Management Mode: processors, local APICs, memory and chipset composed under a
 * TCG-like or KVM-like accelerator, and the relocation that runs on it.
 * @packageDocumentation
 */
export type { Accelerator } from './accelerator.ts';
export { Boot, type BootOptions, type BootStop } from './boot/boot.ts';
export {
  type BootGoal,
  type BootRunOptions,
  bootInPieces,
  isRelocated,
  runBoot,
  SHELL_PROMPT,
} from './boot/boot-run.ts';
export { BUSY_WAIT_NS, type BusyWait } from './boot/busy-wait.ts';
export { type BootExplanation, type ExplainStep, explainBootSteps, type TracedBoot } from './boot/explain.ts';
export { BOOT_PHASES, type BootPhase, type PhaseTracker } from './boot/phase.ts';
export {
  activityOf,
  type BootCpuReport,
  type BootOutcome,
  type BootReport,
  type BootStuck,
  placeOf,
} from './boot/report.ts';
export type { DebugConsoleState } from './debug-console.ts';
export type { DriverState } from './driver.ts';
export { proveEndlessLoop } from './endless-loop.ts';
export { type ExplainChoices, type Explanation, explain, explainSteps, type Remedy } from './explain.ts';
export { factInWords } from './explain-facts.ts';
export {
  DEFAULT_SLICES,
  type ExploreGroup,
  type ExploreOptions,
  type ExploreReport,
  type ExploreRun,
  explore,
  exploreRuns,
} from './explore.ts';
export type { FirmwareFileKind } from './firmware-volumes.ts';
export type { HostPagesState } from './host-pages.ts';
export {
  DEFAULT_HOST,
  findHost,
  HOSTS,
  type HostProfile,
  quirksInForce,
  resolveSwitches,
  type SwitchChoice,
} from './hosts.ts';
export { vmxExitName } from './kvm/exits.ts';
export { DEFAULT_KVM_OPTIONS, type KvmOptions } from './kvm/options.ts';
export { Machine } from './machine.ts';
export {
  type MachineIdentity,
  type MachineOptions,
  type MachineSnapshot,
  type MachineStop,
  NS_PER_INSTRUCTION,
  type PeripheralParts,
  type RunLimits,
} from './machine-options.ts';
export { memoryHash } from './memory-hash.ts';
export { MAX_MEMORY_MIB, type MemoryPlan, planMemory } from './memory-plan.ts';
export type { ModuleLocation } from './module-map.ts';
export type { CpuActivity, CpuReport, LoopProof, RelocationOutcome, RelocationReport } from './outcome.ts';
export { RelocationParts } from './parts.ts';
export { endingOf, findQuirk, QUIRKS, type Quirk } from './quirks.ts';
export {
  defaultBudget,
  prepareRelocation,
  type Relocation,
  type RelocationOptions,
  type RelocationProgress,
  relocate,
  runInPieces,
  runRelocation,
} from './relocation.ts';
export { DEFAULT_SCHEDULE, type Schedule, type SchedulerState } from './scheduler.ts';
export { decodeSnapshot, encodeSnapshot } from './snapshot-file.ts';
export type { KvmSwitches, QuirkEffects, Switches } from './switches.ts';
export { diagnoseRun, type TracedRun, traced, traceFormOf } from './traced-run.ts';
export type { WatchedAccesses } from './translation-watch.ts';
