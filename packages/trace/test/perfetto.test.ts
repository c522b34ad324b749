import { type TraceEvent, writePerfetto } from '@smm/trace';
import { describe, expect, it } from 'vitest';
import { ProtoWriter } from '../src/protobuf.ts';

type Message = Map<number, (bigint | Uint8Array)[]>;

/** A reader of any message, written from protobuf.dev's "Encoding" alone. */
function decode(bytes: Uint8Array): Message {
  const message: Message = new Map();
  let at = 0;
  const varint = (): bigint => {
    for (let value = 0n, shift = 0n; ; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined) throw new Error('cut short');
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const key = Number(varint());
    const values = message.get(key >> 3) ?? [];
    message.set(key >> 3, values);
    if ((key & 7) === 0) {
      values.push(varint());
    } else if ((key & 7) === 2) {
      const length = Number(varint());
      if (at + length > bytes.length) throw new Error('cut short');
      values.push(bytes.subarray(at, at + length));
      at += length;
    } else {
      throw new Error(`wire type ${key & 7}`);
    }
  }
  return message;
}

const sub = (message: Message, field: number): Message | undefined => {
  const value = message.get(field)?.[0];
  return value instanceof Uint8Array ? decode(value) : undefined;
};
const text = (message: Message | undefined, field: number): string | undefined => {
  const value = message?.get(field)?.[0];
  return value instanceof Uint8Array ? new TextDecoder().decode(value) : undefined;
};
const hexBytes = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

describe('protocol buffers', () => {
  // The examples of protobuf.dev, "Encoding": "A Simple Message", "Length-Delimited Records", "Submessages".
  it('encodes the published examples', () => {
    expect(hexBytes(new ProtoWriter().varint(1, 150).finish())).toBe('089601');
    expect(hexBytes(new ProtoWriter().string(2, 'testing').finish())).toBe('120774657374696e67');
    expect(hexBytes(new ProtoWriter().message(3, new ProtoWriter().varint(1, 150)).finish())).toBe(
      '1a03089601',
    );
    expect(hexBytes(new ProtoWriter().varint(1, -2).finish())).toBe('08feffffffffffffffff01');
  });
});

const at = (ts: number, vcpu: number) => ({ ts, cpu: vcpu, vcpu });
const RUN: readonly TraceEvent[] = [
  { ...at(10, 0), name: 'smm_debugcon', text: 'hello' },
  { ...at(20, 1), name: 'kvm_enter_smm', smbase: 0x30000n, entering: true },
  { ...at(21, 1), name: 'smm_enter', smbase: 0x30000n, rip: 0x10n },
  { ...at(25, 1), name: 'smm_smbase_write', gpa: 0x3fef8n, value: 0x7ffc1800n, rip: 0x11n },
  { ...at(30, 1), name: 'smm_rsm', oldSmbase: 0x30000n, newSmbase: 0x7ffc1800n, rip: 0x12n },
  { ...at(40, 0), name: 'smm_enter', smbase: 0x30000n, rip: 0x13n },
];

/** Field numbers of Perfetto's trace_packet.proto, track_event.proto and track_descriptor.proto. */
function readTrace(bytes: Uint8Array) {
  const packets = (decode(bytes).get(1) ?? []).map((packet) => decode(packet as Uint8Array));
  const tracks = new Map(
    packets.flatMap((packet) => {
      const descriptor = sub(packet, 60);
      return descriptor ? [[descriptor.get(1)?.[0], text(descriptor, 2)] as const] : [];
    }),
  );
  const events = packets.flatMap((packet) => {
    const event = sub(packet, 11);
    if (!event) return [];
    const type = ['', 'begin', 'end', 'instant'][Number(event.get(9)?.[0])];
    return [[Number(packet.get(8)?.[0]), type, tracks.get(event.get(11)?.[0]), text(event, 23)]];
  });
  return { packets, tracks, events };
}

describe('Perfetto', () => {
  it('gives every VCPU a track, the time in SMM a slice, everything else an instant', () => {
    const { tracks, events } = readTrace(writePerfetto(RUN));
    expect([...tracks.values()]).toEqual([undefined, 'VCPU 0', 'VCPU 1']);
    expect(events).toEqual([
      [10, 'instant', 'VCPU 0', 'smm_debugcon'],
      [20, 'instant', 'VCPU 1', 'kvm_enter_smm'],
      [21, 'begin', 'VCPU 1', 'SMM'],
      [25, 'instant', 'VCPU 1', 'smm_smbase_write'],
      [30, 'instant', 'VCPU 1', 'smm_rsm'],
      [30, 'end', 'VCPU 1', undefined],
      [40, 'begin', 'VCPU 0', 'SMM'],
    ]);
  });

  it("draws the slices of a trace that has KVM's events alone", () => {
    const kvm: TraceEvent[] = [
      { ...at(1, 0), name: 'kvm_enter_smm', smbase: 0x30000n, entering: false },
      { ...at(2, 0), name: 'kvm_enter_smm', smbase: 0x30000n, entering: true },
      { ...at(3, 0), name: 'kvm_enter_smm', smbase: 0x7ffc1000n, entering: false },
    ];
    expect(readTrace(writePerfetto(kvm)).events.map(([ts, type]) => [ts, type])).toEqual([
      [1, 'instant'],
      [2, 'begin'],
      [3, 'instant'],
      [3, 'end'],
    ]);
  });

  it('annotates members: numbers as they are, 64-bit values as pointers, and every packet has its sequence', () => {
    const { packets } = readTrace(writePerfetto(RUN));
    expect(packets.every((packet) => packet.get(10)?.[0] === 1n)).toBe(true);
    const write = packets
      .map((packet) => sub(packet, 11))
      .find((event) => text(event, 23) === 'smm_smbase_write');
    const notes = (write?.get(4) ?? []).map((note) => decode(note as Uint8Array));
    expect(notes.map((note) => [text(note, 10), note.get(7)?.[0]])).toEqual([
      ['gpa', 0x3fef8n],
      ['value', 0x7ffc1800n],
      ['rip', 0x11n],
    ]);
  });
});
