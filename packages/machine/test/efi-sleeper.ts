/**
 * An EFI application that does what an operating system does around S3, for firmware to start by `-kernel`: it tells
 * the firmware where to go on, sets the RTC's alarm, sleeps, and, woken, looks at its memory and turns the machine off.
 * Serial output: `S` before the sleep, `W` after it, `M` if memory was kept. Sources: UEFI specification, "EFI System
 * Table"; ACPI specification, "Firmware ACPI Control Structure (FACS)"; Microsoft, "PE Format".
 */
import { assemble } from '@smm/asm';

/** Where the code lies that runs after S3, below 1 MiB, and the word that it looks for. */
const WAKE = 0x6_0000;
const MARK = 0x6_1000;
const MARKED = 0x600d_5eed;

/** What differs in a system table and in a PE header. */
const FORMS = {
  64: { entries: 0x68, tables: 0x70, entrySize: 24, machine: 0x8664, optional: 0xf0, magic: 0x20b },
  32: { entries: 0x40, tables: 0x44, entrySize: 20, machine: 0x014c, optional: 0xe0, magic: 0x10b },
} as const;
const CODE_AT = 0x1000;
const IMAGE_SIZE = 0x3000;

/** The image. All addresses that it meets are below 4 GiB, so that 32-bit registers hold them in long mode too. */
export function efiSleeper(bits: 32 | 64): Uint8Array {
  const form = FORMS[bits];
  const wake = assemble(WAKES, { bits: 16, org: 0 }).bytes;
  const code = assemble(
    `
    ${bits === 64 ? 'mov esi, edx' : 'mov esi, [esp+8]'}
    cli
    mov esi, [esi+${form.tables}]
  guid: cmp dword [esi], 0x8868e871      ; EFI_ACPI_20_TABLE_GUID
    je rsdp
    add esi, ${form.entrySize}
    jmp guid
  rsdp: mov esi, [esi+16]
    mov esi, [esi+24]
    add esi, 36
  table: mov eax, [esi]
    cmp dword [eax], 0x50434146          ; FACP
    je fadt
    add esi, 8
    jmp table
  fadt: mov edi, [eax+36]
    mov dword [edi+12], ${WAKE}
    call here
  here: pop ${bits === 64 ? 'rsi' : 'esi'}
    add esi, wake - here
    mov edi, ${WAKE}
    mov ecx, ${wake.length}
  copy: mov al, [esi]
    mov [edi], al
    inc esi
    inc edi
    dec ecx
    jnz copy
    mov edi, ${MARK}
    mov dword [edi], ${MARKED}
    mov dx, 0x3f8
    mov al, 'S'
    out dx, al
    ${[1, 3, 5].map((index) => cmos(index, 0xff)).join('')}
    ${cmos(0x0b, 0x22)}
    mov dx, 0x600
    mov ax, 0xffff
    out dx, ax
    mov dx, 0x602
    mov ax, 0x400
    out dx, ax
    mov dx, 0x604
    mov ax, 0x2401
    out dx, ax
    jmp $
  wake: db ${[...wake].join()}
  `,
    { bits, org: CODE_AT },
  ).bytes;
  return peImage(bits, code);
}

const cmos = (index: number, value: number): string =>
  `mov al, ${index}\n out 0x70, al\n mov al, ${value}\n out 0x71, al\n`;

const WAKES = `
  cli
  mov ax, ${MARK >>> 4}
  mov ds, ax
  mov dx, 0x3f8
  mov al, 'W'
  out dx, al
  cmp dword [0], ${MARKED}
  jne off
  mov al, 'M'
  out dx, al
off: mov dx, 0x604
  mov ax, 0x2001
  out dx, ax
  jmp $
`;

/** A PE image of one section, code at {@link CODE_AT} in file and memory, without relocations. */
function peImage(bits: 32 | 64, code: Uint8Array): Uint8Array {
  const { machine, optional, magic } = FORMS[bits];
  const image = new Uint8Array(IMAGE_SIZE);
  const view = new DataView(image.buffer);
  const put = (at: number, size: 2 | 4, value: number): void =>
    size === 2 ? view.setUint16(at, value, true) : view.setUint32(at, value, true);
  const text = (at: number, characters: string): void => image.set(new TextEncoder().encode(characters), at);
  const pe = 0x80;
  text(0, 'MZ');
  put(0x3c, 4, pe);
  text(pe, 'PE');
  put(pe + 4, 2, machine);
  put(pe + 6, 2, 1); // sections
  put(pe + 20, 2, optional);
  put(pe + 22, 2, 0x22); // executable, large addresses
  const header = pe + 24;
  put(header, 2, magic);
  put(header + 4, 4, IMAGE_SIZE - CODE_AT); // code
  put(header + 16, 4, CODE_AT); // entry
  put(header + 20, 4, CODE_AT); // base of code
  put(header + 32, 4, 0x1000); // alignment in memory
  put(header + 36, 4, 0x200); // in the file
  put(header + 56, 4, IMAGE_SIZE);
  put(header + 60, 4, CODE_AT); // headers
  put(header + 68, 2, 10); // EFI application
  put(header + (bits === 64 ? 108 : 92), 4, 16); // directories
  const section = header + optional;
  text(section, '.text');
  put(section + 8, 4, IMAGE_SIZE - CODE_AT);
  put(section + 12, 4, CODE_AT);
  put(section + 16, 4, IMAGE_SIZE - CODE_AT);
  put(section + 20, 4, CODE_AT);
  put(section + 36, 4, 0xe000_0020); // code, all rights
  image.set(code, CODE_AT);
  return image;
}
