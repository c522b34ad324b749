/**
 * A complete SMP x86 machine with System Management Mode: processors, local APICs, memory and chipset composed under a
 * TCG-like or KVM-like accelerator, and the relocation that runs on it.
 * @packageDocumentation
 */
export type { Accelerator } from './accel/accelerator.ts';
export { ACCELERATOR_NAMES, type AcceleratorName } from './accel/accelerators.ts';
export type { AcceleratorChoice } from './accel/build.ts';
export { vmxExitName } from './accel/kvm/exits.ts';
export { DEFAULT_KVM_OPTIONS, type KvmOptions } from './accel/kvm/options.ts';
export type { WatchedAccesses } from './accel/translation-watch.ts';
export { DebugPort, type DebugPorts, type DebugView } from './debug-port.ts';
export type { DriverState, Turn } from './driver.ts';
export {
  DEFAULT_HOST,
  findHost,
  HOSTS,
  type HostProfile,
  quirksInForce,
  resolveSwitches,
  type SwitchChoice,
} from './hosts.ts';
export { Machine } from './machine.ts';
export {
  type MachineIdentity,
  type MachineOptions,
  type MachineSnapshot,
  type MachineStop,
  NS_PER_INSTRUCTION,
  type PeripheralParts,
  type ProcessorTopology,
  type RunLimits,
} from './machine-options.ts';
export { memoryHash } from './memory-hash.ts';
export type { DebugConsoleState } from './platform/debug-console.ts';
export type { HostPagesState } from './platform/host-pages.ts';
export { MAX_MEMORY_MIB, type MemoryPlan, planMemory } from './platform/memory-plan.ts';
export { endingOf, findQuirk, QUIRKS, type Quirk } from './quirks.ts';
export { Boot, type BootStop } from './scenario/boot/boot.ts';
export type { BootOptions } from './scenario/boot/boot-options.ts';
export {
  type BootGoal,
  type BootRunOptions,
  bootInPieces,
  isRelocated,
  runBoot,
  SHELL_PROMPT,
} from './scenario/boot/boot-run.ts';
export { BUSY_WAIT_NS, type BusyWait } from './scenario/boot/busy-wait.ts';
export type { BootDisk, BootRng } from './scenario/boot/disks.ts';
export {
  type BootExplanation,
  type ExplainStep,
  explainBootSteps,
  type TracedBoot,
} from './scenario/boot/explain.ts';
export type { FirmwareFileKind } from './scenario/boot/firmware-volumes.ts';
export type { LastWord } from './scenario/boot/last-words.ts';
export type { ModuleLocation } from './scenario/boot/module-map.ts';
export { BOOT_PHASES, type BootPhase, type PhaseTracker } from './scenario/boot/phase.ts';
export {
  activityOf,
  type BootCpuReport,
  type BootOutcome,
  type BootReport,
  type BootStuck,
  placeOf,
} from './scenario/boot/report.ts';
export type { BootSleep, SleepLog } from './scenario/boot/sleep-log.ts';
export { type ExplanationCore, traceFormOf } from './scenario/causes.ts';
export type { MachineConfig } from './scenario/config.ts';
export { proveEndlessLoop, proveInPieces } from './scenario/relocation/endless-loop.ts';
export {
  type ExplainChoices,
  type Explanation,
  explain,
  explainSteps,
  type Remedy,
} from './scenario/relocation/explain.ts';
export { factInWords } from './scenario/relocation/explain-facts.ts';
export {
  DEFAULT_SLICES,
  type ExploreGroup,
  type ExploreOptions,
  type ExploreReport,
  type ExploreRun,
  explore,
  exploreRuns,
} from './scenario/relocation/explore.ts';
export type {
  CpuActivity,
  CpuReport,
  LoopProof,
  RelocationOutcome,
  RelocationReport,
} from './scenario/relocation/outcome.ts';
export { RelocationParts } from './scenario/relocation/parts.ts';
export {
  defaultBudget,
  prepareRelocation,
  type Relocation,
  type RelocationOptions,
} from './scenario/relocation/relocation.ts';
export {
  type RelocationProgress,
  relocate,
  runInPieces,
  runRelocation,
} from './scenario/relocation/relocation-run.ts';
export { diagnoseRun, type TracedRun, traced } from './scenario/relocation/traced-run.ts';
export type { CpuCore, RunReport } from './scenario/report.ts';
export {
  BootSession,
  type SessionHost,
  type SessionOptions,
  type SessionResult,
} from './scenario/session/boot-session.ts';
export { type KeyActions, KeyFilter } from './scenario/session/key-filter.ts';
export { LineFeeder, LONGEST_LINE } from './scenario/session/line-feeder.ts';
export { VarsKeeper, type VarsTarget } from './scenario/session/vars-keeper.ts';
export { DEFAULT_SCHEDULE, type Schedule, type SchedulerState } from './scheduler.ts';
export { decodeSnapshot, encodeSnapshot } from './snapshot-file.ts';
export type { KvmSwitches, QuirkEffects, Switches } from './switches.ts';
