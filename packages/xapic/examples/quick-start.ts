import { VirtualClock } from '@smm/bus';
import { APIC_DM_SMI, APIC_ID, APIC_INT_ASSERT } from '@smm/x86-defs';
import { ApicBus, LocalApic } from '@smm/xapic';

const bus = new ApicBus({ flavour: 'kvm-2015' });
const clock = new VirtualClock();
const [bsp, ap] = [0, 1].map((apicId) => {
  const say = (what: string) => () => console.log(`processor ${apicId}: ${what}`);
  const processor = { smi: say('SMI'), nmi: say('NMI'), init: say('INIT'), sipi: say('SIPI') };
  return new LocalApic({ apicId, bus, clock, processor });
}) as [LocalApic, LocalApic];

bsp.writeRegister('ICR_HIGH', 1 << 24); // destination: APIC id 1
bsp.writeRegister('ICR_LOW', APIC_DM_SMI | APIC_INT_ASSERT); // => processor 1: SMI
console.log(ap.read(APIC_ID, 4, 0).toString(16)); // => 1000000
