/**
 * The Q35 memory controller hub, PCI 00:00.0: SMRAM, TSEG, shadow and ECAM control.
 *
 * Register behaviour is QEMU 7.2's q35 (measured; the tests replay it). Not modelled: D_CLS beyond storage, E_SMERR,
 * remapping, graphics. Sources: Intel 316966, "DRAM Controller Registers (D0:F0)"; edk2 "Q35MchIch9.h" for the
 * registers that only QEMU has.
 */
import { physicalAddress, type RegisterSpec, type RegisterWrite } from '@smm/bus';
import {
  INTEL_Q35_MCH_DEVICE_ID,
  isWhole,
  MCH_DEFAULT_SMBASE_CTL,
  MCH_DEFAULT_SMBASE_IN_RAM,
  MCH_DEFAULT_SMBASE_LCK,
  MCH_DEFAULT_SMBASE_QUERY,
  MCH_ESMRAMC,
  MCH_ESMRAMC_H_SMRAME,
  MCH_ESMRAMC_SM_CACHE,
  MCH_ESMRAMC_SM_L1,
  MCH_ESMRAMC_SM_L2,
  MCH_ESMRAMC_T_EN,
  MCH_ESMRAMC_TSEG_MASK,
  MCH_EXT_TSEG_MB,
  MCH_EXT_TSEG_MB_QUERY,
  MCH_PAM0,
  MCH_PCIEXBAR_EN,
  MCH_PCIEXBAR_HIGH,
  MCH_PCIEXBAR_LENGTH_MASK,
  MCH_PCIEXBAR_LOW,
  MCH_SMRAM,
  MCH_SMRAM_C_BASE_SEG,
  MCH_SMRAM_D_CLS,
  MCH_SMRAM_D_LCK,
  MCH_SMRAM_D_OPEN,
  MCH_SMRAM_G_SMRAME,
  MCH_TOLUD,
  MCH_TSEGMB,
  maybe,
  PCI_VENDOR_ID_INTEL,
  type SmramRegisters,
} from '@smm/x86-defs';
import { PciFunction, pciHeader, withScratch } from './pci-function.ts';

/** Where ECAM is, as PCIEXBAR says. */
export interface EcamWindow {
  /** Decoded at all. */
  readonly enabled: boolean;
  /** First guest-physical address. */
  readonly start: number;
  /** Size in bytes: 1 MB per bus. */
  readonly sizeBytes: number;
}

/** What the MCH is given. */
export interface MchPorts {
  /** SMRAM control changed (or was written with the same value). */
  readonly smramChanged: (registers: SmramRegisters) => void;
  /** A PAM register changed: `pam` holds the seven of them, 90h to 96h. */
  readonly shadowChanged: (pam: Uint8Array) => void;
  /** PCIEXBAR changed. */
  readonly ecamChanged: (window: EcamWindow) => void;
}

/** What the MCH offers. */
export interface MchOptions {
  /** Extended TSEG size in MB (QEMU's mch.extended-tseg-mbytes); 0: the feature is absent. Default 16. */
  readonly extTsegMb?: number;
  /** SMRAM at the default SMBASE can be had (QEMU 5.0 and later). Default true. */
  readonly smramAtDefaultSmbase?: boolean;
}

const SMRAM_WRITABLE = MCH_SMRAM_D_OPEN | MCH_SMRAM_D_CLS | MCH_SMRAM_D_LCK | MCH_SMRAM_G_SMRAME;
const ESMRAMC_WRITABLE = MCH_ESMRAMC_H_SMRAME | MCH_ESMRAMC_TSEG_MASK | MCH_ESMRAMC_T_EN;
/** ECAM is at B0000000h and off after reset in QEMU; the data sheet says E0000000h. */
const PCIEXBAR_RESET = 0xb000_0000;
const ECAM_SIZES = [0x1000_0000, 0x0800_0000, 0x0400_0000] as const;

/** The MCH's own registers, in offset order; the rest of the space is storage. */
export function mchRegisters(options: MchOptions = {}): RegisterSpec[] {
  return [
    ...pciHeader({
      vendorId: PCI_VENDOR_ID_INTEL,
      deviceId: INTEL_Q35_MCH_DEVICE_ID,
      revision: 0,
      classCode: 0x06_0000,
      multifunction: false,
    }),
    {
      name: 'EXT_TSEG_MB',
      offset: MCH_EXT_TSEG_MB,
      width: 2,
      reset: options.extTsegMb ?? 16,
      writable: 0xffff,
    },
    {
      name: 'PCIEXBAR_LOW',
      offset: MCH_PCIEXBAR_LOW,
      width: 4,
      reset: PCIEXBAR_RESET,
      writable: 0xffff_ffff,
    },
    { name: 'PCIEXBAR_HIGH', offset: MCH_PCIEXBAR_HIGH, width: 4, writable: 0xffff_ffff },
    ...Array.from(
      { length: 7 },
      (_, i): RegisterSpec => ({ name: `PAM${i}`, offset: MCH_PAM0 + i, width: 1, writable: 0xff }),
    ),
    { name: 'DEFAULT_SMBASE_CTL', offset: MCH_DEFAULT_SMBASE_CTL, width: 1, writable: 0xff },
    { name: 'SMRAM', offset: MCH_SMRAM, width: 1, reset: MCH_SMRAM_C_BASE_SEG, writable: SMRAM_WRITABLE },
    {
      name: 'ESMRAMC',
      offset: MCH_ESMRAMC,
      width: 1,
      reset: MCH_ESMRAMC_SM_CACHE | MCH_ESMRAMC_SM_L1 | MCH_ESMRAMC_SM_L2,
      writable: ESMRAMC_WRITABLE,
    },
    { name: 'TSEGMB', offset: MCH_TSEGMB, width: 4, writable: 0xffff_ffff },
    { name: 'TOLUD', offset: MCH_TOLUD, width: 2, writable: 0xffff },
  ];
}

/** The host bridge. */
export class Mch extends PciFunction {
  // wiring
  readonly #ports: MchPorts;
  readonly #options: MchOptions;
  // book-keeping: a write to the low registers may lock the higher ones only after the access
  #lockedAtAccess = false;
  #last = '';

  constructor(ports: MchPorts, options: MchOptions = {}) {
    maybe(isWhole(0, 0xfff))('extTsegMb', options.extTsegMb);
    super('mch', { device: 0, function: 0 }, withScratch(mchRegisters(options)));
    this.#ports = ports;
    this.#options = options;
  }

  /** The registers that decide SMRAM decoding. */
  smramRegisters(): SmramRegisters {
    return {
      smram: this.config.get('SMRAM'),
      esmramc: this.config.get('ESMRAMC'),
      tsegmb: this.config.get('TSEGMB'),
      tolud: this.config.get('TOLUD'),
      extTsegMb: this.#options.extTsegMb ?? 16,
      defaultSmbaseCtl:
        this.#options.smramAtDefaultSmbase === false ? 0 : this.config.get('DEFAULT_SMBASE_CTL'),
    };
  }

  /** PCIEXBAR decoded. */
  ecamWindow(): EcamWindow {
    const low = this.config.get('PCIEXBAR_LOW');
    const sizeBytes = ECAM_SIZES[(low & MCH_PCIEXBAR_LENGTH_MASK) >>> 1];
    if (sizeBytes === undefined) return { enabled: false, start: 0, sizeBytes: ECAM_SIZES[0] };
    const high = this.config.get('PCIEXBAR_HIGH') & 0xf; // 36 address bits
    const base = low - (low % sizeBytes);
    return { enabled: (low & MCH_PCIEXBAR_EN) !== 0, start: physicalAddress(high, base), sizeBytes };
  }

  override writeConfig(offset: number, size: 1 | 2 | 4, value: number, attrs: number): void {
    this.#lockedAtAccess = (this.config.get('SMRAM') & MCH_SMRAM_D_LCK) !== 0;
    super.writeConfig(offset, size, value, attrs);
  }

  protected override configWrite({ name, value, previous, raw }: RegisterWrite<string>): number {
    switch (name) {
      case 'SMRAM': {
        if (this.#lockedAtAccess) return (previous & ~MCH_SMRAM_D_CLS) | (raw & MCH_SMRAM_D_CLS);
        return (value & MCH_SMRAM_D_LCK) !== 0 ? value & ~MCH_SMRAM_D_OPEN : value;
      }
      case 'ESMRAMC':
        return this.#lockedAtAccess ? previous : value;
      case 'EXT_TSEG_MB': {
        const size = this.#options.extTsegMb ?? 16;
        return size > 0 && value === MCH_EXT_TSEG_MB_QUERY ? size : value;
      }
      case 'DEFAULT_SMBASE_CTL':
        return this.#defaultSmbaseCtl(raw, previous);
      default:
        return value;
    }
  }

  protected override applied(): void {
    const smram = this.smramRegisters();
    const ecam = this.ecamWindow();
    const pam = Uint8Array.from({ length: 7 }, (_, i) => this.config.get(`PAM${i}`));
    const now = JSON.stringify([smram, ecam, [...pam]]);
    if (now === this.#last) return;
    this.#last = now;
    this.#ports.smramChanged(smram);
    this.#ports.shadowChanged(pam);
    this.#ports.ecamChanged(ecam);
  }

  /**
   * 0 until queried; then 1 (plain RAM) until a write with bit 1, a second query included, which locks at 2. Without
   * the feature the byte is storage.
   */
  #defaultSmbaseCtl(raw: number, previous: number): number {
    if (this.#options.smramAtDefaultSmbase === false) return raw;
    if (previous === MCH_DEFAULT_SMBASE_LCK) return previous;
    if (previous === MCH_DEFAULT_SMBASE_IN_RAM)
      return (raw & MCH_DEFAULT_SMBASE_LCK) !== 0 ? MCH_DEFAULT_SMBASE_LCK : previous;
    return raw === MCH_DEFAULT_SMBASE_QUERY ? MCH_DEFAULT_SMBASE_IN_RAM : 0;
  }
}
