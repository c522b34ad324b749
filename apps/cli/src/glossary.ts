/** `smm help glossary`: the words that the program prints. */

const WORDS: readonly (readonly [string, string])[] = [
  ['accelerator', 'how guest code is run: tcg emulates it, kvm is the model of a kernel that virtualises it'],
  ['APIC, APIC ID', "a processor's local interrupt controller, and the number that it has on the bus"],
  ['BSP, AP', 'the processor that boots; the others, which wait for its start-up IPI (SIPI)'],
  ['divergence', 'the first thing that a guest notices in one run and not in the other'],
  ['EPT', "the tables that map a guest's memory to the host's; without them KVM keeps shadow page tables"],
  ['fact', 'something that the guest can notice: a value read, an interrupt, an SMI, where it left SMM to'],
  ['host', 'the kernel that runs the guest under kvm, as a set of quirks; smm quirks lists them'],
  ['mRebased', "edk2's flag by which the BSP learns that a processor has been through its first SMI"],
  ['quirk', 'a fault or difference that a kernel, QEMU or firmware once had: Q1, Q2, ...'],
  [
    'relocation',
    "giving each processor an SMBASE of its own, which firmware does once, in each one's first SMI",
  ],
  ['RSM', 'the instruction that leaves SMM'],
  [
    'SEC, PEI, DXE, BDS',
    'the phases of UEFI firmware, in this order; then comes the shell or an operating system',
  ],
  ['seed, slice', 'the order of turns that the processors take, and how many instructions a turn has'],
  ['SMBASE', "where a processor's part of SMRAM begins; 0x30000 after reset"],
  ['SMI, SMM, SMRAM', 'system management interrupt, the mode that it enters, and the memory of that mode'],
  ['TSEG', 'the part of SMRAM at the top of low memory'],
  ['VCPU', 'a processor of the guest'],
  ['virtual time', "the guest's own; it has nothing to do with how long a run takes"],
];

const WIDTH = Math.max(...WORDS.map(([word]) => word.length));

/** The page. */
export const GLOSSARY = `${WORDS.map(([word, meaning]) => `  ${word.padEnd(WIDTH)}  ${meaning}`).join('\n')}\n`;
