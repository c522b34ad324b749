/** The format files in a trace.dat file: what the records of each tracepoint hold. */
import type { DeclaredField } from './c-layout.ts';
import type { Cursor } from './dat-cursor.ts';
import { foreign } from './dat-cursor.ts';
import type { TraceEventName, TraceForm } from './events.ts';
import { eventNameOf } from './table.ts';

/** What a tracepoint's records hold. */
export interface Format {
  /** The tracepoint. */
  readonly tracepoint: string;
  /** Our name of it; undefined for tracepoints without a row. */
  readonly name: TraceEventName | undefined;
  readonly fields: readonly DeclaredField[];
}

/** Formats by the number in the records. */
export type Formats = Map<number, Format>;

/** Reads one format file; undefined if it is none. */
function parseFormat(text: string): [id: number, format: Format] | undefined {
  const tracepoint = /^name: (\S+)/m.exec(text)?.[1] ?? '';
  const name = eventNameOf(tracepoint);
  const id = Number(/^ID: (\d+)/m.exec(text)?.[1] ?? Number.NaN);
  if (Number.isNaN(id)) return undefined;
  if (!name) return [id, { tracepoint, name, fields: [] }];
  const fields: DeclaredField[] = [];
  const line = /field:([^;]*?)(\w+)(\[\d*\])?;\s*offset:(\d+);\s*size:(\d+);(?:\s*signed:(\d);)?/g;
  for (const [, type = '', fieldName = '', array, offset, size, signed] of text.matchAll(line)) {
    if (fieldName.startsWith('common_')) continue;
    const shape = type.includes('__data_loc') ? 'string' : array ? 'bytes' : 'integer';
    fields.push({
      name: fieldName,
      offset: Number(offset),
      size: Number(size),
      signed: signed === '1',
      shape,
    });
  }
  return [id, { tracepoint, name, fields }];
}

/** Reads `count` format files. */
function readFormatFiles(cursor: Cursor, count: number, into: Formats): void {
  for (let i = 0; i < count; i++) {
    const parsed = parseFormat(cursor.text(cursor.u64()));
    if (parsed) into.set(parsed[0], parsed[1]);
  }
}

/** Passes over the layouts of pages and entries, which are the same in all kernels that have KVM's tracepoints. */
export function skipHeaderInfo(cursor: Cursor): void {
  for (const word of ['header_page', 'header_event']) {
    if (cursor.word() !== word) throw foreign(`The file has no ${word} where trace.dat has one.`);
    cursor.skip(cursor.u64());
  }
}

/** The formats of ftrace's own events. */
export function readFtraceFormats(cursor: Cursor, into: Formats): void {
  readFormatFiles(cursor, cursor.u32(), into);
}

/** The formats of all other events, system by system. */
export function readEventFormats(cursor: Cursor, into: Formats): void {
  const systems = cursor.u32();
  for (let i = 0; i < systems; i++) {
    cursor.word();
    readFormatFiles(cursor, cursor.u32(), into);
  }
}

/** Names of threads by their ids. */
export function readCommandLines(cursor: Cursor, into: Map<number, string>): void {
  for (const line of cursor.text(cursor.u64()).split('\n')) {
    const match = /^(\d+) (.*)$/.exec(line);
    if (match) into.set(Number(match[1]), match[2] ?? '');
  }
}

/** Whose formats these are; undefined if they are nobody's whose words differ. */
export function formOfFormats(formats: Formats): TraceForm | undefined {
  for (const { tracepoint, fields } of formats.values()) {
    if (tracepoint === 'kvm_smm_transition') return 'current';
    if (tracepoint === 'kvm_exit')
      return fields.some(({ name }) => name === 'intr_info') ? 'current' : '2015';
  }
  return undefined;
}
