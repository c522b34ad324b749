/**
 * Writes Perfetto's TrackEvent format, which ui.perfetto.dev opens.
 *
 * One track per VCPU; the time in SMM is a slice, everything else is an instant with its members as
 * annotations. Source: Perfetto, `trace_packet.proto`, `track_event.proto`, `track_descriptor.proto`.
 */
import { checkOptions, isText, maybe } from '@smm/x86-defs';
import type { TraceEvent } from './events.ts';
import { ProtoWriter } from './protobuf.ts';
import { EVENT_TABLE } from './table.ts';

const TRACE = { PACKET: 1 } as const;
const PACKET = {
  TIMESTAMP: 8,
  SEQUENCE_ID: 10,
  TRACK_EVENT: 11,
  SEQUENCE_FLAGS: 13,
  TRACK_DESCRIPTOR: 60,
} as const;
const DESCRIPTOR = { UUID: 1, NAME: 2, PROCESS: 3, PARENT_UUID: 5 } as const;
const PROCESS = { PID: 1, NAME: 6 } as const;
const TRACK_EVENT = { ANNOTATION: 4, TYPE: 9, TRACK_UUID: 11, CATEGORY: 22, NAME: 23 } as const;
const TYPE = { SLICE_BEGIN: 1, SLICE_END: 2, INSTANT: 3 } as const;
const ANNOTATION = { BOOL: 2, INT: 4, STRING: 6, POINTER: 7, NAME: 10 } as const;
const INCREMENTAL_STATE_CLEARED = 1;
const SEQUENCE_ID = 1;
const MACHINE_UUID = 1;
const FIRST_VCPU_UUID = 0x100;

/** How to write. */
export interface PerfettoOptions {
  /** Name of the machine's group of tracks; `smm` if absent. */
  readonly title?: string;
}

function packet(ts: number | undefined, field: number, content: ProtoWriter): ProtoWriter {
  const out = new ProtoWriter();
  if (ts !== undefined) out.varint(PACKET.TIMESTAMP, Math.round(ts));
  return out.varint(PACKET.SEQUENCE_ID, SEQUENCE_ID).message(field, content);
}

function annotation(name: string, value: unknown): ProtoWriter {
  const out = new ProtoWriter().string(ANNOTATION.NAME, name);
  if (typeof value === 'boolean') return out.varint(ANNOTATION.BOOL, value);
  if (typeof value === 'bigint') return out.varint(ANNOTATION.POINTER, value);
  if (typeof value === 'number' && Number.isInteger(value)) return out.varint(ANNOTATION.INT, value);
  if (Array.isArray(value)) {
    return out.string(
      ANNOTATION.STRING,
      value.map((byte) => Number(byte).toString(16).padStart(2, '0')).join(' '),
    );
  }
  return out.string(ANNOTATION.STRING, String(value));
}

function trackOf(event: TraceEvent): number {
  return FIRST_VCPU_UUID + (event.vcpu ?? event.cpu);
}

function trackEvent(event: TraceEvent, type: number, name?: string): ProtoWriter {
  const out = new ProtoWriter().varint(TRACK_EVENT.TYPE, type).varint(TRACK_EVENT.TRACK_UUID, trackOf(event));
  if (type === TYPE.SLICE_END) return out;
  out
    .string(TRACK_EVENT.CATEGORY, EVENT_TABLE[event.name].system)
    .string(TRACK_EVENT.NAME, name ?? event.name);
  const members = event as unknown as Readonly<Record<string, unknown>>;
  for (const member of Object.keys(EVENT_TABLE[event.name].members)) {
    const value = members[member];
    if (value !== undefined && member !== 'vcpu')
      out.message(TRACK_EVENT.ANNOTATION, annotation(member, value));
  }
  return out;
}

/** What an event does to its VCPU's SMM slice. Where both systems record, the machine's own events decide. */
function boundary(event: TraceEvent, ownBoundaries: boolean): 'begin' | 'end' | undefined {
  if (event.name === 'smm_enter') return 'begin';
  if (event.name === 'smm_rsm') return 'end';
  if (event.name === 'kvm_enter_smm' && !ownBoundaries) return event.entering ? 'begin' : 'end';
  return undefined;
}

/** A Perfetto trace. An SMM slice that never ends stays open, as the guest left it. */
export function writePerfetto(events: readonly TraceEvent[], options: PerfettoOptions = {}): Uint8Array {
  checkOptions<PerfettoOptions>('the options of writePerfetto', options, {
    title: maybe(isText),
  });
  const trace = new ProtoWriter();
  const machine = new ProtoWriter()
    .varint(DESCRIPTOR.UUID, MACHINE_UUID)
    .message(
      DESCRIPTOR.PROCESS,
      new ProtoWriter().varint(PROCESS.PID, 1).string(PROCESS.NAME, options.title ?? 'smm'),
    );
  trace.message(
    TRACE.PACKET,
    packet(undefined, PACKET.TRACK_DESCRIPTOR, machine).varint(
      PACKET.SEQUENCE_FLAGS,
      INCREMENTAL_STATE_CLEARED,
    ),
  );
  for (const uuid of [...new Set(events.map(trackOf))].sort((a, b) => a - b)) {
    const track = new ProtoWriter()
      .varint(DESCRIPTOR.UUID, uuid)
      .string(DESCRIPTOR.NAME, `VCPU ${uuid - FIRST_VCPU_UUID}`)
      .varint(DESCRIPTOR.PARENT_UUID, MACHINE_UUID);
    trace.message(TRACE.PACKET, packet(undefined, PACKET.TRACK_DESCRIPTOR, track));
  }
  const ownBoundaries = events.some((event) => event.name === 'smm_enter');
  const open = new Set<number>();
  for (const event of events) {
    const side = boundary(event, ownBoundaries);
    const track = trackOf(event);
    let type: number = TYPE.INSTANT;
    if (side === 'begin' && !open.has(track)) type = TYPE.SLICE_BEGIN;
    if (side === 'end' && open.has(track)) type = TYPE.SLICE_END;
    if (type === TYPE.SLICE_BEGIN) open.add(track);
    if (type === TYPE.SLICE_END) {
      open.delete(track);
      // The end of a slice carries no members: an instant beside it keeps them.
      trace.message(TRACE.PACKET, packet(event.ts, PACKET.TRACK_EVENT, trackEvent(event, TYPE.INSTANT)));
    }
    const name = type === TYPE.SLICE_BEGIN ? 'SMM' : undefined;
    trace.message(TRACE.PACKET, packet(event.ts, PACKET.TRACK_EVENT, trackEvent(event, type, name)));
  }
  return trace.finish();
}
