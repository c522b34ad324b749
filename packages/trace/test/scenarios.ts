/** Traces of relocations, good and bad, in the machine's own events and in KVM's text of 2015. */
import { parseTraceText, type TraceEvent } from '@smm/trace';

export const PLANNED = [0x7ffc1000, 0x7ffc1800, 0x7ffc2000];
const APIC_ID = 0x20;
const SMI_IPI = 0x4200;

type Partial_<E> = E extends unknown ? Omit<E, 'ts' | 'cpu'> : never;

/** Records events with a clock of its own. */
export class Recorder {
  readonly events: TraceEvent[] = [];
  #ts = 0;

  add(...events: Partial_<TraceEvent>[]): this {
    for (const event of events) {
      this.#ts += 1000;
      this.events.push({ ...event, ts: this.#ts, cpu: event.vcpu ?? 0 } as TraceEvent);
    }
    return this;
  }
}

/** What one CPU's first SMI looks like; the defaults are a good run's. */
export interface FirstSmi {
  /** Value of the APIC ID register that the handler reads; undefined for no read. */
  readonly idRead?: number | undefined;
  readonly reached?: 'apic' | 'memory';
  /** SMBASE that the handler stores; undefined for no store. */
  readonly written?: number | undefined;
  /** SMBASE that RSM loads. */
  readonly left?: number;
}

/** A first SMI in the machine's own events. */
export function firstSmi(run: Recorder, vcpu: number, options: FirstSmi = {}): Recorder {
  const planned = PLANNED[vcpu] ?? 0;
  const { reached = 'apic' } = options;
  const idRead = 'idRead' in options ? options.idRead : vcpu;
  const written = 'written' in options ? options.written : planned;
  run.add({ name: 'smm_smi', vcpu, source: 0 }, { name: 'smm_wake', vcpu });
  run.add({ name: 'smm_enter', vcpu, smbase: 0x30000n, rip: 0x9f0n });
  if (idRead !== undefined) {
    const value = (idRead << 24) >>> 0;
    run.add({
      name: 'smm_apic_read',
      vcpu,
      register: APIC_ID,
      value,
      rip: 0x7ffdcf46n,
      inSmm: true,
      reached,
    });
  }
  if (written !== undefined) {
    run.add({ name: 'smm_smbase_write', vcpu, gpa: 0x3fef8n, value: BigInt(written), rip: 0x7ffd0000n });
  }
  const left = BigInt(options.left ?? written ?? 0x30000);
  return run.add({ name: 'smm_rsm', vcpu, oldSmbase: 0x30000n, newSmbase: left, rip: 0x7ffd1000n });
}

/** APs in HLT, the BSP about to relocate; `ids` are the APIC ids that the firmware's log lists. */
export function start(ids: readonly number[] = [0, 1, 2]): Recorder {
  const run = new Recorder();
  for (let vcpu = 1; vcpu < ids.length; vcpu++) run.add({ name: 'smm_halt', vcpu, rip: 0x9f0n });
  for (const [index, id] of ids.entries()) {
    const hex = (value: number, width: number) => value.toString(16).toUpperCase().padStart(width, '0');
    run.add({
      name: 'smm_debugcon',
      vcpu: 0,
      text: `CPU[${hex(index, 3)}]  APIC ID=${hex(id, 4)}  SMBASE=${hex(PLANNED[index] ?? 0, 8)}  SaveState=7FFD0C00  Size=00000400`,
    });
  }
  return run;
}

/** The BSP's IPI to one AP. */
export function smiIpi(run: Recorder, dest: number): Recorder {
  return run.add({ name: 'smm_ipi', vcpu: 0, icrLow: SMI_IPI, dest });
}

/** A run of three CPUs in which every one is relocated, and each takes a normal SMI afterwards. */
export function goodRun(): TraceEvent[] {
  const run = start();
  for (const vcpu of [1, 2]) {
    smiIpi(run, vcpu);
    firstSmi(run, vcpu);
    run.add({ name: 'smm_debugcon', vcpu: 0, text: `APIC ID 0x${vcpu} has processed its first SMI` });
  }
  firstSmi(run, 0);
  for (const vcpu of [0, 1, 2]) {
    const smbase = BigInt(PLANNED[vcpu] ?? 0);
    run.add(
      { name: 'smm_smi', vcpu, source: vcpu === 0 ? -1 : 0 },
      { name: 'smm_enter', vcpu, smbase, rip: 1n },
    );
  }
  for (const vcpu of [2, 1, 0]) {
    const smbase = BigInt(PLANNED[vcpu] ?? 0);
    run.add({ name: 'smm_rsm', vcpu, oldSmbase: smbase, newSmbase: smbase, rip: 1n });
  }
  return run.events;
}

/** The mail's run: VCPU 1 reads memory in place of the APIC and takes CPU 0's SMBASE. */
export function mailRun(): TraceEvent[] {
  const run = start([0, 1]);
  smiIpi(run, 1);
  firstSmi(run, 1, { idRead: 0, reached: 'memory', written: 0x7ffc1000 });
  const outside = {
    register: APIC_ID,
    value: 0x1000000,
    rip: 0x7fd8cd09n,
    inSmm: false,
    reached: 'apic',
  } as const;
  run.add({ name: 'smm_apic_read', vcpu: 1, ...outside }, { name: 'smm_halt', vcpu: 1, rip: 0x9f0n });
  return run.events;
}

/** Events of a report of 2015; VCPU n's thread is 100 + n. Each line is `n event: text`. */
export function kvm(text: string): TraceEvent[] {
  const lines = text
    .split('\n')
    .map((line) => /^\s*(\d+) (.*)$/.exec(line))
    .filter((match) => match !== null)
    .map(
      ([, vcpu, rest], i) =>
        ` qemu-system-i38-${100 + Number(vcpu)}   [000]     0.${String(i).padStart(6, '0')}: ${rest}`,
    );
  return parseTraceText(lines.join('\n')).events;
}
