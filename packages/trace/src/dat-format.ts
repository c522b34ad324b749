/**
 * Words and numbers of trace.dat versions 6 and 7. Sources: trace-cmd.dat.v6(5), trace-cmd.dat.v7(5); measured on
 * trace-cmd 3.1.6.
 */
import { declareField, type PlacedField } from './c-layout.ts';
import type { TraceEventName, TraceForm } from './events.ts';
import { EVENT_TABLE, formOf, tracepointName } from './table.ts';
import { printFormat } from './template.ts';

/** First bytes of every trace.dat. */
export const MAGIC = [0x17, 0x08, 0x44, ...new TextEncoder().encode('tracing')] as const;
/** The version of one part after another, which every tool reads. */
export const VERSION = '6';
/** The version of sections and options, which trace-cmd 3 writes. */
export const VERSION_7 = '7';
/** Size of a ring-buffer page in bytes. */
export const PAGE_SIZE = 4096;
/** Bytes of a page before its data: time stamp and length of the data. */
export const PAGE_HEADER_SIZE = 16;
/** Length of the words `options  `, `latency  ` and `flyrecord` with their zero. */
export const SECTION_WORD_SIZE = 10;

/** `type_len` of an entry's first word. Linux `include/linux/ring_buffer.h`. */
export const ENTRY = { LONG: 0, LONGEST_SHORT: 28, PADDING: 29, TIME_EXTEND: 30, TIME_STAMP: 31 } as const;
/** Time deltas have 27 bits; larger ones need a time extend. */
export const DELTA_LIMIT = 2 ** 27;
/** Bits 31 and 30 of a page's length: events were lost before it, and their number is stored. */
export const COMMIT_FLAGS = 0xc000_0000;
/** Bit 31 alone. */
export const COMMIT_LOST = 0x8000_0000;

/** Option numbers. */
export const OPTION = {
  END: 0,
  BUFFER: 3,
  TRACE_CLOCK: 4,
  CPU_COUNT: 8,
  HEADER_INFO: 16,
  FTRACE_EVENTS: 17,
  EVENT_FORMATS: 18,
  KALLSYMS: 19,
  PRINTK: 20,
  COMMAND_LINES: 21,
  BUFFER_TEXT: 22,
} as const;

/** Section numbers of version 7. That of the strings is measured. */
export const SECTION = {
  OPTIONS: 0,
  BUFFER: 3,
  STRINGS: 15,
  HEADER_INFO: 16,
  FTRACE_EVENTS: 17,
  EVENT_FORMATS: 18,
  KALLSYMS: 19,
  PRINTK: 20,
  COMMAND_LINES: 21,
  BUFFER_TEXT: 22,
} as const;

function field(declaration: string, offset: number, size: number, signed: boolean): string {
  return `\tfield:${declaration};\toffset:${offset};\tsize:${size};\tsigned:${signed ? 1 : 0};\n`;
}

/** Layout of a page, as the kernel's `header_page` file gives it. */
export const HEADER_PAGE = [
  ['u64 timestamp', 0, 8, 0],
  ['local_t commit', 8, 8, 1],
  ['int overwrite', 8, 1, 1],
  ['char data', PAGE_HEADER_SIZE, PAGE_SIZE - PAGE_HEADER_SIZE, 1],
]
  .map(
    ([name, offset, size, signed]) =>
      `\tfield: ${name};\toffset:${offset};\tsize:${size};\tsigned:${signed};\n`,
  )
  .join('');

/** Layout of an entry, as the kernel's `header_event` file gives it. */
export const HEADER_EVENT = [
  '# compressed entry header',
  '\ttype_len    :    5 bits',
  '\ttime_delta  :   27 bits',
  '\tarray       :   32 bits',
  '',
  `\tpadding     : type == ${ENTRY.PADDING}`,
  `\ttime_extend : type == ${ENTRY.TIME_EXTEND}`,
  `\ttime_stamp : type == ${ENTRY.TIME_STAMP}`,
  `\tdata max type_len  == ${ENTRY.LONGEST_SHORT}`,
  '',
].join('\n');

const COMMON_FIELDS = [
  field('unsigned short common_type', 0, 2, false),
  field('unsigned char common_flags', 2, 1, false),
  field('unsigned char common_preempt_count', 3, 1, false),
  field('int common_pid', 4, 4, true),
].join('');

/** The format file of an event, as the kernel shows it under `events/kvm/`. */
export function eventFormat(name: TraceEventName, form: TraceForm, fields: readonly PlacedField[]): string {
  const row = EVENT_TABLE[name];
  const own = fields.map((each) => field(declareField(each), each.offset, each.size, each.signed)).join('');
  return [
    `name: ${tracepointName(name, form)}\nID: ${row.id}\nformat:\n`,
    COMMON_FIELDS,
    '\n',
    own,
    `\nprint fmt: ${printFormat(formOf(row, form).print)}\n`,
  ].join('');
}
