/** A machine for tests: processors on flat RAM, identity-mapped, with one device page. */
import { Engine, type TierName, type TranslatorOptions } from '../../src/engine/engine.ts';
import type { Interpreter } from '../../src/engine/wasm/interpreter.ts';
import { createWindow } from '../../src/engine/window.ts';
import * as L from '../../src/layout.ts';
import {
  ACCESS_EXEC,
  ACCESS_WRITE,
  type ProcessorBehaviour,
  type RamWindow,
  TRANSLATED_DEVICE,
  TRANSLATED_FAULT,
  TRANSLATED_RAM,
  type TranslateRequest,
  type TranslateResult,
} from '../../src/ports.ts';
import type { Processor } from '../../src/processor.ts';
import type { ProcessorPorts } from '../../src/processor-options.ts';
import { type CpuModel, cpuModel } from '../../src/system/models.ts';

export type Bits = 16 | 32 | 64;

export interface FlatMachineOptions {
  /** RAM at guest-physical 0, bytes. Default 4 MiB. */
  ram?: number;
  /** Bytes of the engine's part. Default 8 MiB. */
  cache?: number;
  /** Processors. Default 1. */
  processors?: number;
  tier?: TierName;
  /** For tier 'translator'. */
  translator?: TranslatorOptions;
  /** Generated code to share with other machines. */
  interpreter?: Interpreter;
  /** CPU model. Default 'max'. */
  model?: CpuModel;
  /** CPU models by processor, where they are not all the same. */
  models?: readonly CpuModel[];
  behaviour?: Partial<ProcessorBehaviour>;
  ports?: Partial<ProcessorPorts>;
}

/** Guest-physical address of the device page. */
export const DEVICE = 0xfee0_0000;

/** Rights of a page. */
export interface PageRights {
  readonly readable: boolean;
  readonly writable: boolean;
  readonly executable: boolean;
}

/** A page that may be used for everything. */
export const ALL_RIGHTS: PageRights = { readable: true, writable: true, executable: true };

export interface DeviceAccess {
  write: boolean;
  address: number;
  size: number;
  value: number;
}

/** Flat RAM at 0, a device page at {@link DEVICE}, nothing else. Linear = physical unless `map` says otherwise. */
export class FlatMachine {
  readonly window: RamWindow;
  readonly engine: Engine;
  readonly ram: Uint8Array;
  readonly view: DataView;
  readonly cpus: Processor[] = [];
  /** What the device saw. */
  readonly accesses: DeviceAccess[] = [];
  /** Value the device returns. */
  deviceValue = 0;
  /** Called inside device accesses. */
  onDevice: (access: DeviceAccess) => void = () => {};
  /** Linear page to physical page (byte addresses); identity by default. -1: page fault. */
  map: (page: number, request: TranslateRequest) => number = (page) => page;
  /** What a linear page that is mapped may be used for; everything by default. */
  rights: (page: number) => PageRights = () => ALL_RIGHTS;
  /** Told the vector of every exception before it is delivered. */
  onFault: (vector: number) => void = () => {};
  /** Ports written by OUT: [port, value]. */
  readonly out: [number, number][] = [];
  readonly ramSize: number;

  constructor(options: FlatMachineOptions = {}) {
    this.ramSize = options.ram ?? 4 << 20;
    const cache = options.cache ?? 8 << 20;
    this.window = createWindow(this.ramSize + cache);
    this.engine = new Engine({
      window: this.window,
      cacheOffset: this.ramSize,
      cacheSize: cache,
      ...(options.interpreter && { interpreter: options.interpreter }),
      ...(options.translator && { translator: options.translator }),
    });
    this.ram = new Uint8Array(this.window.buffer, 0, this.ramSize);
    this.view = new DataView(this.window.buffer, 0, this.ramSize);
    for (let index = 0; index < (options.processors ?? 1); index++) {
      this.cpus.push(
        this.engine.createProcessor({
          index,
          bsp: true,
          model: options.models?.[index] ?? options.model ?? cpuModel('max'),
          ports: { ...this.#ports(), ...options.ports },
          ...(options.behaviour && { behaviour: options.behaviour }),
          ...(options.tier && { tier: options.tier }),
        }),
      );
    }
  }

  get cpu(): Processor {
    return this.cpus[0]!;
  }

  #translate(request: TranslateRequest, result: TranslateResult): void {
    const { linear, access, user } = request;
    const page = this.map(linear - (linear & 0xfff), request);
    const rights = this.rights(linear - (linear & 0xfff));
    const allowed =
      access === ACCESS_WRITE
        ? rights.writable
        : access === ACCESS_EXEC
          ? rights.executable
          : rights.readable;
    result.gpaPage = page;
    if (page === -1 || !allowed) {
      result.outcome = TRANSLATED_FAULT;
      result.errorCode = (page === -1 ? 0 : 1) | (access === ACCESS_WRITE ? 2 : 0) | (user ? 4 : 0);
      if (page !== -1 && access === ACCESS_EXEC) result.errorCode |= 0x10;
      return;
    }
    result.outcome = page >= 0 && page < this.ramSize ? TRANSLATED_RAM : TRANSLATED_DEVICE;
    result.hostPage = page;
    result.readable = rights.readable;
    result.writable = rights.writable;
    result.executable = rights.executable;
  }

  #device(access: DeviceAccess): void {
    this.accesses.push(access);
    this.onDevice(access);
  }

  #ports(): ProcessorPorts {
    return {
      pageWalker: { translate: (request, result) => this.#translate(request, result) },
      memory: {
        read: (address, size) => {
          const value = size === 4 ? this.deviceValue : this.deviceValue & (size === 2 ? 0xffff : 0xff);
          this.#device({ write: false, address, size, value });
          return value;
        },
        write: (address, size, value) => this.#device({ write: true, address, size, value }),
        readBlock: (address, into) => into.set(this.ram.subarray(address, address + into.length)),
        writeBlock: (address, bytes) => {
          this.ram.set(bytes, address);
          this.engine.written(address, bytes.length);
        },
      },
      io: { in: () => 0xffff_ffff, out: (port, _size, value) => void this.out.push([port, value]) },
      apic: {
        pendingVector: () => -1,
        acknowledge: () => 0,
        getCr8: () => 0,
        setCr8: () => {},
        readMsr: () => undefined,
        writeMsr: () => false,
      },
      saveState: {
        revision: 0x2_0064,
        save: () => {},
        restore: () => {
          throw new Error('the flat machine has no save-state codec');
        },
      },
      observer: { interruptDelivered: (_cpu, vector) => this.onFault(vector) },
      time: { tsc: () => BigInt(Math.floor(this.cpu?.retiredNow() ?? 0)) },
    };
  }

  /** Copies bytes into RAM the way a debugger would. */
  load(address: number, bytes: Uint8Array): void {
    this.ram.set(bytes, address);
    this.engine.written(address, bytes.length);
  }

  /** Puts a processor into flat code of a size at ring 0 with the stack pointer at `rsp`. 16: real mode, segments 0. */
  start(bits: Bits, rip: number, rsp = 0x8000, cpu: Processor = this.cpu): void {
    const { state } = cpu;
    state.cr0 = bits === 16 ? 0x10 : 0x11;
    state.efer = bits === 64 ? 0x500 : 0;
    for (let segment = 0; segment < 6; segment++) {
      const code = segment === 1;
      state.setSegSelector(segment, bits === 16 ? 0 : code ? 8 : 16);
      state.setSegBase(segment, 0);
      state.setSegLimit(segment, bits === 16 ? 0xffff : 0xffff_ffff);
      const type = code ? 0x9b : 0x93;
      state.setSegAttr(segment, bits === 16 ? type : bits === 64 && code ? 0xa000 | type : 0xc000 | type);
    }
    state.activity = 0;
    state.rflags = 2;
    state.rip = BigInt(rip);
    state.setGpr64(4, BigInt(rsp));
    state.set64(L.ST_ZERO, 0n);
    cpu.modeChanged();
    cpu.memory.flush(undefined, true);
  }
}
