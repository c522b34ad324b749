/**
 * SMI feature negotiation through fw_cfg: the machine offers features, the guest requests some, and reading
 * `etc/smi/features-ok` settles it. Source: QEMU docs/specs (SMI features of ICH9 LPC), edk2 "SmmControl2Dxe" for the
 * guest's side; the rules measured on QEMU 7.2.
 */
import type { Snapshottable } from '@smm/bus';
import { type FwCfgFile, littleEndian } from './fw-cfg.ts';
import { requireVersion1 } from './snapshot.ts';

/** A write to B2h interrupts every processor. */
export const SMI_FEATURE_BROADCAST = 0x1;
/** Hot-plugging a processor raises an SMI; needs broadcast. */
export const SMI_FEATURE_CPU_HOTPLUG = 0x2;
/** Hot-unplugging one does; needs the former. */
export const SMI_FEATURE_CPU_HOT_UNPLUG = 0x4;

/** Architectural state of {@link SmiFeatures}. The files' bytes are in fw_cfg's state. */
export interface SmiFeaturesState {
  /** Layout version of this object. */
  version: 1;
  /** Features in force. */
  negotiated: number;
  /** Settled until reset. */
  settled: boolean;
}

/** The negotiation. Give {@link SmiFeatures.files} to fw_cfg. */
export class SmiFeatures implements Snapshottable<SmiFeaturesState> {
  /** Name in snapshots. */
  readonly name = 'smi-features';
  /** The three files; none when nothing is offered, as on QEMU. */
  readonly files: readonly FwCfgFile[];
  // wiring
  readonly #offered: number;
  readonly #setBroadcast: (broadcast: boolean) => void;
  readonly #requested = new Uint8Array(8);
  readonly #ok = new Uint8Array(1);
  // architectural state
  #negotiated = 0;
  #settled = false;

  /** `offered` are feature bits, at most 31; `setBroadcast` switches who gets software SMIs. */
  constructor(ports: { readonly setBroadcast: (broadcast: boolean) => void }, offered: number) {
    this.#setBroadcast = ports.setBroadcast;
    this.#offered = offered;
    this.files =
      offered === 0
        ? []
        : [
            { name: 'etc/smi/supported-features', data: littleEndian(offered, 8) },
            { name: 'etc/smi/requested-features', data: this.#requested, writable: true },
            { name: 'etc/smi/features-ok', data: this.#ok, onSelect: () => this.#settle() },
          ];
  }

  /** Features in force: 0 until settled. */
  get negotiated(): number {
    return this.#negotiated;
  }

  /** State after RESET; fw_cfg resets the files. */
  reset(): void {
    this.#negotiated = 0;
    this.#settled = false;
  }

  /** Copies the state out. */
  save(): SmiFeaturesState {
    return { version: 1, negotiated: this.#negotiated, settled: this.#settled };
  }

  /** Puts a saved state back. Throws `SmmError` `SNAPSHOT_VERSION` for another version. */
  restore(state: SmiFeaturesState): void {
    requireVersion1(this.name, state);
    this.#negotiated = state.negotiated;
    this.#settled = state.settled;
  }

  #settle(): void {
    if (this.#settled) return;
    const view = new DataView(this.#requested.buffer);
    const wanted = view.getUint32(0, true);
    if (view.getUint32(4, true) !== 0 || !acceptable(wanted, this.#offered)) return;
    this.#settled = true;
    this.#ok[0] = 1;
    this.#negotiated = wanted;
    this.#setBroadcast((wanted & SMI_FEATURE_BROADCAST) !== 0);
  }
}

function acceptable(wanted: number, offered: number): boolean {
  if ((wanted & ~offered) !== 0) return false;
  const hotplug = (wanted & SMI_FEATURE_CPU_HOTPLUG) !== 0;
  const unplug = (wanted & SMI_FEATURE_CPU_HOT_UNPLUG) !== 0;
  if ((hotplug || unplug) && (wanted & SMI_FEATURE_BROADCAST) === 0) return false;
  return hotplug || !unplug;
}
