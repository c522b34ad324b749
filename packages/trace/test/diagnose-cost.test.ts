/**
 * The work of every rule of `diagnose` grows with the trace, not with its square: looks at stays and events, counted.
 */
import { describe, expect, it } from 'vitest';
import * as apicPage from '../src/diagnose-apic-page.ts';
import * as death from '../src/diagnose-death.ts';
import * as delivery from '../src/diagnose-delivery.ts';
import * as firmware from '../src/diagnose-firmware.ts';
import * as rsm from '../src/diagnose-rsm.ts';
import * as smbase from '../src/diagnose-smbase.ts';
import * as startup from '../src/diagnose-startup.ts';
import { TraceFacts } from '../src/diagnosis.ts';
import type { TraceEvent } from '../src/events.ts';
import { kvm } from './scenarios.ts';

const VCPUS = 4;
const RULES: Readonly<Record<string, (facts: TraceFacts) => unknown>> = {
  apicPageInSmm: apicPage.apicPageInSmm,
  privatePageInSmm: (facts) => apicPage.privatePageInSmm(facts, (episode) => death.deathIn(facts, episode)),
  cpuDied: death.cpuDied,
  emulationFailed: death.emulationFailed,
  entryFailedInSmm: death.entryFailedInSmm,
  shutdownInSmm: death.shutdownInSmm,
  ...delivery,
  ...firmware,
  ...rsm,
  ...smbase,
  ...startup,
};

/** Counts every look at a member of an object or an element of a list. */
class Counter {
  looks = 0;

  of<T extends object>(target: T): T {
    return new Proxy(target, {
      get: (object, key) => {
        this.looks++;
        return Reflect.get(object, key) as unknown;
      },
    });
  }
}

/** All VCPUs take SMIs in turn, halted or running, with INIT and SIPI outside SMM; nothing goes wrong. */
function manyStays(stays: number): TraceEvent[] {
  const lines: string[] = [];
  for (let i = 0; i < stays; i++) {
    const vcpu = i % VCPUS;
    lines.push(
      `${vcpu} kvm_exit: reason HLT rip 0x${(i + 16).toString(16)} info 0 0`,
      `0 kvm_apic_accept_irq: apicid ${vcpu} vec 0 (SMI|edge)`,
      `${vcpu} kvm_enter_smm: vcpu ${vcpu}: entering SMM, smbase 0x7ffc${vcpu}000`,
      `${vcpu} kvm_page_fault: address fee00020 error_code 181`,
      `${vcpu} kvm_exit: reason APIC_ACCESS rip 0x7ffdcf46 info 20 0`,
      `0 kvm_apic_accept_irq: apicid ${vcpu} vec 16 (INIT|edge)`,
      `${vcpu} kvm_enter_smm: vcpu ${vcpu}: leaving SMM, smbase 0x7ffc${vcpu}000`,
      `0 kvm_apic_accept_irq: apicid ${vcpu} vec 16 (SIPI|edge)`,
      `${vcpu} kvm_entry: vcpu ${vcpu}`,
      `${vcpu} kvm_exit: reason CPUID rip 0x${i.toString(16)} info 0 0`,
    );
  }
  return kvm(lines.join('\n'));
}

/** One stay in SMM of which each access faults. */
function longStay(accesses: number): TraceEvent[] {
  const lines = ['1 kvm_enter_smm: vcpu 1: entering SMM, smbase 0x30000'];
  for (let i = 0; i < accesses; i++) {
    lines.push(
      `1 kvm_page_fault: address fee00020 error_code 181`,
      `1 kvm_exit: reason EPT_VIOLATION rip 0x7ffdcf46 info 181 0`,
    );
  }
  return kvm(lines.join('\n'));
}

function looks(rule: (facts: TraceFacts) => unknown, events: readonly TraceEvent[]): number {
  const counter = new Counter();
  const facts = new TraceFacts(counter.of(events.map((event) => counter.of(event))), {});
  const seen = new Map(facts.episodes.map((episode) => [episode, counter.of(episode)]));
  Object.assign(facts, {
    episodes: counter.of([...seen.values()]),
    firsts: new Map([...facts.firsts].map(([vcpu, episode]) => [vcpu, seen.get(episode)])),
  });
  rule(facts);
  return counter.looks;
}

describe.each([
  ['many stays in SMM', manyStays, 50],
  ['one long stay', longStay, 200],
] as const)('%s', (_title, make, size) => {
  it.each(Object.entries(RULES))('%s', (_name, rule) => {
    expect(looks(rule, make(8 * size))).toBeLessThan(12 * (looks(rule, make(size)) + 100));
  });
});
