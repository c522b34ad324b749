/**
 * One port of the controller: fetches commands, lets the device carry them out when their time has come, posts what it
 * answers. A command that failed stops the port until software clears PxCMD.ST.
 *
 * Not modelled: port multipliers, hot plug, power states, command completion coalescing.
 * Source: Serial ATA AHCI 1.3.1, "HBA State Machine", "System Software Specific Details".
 */
import { type Alarm, type Clock, physicalAddress } from '@smm/bus';
import type { PartState } from '../part.ts';
import { requireVersion1 } from '../snapshot.ts';
import { ATA_STATUS_BSY, ATA_STATUS_ERR, type AtaDevice, type AtaOutcome } from './ata-device.ts';
import {
  COMMAND_BYTES,
  FIS_REGISTER_H2D,
  POSTED,
  pioSetupFis,
  readCommand,
  registerFis,
  registersAfter,
  setDeviceBitsFis,
} from './fis.ts';
import { PORT_CMD, PORT_IS, type PortRegisters } from './port-registers.ts';
import { type Dma, PrdTable } from './prd-table.ts';

/** What a port is given. */
export interface PortHost {
  /** Virtual time. */
  readonly clock: Clock;
  /** Memory. */
  readonly dma: Dma;
  /** Interrupt status or enables changed; `event`: the port has news. */
  readonly changed: (event: boolean) => void;
}

const SLOTS = 32;
const HEADER_BYTES = 32;
const PRD_OFFSET = 0x80;
/** Virtual nanoseconds of a command, and of each byte that it moves: an SSD of 400 MB/s. */
const COMMAND_NS = 20_000;
const NS_PER_BYTE = 2.5;
const DET_MASK = 0x0f;
const DET_RESET = 1;

/** A command that was fetched and waits for its time. */
interface Fetched {
  readonly slot: number;
  /** Its header in the command list. */
  readonly header: Uint8Array;
  /** The first bytes of its table. */
  readonly table: Uint8Array;
}

interface AhciPortState extends PartState {
  version: 1;
  fetched: { slot: number; header: Uint8Array; table: Uint8Array }[];
  halted: boolean;
  greeted: boolean;
  softReset: boolean;
  device: PartState | null;
}

/** The port. */
export class AhciPort {
  readonly #host: PortHost;
  readonly #registers: PortRegisters;
  readonly #device: AtaDevice | undefined;
  readonly #alarm: Alarm;
  /** In order; the alarm is armed for the first. */
  #fetched: Fetched[] = [];
  /** A command failed, and ST has not been cleared since. */
  #halted = false;
  /** The device's signature has arrived. */
  #greeted = false;
  /** Device control holds SRST. */
  #softReset = false;
  #inReset = false;

  constructor(index: number, host: PortHost, registers: PortRegisters, device: AtaDevice | undefined) {
    this.#host = host;
    this.#registers = registers;
    this.#device = device;
    this.#alarm = host.clock.createAlarm(`ahci-port-${index}`, () => this.#complete());
  }

  /** Software wrote to registers of this port; `set` are bits that it set in CI and SACT. */
  written(set: { readonly ci: number; readonly sact: number }): void {
    const r = this.#registers;
    const running = (r.get('CMD') & PORT_CMD.ST) !== 0;
    if (running) {
      r.change('SACT', set.sact);
      r.change('CI', set.ci);
    }
    const inReset = (r.get('SCTL') & DET_MASK) === DET_RESET;
    if (this.#inReset && !inReset) this.#portReset();
    this.#inReset = inReset;
    this.#startEngines();
    this.#host.changed(false);
  }

  /** What GHC.HR does. */
  controllerReset(): void {
    const r = this.#registers;
    r.clear('IS', 'IE', 'SCTL', 'CMD');
    this.#inReset = false;
    this.#portReset();
  }

  /** To power-on, or what a reset line does. The registers are reset already. */
  reset(powerOn: boolean): void {
    this.#drop();
    this.#greeted = false;
    this.#softReset = false;
    this.#inReset = false;
    this.#device?.reset(powerOn ? 'power-on' : 'port');
  }

  save(): AhciPortState {
    return {
      version: 1,
      fetched: this.#fetched.map(({ slot, header, table }) => ({
        slot,
        header: header.slice(),
        table: table.slice(),
      })),
      halted: this.#halted,
      greeted: this.#greeted,
      softReset: this.#softReset,
      device: this.#device?.save() ?? null,
    };
  }

  restore(state: AhciPortState): void {
    requireVersion1('AHCI port', state);
    if (state.device !== null) this.#device?.restore(state.device);
    this.#fetched = state.fetched.map(({ slot, header, table }) => ({
      slot,
      header: new Uint8Array(header),
      table: new Uint8Array(table),
    }));
    this.#halted = state.halted;
    this.#greeted = state.greeted;
    this.#softReset = state.softReset;
    this.#inReset = (this.#registers.get('SCTL') & DET_MASK) === DET_RESET;
  }

  #startEngines(): void {
    const r = this.#registers;
    const cmd = r.get('CMD');
    if ((cmd & PORT_CMD.FRE) !== 0) r.change('CMD', PORT_CMD.FR);
    else r.change('CMD', 0, PORT_CMD.FR);
    if ((cmd & PORT_CMD.ST) !== 0) r.change('CMD', PORT_CMD.CR);
    else if ((cmd & PORT_CMD.CR) !== 0) {
      r.change('CMD', 0, PORT_CMD.CR | PORT_CMD.CCS);
      r.clear('CI', 'SACT');
      this.#drop();
    }
    if ((cmd & PORT_CMD.FRE) !== 0 && !this.#greeted) this.#greet();
    this.#fetch();
  }

  /** Forgets what waits. */
  #drop(): void {
    this.#fetched = [];
    this.#alarm.cancel();
    this.#halted = false;
  }

  /** COMRESET, or the device's own after SRST: it says what it is as soon as it can. */
  #portReset(): void {
    const r = this.#registers;
    this.#drop();
    r.clear('TFD', 'SIG', 'SERR', 'SACT', 'CI');
    this.#softReset = false;
    this.#greeted = false;
    this.#device?.reset('port');
    if ((r.get('CMD') & PORT_CMD.FRE) !== 0) this.#greet();
  }

  /** The signature in a register FIS. */
  #greet(): void {
    const device = this.#device;
    if (device === undefined) return;
    this.#greeted = true;
    const { signature } = device;
    this.#registers.set('SIG', signature);
    const outcome = { status: 0x50, error: 1 };
    const registers = { outcome, device: 0, lba: signature >>> 8, count: signature & 0xff };
    this.#post(POSTED.register, registerFis(registers, false));
    this.#setTaskFile(outcome);
    this.#event(PORT_IS.DHRS);
  }

  /** Fetches what was issued: queued commands all, another only when nothing else is at work. */
  #fetch(): void {
    const r = this.#registers;
    for (let slot = 0; slot < SLOTS; slot++) {
      const running = (r.get('CMD') & PORT_CMD.CR) !== 0 && !this.#halted;
      if (!running || this.#device === undefined) return;
      if (((r.get('CI') >>> slot) & 1) === 0) continue;
      if (this.#fetched.some((other) => !isQueued(other))) return;
      const fetched = this.#read(slot);
      if (fetched === undefined) this.#fatal(PORT_IS.HBFS);
      else if (!this.#take(fetched)) return;
    }
  }

  #read(slot: number): Fetched | undefined {
    const r = this.#registers;
    const list = physicalAddress(r.get('CLBU'), r.get('CLB') & ~0x3ff);
    const header = new Uint8Array(HEADER_BYTES);
    const table = new Uint8Array(COMMAND_BYTES);
    if (!this.#host.dma.read(list + slot * HEADER_BYTES, header)) return undefined;
    return this.#host.dma.read(tableOf(header), table) ? { slot, header, table } : undefined;
  }

  /** Begins a command. False if no other can begin now. */
  #take(fetched: Fetched): boolean {
    const r = this.#registers;
    const { slot } = fetched;
    const { type, isCommand, softReset, multiplierPort, task } = readCommand(fetched.table);
    if (type !== FIS_REGISTER_H2D) {
      this.#fatal(PORT_IS.IFS);
      return false;
    }
    r.change('CMD', slot << PORT_CMD.CCS_SHIFT, PORT_CMD.CCS);
    if (!isCommand || multiplierPort !== 0) {
      r.change('CI', 0, 1 << slot);
      if (multiplierPort === 0) this.#control(softReset);
      return true;
    }
    const queued = isQueued(fetched);
    if (queued && this.#device?.queues !== true) {
      this.#end(fetched, { status: 0x41, error: 0x04 }, new PrdTable(this.#host.dma, 0, 0));
      return false;
    }
    if (queued) r.change('CI', 0, 1 << slot);
    else r.change('TFD', ATA_STATUS_BSY);
    this.#fetched.push(fetched);
    if (this.#fetched.length === 1) this.#arm();
    return queued || task.command === 0;
  }

  /** Device control: the device is reset when SRST goes. */
  #control(softReset: boolean): void {
    const was = this.#softReset;
    this.#softReset = softReset;
    if (was && !softReset) {
      this.#greeted = false;
      this.#device?.reset('port');
      this.#greet();
    } else if (softReset) this.#registers.change('TFD', ATA_STATUS_BSY);
  }

  #arm(): void {
    const next = this.#fetched[0];
    if (next === undefined) return;
    const bytes = this.#device?.bytesOf(readCommand(next.table).task) ?? 0;
    this.#alarm.set(this.#host.clock.now() + COMMAND_NS + Math.ceil(bytes * NS_PER_BYTE));
  }

  /** The first command's time has come. */
  #complete(): void {
    const [fetched] = this.#fetched;
    const device = this.#device;
    if (fetched === undefined || device === undefined) return;
    const { task } = readCommand(fetched.table);
    const { dma } = this.#host;
    const data = new PrdTable(dma, tableOf(fetched.header) + PRD_OFFSET, entriesOf(fetched.header));
    const outcome = device.execute(task, data);
    this.#fetched.shift();
    this.#end(fetched, outcome, data);
    this.#arm();
    this.#fetch();
    this.#host.changed(false);
  }

  /** Tells the host how a command ended. */
  #end(fetched: Fetched, outcome: AtaOutcome, data: PrdTable): void {
    if (data.failure !== undefined) {
      this.#registers.change('TFD', 0, ATA_STATUS_BSY);
      this.#fatal(data.failure === 'bus' ? PORT_IS.HBFS : PORT_IS.OFS);
    } else if (isQueued(fetched)) this.#endQueued(fetched, outcome);
    else this.#endPlain(fetched, outcome, data);
  }

  #endQueued(fetched: Fetched, outcome: AtaOutcome): void {
    const { task } = readCommand(fetched.table);
    const tag = task.count >>> 3;
    const failed = (outcome.status & ATA_STATUS_ERR) !== 0;
    this.#setTaskFile(outcome);
    const finished = failed ? 0 : (1 << tag) >>> 0;
    this.#post(POSTED.setDeviceBits, setDeviceBitsFis(outcome, finished));
    if (!failed) {
      this.#registers.change('SACT', 0, finished);
      this.#event(PORT_IS.SDBS);
      return;
    }
    this.#device?.noteQueuedError(tag, task, outcome);
    this.#fatal(PORT_IS.SDBS | PORT_IS.TFES);
  }

  #endPlain(fetched: Fetched, outcome: AtaOutcome, data: PrdTable): void {
    const { slot, header, table } = fetched;
    const r = this.#registers;
    const { task } = readCommand(table);
    const failed = (outcome.status & ATA_STATUS_ERR) !== 0;
    const registers = registersAfter(task, outcome);
    const toHost = (header[0]! & 0x40) === 0;
    const moved = new Uint8Array(4);
    new DataView(moved.buffer).setUint32(0, data.moved, true);
    const list = physicalAddress(r.get('CLBU'), r.get('CLB') & ~0x3ff);
    if (!this.#host.dma.write(list + slot * HEADER_BYTES + 4, moved)) {
      this.#fatal(PORT_IS.HBFS);
      return;
    }
    const block = this.#device?.pioBlock(task) ?? 0;
    if (data.moved > 0 && block > 0) {
      // The last block's; the first to the device comes without an interrupt.
      const interrupt = toHost || data.moved > block;
      const size = ((data.moved - 1) % block) + 1;
      this.#post(POSTED.pioSetup, pioSetupFis(registers, { toHost, interrupt }, size));
      if (interrupt) this.#event(PORT_IS.PSS);
    }
    this.#post(POSTED.register, registerFis(registers, true));
    this.#setTaskFile(outcome);
    if (failed) this.#fatal(PORT_IS.DHRS | PORT_IS.TFES);
    else {
      r.change('CI', 0, 1 << slot);
      this.#event(PORT_IS.DHRS);
    }
  }

  /** Posts a received FIS into memory, if software has given room for it. */
  #post(offset: number, fis: Uint8Array): void {
    const r = this.#registers;
    if ((r.get('CMD') & PORT_CMD.FRE) === 0) return;
    this.#host.dma.write(physicalAddress(r.get('FBU'), r.get('FB') & ~0xff) + offset, fis);
  }

  #setTaskFile({ status, error }: AtaOutcome): void {
    this.#registers.set('TFD', (error << 8) | status);
  }

  #event(bits: number): void {
    this.#registers.change('IS', bits);
    this.#host.changed(true);
  }

  /** The port stops: nothing is fetched before ST is cleared. What was fetched is lost. */
  #fatal(bits: number): void {
    this.#fetched = [];
    this.#alarm.cancel();
    this.#halted = true;
    this.#event(bits);
  }
}

function tableOf(header: Uint8Array): number {
  const view = new DataView(header.buffer, header.byteOffset);
  return physicalAddress(view.getUint32(12, true), view.getUint32(8, true) & ~0x7f);
}

function entriesOf(header: Uint8Array): number {
  return header[2]! + header[3]! * 256;
}

/** READ FPDMA QUEUED to RECEIVE FPDMA QUEUED. */
function isQueued({ table }: Fetched): boolean {
  return table[2]! >= 0x60 && table[2]! <= 0x65;
}
