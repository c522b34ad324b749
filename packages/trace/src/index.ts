/**
 * KVM tracepoints and machine events: types, trace-cmd text, trace.dat v6, Perfetto and JSONL writers and readers, first divergence and diagnosis.
 * @packageDocumentation
 */
export {};
