/** Lines that are no events and yet tell something: debug logs of firmware and register dumps of QEMU. */

const NOTES: readonly RegExp[] = [
  // edk2's debug log.
  /\bCPU\[[0-9a-f]+\]\s+APIC ID=/i,
  /SmmBaseHobData\[\d+\]->SmBase/i,
  /^ASSERT(?:_EFI_ERROR|_RETURN_ERROR)?\b/,
  /^!!!! .*Exception Type/,
  /S3Resume2?Pei doesn't support|S3Verification:/,
  /SmmStartupThisAp failed|SmmWaitForApArrival|processed its first SMI/i,
  /^SMM exception [0-9A-F]+ error/,
  /^PiSmmCpuDxeSmm\b|^SMRAM TileSize/,
  // QEMU's own words and its register dump.
  /^KVM: entry failed|^KVM internal error|^error: kvm run failed|^kvm run failed|^emulation failure|^extra data\[\d+\]/i,
  /^[ER]AX=[0-9a-f]+ [ER]BX=/i,
  /^[ER]SI=[0-9a-f]+ [ER]DI=/i,
  /^R8\s*=[0-9a-f]+/i,
  /^R12\s*=[0-9a-f]+/i,
  /^[ER]IP=[0-9a-f]+ [ER]?FL/i,
  /^(?:ES|CS|SS|DS|FS|GS|LDT|TR)\s*=[0-9a-f]{4} [0-9a-f]+ [0-9a-f]+ [0-9a-f]+/i,
  /^(?:GDT|IDT)=\s+[0-9a-f]+ [0-9a-f]+/i,
  /^CR0=[0-9a-f]+ CR2=/i,
  /^DR[06]=[0-9a-f]+/i,
  /^EFER=[0-9a-f]+/i,
  /^Code=(?:[0-9a-f?]{2}|<)/i,
  /^CPU#\d+$/,
];

/** True for a line that a register dump or a firmware log has. */
export function isNote(line: string): boolean {
  const text = line.trim();
  return text.length < 400 && NOTES.some((note) => note.test(text));
}
