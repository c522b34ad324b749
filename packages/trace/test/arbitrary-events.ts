/** Random events of every type, within what a kernel's record of the given form can hold. */
import type { TraceEvent, TraceEventName, TraceForm } from '@smm/trace';
import fc from 'fast-check';
import { EVENT_TABLE, fieldsOf } from '../src/table.ts';

/** Sensible values where the number of bits alone says too little. */
const RANGES: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  'kvm_mmio.type': fc.nat(2),
  'kvm_apic.reg': fc.constantFrom(0x20, 0x80, 0xb0, 0x300, 0x310, 0x3f0, 0x3c0),
  'kvm_userspace_exit.reason': fc.nat(30),
  'kvm_userspace_exit.errno': fc.constantFrom(-4, -11, -14, 0),
  'kvm_ack_irq.irqchip': fc.nat(2),
  'kvm_pic_set_irq.pin': fc.nat(7),
  'kvm_emulate_insn.flags': fc.constantFrom(0, 1, 3, 5, 9),
  'kvm_apic_accept_irq.dm': fc.nat(7).map((mode) => mode << 8),
  'kvm_apic_accept_irq.tm': fc.nat(1),
  'kvm_inj_exception.exception': fc.constantFrom(0, 1, 6, 8, 13, 14, 31),
  'kvm_msi_set_irq.address': fc.bigInt(0n, 0xfffffn).map((low) => 0xfee00000n | low),
};

function arbitraryMember(
  name: TraceEventName,
  member: string,
  size: number,
  signed: boolean,
): fc.Arbitrary<unknown> {
  const range = RANGES[`${name}.${member}`];
  if (range) return range;
  const kind = EVENT_TABLE[name].members[member];
  if (kind === 'boolean') return fc.boolean();
  if (kind === 'bytes') return fc.array(fc.nat(255), { minLength: 1, maxLength: 15 });
  if (kind === 'text') return fc.string({ maxLength: 60 });
  if (kind === 'bigint') return fc.bigInt(0n, (1n << BigInt(8 * size)) - 1n);
  if (kind === 'number') {
    const bits = 8 * size;
    return signed
      ? fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
      : fc.integer({ min: 0, max: 2 ** bits - 1 });
  }
  return fc.constantFrom(...(kind ?? []));
}

/** Intel SDM, "Exception and Interrupt Reference": the exceptions that push an error code. */
const WITH_ERROR_CODE = [8, 10, 11, 12, 13, 14, 17];

const VMX_REASONS = fc.constantFrom(0, 1, 2, 7, 12, 28, 30, 44, 48, 49, 33, 99, 0x80000021);
const SVM_REASONS = fc.constantFrom(
  0,
  0x14,
  0x4d,
  0x4e,
  0x60,
  0x73,
  0x78,
  0x7b,
  0x7f,
  0x400,
  0x402,
  0xffffffff,
);
/** Reason and virtualisation extension belong together. */
const EXITS = fc.oneof(
  VMX_REASONS.map((exitReason) => ({ isa: 1, exitReason })),
  SVM_REASONS.map((exitReason) => ({ isa: 2, exitReason })),
);

/** Exceptions have an error code or have none; text of 2015 does not tell. */
function plausible(event: TraceEvent): TraceEvent {
  if (event.name !== 'kvm_inj_exception') return event;
  const hasError = WITH_ERROR_CODE.includes(event.exception);
  return { ...event, hasError, errorCode: hasError ? event.errorCode : 0 };
}

/** Random events named `name`, with every member that the form's record has. */
export function arbitraryEvent(name: TraceEventName, form: TraceForm): fc.Arbitrary<TraceEvent> {
  const members: Record<string, fc.Arbitrary<unknown>> = {};
  for (const { type, member, size, signed } of fieldsOf(name, form)) {
    // The length of a byte array is no member of its own.
    if (EVENT_TABLE[name].members[member] === 'bytes' && type !== '__u8[15]') continue;
    members[member] = arbitraryMember(name, member, size, signed);
  }
  const exits = 'exitReason' in members ? EXITS : fc.constant({});
  return fc
    .record({
      name: fc.constant(name),
      ts: fc.integer({ min: 0, max: 20_000_000 }).map((us) => us * 1000),
      cpu: fc.nat(3),
      pid: fc.integer({ min: 1, max: 99_999 }),
      comm: fc.constantFrom('qemu-system-i38', 'CPU 0/KVM', 'a-b-1'),
      ...members,
    })
    .chain((event) => exits.map((exit) => plausible({ ...event, ...exit } as unknown as TraceEvent)));
}
