import {
  ACCESS_READ,
  FlatMemory,
  installPrivateSlots,
  MemorySlots,
  NestedWalker,
  TdpMmu,
  TRANSLATE_APIC_ACCESS,
  unpagedState,
} from '@smm/mmu-ept';

// KVM before f0d648bdf0a5: the APIC page of the SMM address space is a host page of its own.
const memory = new FlatMemory(0x10_0000, 0); // host memory, all of it a pool of pages
const slots = new MemorySlots();
const pool = { allocate: () => memory.allocateTablePage() };
const apic = installPrivateSlots(slots, memory, pool, { perAddressSpace: true, apicAccessPage: true });
const tdp = new TdpMmu(slots, memory, { accessedDirty: true, executeOnly: false, hostMaxPhyAddr: 46 });
const walker = new NestedWalker(memory);
walker.apicAccessHostPage = apic.apicAccessHostPage;

for (const smm of [false, true]) {
  const read = () => walker.walk(tdp.tables(smm), unpagedState(), 0xfee0_0020, ACCESS_READ, false, false);
  const exit = read();
  console.log('EPT_VIOLATION info', exit.qualification.toString(16), exit.gpa.toString(16));
  tdp.handleViolation(smm, exit.gpa, exit.qualification);
  console.log(read().outcome === TRANSLATE_APIC_ACCESS ? 'APIC access' : 'plain RAM');
}
// => EPT_VIOLATION info 181 fee00020
// => APIC access
// => EPT_VIOLATION info 181 fee00020
// => plain RAM
