/**
 * ACPI tables as fw_cfg hands them to firmware: one file of tables, the root pointer, and the commands by which
 * firmware places both in memory, puts in pointers and makes checksums. Source: QEMU docs and edk2 "QemuLoader.h" for
 * the layout of commands.
 */
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
  /** Signature of the table it points to. */
  readonly target: string;
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
  /** A table without header and checksum (FACS): `body` is all of it. */
  readonly bare?: boolean;
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
  const listed = tables.filter(({ signature }) => signature !== 'FACS' && signature !== 'DSDT');
  const root: AcpiTable = {
    signature: 'RSDT',
    revision: 1,
    body: new Array<number>(4 * listed.length).fill(0),
    pointers: listed.map(({ signature }, i) => ({
      offset: HEADER_BYTES + 4 * i,
      width: 4,
      target: signature,
    })),
  };
  const all = [...tables, root];
  const starts = new Map<string, number>();
  const bytes: number[] = [];
  for (const table of all) {
    starts.set(table.signature, bytes.length);
    bytes.push(...(table.bare === true ? table.body : [...header(table), ...table.body]));
  }
  const commands = [allocate(ACPI_RSDP_FILE, 16, ZONE_FSEG), allocate(ACPI_TABLES_FILE, 64, ZONE_HIGH)];
  for (const table of all) {
    const start = starts.get(table.signature)!;
    for (const { offset, width, target } of table.pointers ?? []) {
      bytes.splice(start + offset, width, ...little(starts.get(target)!, width));
      commands.push(pointer(ACPI_TABLES_FILE, start + offset, width));
    }
    if (table.bare !== true)
      commands.push(
        checksum(ACPI_TABLES_FILE, start + CHECKSUM_OFFSET, start, HEADER_BYTES + table.body.length),
      );
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
