/**
 * The `tcg` accelerator: one address space that decodes by the requester's mode; the local APIC is a device in it. As
 * QEMU's TCG does it; SMM itself is cpu-core's and follows the SDM.
 */
import { newResolution, type PhysicalAddressSpace, TX_DEBUG, TX_SMM, type TxAttrs } from '@smm/bus';
import {
  type IoPort,
  type MemoryPort,
  type PageWalker,
  TRANSLATED_DEVICE,
  TRANSLATED_FAULT,
  TRANSLATED_RAM,
  TRANSLATED_SHUTDOWN,
  type TranslateRequest,
  type TranslateResult,
} from '@smm/cpu-core';
import {
  GuestWalker,
  RIGHT_EXEC,
  RIGHT_READ,
  RIGHT_WRITE,
  type TableMemory,
  WALK_OK,
  WALK_PAGE_FAULT,
} from '@smm/mmu-ept';
import type { GuestBus } from '../platform/guest-bus.ts';
import { type PagingFeatures, pagingStateOf, takeRegisters } from '../platform/paging.ts';
import type { Accelerator } from './accelerator.ts';

/** What the accelerator works on. */
export interface TcgPorts {
  /** Guest-physical decoding. */
  readonly space: PhysicalAddressSpace;
  /** Devices and ports. */
  readonly bus: GuestBus;
  /** The machine's memory. */
  readonly buffer: ArrayBufferLike;
  /** What CPUID says about paging. */
  readonly features: PagingFeatures;
  /** Told of accessed and dirty bits written: decoded code may lie on the page. */
  readonly written: (hostOffset: number, sizeBytes: number) => void;
}

/** Locations from here on are guest-physical addresses of what is not plain RAM; below, host offsets. */
const THROUGH_BUS = 2 ** 52;

/**
 * Page tables as one mode sees them. A walk reads and writes what an explicit access would: registers answer, and flags
 * written to ROM are dropped, to flash are command cycles. Intel SDM Vol. 3, "Accessed and Dirty Flags".
 */
class SpaceTables implements TableMemory {
  smm = false;
  attrs: TxAttrs = 0;
  /** The walk has met something else than RAM. */
  throughBus = false;
  readonly #ports: TcgPorts;
  readonly #words: Uint32Array;
  readonly #at = newResolution();

  constructor(ports: TcgPorts) {
    this.#ports = ports;
    this.#words = new Uint32Array(ports.buffer);
  }

  locate(gpa: number, write: boolean): number {
    const { space } = this.#ports;
    if (write) {
      space.resolve(gpa, this.smm, this.#at);
      return this.#at.writable ? this.#at.hostOffset : gpa + THROUGH_BUS;
    }
    const offset = space.ramOffset(gpa, this.smm);
    return offset < 0 ? gpa + THROUGH_BUS : offset;
  }

  read32(location: number): number {
    if (location < THROUGH_BUS) return this.#words[location >>> 2]!;
    this.throughBus = true;
    return this.#ports.bus.read(location - THROUGH_BUS, 4, this.attrs);
  }

  compareExchange32(location: number, expected: number, desired: number): boolean {
    if (this.read32(location) !== expected) return false;
    if (location < THROUGH_BUS) {
      this.#words[location >>> 2] = desired;
      this.#ports.written(location, 4);
    } else this.#ports.bus.write(location - THROUGH_BUS, 4, desired, this.attrs);
    return true;
  }
}

/** The TCG-like accelerator. */
export class TcgAccelerator implements Accelerator, PageWalker {
  readonly name = 'tcg';
  readonly saveStates = {};
  readonly apics = { flavour: 'sdm', behaviour: {}, inKernel: false } as const;
  readonly hidesTimeReads = true;
  readonly exitCounts: ReadonlyMap<number, number> = new Map();
  readonly pageWalker: PageWalker = this;
  readonly memory: MemoryPort;
  readonly io: IoPort;
  readonly #ports: TcgPorts;
  readonly #tables: SpaceTables;
  readonly #walker: GuestWalker;
  readonly #at = newResolution();
  readonly #paging;

  constructor(ports: TcgPorts) {
    this.#ports = ports;
    this.#tables = new SpaceTables(ports);
    this.#walker = new GuestWalker(this.#tables);
    this.#paging = pagingStateOf(ports.features);
    const { bus, space } = ports;
    this.memory = {
      read: (gpa, size, attrs) => bus.read(gpa, size, attrs),
      write: (gpa, size, value, attrs) => bus.write(gpa, size, value, attrs),
      readBlock: (gpa, into, attrs) => space.readBlock(gpa, into, attrs),
      writeBlock: (gpa, bytes, attrs) => space.writeBlock(gpa, bytes, attrs),
    };
    this.io = {
      in: (port, size, attrs) => bus.in(port, size, attrs),
      out: (port, size, value, attrs) => bus.out(port, size, value, attrs),
    };
  }

  translate(request: TranslateRequest, out: TranslateResult): void {
    const paging = this.#paging;
    takeRegisters(paging, request);
    const tables = this.#tables;
    tables.smm = request.smm;
    tables.attrs = request.processor | (request.smm ? TX_SMM : 0) | (request.debug ? TX_DEBUG : 0);
    tables.throughBus = false;
    const walk = this.#walker.walk(
      paging,
      request.linear,
      request.access as 0 | 1 | 2,
      request.user,
      request.debug,
    );
    out.deviceTouched = tables.throughBus;
    if (walk.outcome !== WALK_OK) {
      if (walk.outcome === WALK_PAGE_FAULT) {
        out.outcome = TRANSLATED_FAULT;
        out.errorCode = walk.errorCode;
      } else {
        out.outcome = TRANSLATED_SHUTDOWN;
        out.reason = `a paging structure at 0x${walk.tableGpa.toString(16)} is not in memory`;
      }
      return;
    }
    const at = this.#at;
    this.#ports.space.resolve(walk.gpa, request.smm, at);
    out.gpaPage = walk.gpa;
    const whole = at.lastAddress - walk.gpa >= 0xfff;
    if (at.kind !== 'ram' || !whole || (request.access === 1 && !at.writable)) {
      out.outcome = TRANSLATED_DEVICE;
      return;
    }
    out.outcome = TRANSLATED_RAM;
    out.hostPage = at.hostOffset;
    out.pageSize = walk.pageSizeBytes;
    out.readable = (walk.tlbRights & RIGHT_READ) !== 0;
    out.writable = at.writable && (walk.tlbRights & RIGHT_WRITE) !== 0;
    out.executable = (walk.tlbRights & RIGHT_EXEC) !== 0;
  }

  mapChanged(): void {}
  turnStarts(): void {}
  turnEnded(): void {}
  reset(): void {}
  save(): undefined {
    return undefined;
  }
  restore(): void {}
}
