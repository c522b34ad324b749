/**
 * The instructions that exist but are not modelled, by opcode and feature: each place in the opcode maps that no other
 * operation takes. A processor with the feature stops loudly there, one without raises #UD. `never` is the feature of
 * those that no model can report. An operation that is modelled later takes its place; nothing here has to change.
 */
import type { HelperName } from '../system/helpers.ts';
import { type Encoding, type Operation, operations } from './operation.ts';

/** Encodings of several opcodes ("14 15 60-6B") of a map. `form` is appended to each opcode. */
function family(
  map: string,
  opcodes: string,
  operands: string,
  attributes: string,
  feature: string,
  form = '',
): Encoding[] {
  return opcodes.split(' ').flatMap((range) => {
    const [first, last = first] = range.split('-').map((text) => Number.parseInt(text, 16));
    return Array.from({ length: last! - first! + 1 }, (_, n): Encoding => {
      const opcode = (first! + n).toString(16).toUpperCase().padStart(2, '0');
      return [`${map} ${opcode}${form}`, operands, attributes, feature];
    });
  });
}

/** The same in single (`np`, F3) and double precision (66, F2). */
const both = (opcodes: string, operands: string, prefixes: 'np 66' | 'F3 F2' | 'np 66 F3 F2'): Encoding[] =>
  prefixes
    .split(' ')
    .flatMap((prefix) =>
      family('0F', opcodes, operands, prefix, prefix === 'np' || prefix === 'F3' ? 'sse' : 'sse2'),
    );

const unmodelled = (...at: Encoding[]): Operation => ({
  helper: 'unmodelled.execUnmodelled' satisfies HelperName,
  at,
});

/** Features that SSE brought to MMX registers, and AMD's extended MMX before it. */
const EXTENDED_MMX = 'sse|mmxext';

/** Rows, by what goes before the feature: #NM for x87, CR0 and CR4 for MMX and SSE. */
export const UNMODELLED = operations({
  // F2XM1 FYL2X FPTAN FPATAN; FYL2XP1 FSINCOS FSIN FCOS; D9 /3 r: FSTPNCE, not documented
  X87_UNMODELLED: unmodelled(
    ['D9 /3 r', '', 'modrm'],
    ...['F0', 'F1', 'F2', 'F3', 'F9', 'FB', 'FE', 'FF'].map((modRm): Encoding => [`D9 (${modRm})`]),
  ),
  MMX_UNMODELLED: unmodelled(
    ...family('0F', '60-6B 74-76 D1-D3 D5 D8 D9 DB-DD DF E1 E2 E5 E8 E9 EB-ED', '?', 'np', 'mmx'),
    ...family('0F', 'F1-F3 F5 F8-FA FC-FE', '?', 'np', 'mmx'),
    ...family('0F', 'DA DE E0 E3 E4 EA EE F6', '?', 'np', EXTENDED_MMX),
    ...family('0F', 'D7 F7', '?', 'np', EXTENDED_MMX, ' r'),
    ...family('0F', 'E7', '?', 'np', EXTENDED_MMX, ' m'),
    ...family('0F', '70 C4', '?,Ub', 'np', EXTENDED_MMX),
    ...family('0F', 'C5', '?,Ub', 'np', EXTENDED_MMX, ' r'),
    ...family('0F', 'D4 F4 FB', '?', 'np', 'sse2'),
    ...['71 /2', '71 /4', '71 /6', '72 /2', '72 /4', '72 /6', '73 /2', '73 /6'].map(
      (where): Encoding => [`0F ${where} r`, 'Ub', 'np', 'mmx'],
    ),
    ...family('0F 38', '00-0B 1C-1E', '?', 'np', 'ssse3'),
    ...family('0F 3A', '0F', '?,Ub', 'np', 'ssse3'),
    ['0F 0E', '', '', '3dnow'], // FEMMS
    ['0F 0F', '?,Ub', '', '3dnow'], // the immediate says which
  ),
  SSE_UNMODELLED: unmodelled(
    ...both('10 11', '?', 'F3 F2'),
    ...both('14 15 2E 2F', '?', 'np 66'),
    ...both('2A 2C 2D 51 58 59 5C-5F', '?', 'np 66 F3 F2'),
    ...both('C2', '?,Ub', 'np 66 F3 F2'),
    ...family('0F', '2B', '?', 'F3 F2', 'sse4a', ' m'), // MOVNTSS, MOVNTSD
    ['0F 78 /0 r', 'Ub,Ib2', '66', 'sse4a'], // EXTRQ
    ['0F 78 r', 'Ub,Ib2', 'F2', 'sse4a'], // INSERTQ
    ...family('0F', '79', '', '66 F2', 'sse4a', ' r'),
    ...family('0F', '50', '?', 'np', 'sse', ' r'),
    ...family('0F', '50', '?', '66', 'sse2', ' r'),
    ...family('0F', '52 53', '?', 'np F3', 'sse'),
    ...family('0F', '5A', '?', 'np 66 F3 F2', 'sse2'),
    ...family('0F', '5B', '?', 'np 66 F3', 'sse2'),
    ...family('0F', 'F7', '?', '66', 'sse2', ' r'),
    ...family('0F', 'C6', '?,Ub', '66', 'sse2'),
    ...family('0F', 'D6', '?', 'F3 F2', 'sse2', ' r'),
    ...family('0F', 'E6', '?', '66 F3 F2', 'sse2'),
    ...family('0F', '12 16', '?', 'F3', 'pni'),
    ...family('0F', '7C 7D D0', '?', '66 F2', 'pni'),
    ...family('0F', 'F0', '?', 'F2', 'pni', ' m'),
    ...family('0F 38', '00-0B 1C-1E', '?', '66', 'ssse3'),
    ...family('0F 38', '10 14 15 17 20-25 28 29 2B 30-35 38-41', '?', '66', 'sse4.1'),
    ...family('0F 38', '2A', '?', '66', 'sse4.1', ' m'),
    ...family('0F 38', '37', '?', '66', 'sse4.2'),
    ...family('0F 38', 'C8-CD', '?', 'np', 'sha-ni'),
    ...family('0F 38', 'CF', '?', '66', 'gfni'),
    ...family('0F 38', 'DB-DF', '?', '66', 'aes'),
    ...[0, 1, 2, 3].map((reg): Encoding => [`0F 38 D8 /${reg} m`, '?', 'F3', 'never']), // Key Locker
    ...family('0F 38', 'DC', '?', 'F3', 'never'),
    ...family('0F 38', 'DD-DF', '?', 'F3', 'never', ' m'),
    ...family('0F 38', 'FA FB', '?', 'F3', 'never', ' r'),
    ...family('0F 3A', '0F', '?,Ub', '66', 'ssse3'),
    ...family('0F 3A', '08-0E 14-17 20-22 40-42', '?,Ub', '66', 'sse4.1'),
    ...family('0F 3A', '60-63', '?,Ub', '66', 'sse4.2'),
    ...family('0F 3A', '44', '?,Ub', '66', 'pclmulqdq'),
    ...family('0F 3A', 'CC', '?,Ub', 'np', 'sha-ni'),
    ...family('0F 3A', 'CE CF', '?,Ub', '66', 'gfni'),
    ...family('0F 3A', 'DF', '?,Ub', '66', 'aes'),
  ),
  // The feature is that of the opcode behind the prefix: vex.ts.
  VEX_UNMODELLED: unmodelled(
    ['62 r', '', 'i64 vex'],
    ['62', '', 'o64 vex'],
    // A "reg" whose low two bits are not both zero makes the byte after 8F the first of an XOP prefix (map 8 and up).
    ...[1, 2, 3, 5, 6, 7].map((reg): Encoding => [`8F /${reg}`, '', 'vex']),
    ['C4 r', '', 'i64 vex'],
    ['C4', '', 'o64 vex'],
    ['C5 r', '', 'i64 vex'],
    ['C5', '', 'o64 vex'],
  ),
  SYSTEM_UNMODELLED: unmodelled(
    ['C6 (F8)', 'Ub', '', 'rtm'], // XABORT
    ['C7 (F8)', 'Jz', '', 'rtm'], // XBEGIN
    ['0F 00 /6', '?', 'F2 o64', 'never'], // LKGS
    ['0F 01 /5 m', '?', 'F3', 'never'], // RSTORSSP
    ['0F 01 (C0)', '', 'np', 'never'], // ENCLV
    ['0F 01 (C2)', '', 'np', 'vmx'], // VMLAUNCH
    ['0F 01 (C3)', '', 'np', 'vmx'], // VMRESUME
    ['0F 01 (C4)', '', 'np', 'vmx'], // VMXOFF
    ['0F 01 (C5)', '', 'np', 'never'], // PCONFIG
    ['0F 01 (C6)', '', 'np', 'never'], // WRMSRNS
    ['0F 01 (C6)', '', 'F3 F2 o64', 'never'], // WRMSRLIST, RDMSRLIST
    ['0F 01 (C7)', '', 'np o64', 'never'], // PBNDKB
    ['0F 01 (CA)', '', 'F3 F2 o64', 'never'], // ERETU, ERETS
    ['0F 01 (CC)', '', '66', 'never'], // TDCALL
    ['0F 01 (CD)', '', '66 o64', 'never'], // SEAMRET
    ['0F 01 (CE)', '', '66 o64', 'never'], // SEAMOPS
    ['0F 01 (CF)', '', '66 o64', 'never'], // SEAMCALL
    ['0F 01 (CF)', '', 'np', 'sgx'], // ENCLS
    ['0F 01 (D4)', '', 'np', 'vmx'], // VMFUNC
    ['0F 01 (D5)', '', 'np', 'rtm'], // XEND
    ['0F 01 (D6)', '', 'np', 'rtm|hle'], // XTEST
    ['0F 01 (D7)', '', 'np', 'sgx'], // ENCLU
    ['0F 01 (E8)', '', 'np', 'serialize'], // SERIALIZE
    ['0F 01 (E8)', '', 'F3', 'never'], // SETSSBSY
    ['0F 01 (E8)', '', 'F2', 'tsx-ldtrk'], // XSUSLDTRK
    ['0F 01 (E9)', '', 'F2', 'tsx-ldtrk'], // XRESLDTRK
    ['0F 01 (EA)', '', 'F3', 'never'], // SAVEPREVSSP
    ['0F 01 (EC)', '', 'F3 o64', 'never'], // UIRET
    ['0F 01 (ED)', '', 'F3 o64', 'never'], // TESTUI
    ['0F 01 (EE)', '', 'np', 'pku'], // RDPKRU
    ['0F 01 (EE)', '', 'F3 o64', 'never'], // CLUI
    ['0F 01 (EF)', '', 'np', 'pku'], // WRPKRU
    ['0F 01 (EF)', '', 'F3 o64', 'never'], // STUI
    ['0F 01 (FC)', '', '', 'clzero'], // CLZERO
    ['0F 37', '', 'np', 'smx'], // GETSEC
    ['0F 78', '?', 'np', 'vmx'], // VMREAD
    ['0F 79', '?', 'np', 'vmx'], // VMWRITE
    ['0F AE /4 m', '?', 'np', 'xsave'], // XSAVE
    ['0F AE /5 m', '?', 'np', 'xsave'], // XRSTOR
    ['0F AE /6 m', '?', 'np', 'xsaveopt'], // XSAVEOPT
    ['0F AE /6 m', '?', '66', 'clwb'], // CLWB
    ['0F AE /6 m', '?', 'F3', 'never'], // CLRSSBSY
    ['0F AE /4', '?', 'F3 no66', 'never'], // PTWRITE
    ['0F AE /5 r', '', 'F3', 'never'], // INCSSP
    ['0F AE /6 r', '', '66 F3 F2', 'waitpkg'], // TPAUSE, UMONITOR, UMWAIT
    ['0F C7 /3 m', '?', 'np', 'xsaves'], // XRSTORS
    ['0F C7 /4 m', '?', 'np', 'xsavec'], // XSAVEC
    ['0F C7 /5 m', '?', 'np', 'xsaves'], // XSAVES
    ['0F C7 /6 m', '?', 'np 66 F3', 'vmx'], // VMPTRLD, VMCLEAR, VMXON
    ['0F C7 /7 m', '?', 'np', 'vmx'], // VMPTRST
    ['0F C7 /6 r', '', 'F3 o64', 'never'], // SENDUIPI
    ['0F 38 80 m', '?', '66', 'vmx'], // INVEPT
    ['0F 38 81 m', '?', '66', 'vmx'], // INVVPID
    ['0F 38 82 m', '?', '66', 'invpcid'], // INVPCID
    ['0F 38 F5 m', '?', '66', 'never'], // WRUSS
    ['0F 38 F6 m', '?', 'np', 'never'], // WRSS
    ['0F 38 F6', '?', '66 F3', 'adx'], // ADCX, ADOX
    ['0F 38 F8 m', '?', '66', 'movdir64b'], // MOVDIR64B
    ['0F 38 F8 m', '?', 'F3 F2', 'never'], // ENQCMDS, ENQCMD
    ['0F 38 F9 m', '?', 'np', 'movdiri'], // MOVDIRI
    ['0F 38 FC m', '?', 'np 66 F3 F2', 'never'], // AADD, AAND, AXOR, AOR
    ['0F 3A F0 (C0)', 'Ub', 'F3', 'never'], // HRESET
  ),
});
