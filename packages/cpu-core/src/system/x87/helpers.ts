/** Helpers of the x87 operations by name. */
import type { Insn } from '../../insn.ts';
import type { OpName } from '../../ops.ts';
import type { Processor } from '../../processor.ts';
import * as environment from './environment.ts';
import * as operate from './operate.ts';
import * as transfer from './transfer.ts';

type X87Helper = (cpu: Processor, insn: Insn) => void;

function each(names: string, helper: X87Helper): [OpName, X87Helper][] {
  return names.split(' ').map((name) => [name as OpName, helper]);
}

/** What `HELPERS` takes in. */
export const X87_HELPERS: Partial<Record<OpName, X87Helper>> = Object.fromEntries([
  ...each('FADD FADDP FIADD FMUL FMULP FIMUL FSUB FSUBP FISUB FSUBR FSUBRP FISUBR', operate.execBinary),
  ...each('FDIV FDIVP FIDIV FDIVR FDIVRP FIDIVR', operate.execBinary),
  ...each('FCOM FCOMP FCOMPP FICOM FICOMP FUCOM FUCOMP FUCOMPP FTST', operate.execCompare),
  ...each('FCOMI FCOMIP FUCOMI FUCOMIP', operate.execCompareFlags),
  ...each('FCMOVB FCMOVE FCMOVBE FCMOVU FCMOVNB FCMOVNE FCMOVNBE FCMOVNU', operate.execConditionalMove),
  ...each('FCHS FABS', operate.execSign),
  ...each('FPREM FPREM1', operate.execRemainder),
  ...each('FFREE FFREEP', operate.execFree),
  ...each('FINCSTP FDECSTP', environment.execRotate),
  ...each('FLD1 FLDZ FLDPI FLDL2E FLDL2T FLDLG2 FLDLN2', transfer.execLoadConstant),
  ...each('FST FSTP', transfer.execStore),
  ...each('FIST FISTP', transfer.execStoreInteger),
  ...each('FLDENV FRSTOR', environment.execRestore),
  ['FSQRT', operate.execSquareRoot],
  ['FRNDINT', operate.execRoundInteger],
  ['FSCALE', operate.execScale],
  ['FXTRACT', operate.execExtract],
  ['FXAM', operate.execExamine],
  ['FXCH', operate.execExchange],
  ['FLD', transfer.execLoad],
  ['FILD', transfer.execLoadInteger],
  ['FISTTP', transfer.execStoreTruncated],
  ['FBLD', transfer.execLoadDecimal],
  ['FBSTP', transfer.execStoreDecimal],
  ['FNOP', environment.execNothing],
  ['FNSTENV', environment.execFnstenv],
  ['FNSAVE', environment.execFnsave],
  ['FNINIT', environment.execFninit],
  ['FLDCW', environment.execFldcw],
  ['FNSTCW', environment.execFnstcw],
  ['FNSTSW', environment.execFnstsw],
  ['FNCLEX', environment.execFnclex],
  ['FWAIT', environment.execFwait],
]);
