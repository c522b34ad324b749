/**
 * KVM tracepoints and machine events: types, trace text, trace.dat, Perfetto and JSONL writers and readers, first
 * divergence and diagnosis.
 * @packageDocumentation
 */
export type { ByteSource } from './byte-source.ts';
export type { TraceCodec } from './dat-codec.ts';
export {
  isTraceDat,
  readTraceDat,
  type TraceDat,
  type TraceDatReadOptions,
  TraceDatStream,
  type TraceDatStreamOptions,
} from './dat-read.ts';
export { type TraceDatOptions, writeTraceDat } from './dat-write.ts';
export { diagnose } from './diagnose.ts';
export type {
  Confidence,
  Diagnosis,
  DiagnosisContext,
  DiagnosisId,
  Evidence,
  PossibleCause,
} from './diagnosis.ts';
export {
  compareTraces,
  type Divergence,
  type DivergenceOptions,
  type DivergenceReport,
  type DivergenceSide,
  type EventSource,
  firstDivergence,
  type KindCount,
} from './divergence.ts';
export type { TraceEvent, TraceEventName, TraceForm, TraceSink } from './events.ts';
export { type GuestVisible, type GuestVisibleKind, guestVisible } from './guest-visible.ts';
export { hashTrace, TraceHasher } from './hash.ts';
export { eventToJson, JsonlStream, readJsonl, writeJsonl } from './jsonl.ts';
export type * from './kvm-events.ts';
export type * from './kvm-events-nested.ts';
export type * from './machine-events.ts';
export { type PerfettoOptions, writePerfetto } from './perfetto.ts';
export { type PlannedCpu, plannedCpu, plannedSmbases } from './planned.ts';
export { couldHideFailure, type NameCount, type ReadCounts } from './read-counts.ts';
export { readTrace, type TraceFile } from './read-trace.ts';
export { filterSink, TRACE_BUFFER_CAPACITY, TraceBuffer, TraceRing, teeSink } from './sinks.ts';
export { EVENT_NAMES } from './table.ts';
export {
  FIRST_VCPU_PID,
  formatEvent,
  formatMessage,
  formatTrace,
  inReportOrder,
  type TextOptions,
} from './text-format.ts';
export { type Note, type ParsedText, type ParseOptions, parseTraceText } from './text-parse.ts';
export { type TextStreamOptions, TraceTextStream } from './text-stream.ts';
export { inferVcpus } from './vcpus.ts';
export { type TracePart, TraceWindow } from './window.ts';
