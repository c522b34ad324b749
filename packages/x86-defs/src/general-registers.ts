/** Numbers of the general registers as instructions encode them. Intel SDM Vol. 2, "REX Prefixes". */

/** RAX, EAX, AX, AL. */
export const REG_RAX = 0;
/** RCX, ECX, CX, CL. */
export const REG_RCX = 1;
/** RDX, EDX, DX, DL. */
export const REG_RDX = 2;
/** RBX, EBX, BX, BL. */
export const REG_RBX = 3;
/** RSP, ESP, SP. */
export const REG_RSP = 4;
/** RBP, EBP, BP. */
export const REG_RBP = 5;
/** RSI, ESI, SI. */
export const REG_RSI = 6;
/** RDI, EDI, DI. */
export const REG_RDI = 7;
/** R8. */
export const REG_R8 = 8;
/** R9. */
export const REG_R9 = 9;
/** R10. */
export const REG_R10 = 10;
/** R11. */
export const REG_R11 = 11;
/** R12. */
export const REG_R12 = 12;
/** R13. */
export const REG_R13 = 13;
/** R14. */
export const REG_R14 = 14;
/** R15. */
export const REG_R15 = 15;
