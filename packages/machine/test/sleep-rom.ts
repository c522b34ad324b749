/** A ROM that sleeps in S3 and finds its memory again: what firmware does, in a page of 16-bit code. */

/** How it sleeps. */
export interface SleepRom {
  /** Second of the minute at which the RTC's alarm goes off; left out: no alarm. */
  readonly alarmSecond?: number;
  /** PM1_EN when it falls asleep. Default: the RTC. */
  readonly enable?: number;
  /** GPE0_EN (low half) then. Default 0. */
  readonly events?: number;
  /** SLP_TYP. Default 1, S3. */
  readonly type?: number;
}

/** What it leaves in RAM, guest-physical. */
export const LEFT = {
  /** A word that it writes before it sleeps, and what it makes of it when it finds it again. */
  mark: 0x5000,
  before: 0x1234,
  after: 0x4321,
  /** A word: how often the second processor has started. */
  started: 0x5004,
} as const;

/**
 * The source, for two processors. It starts the second one, prints `asleep`, sleeps, and, woken, starts the second one
 * again, prints `awake`, PM1_STS and the word in RAM, and halts.
 */
export function sleepRom({ alarmSecond, enable = 0x400, events = 0, type = 1 }: SleepRom = {}): string {
  const bcd = (value: number): number => Math.floor(value / 10) * 16 + (value % 10);
  const cmos = (index: number, value: number): string =>
    `mov al, ${index}\n out 0x70, al\n mov al, ${value}\n out 0x71, al\n`;
  const alarm =
    alarmSecond === undefined
      ? ''
      : [cmos(1, bcd(alarmSecond)), cmos(3, 0xff), cmos(5, 0xff), cmos(0x0b, 0x22)].join('');
  return `
    cli
    lgdt [cs:gdtr]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    mov bx, 8
    mov es, bx
    and al, 0xfe
    mov cr0, eax
    mov ax, 0x500
    mov ds, ax
    mov ss, ax
    mov sp, 0x4000

    mov edi, 0x60000
    mov si, ap
    mov cx, ap_end - ap
  copy: cs lodsb
    mov [es:edi], al
    inc edi
    loop copy
    mov ebx, 0xfee00300
    mov ax, [4]
    mov dword [es:ebx], 0xc4500
    mov dword [es:ebx], 0xc4660
  starts: cmp ax, [4]
    je starts

    mov dx, 0xcf8
    mov eax, 0x8000f840
    out dx, eax
    mov dx, 0xcfc
    mov eax, 0x601
    out dx, eax
    mov dx, 0xcf8
    mov eax, 0x8000f844
    out dx, eax
    mov dx, 0xcfc
    mov al, 0x80
    out dx, al
    mov al, 0x0f
    out 0x70, al
    in al, 0x71
    cmp al, 0xfe
    je resumed

    mov word [0], ${LEFT.before}
    mov si, asleep
    call print
    ${alarm}
    mov dx, 0x602
    mov ax, ${enable}
    out dx, ax
    mov dx, 0x628
    mov eax, ${events}
    out dx, eax
    mov dx, 0x604
    mov ax, ${type << 10}
    out dx, ax
    or ax, 0x2000
    out dx, ax
  never: inc word [2]
    jmp never

  resumed:
    mov si, awake
    call print
    mov dx, 0x600
    in ax, dx
    call hex
    mov ax, [0]
    call hex
    mov al, 10
    mov dx, 0x402
    out dx, al
    mov word [0], ${LEFT.after}
  stop: hlt
    jmp stop

  print: cs lodsb
    test al, al
    jz .done
    mov dx, 0x402
    out dx, al
    jmp print
  .done: ret
  hex:
    mov cx, 4
  .digit: rol ax, 4
    push ax
    and al, 0x0f
    cmp al, 10
    jb .low
    add al, 7
  .low: add al, 0x30
    mov dx, 0x402
    out dx, al
    pop ax
    loop .digit
    mov al, 32
    out dx, al
    ret
  asleep: db "asleep", 10, 0
  awake: db "awake ", 0

  ap:
    mov ax, 0x500
    mov ds, ax
    inc word [4]
    cli
    hlt
  ap_end:

  gdtr: dw 15
    dd 0xf0000 + gdt
  gdt: dq 0, 0x00cf92000000ffff
  `;
}
