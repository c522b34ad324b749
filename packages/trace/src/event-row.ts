/** What the tables of events say about one event. */
import type { CField, RawRecord } from './c-layout.ts';
import type { TraceEvent } from './events.ts';
import type { EventBase } from './kvm-events.ts';
import type { ReadTemplate, Template } from './template.ts';

/** How a member of an event holds the field of a record: an array is an enumeration, by index. */
export type MemberKind = 'number' | 'bigint' | 'boolean' | 'bytes' | 'text' | readonly string[];

/** Members of an event that its table row must describe. */
type OwnMember<E> = Exclude<keyof E, 'name' | Exclude<keyof EventBase, 'vcpu'>>;

/** The kind that fits the type of a member, so that the compiler compares table and union. */
type KindOf<T> = [T] extends [number]
  ? 'number'
  : [T] extends [bigint]
    ? 'bigint'
    : [T] extends [boolean]
      ? 'boolean'
      : [T] extends [readonly number[]]
        ? 'bytes'
        : string extends T
          ? 'text'
          : readonly T[];

/** One kernel's form of an event. */
export interface EventForm {
  /** Name in the trace where it differs from ours. */
  readonly tracepoint?: string;
  /** Fields that the record has if an event of the file carries them. */
  readonly extra?: readonly CField[];
  /** Fields in order. */
  readonly fields: readonly CField[];
  /** Print format. */
  readonly print: Template;
  /** What trace-cmd's plugin for KVM prints instead. */
  readonly plugin?: Template;
}

/** A print format that is only read. */
interface OtherPrint {
  /** Who prints so. */
  readonly of: string;
  /** The format; what people cut out by hand is optional in it. */
  readonly print: ReadTemplate;
}

/** One event, as the code that walks the tables sees it. */
export interface EventRow {
  /** Number of the event in the trace.dat files that we write. */
  readonly id: number;
  /** Trace system. */
  readonly system: 'kvm' | 'smm';
  /** Kind of every member; `vcpu` only where the event's own fields name the VCPU. */
  readonly members: Readonly<Record<string, MemberKind>>;
  /** Fields and print format of a kernel of 2015. */
  readonly old: EventForm;
  /** Fields and print format of a kernel of today. */
  readonly current: EventForm;
  /** Other tracepoints that say the same. */
  readonly otherNames?: readonly string[];
  /** Members that text may lack: what people cut out, and what a tool does not print. */
  readonly mayLack?: readonly string[];
  /** Fields of other kernels' records, only read. */
  readonly readOnly?: readonly CField[];
  /** Print formats of other kernels and tools, only read. */
  readonly others?: readonly OtherPrint[];
  /** Values of fields that text does not tell. */
  readonly untold?: Readonly<RawRecord>;
}

/** One event, as the compiler compares it with its type: every member has its kind. */
export interface RowOf<E extends TraceEvent> extends EventRow {
  /** Kind of every member. */
  readonly members: {
    readonly [K in OwnMember<E> as K extends 'vcpu' ? never : K]-?: KindOf<Exclude<E[K], undefined>>;
  } & { readonly vcpu?: 'number' };
}
