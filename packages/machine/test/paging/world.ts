/**
 * A world for guest programs about paging: a ROM that enters one of the paging modes with an identity map and prints
 * what a program sees.
 *
 * Linear 40000000h is the window that programs map and remap. Guest-physical 400000h, 800000h and C00000h begin the 4
 * MiB regions A, B and C: each of their 4 KiB pages holds the region's letter, and at 10h a function that returns it.
 */
import { assemble } from '@smm/asm';

/** Table formats. */
export const PAGING_FORMATS = ['32-bit', 'pae', '4-level'] as const;
/** One of them. */
export type PagingFormat = (typeof PAGING_FORMATS)[number];

/** The window's linear address. */
export const WINDOW = 0x4000_0000;
/** Guest-physical start of a region. */
export const REGION = { A: 0x40_0000, B: 0x80_0000, C: 0xc0_0000 } as const;
/**
 * Guest-physical tables. In 32-bit paging `directory` is the root, and the window's entries begin at `windowDirectory`.
 */
export const TABLE = {
  root: 0x1_0000,
  pdpt: 0x1_1000,
  identity: 0x1_2000,
  window: 0x1_3000,
  /** Free for programs. */
  spare: 0x1_4000,
  spare2: 0x1_5000,
} as const;

/** Present, writable, user, accessed and dirty where set, page size, global. */
export const P = 1;
export const RW = 2;
export const US = 4;
export const PS = 0x80;
export const G = 0x100;

const RESUME = 0x1000;
const STACK = 0x7000;

/** A guest program. `step` texts come from the functions of {@link Steps}. */
export interface PagingProgram {
  readonly format: PagingFormat;
  readonly steps: (guest: Steps) => readonly string[];
  /** The identity map is a supervisor's, for SMEP and SMAP. Default false. */
  readonly supervisor?: boolean;
}

/** What programs are written in: each answers assembler text. Addresses are linear, entries guest-physical. */
export class Steps {
  readonly #wide: boolean;
  /** `r` or `e`: how the names of address registers begin. */
  readonly r: string;
  #labels = 0;

  constructor(readonly format: PagingFormat) {
    this.#wide = format === '4-level';
    this.r = this.#wide ? 'r' : 'e';
  }

  #label(): string {
    return `step${this.#labels++}`;
  }

  /**
   * `text`, whose fault is printed as `#` and the error code (`i` first if its fetch bit is set), and goes on behind
   * it.
   */
  #guarded(text: string): string {
    const next = this.#label();
    return `mov dword [${RESUME}], 0xf0000 + ${next}\n${text}\n${next}:`;
  }

  /**
   * Address of the entry for page `index` of the window in a table of large pages: PDE or, in 32-bit paging, PDE of 4
   * MiB.
   */
  large(index = 0): number {
    return this.format === '32-bit' ? TABLE.root + (256 + index) * 4 : TABLE.window + index * 8;
  }

  /** Address of entry `index` in the table at `table`. */
  entry(table: number, index: number): number {
    return table + index * (this.format === '32-bit' ? 4 : 8);
  }

  /** Writes an entry; `high` are its bits 63:32. */
  set(at: number, value: number, high = 0): string {
    const low = `mov dword [${at}], ${value}`;
    return this.format === '32-bit' ? low : `${low}\nmov dword [${at + 4}], ${high}`;
  }

  /** Prints the accessed and dirty flags of an entry. */
  flags(at: number): string {
    return `mov ecx, [${at}]\ncall flags`;
  }

  /** Prints the byte at an address. */
  read(linear: number): string {
    return this.#guarded(`mov ebx, ${linear}\nmov al, [${this.r}bx]\ncall show`);
  }

  /** Writes a byte 40h further on than pages are marked; prints `w`. */
  write(linear: number): string {
    return this.#guarded(`mov ebx, ${linear + 0x40}\nmov byte [${this.r}bx], 1\nmov al, 'w'\ncall show`);
  }

  /** Calls the function on the page of an address and prints what it returns. */
  call(linear: number): string {
    return this.#guarded(`mov ebx, ${linear + 0x10}\ncall ${this.r}bx\ncall show`);
  }

  /** Reads or calls `times` times without printing but the last time: until the page is hot. */
  hot(linear: number, times = 40): string {
    const loop = this.#label();
    return `mov ebp, ${times}\n${loop}:\nmov ebx, ${linear + 0x10}\ncall ${this.r}bx\nmov al, [${this.r}bx - 16]\ndec ebp\njnz ${loop}`;
  }

  /** Executes steps at privilege level 3. */
  user(...steps: readonly string[]): string {
    const [inside, next] = [this.#label(), this.#label()];
    return `mov dword [${RESUME + 8}], 0xf0000 + ${next}
      push 0x23
      push 0x6800
      push 0x3002
      push 0x1b
      mov eax, 0xf0000 + ${inside}
      push ${this.r}ax
      ${this.#wide ? 'iretq' : 'iret'}
      ${inside}:
      ${steps.join('\n')}
      int 0x80
      ${next}:`;
  }

  invlpg(linear: number): string {
    return `mov ebx, ${linear}\ninvlpg [${this.r}bx]`;
  }

  /** MOV to CR3 of its own value. */
  loadCr3(): string {
    return `mov ${this.r}ax, cr3\nmov cr3, ${this.r}ax`;
  }

  /** Sets and clears bits of a control register. */
  control(register: 'cr0' | 'cr4', set: number, clear = 0): string {
    return this.#guarded(`mov ${this.r}ax, ${register}
      or eax, ${set}
      and eax, ${~clear >>> 0}
      mov ${register}, ${this.r}ax`);
  }

  /** Sets and clears bits of EFER. */
  efer(set: number, clear = 0): string {
    return `mov ecx, 0xc0000080\nrdmsr\nor eax, ${set}\nand eax, ${~clear >>> 0}\nwrmsr`;
  }

  /** Prints the byte at an address, and `a` and `d` for flags of an entry; for {@link smi}. */
  smmRead(linear: number): string {
    return `mov al, [dword ${linear}]\nmov dx, 0x402\nout dx, al`;
  }

  smmFlags(at: number): string {
    return [
      [0x20, 'a'],
      [0x40, 'd'],
    ]
      .map(([bit, letter]) => {
        const clear = this.#label();
        return `mov al, '-'\ntest byte [dword ${at}], ${bit}\njz ${clear}\nmov al, '${letter}'\n${clear}:\nout dx, al`;
      })
      .join('\n');
  }

  /** Raises an SMI whose handler executes 16-bit `steps` with this program's paging on. Not for 4-level tables. */
  smi(...steps: readonly string[]): string {
    const [handler, over] = [this.#label(), this.#label()];
    const pci = (register: number, value: number): string =>
      `mov dx, 0xcf8\nmov eax, ${0x8000_f800 + register}\nout dx, eax\nmov dx, 0xcfc\nmov eax, ${value}\nout dx, eax`;
    return `mov esi, 0xf0000 + ${handler}
      mov edi, 0x38000
      mov ecx, ${over} - ${handler}
      rep movsb
      ${pci(0x40, 0x601)}
      ${pci(0x44, 0x80)}
      mov dx, 0x630
      mov eax, 0x21
      out dx, eax
      out 0xb2, al
      jmp $ + 2
      jmp $ + 2
      jmp $ + 2
      jmp near ${over}
      bits 16
      ${handler}:
      mov eax, ${BASE_CR4[this.format]}
      mov cr4, eax
      mov eax, ${TABLE.root}
      mov cr3, eax
      mov eax, 0x80000011
      mov cr0, eax
      ${steps.join('\n')}
      mov eax, 0x10
      mov cr0, eax
      rsm
      ${over}:
      bits 32`;
  }

  /** A label in the output. */
  mark(letter: string): string {
    return `mov al, '${letter}'\ncall show`;
  }
}

/** Bits of CR4 by name. */
export const CR4 = { PSE: 0x10, PAE: 0x20, PGE: 0x80, SMEP: 0x10_0000, SMAP: 0x20_0000 } as const;
/** CR4 in which the tables of a format are made; programs find CR4.PGE set beside. */
const BASE_CR4 = { '32-bit': CR4.PSE, pae: CR4.PAE, '4-level': CR4.PAE } as const;

/** Makes the tables as a program finds them: the identity map, the window empty. Runs with paging off or on. */
function tables(format: PagingFormat, user: number, rax: string): string {
  const identity = (table: number, size: number, entry: number): string =>
    Array.from(
      { length: 0x100_0000 / size },
      (_, i) => `mov dword [${table + i * entry}], ${i * size + (P | RW | PS | user)}`,
    ).join('\n');
  const top = P | RW | US;
  const upper = {
    '32-bit': identity(TABLE.root, 0x40_0000, 4),
    pae: `${identity(TABLE.identity, 0x20_0000, 8)}
      mov dword [${TABLE.root}], ${TABLE.identity + P}
      mov dword [${TABLE.root + 8}], ${TABLE.window + P}`,
    '4-level': `${identity(TABLE.identity, 0x20_0000, 8)}
      mov dword [${TABLE.root}], ${TABLE.pdpt + top}
      mov dword [${TABLE.pdpt}], ${TABLE.identity + top}
      mov dword [${TABLE.pdpt + 8}], ${TABLE.window + top}
      mov dword [${TABLE.pdpt + 12}], 0`,
  }[format];
  const empty = (from: number, bytes: number): string => `mov edi, ${from}\nmov ecx, ${bytes / 4}\nrep stosd`;
  return `${upper}
    mov eax, ${TABLE.root}
    mov cr3, ${rax}
    xor eax, eax
    ${format === '32-bit' ? empty(TABLE.root + 1024, 1024) : empty(TABLE.window, 0x1000)}
    ${empty(TABLE.spare, 0x2000)}`;
}

/** Gates for #UD, #GP, #PF and vector 80h. */
function idt(wide: boolean): string {
  const gate = (handler: string, type: number): string =>
    `dw ${handler}, 8, ${type}, 0xf${wide ? '\ndd 0, 0' : ''}`;
  const missing = `times ${wide ? 16 : 8} db 0\n`;
  return `${missing.repeat(6)}${gate('ud', 0x8e00)}
    ${missing.repeat(6)}${gate('gp', 0x8e00)}
    ${gate('pf', 0x8e00)}
    ${missing.repeat(0x80 - 15)}${gate('back', 0xee00)}`;
}

/**
 * One program, from the state that the last one left: registers and tables as it expects them, then its steps, then the
 * end of its line.
 */
function program(guest: Steps, { steps, supervisor = false }: PagingProgram, number: number): string {
  const { r, format } = guest;
  const wide = format === '4-level';
  return `mov ${r}ax, cr0
    and eax, 0x9ffeffff
    mov cr0, ${r}ax
    mov eax, ${BASE_CR4[format]}
    mov cr4, ${r}ax
    ${guest.efer(0, 0x800)}
    mov ebx, 0xf0000 + tables${supervisor ? 'Supervisor' : 'User'}
    call ${r}bx
    mov eax, ${BASE_CR4[format] | CR4.PGE}
    mov cr4, ${r}ax
    push ${wide ? 'qword' : 'dword'} 2
    popf${wide ? 'q' : 'd'}
    mov dword [${RESUME}], 0xf0000 + program${number}
    mov dword [${RESUME + 8}], 0xf0000 + program${number}
    ${steps(guest).join('\n')}
   program${number}:
    mov al, 10
    mov dx, 0x402
    out dx, al`;
}

/**
 * Programs of one format, one after another, as a 64 KiB image for the top of the address space. Each prints a line;
 * then HLT.
 */
export function pagingRom(format: PagingFormat, programs: readonly PagingProgram[]): Uint8Array {
  const wide = format === '4-level';
  const r = wide ? 'r' : 'e';
  const guest = new Steps(format);
  const source = `bits 16
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov sp, ${STACK}
    cld
    mov si, gdt
    mov di, 0x4000
    mov cx, gdtEnd - gdt
    cs rep movsb
    o32 lgdt [cs:gdtr]
    o32 lidt [cs:idtr]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    jmp dword 0x38:(0xf0000 + flat)
  align 8
  gdt: dq 0
    dq ${wide ? '0x00af9b000000ffff' : '0x00cf9b000000ffff'}
    dq 0x00cf93000000ffff
    dq ${wide ? '0x00affb000000ffff' : '0x00cffb000000ffff'}
    dq 0x00cff3000000ffff
    dq 0x0000890030000067
    dq 0
    dq 0x00cf9b000000ffff
  gdtEnd:
  gdtr: dw gdtEnd - gdt - 1
    dd 0x4000
  idtr: dw idtEnd - idt - 1
    dd 0xf0000 + idt
  align 16
  idt: ${idt(wide)}
  idtEnd:
  bits 32
  flat:
    mov eax, 0x23
    mov ds, eax
    mov es, eax
    mov eax, 0x10
    mov ss, eax
    ${tables(format, US, 'eax')}
    mov dword [0x3004], ${STACK}
    ${wide ? '' : 'mov dword [0x3008], 0x10'}
    mov eax, ${BASE_CR4[format]}
    mov cr4, eax
    ${wide ? 'mov ecx, 0xc0000080\nrdmsr\nor eax, 0x100\nwrmsr' : ''}
    mov eax, cr0
    or eax, 0x80000000
    mov cr0, eax
    jmp dword 8:(0xf0000 + start)
  bits ${wide ? 64 : 32}
  start:
    mov ${r}sp, ${STACK}
    mov eax, 0x28
    ltr ax
    ${programs.map((each, number) => program(guest, each, number)).join('\n')}
    cli
    hlt
  tablesUser:
    call regions
    ${tables(format, US, `${r}ax`)}
    ret
  tablesSupervisor:
    call regions
    ${tables(format, 0, `${r}ax`)}
    ret
  regions:
    mov edi, ${REGION.A}
    mov ecx, 0xc00
    mov al, 'A'
  region:
    mov [${r}di], al
    mov byte [${r}di + 1], 0
    mov byte [${r}di + 0x10], 0xb0
    mov [${r}di + 0x11], al
    mov byte [${r}di + 0x12], 0xc3
    add edi, 0x1000
    test edi, 0x3fffff
    jnz sameRegion
    inc al
  sameRegion:
    loop region
    ret
  show:
    cmp al, 0xff
    jne shown
    mov al, '-'
  shown:
    mov dx, 0x402
    out dx, al
    ret
  flags:
    mov al, '-'
    test cl, 0x20
    jz notAccessed
    mov al, 'a'
  notAccessed:
    call show
    mov al, '-'
    test cl, 0x40
    jz notDirty
    mov al, 'd'
  notDirty:
    jmp show
  ud:
    mov al, 'U'
    jmp faulted
  gp:
    mov al, 'G'
    jmp faulted
  pf:
    mov al, '#'
    call show
    pop ${r}bx
    test bl, 0x10
    jz notFetch
    mov al, 'i'
    call show
  notFetch:
    mov al, bl
    and al, 15
    add al, '0'
  faulted:
    call show
    mov ${r}sp, ${STACK}
    jmp ${wide ? 'qword' : 'dword'} [${RESUME}]
  back:
    mov ${r}sp, ${STACK}
    jmp ${wide ? 'qword' : 'dword'} [${RESUME + 8}]`;
  const image = new Uint8Array(0x1_0000);
  image.set(assemble(source, { bits: 16, org: 0 }).bytes);
  image.set(assemble('jmp 0xf000:0', { bits: 16, org: 0xfff0 }).bytes, 0xfff0);
  return image;
}
