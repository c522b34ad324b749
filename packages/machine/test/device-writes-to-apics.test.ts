/** What a device writes to FEExxxxxh: an interrupt message, whichever processor it is for. */
import { TX_DMA } from '@smm/bus';
import { Msi, Msix, PciDevice } from '@smm/chipset-q35';
import { describe, expect, it } from 'vitest';
import { decodeSnapshot, encodeSnapshot } from '../src/index.ts';
import { flat } from './flat-rom.ts';

const BDF = 0x18;

/** A bus master of one message, and of raw writes. */
class Master extends PciDevice {
  readonly msi: Msi;
  readonly msix: Msix;

  constructor() {
    const msi = new Msi({ offset: 0x50, vectors: 1, address64: true, maskable: false });
    const identity = { vendorId: 0x1af4, deviceId: 1, revision: 0, classCode: 0, multifunction: false };
    const msix = new Msix({ offset: 0x70, vectors: 3, bar: 0, tableOffset: 0, pbaOffset: 0x800 });
    super({
      ...{ name: 'master', place: { device: 3, function: 0 }, ...identity, capabilities: [msi, msix] },
      bars: [{ index: 0, kind: 'memory32', sizeBytes: 0x1000, device: msix }],
    });
    this.msi = msi;
    this.msix = msix;
  }

  write(gpa: number, bytes: Uint8Array): boolean {
    return this.dmaWrite(gpa, bytes);
  }
}

function build(kvm: boolean, cpus = 2) {
  const master = new Master();
  const machine = flat('cli\n hlt', { kvm, cpus, parts: () => [master] });
  for (const apic of machine.apics) apic.writeRegister('SVR', 0x1ff);
  const config = (offset: number, size: 2 | 4, value: number) => {
    machine.ports.out(0xcf8, 4, (0x8000_0000 + (BDF << 8) + (offset & 0xfc)) >>> 0, 0);
    machine.ports.out(0xcfc + (offset & 3), size, value, 0);
  };
  /** Vectors 20h to 3Fh that each local APIC has pending. */
  const requests = () => machine.apics.map((apic) => apic.readRegister('IRR', 1) >>> 0);
  return { machine, master, config, requests };
}

describe.each([false, true])('a device (kvm %s)', (kvm) => {
  it('sends MSIs to every processor, the first included', () => {
    const { master, config, requests } = build(kvm, 3);
    config(0x04, 2, 0x0004);
    config(0x52, 2, 0x0001);
    for (const cpu of [0, 1, 2]) {
      config(0x54, 4, 0xfee0_0000 + (cpu << 12));
      config(0x5c, 2, 0x31 + cpu);
      master.msi.raise(0);
    }
    expect(requests()).toEqual([1 << 0x11, 1 << 0x12, 1 << 0x13]);
  });

  it('cannot without leave to be a bus master', () => {
    const { master, config, requests } = build(kvm);
    config(0x52, 2, 0x0001);
    config(0x54, 4, 0xfee0_0000);
    config(0x5c, 2, 0x31);
    master.msi.raise(0);
    expect(master.write(0xfee0_1000, Uint8Array.of(0x32, 0, 0, 0))).toBe(false);
    expect(requests()).toEqual([0, 0]);
  });

  it('reaches no register of a local APIC by writing over the page', () => {
    const { machine, master, config, requests } = build(kvm);
    config(0x04, 2, 0x0004);
    const before = machine.apics.map((apic) => apic.save());
    master.write(0xfee0_0080, Uint8Array.of(0x33)); // the task priority register to a processor; a byte is no message
    expect(machine.apics.map((apic) => apic.save())).toEqual(before);
    master.write(0xfee0_00f0, Uint8Array.of(0x34, 0, 0, 0));
    expect(requests()).toEqual([1 << 0x14, 0]);
    expect(machine.apics[0]!.readRegister('SVR')).toBe(0x1ff);
    expect(machine.space.read(0xfee0_0020, 4, TX_DMA | BDF)).toBe(0xffff_ffff);
  });

  it('sends messages by the DMA of fw_cfg, too', () => {
    const { machine, requests } = build(kvm);
    const bytes = Uint8Array.of(0x35, 0, 0, 0);
    for (const cpu of [0, 1]) machine.space.writeBlock(0xfee0_0000 + (cpu << 12), bytes, TX_DMA);
    expect(requests()).toEqual([1 << 0x15, 1 << 0x15]);
  });

  it('is in snapshots and their files, with the messages that wait', () => {
    const a = build(kvm);
    a.config(0x10, 4, 0xe000_0000);
    a.config(0x04, 2, 0x0006);
    a.config(0x72, 2, 0x8000);
    a.machine.space.write(0xe000_0010, 4, 0xfee0_1000, 0);
    a.machine.space.write(0xe000_0018, 4, 0x36, 0);
    a.master.msix.raise(1);
    const file = encodeSnapshot(a.machine.save());
    const b = build(kvm);
    b.machine.restore(decodeSnapshot(file));
    expect(b.requests()).toEqual([0, 0]);
    b.machine.space.write(0xe000_001c, 4, 0, 0);
    expect(b.requests()).toEqual([0, 1 << 0x16]);
    expect(encodeSnapshot(a.machine.save())).toEqual(file);
  });
});
