/**
 * What connects the local APICs: routes IPIs, I/O APIC messages and MSIs to their targets.
 * Not modelled: interrupt remapping, 15-bit MSI destinations, focus processors, bus arbitration time.
 * Source: Intel SDM Vol. 3, "Issuing Interprocessor Interrupts", "Determining IPI Destination", "Message Signalled
 * Interrupts".
 */
import {
  APIC_BROADCAST,
  APIC_DEST_ALLBUT,
  APIC_DEST_ALLINC,
  APIC_DEST_LOGICAL,
  APIC_DEST_SELF,
  APIC_DM_FIXED,
  APIC_DM_INIT,
  APIC_DM_LOWEST,
  APIC_ESR_SENDILL,
  APIC_FIRST_VECTOR,
  APIC_INT_ASSERT,
  APIC_INT_LEVELTRIG,
  APIC_MODE_MASK,
  APIC_SHORT_MASK,
  checkOptions,
  isFunction,
  isObject,
  isOneOf,
  MSI_ADDR_DEST_MODE_LOGICAL,
  MSI_ADDR_REDIRECTION_HINT,
  maybe,
  SmmError,
  X2APIC_BROADCAST,
} from '@smm/x86-defs';
import { APIC_FLAVOURS, type ApicBehaviour, type ApicFlavour } from './behaviour.ts';
import type { LocalApic } from './local-apic.ts';
import type { Acceptance, AddressedMessage, ApicObserver } from './messages.ts';

/** Options of a bus; all have defaults. */
export interface ApicBusOptions {
  /** Named set of switches. Default `sdm`. */
  readonly flavour?: ApicFlavour;
  /** Single switches on top of the flavour. */
  readonly behaviour?: Partial<ApicBehaviour>;
  /** Sees what happens; may be changed later. */
  readonly observer?: ApicObserver;
  /** EOI broadcast to I/O APICs, for vectors whose TMR bit is set. */
  readonly onEoi?: (vector: number) => void;
}

/** The APIC bus of one machine. */
export class ApicBus {
  /** The switches in force, shared by every local APIC on this bus. */
  readonly behaviour: ApicBehaviour;
  /** Sees what happens. */
  observer: ApicObserver | undefined;
  readonly #onEoi: ((vector: number) => void) | undefined;
  readonly #apics: LocalApic[] = [];
  #byId: Map<number, LocalApic[]> | undefined;

  /** Throws `SmmError` `OPTION_VALUE` for a flavour that is none. */
  constructor(options: ApicBusOptions = {}) {
    checkOptions<ApicBusOptions>('the options of an APIC bus', options, {
      flavour: maybe(isOneOf(Object.keys(APIC_FLAVOURS))),
      behaviour: maybe(isObject),
      observer: maybe(isObject),
      onEoi: maybe(isFunction),
    });
    this.behaviour = { ...APIC_FLAVOURS[options.flavour ?? 'sdm'], ...options.behaviour };
    this.observer = options.observer;
    this.#onEoi = options.onEoi;
  }

  /** The local APICs in order of registration. */
  get apics(): readonly LocalApic[] {
    return this.#apics;
  }

  /**
   * Adds a local APIC; its constructor does this. Throws `SmmError` `APIC_ID_TAKEN` when the initial id is not unique.
   */
  register(apic: LocalApic): void {
    if (this.#apics.some((other) => other.initialId === apic.initialId)) {
      throw new SmmError(
        'APIC_ID_TAKEN',
        `two local APICs with initial id ${apic.initialId}`,
        'Give each processor its own APIC id.',
        {
          apicId: apic.initialId,
        },
      );
    }
    this.#apics.push(apic);
    this.identityChanged();
  }

  /** A local APIC's id or mode changed: routing by id is worked out again. */
  identityChanged(): void {
    this.#byId = undefined;
  }

  /** Sends an IPI as a write to ICR does. `destination` is ICR bits 63:56 (xAPIC) or 63:32 (x2APIC). */
  send(from: LocalApic, icrLow: number, destination: number): void {
    const deliveryMode = icrLow & APIC_MODE_MASK;
    const vector = icrLow & 0xff;
    const fixed = deliveryMode === APIC_DM_FIXED || deliveryMode === APIC_DM_LOWEST;
    if (fixed && vector < APIC_FIRST_VECTOR && this.behaviour.illegalVectors === 'error') {
      from.raiseError(APIC_ESR_SENDILL);
      return;
    }
    const level = (icrLow & APIC_INT_ASSERT) !== 0;
    let trigger: 'edge' | 'level' = (icrLow & APIC_INT_LEVELTRIG) !== 0 ? 'level' : 'edge';
    if (fixed && this.behaviour.ipiTrigger === 'edge') trigger = 'edge';
    const message: AddressedMessage = {
      deliveryMode,
      vector,
      trigger,
      level,
      destination,
      destinationMode: (icrLow & APIC_DEST_LOGICAL) !== 0 ? 'logical' : 'physical',
      wide: from.mode === 'x2apic',
    };
    const targets = this.#arbitrate(message, this.#shorthand(from, icrLow) ?? this.#addressed(message));
    this.observer?.ipi?.({
      from: from.initialId,
      icrLow: icrLow >>> 0,
      destination,
      targets: targets.map(({ initialId }) => initialId),
    });
    if (deliveryMode === APIC_DM_INIT && trigger === 'level' && !level) {
      for (const apic of this.#apics) apic.synchronizeArbitrationId();
    }
    for (const target of targets) target.accept(message);
  }

  /** Delivers a message from an I/O APIC. The answer is the best of its targets'; `ignored` when there is none. */
  deliver(message: AddressedMessage): Acceptance {
    let result: Acceptance = 'ignored';
    for (const target of this.#arbitrate(message, this.#addressed(message))) {
      const taken = target.accept(message);
      if (taken === 'accepted' || result === 'ignored') result = taken;
    }
    return result;
  }

  /**
   * Delivers a message-signalled interrupt: a dword written by a device to guest-physical FEExxxxxh.
   * The destination mode bit counts with or without the redirection hint, as Linux guests need.
   */
  deliverMsi(address: number, data: number): Acceptance {
    return this.deliver({
      deliveryMode: data & APIC_MODE_MASK,
      vector: data & 0xff,
      trigger: (data & APIC_INT_LEVELTRIG) !== 0 ? 'level' : 'edge',
      level: (data & APIC_INT_ASSERT) !== 0,
      destination: (address >>> 12) & 0xff,
      destinationMode: (address & MSI_ADDR_DEST_MODE_LOGICAL) !== 0 ? 'logical' : 'physical',
      redirectionHint: (address & MSI_ADDR_REDIRECTION_HINT) !== 0,
    });
  }

  /** Tells the I/O APICs that a level-triggered interrupt ended. Called by local APICs. */
  broadcastEoi(vector: number): void {
    this.#onEoi?.(vector);
  }

  #shorthand(from: LocalApic, icrLow: number): readonly LocalApic[] | undefined {
    switch (icrLow & APIC_SHORT_MASK) {
      case APIC_DEST_SELF:
        return [from];
      case APIC_DEST_ALLINC:
        return this.#apics.filter(isPresent);
      case APIC_DEST_ALLBUT:
        return this.#apics.filter((apic) => apic !== from && isPresent(apic));
      default:
        return undefined;
    }
  }

  #addressed(message: AddressedMessage): readonly LocalApic[] {
    const { destination, wide = false } = message;
    const everyone = destination === (wide ? X2APIC_BROADCAST : APIC_BROADCAST);
    if (message.destinationMode === 'physical') {
      return everyone ? this.#apics.filter(isPresent) : (this.#idMap().get(destination) ?? []);
    }
    if (everyone && this.behaviour.logicalBroadcast) return this.#apics.filter(isPresent);
    return this.#apics.filter((apic) => isPresent(apic) && matchesLogical(apic, destination));
  }

  #arbitrate(message: AddressedMessage, targets: readonly LocalApic[]): readonly LocalApic[] {
    const fixed = message.deliveryMode === APIC_DM_FIXED || message.deliveryMode === APIC_DM_LOWEST;
    if (message.deliveryMode !== APIC_DM_LOWEST && !(fixed && message.redirectionHint)) return targets;
    if (this.behaviour.lowestPriority === 'first') return targets.slice(0, 1);
    const key: (apic: LocalApic) => number =
      this.behaviour.lowestPriority === 'priority' ? (apic) => apic.ppr : (apic) => apic.turns;
    let best: LocalApic | undefined;
    for (const apic of targets) {
      if (apic.enabled && (best === undefined || key(apic) < key(best))) best = apic;
    }
    return best === undefined ? [] : [best];
  }

  #idMap(): Map<number, LocalApic[]> {
    if (this.#byId === undefined) {
      this.#byId = new Map();
      for (const apic of this.#apics) {
        if (!isPresent(apic)) continue;
        const same = this.#byId.get(apic.id);
        const { sharedId } = this.behaviour;
        if (
          same === undefined ||
          sharedId === 'last' ||
          (sharedId === 'owner' && apic.initialId === apic.id)
        ) {
          this.#byId.set(apic.id, [apic]);
        } else if (sharedId === 'every') {
          same.push(apic);
        }
      }
    }
    return this.#byId;
  }
}

function isPresent(apic: LocalApic): boolean {
  return apic.mode !== 'disabled';
}

/** Logical match. Intel SDM Vol. 3, "Logical Destination Mode", "Logical Destination Mode in x2APIC Mode". */
function matchesLogical(apic: LocalApic, destination: number): boolean {
  if (apic.mode === 'x2apic') {
    return apic.ldr >>> 16 === destination >>> 16 && (apic.ldr & destination & 0xffff) !== 0;
  }
  if (destination > 0xff) return false;
  const logicalId = apic.ldr >>> 24;
  const model = apic.dfr >>> 28;
  if (model === 0xf) return (logicalId & destination) !== 0;
  return model === 0 && logicalId >> 4 === destination >> 4 && (logicalId & destination & 0xf) !== 0;
}
