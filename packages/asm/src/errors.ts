/** Errors of the assembler: always the host's source text, never a guest event. */
import { SmmError } from '@smm/x86-defs';

/** Stable codes of everything that {@link AsmError} reports. */
export type AsmErrorCode =
  | 'ASM_SYNTAX'
  | 'ASM_UNKNOWN_INSTRUCTION'
  | 'ASM_OPERANDS'
  | 'ASM_ADDRESS'
  | 'ASM_UNDEFINED_SYMBOL'
  | 'ASM_DUPLICATE_SYMBOL'
  | 'ASM_RANGE'
  | 'ASM_NOT_CONVERGED';

const FIXES: Readonly<Record<AsmErrorCode, string>> = {
  ASM_SYNTAX: 'Write the line in the NASM subset that the README of @smm/asm describes.',
  ASM_UNKNOWN_INSTRUCTION: 'Check the spelling, or add a row to the instruction table.',
  ASM_OPERANDS: 'Use a combination of operands and sizes that the instruction has in this mode.',
  ASM_ADDRESS: 'Use an effective address that ModRM and SIB can express at this address size.',
  ASM_UNDEFINED_SYMBOL: 'Define the label, or pass the symbol in options.symbols.',
  ASM_DUPLICATE_SYMBOL: 'Give every label and equ its own name.',
  ASM_RANGE: 'Use a value that fits the field, or a wider form of the instruction.',
  ASM_NOT_CONVERGED: 'Break the circular dependency between sizes and label values.',
};

/** One mistake in the source text. `details` carries `line` (1-based) and `text` once they are known. */
export class AsmError extends SmmError {
  /** Code and message of the mistake; `line` is the 1-based source line and `text` the line itself. */
  constructor(code: AsmErrorCode, message: string, line?: number, text?: string) {
    super(
      code,
      line === undefined ? message : `line ${line}: ${message}: ${(text ?? '').trim()}`,
      FIXES[code],
      line === undefined ? { reason: message } : { reason: message, line, text },
    );
  }

  /** The same error, told with the line that caused it. */
  at(line: number, text: string): AsmError {
    if ('line' in this.details) return this;
    return new AsmError(this.code as AsmErrorCode, this.message, line, text);
  }
}
