/** A small machine of local APICs whose processors write down what reaches them. */
import { VirtualClock } from '@smm/bus';
import {
  ApicBus,
  type ApicBusOptions,
  LocalApic,
  type LocalApicOptions,
  type ProcessorSink,
} from '@smm/xapic';

interface Cpu {
  readonly apic: LocalApic;
  /** `smi`, `nmi`, `init`, `sipi 9f`, in order of arrival. */
  readonly events: string[];
  /** Number of `onChange` calls. */
  changes: number;
}

export function makeRig(
  count: number,
  busOptions: ApicBusOptions = {},
  apicOptions: Partial<LocalApicOptions> = {},
) {
  const clock = new VirtualClock();
  const eois: number[] = [];
  const bus = new ApicBus({ onEoi: (vector) => eois.push(vector), ...busOptions });
  const cpus: Cpu[] = [];
  for (let apicId = 0; apicId < count; apicId++) {
    const events: string[] = [];
    const processor: ProcessorSink = {
      smi: () => events.push('smi'),
      nmi: () => events.push('nmi'),
      init: () => events.push('init'),
      sipi: (vector) => events.push(`sipi ${vector.toString(16)}`),
    };
    const cpu = { events, changes: 0 } as { events: string[]; changes: number; apic: LocalApic };
    cpu.apic = new LocalApic({
      apicId,
      bus,
      clock,
      processor,
      onChange: () => {
        cpu.changes++;
      },
      ...apicOptions,
    });
    cpus.push(cpu);
  }
  return { clock, bus, cpus, eois };
}

/** Sets SVR to enabled with spurious vector FFh. */
export function enable(apic: LocalApic): void {
  apic.writeRegister('SVR', 0x1ff);
}

/** Brings an APIC into x2APIC mode. */
export function enterX2apic(apic: LocalApic): void {
  if (!apic.writeMsr(0x1b, apic.readMsr(0x1b)! | 0x400n)) throw new Error('x2APIC refused');
}

/** Vectors set in a 256-bit register. */
export function vectorsIn(apic: LocalApic, name: 'IRR' | 'ISR' | 'TMR'): number[] {
  const vectors: number[] = [];
  for (let vector = 0; vector < 256; vector++) {
    if ((apic.readRegister(name, vector >> 5) >>> (vector & 31)) & 1) vectors.push(vector);
  }
  return vectors;
}
