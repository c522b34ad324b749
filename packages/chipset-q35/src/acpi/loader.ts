/**
 * ACPI tables as fw_cfg hands them to firmware: one file of tables, the root pointer, and the commands by which
 * firmware places both in memory, puts in pointers and makes checksums. Source: QEMU docs and edk2 "QemuLoader.h" for
 * the layout of commands.
 */
import { SmmError } from '@smm/x86-defs';
import { ascii, little } from './aml.ts';

/** Files, as the loader names them. */
export const ACPI_TABLES_FILE = 'etc/acpi/tables';
/** File of the root pointer. */
export const ACPI_RSDP_FILE = 'etc/acpi/rsdp';
/** File of the commands. */
export const ACPI_LOADER_FILE = 'etc/table-loader';

const ALLOCATE = 1;
const ADD_POINTER = 2;
const ADD_CHECKSUM = 3;
const ZONE_HIGH = 1;
const ZONE_FSEG = 2;
const COMMAND_BYTES = 128;
const NAME_BYTES = 56;
const HEADER_BYTES = 36;
const CHECKSUM_OFFSET = 9;

/** A pointer in a table: where it is, its width, and what it points to. */
export interface AcpiPointer {
  /** Offset in the table, bytes. */
  readonly offset: number;
  /** Width, bytes. */
  readonly width: 4 | 8;
  /** Signature of the table it points to, or its place in the list. */
  readonly target: string | number;
}

/** A table. The header but for its signature is made here. */
export interface AcpiTable {
  /** Four letters. */
  readonly signature: string;
  /** Revision of its layout. */
  readonly revision: number;
  /** What follows the header of 36 bytes. */
  readonly body: readonly number[];
  /** Pointers in it. */
  readonly pointers?: readonly AcpiPointer[];
  /** `body` is all of the table: without a checksum (FACS), or with a header that is somebody else's. */
  readonly whole?: 'bare' | 'ready';
}

/** A table that somebody else made. Throws `SmmError` `ACPI_TABLE` for bytes that are none. */
export function wholeTable(bytes: Uint8Array): AcpiTable {
  const length =
    bytes.length < HEADER_BYTES ? 0 : new DataView(bytes.buffer, bytes.byteOffset).getUint32(4, true);
  if (length !== bytes.length) {
    throw new SmmError(
      'ACPI_TABLE',
      `an ACPI table has ${bytes.length} bytes, and its header says ${length}`,
      `Give whole tables: a header of ${HEADER_BYTES} bytes with the length of all, and what follows it.`,
      { size: bytes.length, length },
    );
  }
  const body = [...bytes];
  body[CHECKSUM_OFFSET] = 0;
  return {
    signature: String.fromCharCode(...bytes.subarray(0, 4)),
    revision: bytes[8]!,
    body,
    whole: 'ready',
  };
}

/** Contents of the three files, unpadded. */
export interface AcpiFiles {
  /** The tables, one behind another. */
  readonly tables: Uint8Array;
  /** The root pointer, 20 bytes. */
  readonly rsdp: Uint8Array;
  /** The commands. */
  readonly loader: Uint8Array;
}

/** Lays tables out in order; an RSDT that points to all but FACS and DSDT comes last. */
export function layOutTables(tables: readonly AcpiTable[]): AcpiFiles {
  const listed = [...tables.entries()].filter(
    ([, { signature }]) => signature !== 'FACS' && signature !== 'DSDT',
  );
  const root: AcpiTable = {
    signature: 'RSDT',
    revision: 1,
    body: new Array<number>(4 * listed.length).fill(0),
    pointers: listed.map(([place], i) => ({ offset: HEADER_BYTES + 4 * i, width: 4, target: place })),
  };
  const all = [...tables, root];
  const starts = new Map<string, number>();
  const places: number[] = [];
  const bytes: number[] = [];
  for (const table of all) {
    if (!starts.has(table.signature)) starts.set(table.signature, bytes.length);
    places.push(bytes.length);
    for (const byte of table.whole === undefined ? [...header(table), ...table.body] : table.body)
      bytes.push(byte);
  }
  const commands = [allocate(ACPI_RSDP_FILE, 16, ZONE_FSEG), allocate(ACPI_TABLES_FILE, 64, ZONE_HIGH)];
  for (const [index, table] of all.entries()) {
    const start = places[index]!;
    for (const { offset, width, target } of table.pointers ?? []) {
      const to = typeof target === 'number' ? places[target]! : starts.get(target)!;
      bytes.splice(start + offset, width, ...little(to, width));
      commands.push(pointer(ACPI_TABLES_FILE, start + offset, width));
    }
    const size = table.body.length + (table.whole === undefined ? HEADER_BYTES : 0);
    if (table.whole !== 'bare')
      commands.push(checksum(ACPI_TABLES_FILE, start + CHECKSUM_OFFSET, start, size));
  }
  const rsdp = [...ascii('RSD PTR '), 0, ...OEM, 0, ...little(starts.get('RSDT')!, 4)];
  commands.push(pointer(ACPI_RSDP_FILE, 16, 4), checksum(ACPI_RSDP_FILE, 8, 0, rsdp.length));
  return {
    tables: Uint8Array.from(bytes),
    rsdp: Uint8Array.from(rsdp),
    loader: Uint8Array.from(commands.flat()),
  };
}

const OEM = ascii('SMMEMU');

function header({ signature, revision, body }: AcpiTable): number[] {
  return [
    ...ascii(signature),
    ...little(HEADER_BYTES + body.length, 4),
    ...[revision, 0, ...OEM, ...ascii('Q35     '), ...little(1, 4), ...ascii('SMM '), ...little(1, 4)],
  ];
}

function command(kind: number, ...fields: readonly number[]): number[] {
  return [...little(kind, 4), ...fields, ...new Array<number>(COMMAND_BYTES - 4 - fields.length).fill(0)];
}

function file(name: string): number[] {
  return ascii(name.padEnd(NAME_BYTES, '\0'));
}

function allocate(name: string, align: number, zone: number): number[] {
  return command(ALLOCATE, ...file(name), ...little(align, 4), zone);
}

function pointer(within: string, offset: number, width: number): number[] {
  return command(ADD_POINTER, ...file(within), ...file(ACPI_TABLES_FILE), ...little(offset, 4), width);
}

function checksum(within: string, offset: number, start: number, bytes: number): number[] {
  return command(
    ADD_CHECKSUM,
    ...file(within),
    ...little(offset, 4),
    ...little(start, 4),
    ...little(bytes, 4),
  );
}
