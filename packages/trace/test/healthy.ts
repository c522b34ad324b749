/** Traces of guests that boot well, as KVM hosts of all kinds record them: nothing may be diagnosed in them. */
import { formatTrace, type TraceEvent, type TraceForm } from '@smm/trace';
import fc from 'fast-check';

/** What kind of host and guest. */
export interface Host {
  readonly form: TraceForm;
  readonly vcpus: number;
  readonly amd: boolean;
  /** The local APIC is virtualised: reads need no exit. */
  readonly apicv: boolean;
  /** Normal SMIs after the relocation. */
  readonly smis: number;
  readonly seed: number;
}

export const anyHost: fc.Arbitrary<Host> = fc.record({
  form: fc.constantFrom('2015' as const, 'current' as const),
  vcpus: fc.integer({ min: 1, max: 4 }),
  amd: fc.boolean(),
  apicv: fc.boolean(),
  smis: fc.nat(3),
  seed: fc.nat(),
});

type Own<E> = E extends unknown ? Omit<E, 'ts' | 'cpu' | 'vcpu' | 'pid' | 'comm'> & { vcpu?: number } : never;

const PLAN = 0x7ffc0000n;
const TILE = 0x800n;

/** Events of one boot: SMBASE relocation of every VCPU, then normal SMIs that all of them take. */
export function healthyTrace({ form, vcpus, amd, apicv, smis, seed }: Host): TraceEvent[] {
  const events: TraceEvent[] = [];
  let ts = 1_000_000_000_000 + (seed % 1000) * 1000;
  let state = seed >>> 0;
  const random = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const isa = amd ? 2 : 1;
  const add = (vcpu: number, ...own: Own<TraceEvent>[]): void => {
    for (const event of own) {
      ts += 1000 + 1000 * random(5);
      const thread = { cpu: 4 + vcpu, pid: 2101 + vcpu, comm: `CPU ${vcpu}/KVM` };
      events.push({ ts, vcpu, ...thread, ...event } as TraceEvent);
    }
  };
  const exit = (vcpu: number, vmx: number, svm: number, rip: bigint, info1 = 0n): void =>
    add(vcpu, {
      name: 'kvm_exit',
      exitReason: amd ? svm : vmx,
      guestRip: rip,
      isa,
      info1,
      info2: 0n,
      ...(form === 'current' && { intrInfo: 0, errorCode: 0 }),
    });
  const entry = (vcpu: number, rip: bigint): void =>
    add(vcpu, { name: 'kvm_entry', vcpu, ...(form === 'current' && { rip, immediateExit: false }) });
  const noise = (vcpu: number): void => {
    const rip = BigInt(0x7e000000 + random(0x1000) * 16);
    const which = random(4);
    if (which === 0) {
      exit(vcpu, 30, 0x7b, rip, 0x4020008n);
      add(vcpu, { name: 'kvm_pio', write: true, port: 0x402, size: 1, count: 1, val: 0x41 });
    } else if (which === 1) {
      exit(vcpu, 32, 0x7c, rip);
      add(vcpu, { name: 'kvm_msr', write: true, ecx: 0x1b, data: 0xfee00900n, exception: false });
    } else if (which === 2) {
      exit(vcpu, 28, 0x10, rip);
      add(vcpu, { name: 'kvm_cr', write: true, cr: 0, val: 0x80000033n });
    } else {
      exit(vcpu, 1, 0x60, rip);
    }
    entry(vcpu, rip);
  };
  const apicRead = (vcpu: number, rip: bigint): void => {
    // The page is mapped at the first access; with APICv that is all that shows.
    exit(vcpu, 48, 0x400, rip, 0x181n);
    add(vcpu, {
      name: 'kvm_page_fault',
      faultAddress: 0xfee00020n,
      errorCode: 0x181n,
      ...(form === 'current' && { guestRip: rip }),
    });
    entry(vcpu, rip);
    if (apicv && !amd) {
      exit(vcpu, 56, 0x402, rip + 8n, 0x300n);
      entry(vcpu, rip + 8n);
      return;
    }
    exit(vcpu, 44, 0x400, rip, 0x20n);
    add(vcpu, { name: 'kvm_apic', write: false, reg: 0x20, val: BigInt(vcpu) << 24n });
    entry(vcpu, rip + 3n);
  };
  const smi = (from: number, vcpu: number): void => {
    add(from, { name: 'kvm_apic_ipi', icrLow: 0x4200, destId: vcpu });
    add(from, { name: 'kvm_apic_accept_irq', apicid: vcpu, dm: 0x200, tm: 0, vec: 0 });
  };
  const stay = (vcpu: number, smbase: bigint, next: bigint): void => {
    add(vcpu, { name: 'kvm_enter_smm', vcpu, smbase, entering: true });
    entry(vcpu, 0x8000n);
    apicRead(vcpu, 0x7ffdcf46n + BigInt(random(64)));
    add(vcpu, { name: 'kvm_enter_smm', vcpu, smbase: form === 'current' ? smbase : next, entering: false });
    entry(vcpu, 0x9f0n);
  };
  for (let vcpu = 0; vcpu < vcpus; vcpu++) entry(vcpu, 0xfff0n);
  for (let vcpu = 1; vcpu < vcpus; vcpu++) exit(vcpu, 12, 0x78, 0x9f0n);
  const smbase = (vcpu: number): bigint => PLAN + TILE * BigInt(vcpu + 2);
  for (const vcpu of [...Array.from({ length: vcpus - 1 }, (_, i) => i + 1), 0]) {
    noise(0);
    smi(0, vcpu);
    stay(vcpu, 0x30000n, smbase(vcpu));
    if (vcpu > 0) exit(vcpu, 12, 0x78, 0x9f0n);
  }
  for (let i = 0; i < smis; i++) {
    for (let n = 0; n < 5; n++) noise(0);
    for (let vcpu = 0; vcpu < vcpus; vcpu++) if (vcpu > 0) smi(0, vcpu);
    for (let vcpu = 0; vcpu < vcpus; vcpu++) {
      stay(vcpu, smbase(vcpu), smbase(vcpu));
      if (vcpu > 0) exit(vcpu, 12, 0x78, 0x9f0n);
    }
  }
  return events;
}

/** The text of a trace, in the words of its host. */
export function healthyText(host: Host): string {
  return formatTrace(healthyTrace(host), { form: host.form });
}
