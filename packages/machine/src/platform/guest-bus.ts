/**
 * The way from a processor to devices, shared by all accelerators: brings virtual time up to date, makes the access,
 * and records what the guest can notice (local APIC accesses, SMBASE writes).
 */
import type { IoPortSpace, PhysicalAddressSpace } from '@smm/bus';
import { TX_DEBUG, TX_SMM, txInitiator } from '@smm/bus';
import { SMM_SAVE_AREA_OFFSET } from '@smm/x86-defs';
import type { Recorder } from '../recorder.ts';
import { APIC_PAGE } from './apic-page.ts';

/** What the bus needs to know about processors and time. */
export interface GuestBusPorts {
  /** Guest-physical memory and devices. */
  readonly space: PhysicalAddressSpace;
  /** I/O ports. */
  readonly ports: IoPortSpace;
  /** Receiver of events. */
  readonly recorder: Recorder;
  /** Called before a device is touched: virtual time must be the current instruction's. */
  syncTime(): void;
  /** Called after a device was touched: deadlines may have moved. */
  touched(): void;
  /** RIP of the instruction that a processor executes. */
  rip(processor: number): bigint;
  /** SMBASE of a processor, guest-physical. */
  smbase(processor: number): number;
  /** Offset of the SMBASE field from SMBASE in the save-state layout in use. */
  readonly smbaseFieldOffset: number;
}

/** Device and port accesses of processors. */
export class GuestBus {
  readonly #p: GuestBusPorts;
  /** Device accesses so far; a run without any depends on nothing outside processors and memory. */
  accesses = 0;

  constructor(ports: GuestBusPorts) {
    this.#p = ports;
  }

  /** Page of `processor`'s save area, whose data accesses in SMM come through here so that SMBASE writes are seen. */
  savePage(processor: number): number {
    return ((this.#p.smbase(processor) + SMM_SAVE_AREA_OFFSET) & ~0xfff) >>> 0;
  }

  /** Reads memory or a device. */
  read(gpa: number, size: 1 | 2 | 4, attrs: number): number {
    this.#begin(attrs);
    const value = this.#p.space.read(gpa, size, attrs);
    if (gpa >= APIC_PAGE && gpa < APIC_PAGE + 0x1000) this.apicRead(gpa, value, attrs, 'apic');
    this.#end(attrs);
    return value;
  }

  /** Writes memory or a device. */
  write(gpa: number, size: 1 | 2 | 4, value: number, attrs: number): void {
    this.#begin(attrs);
    if (gpa >= APIC_PAGE && gpa < APIC_PAGE + 0x1000) this.apicWrite(gpa, value, attrs, 'apic');
    else this.#watchSmbase(gpa, size, value, attrs);
    this.#p.space.write(gpa, size, value, attrs);
    this.#end(attrs);
  }

  /** IN. */
  in(port: number, size: 1 | 2 | 4, attrs: number): number {
    this.#begin(attrs);
    const value = this.#p.ports.in(port, size, attrs);
    this.#end(attrs);
    return value;
  }

  /** OUT. */
  out(port: number, size: 1 | 2 | 4, value: number, attrs: number): void {
    this.#begin(attrs);
    this.#p.ports.out(port, size, value, attrs);
    this.#end(attrs);
  }

  /** Records that a guest read the APIC page. */
  apicRead(gpa: number, value: number, attrs: number, reached: 'apic' | 'memory'): void {
    if (!this.#p.recorder.on || (attrs & TX_DEBUG) !== 0) return;
    const vcpu = txInitiator(attrs);
    this.#p.recorder.emit(vcpu, {
      name: 'smm_apic_read',
      vcpu,
      register: gpa & 0xfff,
      value,
      rip: this.#p.rip(vcpu),
      inSmm: (attrs & TX_SMM) !== 0,
      reached,
    });
  }

  /** Records that a guest wrote the APIC page. */
  apicWrite(gpa: number, value: number, attrs: number, reached: 'apic' | 'memory'): void {
    if (!this.#p.recorder.on || (attrs & TX_DEBUG) !== 0) return;
    const vcpu = txInitiator(attrs);
    this.#p.recorder.emit(vcpu, {
      name: 'smm_apic_write',
      vcpu,
      register: gpa & 0xfff,
      value,
      rip: this.#p.rip(vcpu),
      inSmm: (attrs & TX_SMM) !== 0,
      reached,
    });
  }

  #watchSmbase(gpa: number, size: number, value: number, attrs: number): void {
    if ((attrs & TX_SMM) === 0 || (attrs & TX_DEBUG) !== 0) return;
    const vcpu = txInitiator(attrs);
    const field = this.#p.smbase(vcpu) + this.#p.smbaseFieldOffset;
    if (gpa > field + 3 || gpa + size <= field) return;
    this.#p.recorder.emit(vcpu, {
      name: 'smm_smbase_write',
      vcpu,
      gpa: BigInt(gpa),
      value: BigInt(value),
      rip: this.#p.rip(vcpu),
    });
  }

  #begin(attrs: number): void {
    if ((attrs & TX_DEBUG) === 0) this.#p.syncTime();
  }

  #end(attrs: number): void {
    if ((attrs & TX_DEBUG) !== 0) return;
    this.accesses++;
    this.#p.touched();
  }
}
