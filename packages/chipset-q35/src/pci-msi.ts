/**
 * Message-signalled interrupts: one address, up to 32 messages in the low bits of one datum.
 * Source: PCI Local Bus Specification, "MSI Capability Structure"; QEMU 7.2 measured.
 */

import type { RegisterSpec } from '@smm/bus';
import { checkOptions, isFlag, isOneOf, isWhole, type OptionShape } from '@smm/x86-defs';
import type { CapabilityHost, PciCapability } from './pci-capabilities.ts';

/** Capability id. */
export const PCI_CAP_ID_MSI = 0x05;

const ENABLE = 0x0001;
const CAPABLE_SHIFT = 1;
const ENABLED_SHIFT = 4;
const ENABLED_MASK = 0x0070;
const ADDRESS_64 = 0x0080;
const MASKABLE = 0x0100;

/** What an {@link Msi} is like. */
export interface MsiOptions {
  /** Where in configuration space. */
  readonly offset: number;
  /** Messages that the function asks for. */
  readonly vectors: 1 | 2 | 4 | 8 | 16 | 32;
  /** The address is 64 bit wide. */
  readonly address64: boolean;
  /** Each vector can be masked. */
  readonly maskable: boolean;
}

const MSI_SHAPE: OptionShape<MsiOptions> = {
  offset: isWhole(0x40, 0xfc),
  vectors: isOneOf([1, 2, 4, 8, 16, 32]),
  address64: isFlag,
  maskable: isFlag,
};

/** The capability. All its state is registers. */
export class Msi implements PciCapability {
  readonly id = PCI_CAP_ID_MSI;
  readonly offset: number;
  readonly rows: readonly RegisterSpec[];
  readonly #options: MsiOptions;
  #host: CapabilityHost | undefined;

  /** Throws `SmmError` `OPTION_VALUE` for what no capability can be. */
  constructor(options: MsiOptions) {
    checkOptions('the options of MSI', options, MSI_SHAPE);
    const { offset, vectors, address64, maskable } = options;
    this.#options = options;
    this.offset = offset;
    const data = offset + (address64 ? 0x0c : 0x08);
    const control =
      (Math.log2(vectors) << CAPABLE_SHIFT) | (address64 ? ADDRESS_64 : 0) | (maskable ? MASKABLE : 0);
    const wide: RegisterSpec = { name: 'MSI_HIGH', offset: offset + 8, width: 4, writable: 0xffff_ffff };
    const masks: RegisterSpec[] = [
      { name: 'MSI_MASK', offset: data + 4, width: 4, writable: 2 ** vectors - 1 },
      { name: 'MSI_PENDING', offset: data + 8, width: 4 },
    ];
    this.rows = [
      { name: 'MSI_CONTROL', offset: offset + 2, width: 2, reset: control, writable: ENABLED_MASK | ENABLE },
      { name: 'MSI_ADDRESS', offset: offset + 4, width: 4, writable: 0xffff_fffc },
      ...(address64 ? [wide] : []),
      { name: 'MSI_DATA', offset: data, width: 2, writable: 0xffff },
      ...(maskable ? masks : []),
    ];
  }

  /** Software has enabled it. */
  get enabled(): boolean {
    return ((this.#host?.get('MSI_CONTROL') ?? 0) & ENABLE) !== 0;
  }

  get replacesIntx(): boolean {
    return this.enabled;
  }

  attach(host: CapabilityHost): void {
    this.#host = host;
  }

  /** Sends a message, or notes it while masked. Fewer vectors than asked for share: the low bits count. */
  raise(vector: number): void {
    const host = this.#host;
    if (host === undefined || !this.enabled) return;
    const count = this.#granted(host);
    const own = vector % count;
    if (this.#options.maskable && ((host.get('MSI_MASK') >>> own) & 1) !== 0) {
      host.set('MSI_PENDING', (host.get('MSI_PENDING') | (1 << own)) >>> 0);
      return;
    }
    const high = this.#options.address64 ? host.get('MSI_HIGH') : 0;
    const data = (host.get('MSI_DATA') & ~(count - 1)) | own;
    host.send(high, host.get('MSI_ADDRESS'), data);
  }

  /** More vectors than there are cannot be granted; messages that are no longer masked leave. */
  applied(): void {
    const host = this.#host;
    if (host === undefined || !this.enabled) return;
    const control = host.get('MSI_CONTROL');
    const most = Math.log2(this.#options.vectors);
    const granted = Math.min((control & ENABLED_MASK) >>> ENABLED_SHIFT, most);
    host.set('MSI_CONTROL', (control & ~ENABLED_MASK) | (granted << ENABLED_SHIFT));
    if (!this.#options.maskable) return;
    const pending = host.get('MSI_PENDING') % 2 ** this.#granted(host);
    host.set('MSI_PENDING', (pending & host.get('MSI_MASK')) >>> 0);
    for (let v = 0; v < 32; v++) if (((pending & ~host.get('MSI_MASK')) >>> v) & 1) this.raise(v);
  }

  #granted(host: CapabilityHost): number {
    return 1 << ((host.get('MSI_CONTROL') & ENABLED_MASK) >>> ENABLED_SHIFT);
  }
}
