/**
 * SVM exit codes and both of their names: the kernel's and that of trace-cmd's plugin.
 * Sources: AMD64 APM volume 2, appendix "SVM Intercept Exit Codes"; Linux `uapi/asm/svm.h`, 3.10 to 6.18; the
 * plugin's names are measured on trace-cmd 3.1.6.
 */
import type { Symbols } from './template.ts';

/** Exit codes that this package looks at. */
export const SVM_EXIT = {
  EXCEPTION_FIRST: 0x40,
  EXCEPTION_LAST: 0x5f,
  INTR: 0x60,
  SMI: 0x62,
  INIT: 0x63,
  RSM: 0x73,
  HLT: 0x78,
  SHUTDOWN: 0x7f,
  NPF: 0x400,
  AVIC_INCOMPLETE_IPI: 0x401,
  AVIC_UNACCELERATED_ACCESS: 0x402,
  /** VMEXIT_INVALID, -1 in 32 bits: VMRUN refused the guest's state. */
  INVALID: 0xffff_ffff,
} as const;

const CONTROL_REGISTERS = [0, 2, 3, 4, 8];
const DEBUG_REGISTERS = [0, 1, 2, 3, 4, 5, 6, 7];
const EXCEPTIONS = 'DE DB NMI BP OF BR UD NM DF 9 TS NP SS GP PF 15 MF AC MC XF'.split(' ');
/** Vectors of {@link EXCEPTIONS} that no kernel names. */
const NAMELESS = [2, 9, 15];

/** Codes from 60h on: the kernel's name, if it has one, and the plugin's without `EXIT_` where it is another. */
const SERVICES: readonly (readonly [code: number, kernel: string | undefined, plugin?: string])[] = [
  [0x60, 'interrupt', 'INTR'],
  [0x61, 'nmi'],
  [0x62, 'smi'],
  [0x63, 'init'],
  [0x64, 'vintr'],
  [0x65, 'cr0_sel_write'],
  [0x66, 'read_idtr', 'IDTR_READ'],
  [0x67, 'read_gdtr', 'GDTR_READ'],
  [0x68, 'read_ldtr', 'LDTR_READ'],
  [0x69, 'read_rt', 'TR_READ'],
  [0x6a, 'write_idtr', 'IDTR_WRITE'],
  [0x6b, 'write_gdtr', 'GDTR_WRITE'],
  [0x6c, 'write_ldtr', 'LDTR_WRITE'],
  [0x6d, 'write_rt', 'TR_WRITE'],
  [0x6e, 'rdtsc'],
  [0x6f, 'rdpmc'],
  [0x70, 'pushf'],
  [0x71, 'popf'],
  [0x72, 'cpuid'],
  [0x73, 'rsm'],
  [0x74, 'iret'],
  [0x75, 'swint'],
  [0x76, 'invd'],
  [0x77, 'pause'],
  [0x78, 'hlt'],
  [0x79, 'invlpg'],
  [0x7a, 'invlpga'],
  [0x7b, 'io', 'IOIO'],
  [0x7c, 'msr'],
  [0x7d, 'task_switch'],
  [0x7e, 'ferr_freeze'],
  [0x7f, 'shutdown'],
  [0x80, 'vmrun'],
  [0x81, 'hypercall', 'VMMCALL'],
  [0x82, 'vmload'],
  [0x83, 'vmsave'],
  [0x84, 'stgi'],
  [0x85, 'clgi'],
  [0x86, 'skinit'],
  [0x87, 'rdtscp'],
  [0x88, 'icebp'],
  [0x89, 'wbinvd'],
  [0x8a, 'monitor'],
  [0x8b, 'mwait'],
  [0x8c, undefined, 'MWAIT_COND'],
  [0x8d, 'xsetbv'],
  [0x8f, 'write_efer_trap'],
  [0x90, 'write_cr0_trap'],
  [0x94, 'write_cr4_trap'],
  [0x98, 'write_cr8_trap'],
  [0xa2, 'invpcid'],
  [0xa5, 'buslock'],
  [0xa6, 'idle-halt', 'IDLE_HLT'],
  [0x400, 'npf'],
  [0x401, 'avic_incomplete_ipi'],
  [0x402, 'avic_unaccelerated_access'],
  [0x403, 'vmgexit'],
  [0x8000_0001, 'vmgexit_mmio_read'],
  [0x8000_0002, 'vmgexit_mmio_write'],
  [0x8000_0003, 'vmgexit_nmi_complete'],
  [0x8000_0004, 'vmgexit_ap_hlt_loop'],
  [0x8000_0005, 'vmgexit_ap_jump_table'],
  [0x8000_0010, 'vmgexit_page_state_change'],
  [0x8000_0011, 'vmgexit_guest_request'],
  [0x8000_0012, 'vmgexit_ext_guest_request'],
  [0x8000_0013, 'vmgexit_ap_creation'],
  [0x8000_fffd, 'vmgexit_hypervisor_feature'],
  [SVM_EXIT.INVALID, 'invalid_guest_state', 'ERR'],
];

function registers(first: number, verb: string, kind: string, numbers: readonly number[]): Symbols {
  return numbers.map((n) => [first + n, `${verb}_${kind}${n}`] as const);
}

const ACCESSES: Symbols = [
  ...registers(0x00, 'read', 'cr', CONTROL_REGISTERS),
  ...registers(0x10, 'write', 'cr', CONTROL_REGISTERS),
  ...registers(0x20, 'read', 'dr', DEBUG_REGISTERS),
  ...registers(0x30, 'write', 'dr', DEBUG_REGISTERS),
];
const NAMED_EXCEPTIONS = EXCEPTIONS.map((name, vector) => [vector, name] as const).filter(
  ([vector]) => !NAMELESS.includes(vector),
);

/** Exit codes as the kernel names them. */
export const SVM_EXIT_REASONS: Symbols = [
  ...ACCESSES,
  ...NAMED_EXCEPTIONS.map(([vector, name]) => [0x40 + vector, `${name} excp`] as const),
  ...SERVICES.flatMap(([code, name]) => (name === undefined ? [] : [[code, name] as const])),
];

/** Exit codes as trace-cmd's plugin names them. It knows CR2, the newest exits and SEV's not. */
export const SVM_EXIT_REASONS_PLUGIN: Symbols = [
  ...ACCESSES.filter(([, name]) => !name.endsWith('cr2')).map(
    ([code, name]) => [code, `EXIT_${name.toUpperCase()}`] as const,
  ),
  ...NAMED_EXCEPTIONS.map(([vector, name]) => [0x40 + vector, `EXIT_EXCP_${name}`] as const),
  ...SERVICES.filter(([code]) => code < 0x8e || (code >= 0x400 && code <= 0x402) || code > 0xffff_0000).map(
    ([code, name = '', plugin]) => [code, `EXIT_${plugin ?? name.toUpperCase()}`] as const,
  ),
];

/** Other spellings that only reading takes: mended typing errors, and names without their prefix. */
export const SVM_EXIT_ALIASES: Symbols = [
  [0x69, 'read_tr'],
  [0x6d, 'write_tr'],
  [0x02, 'EXIT_READ_CR2'],
  [0x12, 'EXIT_WRITE_CR2'],
  ...NAMED_EXCEPTIONS.map(([vector, name]) => [0x40 + vector, `excp_${name.toLowerCase()}`] as const),
  ...SERVICES.flatMap(([code, name, plugin]) =>
    plugin === undefined || name === undefined ? [] : [[code, `EXIT_${name.toUpperCase()}`] as const],
  ),
];
