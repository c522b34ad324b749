/** What the files of the table of KVM tracepoints share. */
import type { CField } from './c-layout.ts';
import type { RowOf } from './event-row.ts';
import type { KvmEvent } from './kvm-events.ts';
import type { Template } from './template.ts';

/** Rows of some KVM events. */
export type KvmRows<N extends KvmEvent['name']> = {
  readonly [K in N]: RowOf<Extract<KvmEvent, { name: K }>>;
};

/** The field that names the VCPU. */
export const VCPU: CField = ['unsigned int', 'vcpu_id', 'vcpu'];

/** Where the delivery mode lies in an ICR and the words like it. */
export const DELIVERY_MODE_PART = { shift: 8, mask: 7 };

/** The same fields and format in both kernels. */
export function same(fields: readonly CField[], print: Template) {
  return { old: { fields, print }, current: { fields, print } };
}
