/** What `-smbios`, `-uuid` and `-acpitable` say in the tables that an operating system reads. */
import type { BootOptions } from '@smm/machine';
import type { Io } from '../io.ts';
import { isOn, type KeyValues, keyValues } from '../qemu/keyval.ts';
import type { QemuSettings } from '../qemu/settings.ts';
import { wholeNumber } from '../qemu-values.ts';
import { UsageError } from '../usage-error.ts';

type Smbios = NonNullable<BootOptions['smbios']>;
type Draft = { -readonly [K in keyof Smbios]: Smbios[K] };

/** Names of texts by type of structure. */
const TEXTS: Readonly<Record<string, readonly [keyof Smbios, ...string[]]>> = {
  0: ['bios', 'vendor', 'version', 'date'],
  1: ['system', 'manufacturer', 'product', 'version', 'serial', 'uuid', 'sku', 'family'],
  2: ['board', 'manufacturer', 'product', 'version', 'serial', 'asset', 'location'],
  3: ['chassis', 'manufacturer', 'version', 'serial', 'asset', 'sku'],
  4: ['processor', 'sock_pfx', 'manufacturer', 'version', 'serial', 'asset', 'part'],
  17: ['memory', 'loc_pfx', 'bank', 'manufacturer', 'serial', 'asset', 'part'],
};
/** Those that are something else, by type. */
const OTHERS: Readonly<Record<string, readonly string[]>> = {
  0: ['release', 'uefi'],
  4: ['max-speed', 'current-speed'],
  11: ['value', 'path'],
  17: ['speed'],
};
/** Bytes of a text for type 11. */
const LARGEST_TEXT = 0x1_0000;
/** Bytes of an ACPI table. */
const LARGEST_TABLE = 0x10_0000;
const HEADER_BYTES = 36;

/** The texts; undefined: nothing is said. Throws `UsageError`, and `FileError` for files. */
export function smbiosOf({ smbios, uuid }: QemuSettings, io: Io): BootOptions['smbios'] {
  if (smbios.length === 0 && uuid === undefined) return undefined;
  const found: Draft = uuid === undefined ? {} : { system: { uuid: uuidOf(uuid) } };
  for (const text of smbios) {
    const members = keyValues('-smbios', text);
    const type = members.get('type')!;
    const [part, ...names] = TEXTS[type] ?? ['oemStrings'];
    for (const [name] of members) {
      if (name !== 'type' && !names.includes(name) && !OTHERS[type]?.includes(name))
        throw new UsageError(
          `-smbios ${text}: type ${type} has no ${name}`,
          `It has ${[...names, ...(OTHERS[type] ?? [])].join(', ')}.`,
        );
    }
    if (part === 'oemStrings') found.oemStrings = [...(found.oemStrings ?? []), ...oemStrings(text, io)];
    else {
      const texts = names.flatMap((name) => {
        const value = members.get(name);
        return value === undefined ? [] : [[name, name === 'uuid' ? uuidOf(value) : value] as const];
      });
      Object.assign(found, {
        [part]: { ...found[part], ...Object.fromEntries(texts), ...othersOf(members) },
      });
    }
  }
  return found;
}

/** Members that are no texts. */
function othersOf(members: KeyValues): Record<string, unknown> {
  const number = (name: string): number | undefined => {
    const value = members.get(name);
    return value === undefined ? undefined : wholeNumber(`-smbios ${name}=`, value);
  };
  const [speed, maxSpeed, currentSpeed] = ['speed', 'max-speed', 'current-speed'].map(number);
  const [release, uefi] = [members.get('release'), members.get('uefi')];
  return {
    ...(speed !== undefined && { speed }),
    ...(maxSpeed !== undefined && { maxSpeed }),
    ...(currentSpeed !== undefined && { currentSpeed }),
    ...(release !== undefined && { release: releaseOf(release) }),
    ...(uefi !== undefined && { uefi: isOn('-smbios', 'uefi', uefi) }),
  };
}

function releaseOf(text: string): [number, number] {
  const [, major, minor] = /^(\d{1,3})\.(\d{1,3})$/.exec(text) ?? [];
  if (major === undefined || minor === undefined)
    throw new UsageError(`-smbios release=${text} is no release`, 'Write release=MAJOR.MINOR, a byte each.');
  return [Number(major), Number(minor)];
}

function uuidOf(text: string): string {
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) return text;
  throw new UsageError(`${text} is not a UUID`, 'Write 01234567-89ab-cdef-0123-456789abcdef.');
}

/** `value=` may come more than once, which maps do not show. */
function oemStrings(text: string, io: Io): string[] {
  const parts = (text.match(/(?:[^,]|,,)+/g) ?? []).map((part) => part.replaceAll(',,', ','));
  return parts.flatMap((part) => {
    const [, name, value = ''] = /^(value|path)=(.*)$/s.exec(part) ?? [];
    if (name === 'value') return [value];
    if (name !== 'path') return [];
    return [new TextDecoder().decode(io.readFile('the SMBIOS text', value, LARGEST_TEXT))];
  });
}

/** Further ACPI tables. Throws `UsageError`, and `FileError` for files. */
export function acpiTablesOf({ acpiTables }: QemuSettings, io: Io): Uint8Array[] {
  return acpiTables.map((members) => acpiTable(members, io));
}

/** `file=` names whole tables, `data=` what follows a header made of the other members. */
function acpiTable(members: KeyValues, io: Io): Uint8Array {
  const [file, data] = [members.get('file'), members.get('data')];
  if ((file === undefined) === (data === undefined)) {
    throw new UsageError(
      '-acpitable wants file= or data=, and one of them alone',
      'Write -acpitable file=TABLE, or -acpitable sig=ABCD,data=BODY.',
    );
  }
  const pieces = (file ?? data)!.split(':').map((path) => io.readFile('the ACPI table', path, LARGEST_TABLE));
  const body = Uint8Array.from(pieces.flatMap((piece) => [...piece]));
  const bytes = file === undefined ? Uint8Array.from([...newHeader(), ...body]) : body;
  if (bytes.length < HEADER_BYTES)
    throw new UsageError(
      `-acpitable file=${file} has ${bytes.length} bytes, fewer than a header`,
      'Give a whole table.',
    );
  const view = new DataView(bytes.buffer);
  view.setUint32(4, bytes.length, true);
  const text = (name: string, offset: number, length: number): void => {
    const value = members.get(name);
    if (value === undefined) return;
    const exact = name === 'sig';
    if (value.length > length || (exact && value.length !== length))
      throw new UsageError(
        `-acpitable ${name}=${value} has not ${length} characters`,
        'Give fewer, or other ones.',
      );
    bytes.set(new TextEncoder().encode(value.padEnd(length, '\0')), offset);
  };
  text('sig', 0, 4);
  text('oem_id', 10, 6);
  text('oem_table_id', 16, 8);
  text('asl_compiler_id', 28, 4);
  const [revision, oem, compiler] = ['rev', 'oem_rev', 'asl_compiler_rev'].map((name) => {
    const value = members.get(name);
    return value === undefined ? undefined : wholeNumber(`-acpitable ${name}=`, value);
  });
  if (revision !== undefined) bytes[8] = revision;
  if (oem !== undefined) view.setUint32(24, oem, true);
  if (compiler !== undefined) view.setUint32(32, compiler, true);
  return bytes;
}

/** What a header says that nobody spoke of: as QEMU's. */
function newHeader(): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES);
  bytes.set(new TextEncoder().encode('QEMU'));
  bytes[8] = 1;
  bytes.set(new TextEncoder().encode('QEMUQEQEMUQEMU'), 10);
  bytes[24] = 1;
  bytes.set(new TextEncoder().encode('QEMU'), 28);
  bytes[32] = 1;
  return bytes;
}
