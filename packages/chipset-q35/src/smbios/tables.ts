/**
 * SMBIOS 2.8 structures of a Q35 board, as QEMU gives them to firmware: the structures, and an anchor whose addresses
 * and checksums the firmware fills in. Values are those of QEMU 7.2 (measured; a test compares them).
 * Source: DMTF DSP0134, "System Management BIOS (SMBIOS) Reference Specification".
 */
import { isShape, isWhole } from '@smm/x86-defs';
import { type FwCfgFile, littleEndian } from '../fw-cfg.ts';
import type { RamLayout } from '../memory-map.ts';
import { isSmbiosTexts, type SmbiosTexts } from './options.ts';
import { type SmbiosField, structure, uuidFields } from './structure.ts';

/** Processors, as far as SMBIOS tells of them. */
export interface SmbiosProcessors {
  /** Sockets. */
  readonly sockets: number;
  /** Cores of a socket. */
  readonly cores: number;
  /** Threads of a socket. */
  readonly threads: number;
  /** CPUID.1:EAX. */
  readonly signature: number;
  /** CPUID.1:EDX. */
  readonly features: number;
}

/** Refuses what is none. */
const isSmbiosProcessors = isShape<SmbiosProcessors>({
  sockets: isWhole(1, 0xff),
  cores: isWhole(1),
  threads: isWhole(1),
  signature: isWhole(0, 0xffff_ffff),
  features: isWhole(0, 0xffff_ffff),
});

const MAKER = 'QEMU';
const PRODUCT = 'Standard PC (Q35 + ICH9, 2009)';
const VERSION = 'pc-q35-7.2';
const KIB = 2 ** 10;
const MIB = 2 ** 20;
/** Largest memory module, bytes. */
const MODULE_BYTES = 16 * 2 ** 30;

const byte = (value: number): SmbiosField => [value, 1];
const word = (value: number): SmbiosField => [value, 2];
const dword = (value: number): SmbiosField => [value, 4];

/** Handles of the first structure of each type that has some, and of those that others name. */
const HANDLES = {
  board: 0x200,
  chassis: 0x300,
  processor: 0x400,
  array: 0x1000,
  module: 0x1100,
  range: 0x1300,
};
const NO_HANDLE = 0xffff;
const NO_ERRORS = 0xfffe;

/** The two files of fw_cfg. */
export function smbiosFiles(
  processors: SmbiosProcessors,
  ram: RamLayout,
  texts: SmbiosTexts = {},
): FwCfgFile[] {
  isSmbiosProcessors('the processors of SMBIOS', processors);
  isSmbiosTexts('the texts of SMBIOS', texts);
  const all = [
    ...bios(texts),
    system(texts),
    ...board(texts),
    chassis(texts),
    ...Array.from({ length: processors.sockets }, (_, n) => socket(processors, texts, n)),
    ...oemStrings(texts),
    ...memory(ram, texts),
    structure(32, 0x2000, [...Array.from({ length: 6 }, () => byte(0)), byte(0)]), // no error of the last boot
    structure(127, 0x7f00, []),
  ];
  const tables = new Uint8Array(all.reduce((size, each) => size + each.length, 0));
  all.reduce((at, each) => {
    tables.set(each, at);
    return at + each.length;
  }, 0);
  return [
    { name: 'etc/smbios/smbios-anchor', data: anchor(all, tables.length) },
    { name: 'etc/smbios/smbios-tables', data: tables },
  ];
}

/** The entry point of 2.8, without address and checksums. */
function anchor(all: readonly Uint8Array[], tableBytes: number): Uint8Array {
  const bytes = new Uint8Array(31);
  const text = new TextEncoder();
  bytes.set([...text.encode('_SM_'), 0, bytes.length, 2, 8]);
  bytes.set(littleEndian(Math.max(...all.map(({ length }) => length)), 2), 8);
  bytes.set(text.encode('_DMI_'), 16);
  bytes.set(littleEndian(tableBytes, 2), 22);
  bytes.set(littleEndian(all.length, 2), 28);
  bytes[30] = 0x28;
  return bytes;
}

/** Type 0: only if somebody wants to say something; firmware has its own. */
function bios({ bios: texts }: SmbiosTexts): Uint8Array[] {
  if (texts === undefined) return [];
  const { vendor, version, date, release = [0, 0], uefi = false } = texts;
  const virtualMachine = 0x10;
  const fields = [vendor, version, word(0xe800), date, byte(0), [0x08, 8] as const];
  const more = [byte(0), byte(virtualMachine | (uefi ? 0x08 : 0) | 0x04), byte(release[0]), byte(release[1])];
  return [structure(0, 0, [...fields, ...more, byte(0xff), byte(0xff)])];
}

function system({ system: texts = {} }: SmbiosTexts): Uint8Array {
  const { manufacturer = MAKER, product = PRODUCT, version = VERSION, serial, uuid, sku, family } = texts;
  const wakeByPowerSwitch = byte(0x06);
  const fields = [manufacturer, product, version, serial, ...uuidFields(uuid)];
  return structure(1, 0x100, [...fields, wakeByPowerSwitch, sku, family]);
}

function board({ board: texts }: SmbiosTexts): Uint8Array[] {
  if (texts === undefined) return [];
  const { manufacturer = MAKER, product = PRODUCT, version = VERSION, serial, asset, location } = texts;
  const hosting = 0x01;
  const motherboard = 0x0a;
  const tail = [byte(hosting), location, word(HANDLES.chassis), byte(motherboard), byte(0)];
  return [structure(2, HANDLES.board, [manufacturer, product, version, serial, asset, ...tail])];
}

function chassis({ chassis: texts = {} }: SmbiosTexts): Uint8Array {
  const { manufacturer = MAKER, version = VERSION, serial, asset, sku } = texts;
  const other = byte(0x01);
  const safe = byte(0x03);
  const states = [safe, safe, safe, byte(0x02)]; // boot-up, power supply, temperature; security unknown
  const tail = [dword(0), byte(0), byte(0), byte(0), byte(0)];
  return structure(3, HANDLES.chassis, [
    manufacturer,
    other,
    version,
    serial,
    asset,
    ...states,
    ...tail,
    sku,
  ]);
}

function socket(processors: SmbiosProcessors, { processor = {} }: SmbiosTexts, index: number): Uint8Array {
  const {
    sock_pfx: prefix = 'CPU',
    manufacturer = MAKER,
    version = VERSION,
    serial,
    asset,
    part,
  } = processor;
  const { maxSpeed = 2000, currentSpeed = 2000 } = processor;
  const [cores, threads] = [processors.cores, processors.threads].map((n) => byte(Math.min(n, 0xff)));
  const other = byte(0x01);
  const central = byte(0x03);
  const populatedAndEnabled = byte(0x41);
  const caches = [word(NO_HANDLE), word(NO_HANDLE), word(NO_HANDLE)];
  return structure(4, HANDLES.processor + index, [
    ...[`${prefix}${index.toString(16).padStart(2)}`, central, other, manufacturer],
    ...[dword(processors.signature), dword(processors.features), version, byte(0), word(0)],
    ...[word(maxSpeed), word(currentSpeed), populatedAndEnabled, other, ...caches],
    ...[serial, asset, part, cores, cores, threads, word(0x02), word(0x01)],
  ]);
}

function oemStrings({ oemStrings: strings = [] }: SmbiosTexts): Uint8Array[] {
  if (strings.length === 0) return [];
  const [made] = [structure(11, 0xe00, [byte(strings.length)])];
  const text = new TextEncoder().encode(`${strings.join('\0')}\0\0`);
  return [Uint8Array.from([...made!.subarray(0, 5), ...text])];
}

/** Types 16, 17 and 19: the array, its modules, and where they are in the address space. */
function memory({ belowBytes, aboveBytes }: RamLayout, { memory: texts = {} }: SmbiosTexts): Uint8Array[] {
  const total = belowBytes + aboveBytes;
  const sizes = Array.from({ length: Math.ceil(total / MODULE_BYTES) }, (_, n) =>
    Math.min(MODULE_BYTES, total - n * MODULE_BYTES),
  );
  const systemMemory = byte(0x03);
  const array = structure(16, HANDLES.array, [
    ...[byte(0x01), systemMemory, byte(0x06), dword(total / KIB), word(NO_ERRORS)],
    ...([word(sizes.length), [0, 8]] as const),
  ]);
  const { loc_pfx: prefix, bank, manufacturer = MAKER, serial, asset, part, speed = 0 } = texts;
  const dimm = byte(0x09);
  const ramType = byte(0x07);
  const modules = sizes.map((bytes, n) =>
    structure(17, HANDLES.module + n, [
      ...[word(HANDLES.array), word(NO_ERRORS), word(0xffff), word(0xffff), word(bytes / MIB), dimm, byte(0)],
      ...[
        `${prefix ?? 'DIMM'} ${n}`,
        bank,
        ramType,
        word(0x02),
        word(speed),
        manufacturer,
        serial,
        asset,
        part,
      ],
      ...[byte(0), dword(0), word(speed), word(0), word(0), word(0)],
    ]),
  );
  const ranges = [[0, belowBytes] as const, ...(aboveBytes > 0 ? [[2 ** 32, aboveBytes] as const] : [])];
  const mapped = ranges.map(([start, bytes], n) =>
    structure(19, HANDLES.range + n, [
      ...[dword(start / KIB), dword((start + bytes) / KIB - 1), word(HANDLES.array), byte(1)],
      ...([
        [0, 8],
        [0, 8],
      ] as const),
    ]),
  );
  return [array, ...modules, ...mapped];
}
