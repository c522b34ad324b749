/** VM exit reasons in text: VMX's and SVM's, in the words of 2015, of today and of trace-cmd's plugin. */
import { SVM_EXIT_ALIASES, SVM_EXIT_REASONS, SVM_EXIT_REASONS_PLUGIN } from './svm-exits.ts';
import { VMX_EXIT_REASONS, VMX_EXIT_REASONS_2015, VMX_EXIT_REASONS_PLUGIN } from './symbols.ts';
import { anyOf, type Conversion, integer, printSymbolic, type Symbols } from './template.ts';

/** Virtualisation extensions by number. Linux `arch/x86/kvm/trace.h`. */
export const ISA = { VMX: 1, SVM: 2 } as const;

const FAILED = 0x8000_0000;
/** The flags of a VMX exit reason. Linux `uapi/asm/vmx.h`. */
const VMX_FLAGS: Symbols = [
  [FAILED, 'FAILED_VMENTRY'],
  [0x0800_0000, 'ENCLAVE_MODE'],
];
const VMX_NAMES: Symbols = [...VMX_EXIT_REASONS, ...VMX_EXIT_REASONS_2015, ...VMX_EXIT_REASONS_PLUGIN];
const SVM_NAMES: Symbols = [...SVM_EXIT_REASONS, ...SVM_EXIT_REASONS_PLUGIN, ...SVM_EXIT_ALIASES];
const VMX_BY_NAME = new Map(VMX_NAMES.map(([n, name]) => [name, n] as const));
const SVM_BY_NAME = new Map(SVM_NAMES.map(([n, name]) => [name, n] as const));
const FLAG_BY_NAME = new Map(VMX_FLAGS.map(([n, name]) => [name, n] as const));
/** Numbers without a name: SVM's begin with nested paging. */
const FIRST_NUMBER_OF_SVM = 0x400;

const FLAGS_PATTERN = `(?:\\s+(?:${anyOf(VMX_FLAGS.map(([, name]) => name))}|0x[0-9a-f]{1,16}))*`;
const PATTERN = [
  `(?:${anyOf([...VMX_BY_NAME.keys()])})${FLAGS_PATTERN}`,
  anyOf([...SVM_BY_NAME.keys()]),
  `0x[0-9a-f]{1,16}${FLAGS_PATTERN}`,
  String.raw`UNKNOWN \(\d{1,10}\)`,
].join('|');

function nameIn(symbols: Symbols, value: number): string | undefined {
  return symbols.find(([n]) => n === value)?.[1];
}

/** Reads any of the names into `field` and `isa`. */
function readReason(field: string): Conversion['read'] {
  return (text, raw) => {
    const unknown = /^UNKNOWN \((\d+)\)$/.exec(text)?.[1];
    const [first = '', ...flags] = unknown === undefined ? text.split(/\s+/) : [];
    const svm = SVM_BY_NAME.get(text);
    const number =
      svm ?? (unknown === undefined ? (VMX_BY_NAME.get(first) ?? Number(first)) : Number(unknown));
    if (!Number.isSafeInteger(number)) return false;
    let reason = number;
    if (svm === undefined) for (const flag of flags) reason += FLAG_BY_NAME.get(flag) ?? Number(flag);
    const isSvm = svm !== undefined || (number >= FIRST_NUMBER_OF_SVM && !VMX_BY_NAME.has(first));
    raw[field] = BigInt.asUintN(32, BigInt(reason));
    raw['isa'] = BigInt(isSvm ? ISA.SVM : ISA.VMX);
    return true;
  };
}

function isSvm(raw: Parameters<Conversion['show']>[0]): boolean {
  return integer(raw, 'isa') !== BigInt(ISA.VMX);
}

/** Exit reason of 2015: one number, one name. */
export function exitReason2015(field: string): Conversion {
  return {
    spec: '%s',
    arg: `(REC->isa == ${ISA.VMX}) ? ${printSymbolic(`REC->${field}`, VMX_EXIT_REASONS_2015)} : ${printSymbolic(`REC->${field}`, SVM_EXIT_REASONS)}`,
    pattern: PATTERN,
    show: (raw) => {
      const reason = Number(integer(raw, field));
      const name = nameIn(isSvm(raw) ? SVM_EXIT_REASONS : VMX_EXIT_REASONS_2015, reason);
      return name ?? `0x${reason.toString(16)}`;
    },
    read: readReason(field),
  };
}

/** Exit reason of today: VMX's basic reason, then the flags of bits 31:16; SVM's as it stands. */
export function exitReasonWithFlags(field: string): Conversion {
  return {
    spec: '%s%s%s',
    arg: [
      `(REC->isa == ${ISA.VMX}) ? ${printSymbolic(`(REC->${field} & 0xffff)`, VMX_EXIT_REASONS)} : ${printSymbolic(`REC->${field}`, SVM_EXIT_REASONS)}`,
      `(REC->isa == ${ISA.VMX} && (REC->${field} & 0xffff0000)) ? " " : ""`,
      `(REC->isa == ${ISA.VMX}) ? __print_flags((REC->${field} & 0xffff0000), " ", { 0x80000000, "FAILED_VMENTRY" }) : ""`,
    ].join(', '),
    pattern: PATTERN,
    show: (raw) => {
      const reason = Number(integer(raw, field));
      if (isSvm(raw)) return nameIn(SVM_EXIT_REASONS, reason) ?? `0x${reason.toString(16)}`;
      const basic = reason & 0xffff;
      const other = (reason & 0x7fff_0000) >>> 0;
      return [
        nameIn(VMX_EXIT_REASONS, basic) ?? `0x${basic.toString(16)}`,
        ...(reason >= FAILED ? ['FAILED_VMENTRY'] : []),
        ...(other ? [`0x${other.toString(16)}`] : []),
      ].join(' ');
    },
    read: readReason(field),
  };
}

/** Exit reason as trace-cmd's plugin names it. */
export function exitReasonOfPlugin(field: string): Conversion {
  return {
    ...exitReason2015(field),
    show: (raw) => {
      const reason = Number(integer(raw, field));
      const name = nameIn(isSvm(raw) ? SVM_EXIT_REASONS_PLUGIN : VMX_EXIT_REASONS_PLUGIN, reason);
      return name ?? `UNKNOWN (${reason})`;
    },
  };
}
